"""One short function for each command: what the command line and notebooks call."""

from neuroparcel.pipeline.demonstration import DemoResult, demo, simulate
from neuroparcel.pipeline.figures import plot
from neuroparcel.pipeline.fitting import fit, plan
from neuroparcel.pipeline.health import Check, doctor
from neuroparcel.pipeline.inferring import infer, plan_inference
from neuroparcel.pipeline.options import DemoOptions, FitOptions, InferOptions
from neuroparcel.pipeline.planning import Plan
from neuroparcel.pipeline.results import FitResult
from neuroparcel.pipeline.saved_model import SavedModel, load_model

__all__ = [
    "Check",
    "DemoOptions",
    "DemoResult",
    "FitOptions",
    "FitResult",
    "InferOptions",
    "Plan",
    "SavedModel",
    "demo",
    "doctor",
    "fit",
    "infer",
    "load_model",
    "plan",
    "plan_inference",
    "plot",
    "simulate",
]
