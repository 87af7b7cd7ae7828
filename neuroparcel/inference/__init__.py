"""Training an amortized posterior and asking it questions."""

from neuroparcel.graph.trace import seeded
from neuroparcel.inference.calibration import Calibration, simulation_based_calibration
from neuroparcel.inference.diagnostics import evidence_bound, pareto_k
from neuroparcel.inference.posterior import AmortizedPosterior, Posterior
from neuroparcel.inference.saved_posterior import load_posterior, save_posterior
from neuroparcel.inference.stages import Schedule, Stage, TrainingHistory
from neuroparcel.inference.trainer import TrainingLimits
from neuroparcel.inference.variational import fit

__all__ = [
    "AmortizedPosterior",
    "Calibration",
    "Posterior",
    "Schedule",
    "Stage",
    "TrainingHistory",
    "TrainingLimits",
    "evidence_bound",
    "fit",
    "load_posterior",
    "pareto_k",
    "save_posterior",
    "seeded",
    "simulation_based_calibration",
]
