"""One short function for each command: what the command line and notebooks call.

The names are imported when they are first asked for: looking at a cohort needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuroparcel.pipeline.connectomes import build, export, inspect, verify
    from neuroparcel.pipeline.demonstration import DemoResult, demo, simulate
    from neuroparcel.pipeline.figures import plot
    from neuroparcel.pipeline.fitting import fit, plan
    from neuroparcel.pipeline.health import Check, doctor
    from neuroparcel.pipeline.inferring import infer, plan_inference
    from neuroparcel.pipeline.options import (
        BuildOptions,
        DemoOptions,
        FitOptions,
        InferOptions,
        InspectOptions,
        SelectOptions,
    )
    from neuroparcel.pipeline.planning import Plan
    from neuroparcel.pipeline.results import FitResult
    from neuroparcel.pipeline.saved_model import SavedModel, load_model
    from neuroparcel.pipeline.selecting import plan_select, select
    from neuroparcel.pipeline.selection_files import SelectionResult

_HOME = {
    "BuildOptions": "options",
    "Check": "health",
    "DemoOptions": "options",
    "DemoResult": "demonstration",
    "FitOptions": "options",
    "FitResult": "results",
    "InferOptions": "options",
    "InspectOptions": "options",
    "Plan": "planning",
    "SavedModel": "saved_model",
    "SelectOptions": "options",
    "SelectionResult": "selection_files",
    "build": "connectomes",
    "demo": "demonstration",
    "doctor": "health",
    "export": "connectomes",
    "fit": "fitting",
    "infer": "inferring",
    "inspect": "connectomes",
    "load_model": "saved_model",
    "plan": "fitting",
    "plan_inference": "inferring",
    "plan_select": "selecting",
    "plot": "figures",
    "select": "selecting",
    "simulate": "demonstration",
    "verify": "connectomes",
}

__all__ = [
    "BuildOptions",
    "Check",
    "DemoOptions",
    "DemoResult",
    "FitOptions",
    "FitResult",
    "InferOptions",
    "InspectOptions",
    "Plan",
    "SavedModel",
    "SelectOptions",
    "SelectionResult",
    "build",
    "demo",
    "doctor",
    "export",
    "fit",
    "infer",
    "inspect",
    "load_model",
    "plan",
    "plan_inference",
    "plan_select",
    "plot",
    "select",
    "simulate",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'neuroparcel.pipeline' has no attribute '{name}'")
    return getattr(import_module(f"neuroparcel.pipeline.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
