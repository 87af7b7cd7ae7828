"""One short function for each command: what the command line and notebooks call.

The names are imported when they are first asked for: looking at a cohort needs no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neuroparcel.pipeline.atlas_list import list_atlases
    from neuroparcel.pipeline.atlases import add_atlas, export_atlas, remove_atlas, show_atlas
    from neuroparcel.pipeline.comparing import CompareOptions, compare
    from neuroparcel.pipeline.comparison_files import Comparison
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
    )
    from neuroparcel.pipeline.planning import Plan
    from neuroparcel.pipeline.reporting import report
    from neuroparcel.pipeline.results import FitResult
    from neuroparcel.pipeline.saved_model import SavedModel, load_model
    from neuroparcel.pipeline.selecting import plan_select, select
    from neuroparcel.pipeline.selection_files import SelectionResult
    from neuroparcel.pipeline.selection_options import SelectOptions
    from neuroparcel.pipeline.stability_inputs import load_cohort_of
    from neuroparcel.pipeline.stability_options import StabilityOptions
    from neuroparcel.pipeline.stability_result import (
        StabilityPlan,
        StabilityResult,
        StabilityTask,
    )
    from neuroparcel.pipeline.stability_running import plan_stability, stability

_HOME = {
    "BuildOptions": "options",
    "Check": "health",
    "CompareOptions": "comparing",
    "Comparison": "comparison_files",
    "DemoOptions": "options",
    "DemoResult": "demonstration",
    "FitOptions": "options",
    "FitResult": "results",
    "InferOptions": "options",
    "InspectOptions": "options",
    "Plan": "planning",
    "SavedModel": "saved_model",
    "SelectOptions": "selection_options",
    "SelectionResult": "selection_files",
    "StabilityOptions": "stability_options",
    "StabilityPlan": "stability_result",
    "StabilityResult": "stability_result",
    "StabilityTask": "stability_result",
    "add_atlas": "atlases",
    "build": "connectomes",
    "compare": "comparing",
    "demo": "demonstration",
    "doctor": "health",
    "export": "connectomes",
    "export_atlas": "atlases",
    "fit": "fitting",
    "infer": "inferring",
    "inspect": "connectomes",
    "list_atlases": "atlas_list",
    "load_cohort_of": "stability_inputs",
    "load_model": "saved_model",
    "plan": "fitting",
    "plan_inference": "inferring",
    "plan_select": "selecting",
    "plan_stability": "stability_running",
    "plot": "figures",
    "remove_atlas": "atlases",
    "report": "reporting",
    "select": "selecting",
    "show_atlas": "atlases",
    "simulate": "demonstration",
    "stability": "stability_running",
    "verify": "connectomes",
}

__all__ = [
    "BuildOptions",
    "Check",
    "CompareOptions",
    "Comparison",
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
    "StabilityOptions",
    "StabilityPlan",
    "StabilityResult",
    "StabilityTask",
    "add_atlas",
    "build",
    "compare",
    "demo",
    "doctor",
    "export",
    "export_atlas",
    "fit",
    "infer",
    "inspect",
    "list_atlases",
    "load_cohort_of",
    "load_model",
    "plan",
    "plan_inference",
    "plan_select",
    "plan_stability",
    "plot",
    "remove_atlas",
    "report",
    "select",
    "show_atlas",
    "simulate",
    "stability",
    "verify",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'neuroparcel.pipeline' has no attribute '{name}'")
    return getattr(import_module(f"neuroparcel.pipeline.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
