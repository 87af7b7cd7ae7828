"""What the MS-HBM needs to be fitted by the engine: model, family, training data."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from neuroparcel.families.adavi import Adavi, AdaviConfig
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.template import ModelTemplate, analyse
from neuroparcel.inference.data import Mixed, PlateRanges, Simulations, SubPyramids
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_start import Moments, estimate_moments
from neuroparcel.nets.hierarchical_encoder import EncoderConfig

_MAX_SUBJECTS = 12  # of a training data set; larger cohorts are seen by parts
_MAX_SESSIONS = 4
_VERTEX_SHARE = 0.3  # smallest training region, as a share of the cohort's
_OBSERVED_SHARE = 0.6  # of the training batches; the others are simulated
_N_STARTS = 40


@dataclass(frozen=True, eq=False)
class NetworkModel:
    """The MS-HBM of one cohort, ready to train.

    Attributes
    ----------
    template : ModelTemplate
    family : Adavi
    stream : Mixed
        Sub-populations of the cohort, and cohorts simulated like it.
    moments : Moments
    """

    template: ModelTemplate
    family: Adavi
    stream: Mixed
    moments: Moments


def network_template(covariance: Tensor, n_networks: int) -> ModelTemplate:
    """The analysed MS-HBM with this prior covariance of the population networks."""
    return analyse(MSHBM(covariance, n_networks))


def network_model(data: Observation, covariance: Tensor, anchors: Tensor) -> NetworkModel:
    """Assemble model, family and training data around k-means anchors.

    Parameters
    ----------
    data : Observation, (1, subject, session, vertex, component)
        The training cohort.
    covariance : Tensor, shape (component, component)
        Prior covariance of the population networks.
    anchors : Tensor, shape (network, component)
    """
    device = data.values.device
    template = network_template(covariance.to(device), len(anchors))
    moments = estimate_moments(data, anchors.to(device))
    family = network_family(template, moments.anchors, float(moments.kappa)).to(device)
    ranges = _plate_ranges(data)
    simulations = Simulations(template, ranges, moments.proposals(), device)
    observed = SubPyramids(data, ranges)
    stream = Mixed((observed, simulations), (_OBSERVED_SHARE, 1 - _OBSERVED_SHARE))
    return NetworkModel(template, family, stream, moments)


def network_family(template: ModelTemplate, anchors: Tensor, temperature: float) -> Adavi:
    """ADAVI for the MS-HBM: anchored summaries at the vertex level."""
    config = AdaviConfig(encoder=EncoderConfig(temperature=temperature))
    return Adavi(template.graph, config, anchors)


def start(model: NetworkModel) -> None:
    """Regress simulated latents on the encoder's summaries: the weights before training."""
    simulations = model.stream.streams[1]
    batches = [simulations.draw() for _ in range(_N_STARTS)]
    model.family.start([(batch.latents or {}, batch.data) for batch in batches])


def _plate_ranges(data: Observation) -> PlateRanges:
    n_subjects, n_sessions, n_vertices = data.plate_sizes
    low = max(1, round(_VERTEX_SHARE * n_vertices))
    bounds = (
        (1, min(n_subjects, _MAX_SUBJECTS)),
        (1, min(n_sessions, _MAX_SESSIONS)),
        (low, n_vertices),
    )
    return PlateRanges(bounds, max_elements=6_000, max_batch=8)
