"""Whether to believe the labels: hidden vertices, agreement, reliability, training, the data."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from neuroparcel.report.figures import drawn_figures, figure_of
from neuroparcel.report.run import ReportedRun
from neuroparcel.report.section import Fact, Section

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MODEL_FIGURES = {
    "model": "The model as a graph of plates, beside the variational family derived from it"
}
_MODELS = {
    "model": "this model",
    "kmeans": "k-means of the pooled cohort",
    "session_kmeans": "k-means of each session alone",
}
_COMPARISONS = {
    "areas": "population map with the anatomical areas",
    "within_subject": "single-session maps, same subject",
    "between_subjects": "single-session maps, different subjects",
}
_RIVALS = {
    "": "this model",
    "kmeans_": "spherical k-means",
    "reduced_kmeans_": "k-means of reduced profiles",
}


def quality(run: ReportedRun) -> Section:
    """How well hidden vertices are predicted, and how far maps agree."""
    content = {
        "heldout": _heldout(run.record["heldout_nats_per_vertex"]),
        "agreement": _agreement(run.record["agreement"]),
        "refinement": run.record.get("refinement"),
        "rows_are": run.rows_are,
    }
    return Section("quality", "Quality", "quality.html", content)


def data_quality(run: ReportedRun) -> Section:
    """Warnings on the data and on the fit."""
    prior = run.record.get("prior_only", {})
    content = {
        "warnings": run.record["warnings"],
        "n_prior": prior.get("population", 0),
        "n_subjects_with_prior": len(prior.get("subjects", {})),
        "n_missing": sum(len(view.missing) for view in run.subjects),
        "rows_are": run.rows_are,
    }
    return Section("data", "Data quality", "data_quality.html", content)


def calibration(run: ReportedRun) -> Section:
    """Whether probabilities are worth what they say, judged on repeated sessions."""
    table = run.reliability
    pictures = []
    if table is not None:
        alt = "Reliability diagrams: what a held-out session shows against what the labels say"
        pictures = [figure_of(run, "reliability", partial(_draw_reliability, run), alt)]
    labels = run.record.get("labels") or {}
    content = {
        "facts": _label_facts(labels),
        "summary": labels.get("reliability"),
        "pictures": pictures,
    }
    return Section("calibration", "Calibration", "calibration.html", content)


def training(run: ReportedRun) -> Section | None:
    """The course of the training, where there was one."""
    history = run.history
    if history is None or not len(history.loss):
        return None
    alt = "Training: the loss of each step and of the cohort, with the stages as bands"
    facts = [
        Fact("Steps", f"{len(history.loss):,}"),
        Fact("Stages", ", then ".join(dict.fromkeys(history.stage))),
    ]
    if len(history.validation_loss):
        facts.append(
            Fact("Last loss of the cohort", f"{history.validation_loss[-1]:.3f} nats an element")
        )
    pictures = [figure_of(run, "training", partial(_draw_training, run), alt)]
    pictures += drawn_figures(run, _MODEL_FIGURES)
    lead = (
        "Objectives differ between stages, so losses compare within a band only. The verdict says "
        "whether the loss still fell."
    )
    content = {"lead": lead, "facts": facts, "pictures": pictures, "kind": "chart", "none": None}
    return Section("training", "Training", "pictures.html", content)


def _heldout(nats: dict[str, float]) -> list[dict[str, Any]]:
    """A row a model with its bar, from the least probable to the most."""
    known = {name: value for name, value in nats.items() if name in _MODELS and value is not None}
    low, high = min(known.values()), max(known.values())
    return [
        {
            "name": _MODELS[name],
            "value": value,
            "share": 0.06 + 0.94 * (value - low) / (high - low) if high > low else 1.0,
            "own": name == "model",
        }
        for name, value in known.items()
    ]


def _agreement(found: dict[str, float]) -> list[dict[str, Any]]:
    """A row a comparison, a column a rival."""
    return [
        {"name": title, "values": [found.get(prefix + key) for prefix in _RIVALS]}
        for key, title in _COMPARISONS.items()
        if key in found
    ]


RIVALS = tuple(_RIVALS.values())
"""Columns of the table of agreement."""


def _label_facts(labels: dict[str, Any]) -> list[Fact]:
    if labels.get("prior") != "vertex":
        return []
    facts = [
        Fact("Weight of evidence", f"{labels['evidence_weight']:.2f}", "1 counts all of it"),
        Fact("Weight of the group's prior", f"{labels['prior_weight']:.2f}"),
        Fact("Smoothness", f"{labels['smoothness']:g}"),
    ]
    if labels.get("calibration"):
        facts.append(Fact("Temperature", f"{labels['temperature']:.2f}"))
        facts.append(Fact("Uniform share", f"{labels['uniform_share']:.3f}"))
    return facts


def _draw_reliability(run: ReportedRun) -> Figure:
    from neuroparcel.plotting.reliability import draw_reliability

    assert run.reliability is not None  # asked before
    return draw_reliability(run.reliability)


def _draw_training(run: ReportedRun) -> Figure:
    from neuroparcel.plotting.training import draw_training

    assert run.history is not None  # asked before
    return draw_training(run.history)
