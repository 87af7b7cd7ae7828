"""Which publications a run rests on, and their BibTeX."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from math import isfinite
from typing import Any

from neuroparcel.io.registry import entries
from neuroparcel.report.run import ReportedRun

_DOI = re.compile(r"^\s*doi = \{(.+)\}", re.MULTILINE)


@dataclass(frozen=True)
class Reference:
    """A publication, and what the run owes it.

    Attributes
    ----------
    key : str
        Of its BibTeX entry.
    why : str
        What was used.
    bibtex : str
    doi : str
        Empty if it has none.
    """

    key: str
    why: str
    bibtex: str
    doi: str


def used_references(run: ReportedRun) -> list[Reference]:
    """The publications that a run rests on, each once, in the order of :data:`METHODS`."""
    version = str(run.record["versions"]["neuroparcel"])
    why: dict[str, list[str]] = {}
    for key, said, is_used in METHODS:
        if is_used(run):
            why.setdefault(key, []).append(said)
    for key, said in _atlases(run):
        if said not in why.setdefault(key, []):
            why[key].append(said)
    known = bibliography()
    return [
        Reference(key, "; ".join(said), known[key].replace("VERSION", version), _doi(known[key]))
        for key, said in why.items()
    ]


@cache
def bibliography() -> Mapping[str, str]:
    """All BibTeX entries that the package knows, by their keys."""
    text = resources.files("neuroparcel.report").joinpath("references.bib").read_text("utf-8")
    found = [entry.strip() for entry in re.split(r"\n(?=@)", text)]
    return {entry[entry.index("{") + 1 : entry.index(",")]: entry for entry in found}


def _doi(entry: str) -> str:
    found = _DOI.search(entry)
    return "" if found is None else found[1]


def _has(name: str, *values: str) -> Callable[[ReportedRun], bool]:
    return lambda run: run.settings.get(name) in values


def _labels(run: ReportedRun) -> Mapping[str, Any]:
    return run.record.get("labels") or {}


def _cleaning_steps(run: ReportedRun) -> list[str]:
    return [name for name, value in run.record["recipe"]["cleaning"].items() if value]


def _on_fs_lr(run: ReportedRun) -> bool:
    return run.population.axis.space == "fsLR"


def _always(run: ReportedRun) -> bool:
    return True


def _compares_maps(run: ReportedRun) -> bool:
    return bool(run.record["agreement"]) or _is_analysed(run)


def _is_analysed(run: ReportedRun) -> bool:
    return run.stability is not None


def _is_retested(run: ReportedRun) -> bool:
    return run.stability is not None and run.stability.reliability is not None


def _is_spun(run: ReportedRun) -> bool:
    """Whether the index of a whole map has a null distribution: that of rotations."""
    rows = () if run.stability is None else run.stability.statistics
    return any(one.name == "ari_full" and isfinite(one.null) for one in rows)


METHODS: tuple[tuple[str, str, Callable[[ReportedRun], bool]], ...] = (
    ("neuroparcel", "the software", _always),
    ("kong2019", "the model of population, subjects and sessions", _always),
    ("rouillard2022", "its formulation with Gaussian networks", _has("emission", "l-normal")),
    ("rouillard2022", "amortized inference", _has("family", "adavi")),
    ("lee2019", "encoders of the amortized posterior", _has("family", "adavi")),
    ("rozet2022", "normalizing flows of the amortized posterior", _has("family", "adavi")),
    ("bingham2019", "variational inference by gradients", _has("family", "adavi", "mean-field")),
    ("blei2017", "mean-field inference by coordinate ascent", _has("family", "reference")),
    ("blei2017", "mean-field inference", _has("family", "mean-field")),
    ("mardia2000", "the von Mises-Fisher law", _has("emission", "von-mises-fisher")),
    ("egozcue2003", "log-ratio coordinates of profiles", _has("link", "ilr")),
    ("ledoit2004", "the prior's covariance", lambda run: run.settings.get("link") != "direction"),
    ("miller2019", "weighted evidence of labels", _has("label_prior", "vertex")),
    ("guo2017", "recalibrated labels", lambda run: bool(_labels(run).get("calibration"))),
    ("naeini2015", "calibration error", lambda run: bool(_labels(run).get("reliability"))),
    ("dhillon2001", "spherical k-means, for anchors and comparison", _always),
    ("pedregosa2011", "k-means and principal components", _always),
    ("hubert1985", "adjusted Rand index", _compares_maps),
    ("dice1945", "overlap of networks in sub-populations", _is_analysed),
    ("efron1992", "intervals over subjects, from sub-populations that lack each", _is_analysed),
    ("shrout1979", "intraclass correlations", _is_retested),
    ("finn2015", "identification of subjects", _is_retested),
    ("alexanderbloch2018", "spin test", _is_spun),
    (
        "kuhn1955",
        "matching networks with the reference",
        lambda run: bool((run.record.get("identity") or {}).get("reference")),
    ),
    ("lindquist2019", "cleaning in one step", lambda run: len(_cleaning_steps(run)) > 1),
    ("nilearn", "nuisance signals", lambda run: "confounds" in _cleaning_steps(run)),
    ("vanessen2012", "the fs_LR surface", _on_fs_lr),
    ("vanessen2013", "the S1200 group surfaces of the figures", lambda run: run.is_drawable),
)
"""Key of a publication, what is owed to it, and whether a run owes it."""


def _atlases(run: ReportedRun) -> Iterator[tuple[str, str]]:
    """Atlases that region, targets and reference come from, as the registry names them."""
    identity = run.record.get("identity") or {}
    named = {
        "the region": run.settings.get("roi") or ("broca-left" if run.is_drawable else None),
        "the targets": run.settings.get("targets"),
        "the reference of the networks": identity.get("reference"),
    }
    key_of = {doi: key for key, entry in bibliography().items() if (doi := _doi(entry))}
    for what, name in named.items():
        doi = _registered_doi(str(name))
        if doi in key_of:
            yield key_of[doi], what
    areas = [str(label) for label in run.region.labels]
    if _on_fs_lr(run) and areas and all(area[:2] in ("L_", "R_") for area in areas):
        yield "glasser2016", "anatomical areas"


def _registered_doi(name: str) -> str:
    """DOI of what the registry calls so; of a region its atlas's; empty if it knows none."""
    entry = entries().get(name.partition(":")[0])
    if entry is None:
        return ""
    return entries()[entry.atlas].doi if entry.atlas else entry.doi
