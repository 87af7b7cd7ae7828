"""Cohorts from the model as a fit reads them from files, without the detour."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.features import Features, to_sphere
from neuroparcel.brain.model_cohort import ModelCohort
from neuroparcel.brain.reduction import Reduction

FEATURES = {"l-normal": Features("maps", "clip"), "von-mises-fisher": Features("maps")}
"""How maps of each emission become profiles, as the command that ``simulate`` prints says."""


def as_read(drawn: ModelCohort, axis: BrainAxis) -> Cohort:
    """Profiles of a cohort, from its maps."""
    settings, shape = drawn.settings, drawn.coordinates.shape[:3]
    features = FEATURES[settings.emission]
    n_features = settings.n_components + 1
    profiles = np.empty((*shape, n_features), dtype=np.float32)
    for cell in np.ndindex(shape[:2]):
        profiles[cell], _ = to_sphere(drawn.maps(*cell), features)
    return Cohort(
        settings.subjects,
        settings.sessions,
        profiles,
        np.ones(shape, dtype=bool),
        axis,
        tuple(f"map {number}" for number in range(n_features)),
        signed=features.signed,
        strength=np.ones(shape, dtype=np.float32) if features.signed else None,
    )


def true_networks(drawn: ModelCohort, reduction: Reduction) -> Mapping[str, Tensor]:
    """True networks of each level in the coordinates of a fit, (..., network, component).

    Directions, of the von Mises-Fisher emission.
    """
    found = {}
    for level, networks in drawn.networks.items():
        rows = drawn.features(networks)
        rows /= np.linalg.norm(rows, axis=-1, keepdims=True)
        found[level] = torch.as_tensor(reduction.transform(rows)).double()
    return found
