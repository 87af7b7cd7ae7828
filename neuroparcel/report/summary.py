"""The head of the report, and its table of what was parcellated."""

from __future__ import annotations

from neuroparcel.report.run import ReportedRun
from neuroparcel.report.section import Fact, Section
from neuroparcel.report.survey import mean_certainty

_FAMILIES = {
    "reference": "closed-form coordinate ascent",
    "adavi": "trained, amortized posteriors",
    "mean-field": "mean field, fitted by gradients",
}
_EMISSIONS = {
    "l-normal": "Gaussian in link coordinates",
    "von-mises-fisher": "von Mises-Fisher, by direction",
}
_LABEL_PRIORS = {"global": "the same at all vertices", "vertex": "the group's at each vertex"}
_OPTIONS: tuple[tuple[str, str, dict[str, str]], ...] = (
    ("Family", "family", _FAMILIES),
    ("Emission", "emission", _EMISSIONS),
    ("Label prior", "label_prior", _LABEL_PRIORS),
    ("Levels with networks of their own", "levels", {}),
)


def summary(run: ReportedRun) -> Section:
    """What was parcellated, and the main options."""
    content = {"facts": [*_data_facts(run), *_model_facts(run)]}
    return Section("summary", "Summary", "summary.html", content)


def title_of(run: ReportedRun) -> str:
    """What was parcellated, in a few words."""
    n_subjects = len(run.parcellations.subjects)
    who = f"{n_subjects:,} subject{'' if n_subjects == 1 else 's'}"
    return f"{run.parcellations.n_networks} networks of {run.region.name} in {who}"


def _data_facts(run: ReportedRun) -> list[Fact]:
    subjects = run.parcellations.subjects
    n_missing = len(subjects) * len(run.parcellations.sessions) - run.n_sessions
    axis = run.population.axis
    place = "" if axis.is_nodes else f"on {axis.space}"
    facts = [
        Fact("Subjects", f"{len(subjects):,}"),
        Fact("Sessions", f"{run.n_sessions:,}", f"{n_missing} missing" if n_missing else ""),
        Fact("Region", run.region.name),
        Fact(run.rows_are.capitalize(), f"{len(axis):,}", place),
        Fact("Networks", str(run.parcellations.n_networks)),
        Fact(
            "Mean certainty",
            f"{mean_certainty(run.population):.2f}",
            "of the population's labels: 1 - entropy; 1 is certain, 0 undecided",
        ),
    ]
    reduction = run.record.get("reduction")
    if reduction:
        facts.append(
            Fact(
                "Features",
                f"{reduction['n_targets']:,}, reduced to {reduction['n_components']}",
                f"{reduction['residual_variance']:.0%} of the variance left out",
            )
        )
    return facts


def _model_facts(run: ReportedRun) -> list[Fact]:
    settings = run.settings
    facts = [
        Fact(title, str(settings[name]).replace(",", ", "), words.get(str(settings[name]), ""))
        for title, name, words in _OPTIONS
        if settings.get(name)
    ]
    return [*facts, Fact("Cleaning", ", ".join(_cleaning(run)) or "none")]


def _cleaning(run: ReportedRun) -> list[str]:
    steps = run.record["recipe"]["cleaning"]
    return [
        name.replace("_", " ") + ("" if value is True else f" {_plain(value)}")
        for name, value in steps.items()
        if value
    ]


def _plain(value: object) -> str:
    return "-".join(map(str, value)) if isinstance(value, list) else str(value)
