"""What the MS-HBM needs to be fitted by the engine: model, family, training data."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from neuroparcel.families.adavi import Adavi, AdaviConfig
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.template import ModelTemplate, analyse
from neuroparcel.inference.data import (
    Mixed,
    PlateRanges,
    Simulations,
    SubPyramids,
    TrainingStream,
    WithGaps,
)
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_start import Moments, estimate_moments
from neuroparcel.nets.flows import FlowConfig
from neuroparcel.nets.hierarchical_encoder import EncoderConfig

_MAX_SUBJECTS = 12  # of a training data set; larger cohorts are seen by parts
_MAX_SESSIONS = 4
_MAX_VERTICES = 2_000
_VERTEX_SHARE = 0.3  # smallest training region, as a share of the largest
_OBSERVED_SHARE = 0.6  # of the training batches; the others are simulated
_GAP_SHARE = 0.3  # of the batches that lack some sessions
_N_STARTS = 40
_MAX_ATTENDED = 4_096  # vertices of a session that attention reads; above _MAX_VERTICES


@dataclass(frozen=True, eq=False)
class NetworkModel:
    """The MS-HBM of one cohort, ready to train.

    Attributes
    ----------
    template : ModelTemplate
    family : Adavi
    stream : TrainingStream
        Sub-populations of the cohort, and cohorts simulated like it, some with gaps.
    simulations : Simulations
        The latter alone.
    moments : Moments
    """

    template: ModelTemplate
    family: Adavi
    stream: TrainingStream
    simulations: Simulations
    moments: Moments


def network_model(data: Observation, model: MSHBM, anchors: Tensor) -> NetworkModel:
    """Assemble model, family and training data around k-means anchors.

    Parameters
    ----------
    data : Observation, (1, subject, session, vertex, component)
        The training cohort.
    model : MSHBM
    anchors : Tensor, shape (network, component)
    """
    device = data.values.device
    model = model.to(device)
    template = analyse(model)
    moments = estimate_moments(data, anchors.to(device), model)
    encoder = EncoderConfig(
        temperature=moments.temperature, by_component=True, max_attended=_MAX_ATTENDED
    )
    # Networks have hundreds of coordinates, that affine couplings serve well enough.
    config = AdaviConfig(encoder, FlowConfig(coupling="affine"))
    family = Adavi(template.graph, config, moments.anchors).to(device)
    ranges = _plate_ranges(data)
    simulations = Simulations(template, ranges, moments.proposals(), device)
    observed = SubPyramids(data, ranges)
    mixed = Mixed((observed, simulations), (_OBSERVED_SHARE, 1 - _OBSERVED_SHARE))
    return NetworkModel(template, family, WithGaps(mixed, _GAP_SHARE), simulations, moments)


def start(model: NetworkModel) -> None:
    """Regress simulated latents on the encoder's summaries: the weights before training."""
    batches = [model.simulations.draw() for _ in range(_N_STARTS)]
    model.family.start([(batch.latents or {}, batch.data) for batch in batches])


def _plate_ranges(data: Observation) -> PlateRanges:
    n_subjects, n_sessions, n_vertices = data.plate_sizes
    high = min(n_vertices, _MAX_VERTICES)
    low = max(1, round(_VERTEX_SHARE * high))
    bounds = (
        (1, min(n_subjects, _MAX_SUBJECTS)),
        (1, min(n_sessions, _MAX_SESSIONS)),
        (low, high),
    )
    return PlateRanges(bounds, max_elements=6_000, max_batch=8)
