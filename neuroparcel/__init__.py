"""Functional parcellations that know their own uncertainty.

The public names are imported when they are first asked for, so that importing
the package costs nothing.

>>> from neuroparcel import FitOptions, fit
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuroparcel.brain.atlas import Atlas, Region, Targets
    from neuroparcel.brain.axis import BrainAxis
    from neuroparcel.brain.connectome import Cohort
    from neuroparcel.brain.designs import Design
    from neuroparcel.brain.parcellation import CohortParcellation, SoftParcellation
    from neuroparcel.brain.reduction import Reduction
    from neuroparcel.brain.stability import StabilityReport
    from neuroparcel.errors import NeuroparcelError
    from neuroparcel.graph import Observation, analyse
    from neuroparcel.inference.posterior import AmortizedPosterior, Posterior
    from neuroparcel.models.mshbm import MSHBM
    from neuroparcel.parcellation.stability import stability
    from neuroparcel.pipeline import (
        FitOptions,
        FitResult,
        InferOptions,
        StabilityOptions,
        fit,
        infer,
        load_cohort_of,
        load_model,
    )

__version__ = "0.1.0"

_HOME = {
    "Atlas": "brain.atlas",
    "Region": "brain.atlas",
    "Targets": "brain.atlas",
    "BrainAxis": "brain.axis",
    "Cohort": "brain.connectome",
    "CohortParcellation": "brain.parcellation",
    "SoftParcellation": "brain.parcellation",
    "Design": "brain.designs",
    "Reduction": "brain.reduction",
    "StabilityReport": "brain.stability",
    "NeuroparcelError": "errors",
    "Observation": "graph",
    "analyse": "graph",
    "AmortizedPosterior": "inference.posterior",
    "Posterior": "inference.posterior",
    "MSHBM": "models.mshbm",
    "FitOptions": "pipeline",
    "FitResult": "pipeline",
    "InferOptions": "pipeline",
    "fit": "pipeline",
    "StabilityOptions": "pipeline",
    "infer": "pipeline",
    "load_cohort_of": "pipeline",
    "load_model": "pipeline",
    "stability": "parcellation.stability",
}

__all__ = [
    "MSHBM",
    "AmortizedPosterior",
    "Atlas",
    "BrainAxis",
    "Cohort",
    "CohortParcellation",
    "Design",
    "FitOptions",
    "FitResult",
    "InferOptions",
    "NeuroparcelError",
    "Observation",
    "Posterior",
    "Reduction",
    "Region",
    "SoftParcellation",
    "StabilityOptions",
    "StabilityReport",
    "Targets",
    "__version__",
    "analyse",
    "fit",
    "infer",
    "load_cohort_of",
    "load_model",
    "stability",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'neuroparcel' has no attribute '{name}'")
    return getattr(import_module(f"neuroparcel.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
