"""What a run leaves behind: the result noun, and the files that are written from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from neuroparcel.brain.identity import Identity
from neuroparcel.brain.parcellation import CohortParcellation, SoftParcellation
from neuroparcel.inference.refinement import Refinement
from neuroparcel.inference.stages import TrainingHistory
from neuroparcel.io.files import parsing, write_text
from neuroparcel.io.writers import read_parcellations
from neuroparcel.io.writers.tables import read_tsv
from neuroparcel.parcellation.verdict import Verdict

TRAINING_FILE = "training.tsv"
FIGURES = "figures"
_RIVALS = {"kmeans_": "spherical k-means", "reduced_kmeans_": "k-means of reduced profiles"}
_MOST_NAMED = 5  # subjects with something to tell, in one line
_COLUMNS = ("step", "stage", "objective", "loss", "validation_loss")
_MISSING = "n/a"  # BIDS's word for a missing value in a table


@dataclass(frozen=True, eq=False)
class FitResult:
    """What :func:`~neuroparcel.pipeline.fit` and :func:`~neuroparcel.pipeline.infer` return.

    Attributes
    ----------
    output : Path
    files, figures : tuple of Path
        Everything that was written.
    population : SoftParcellation
    subjects : tuple of str
    n_sessions : int
        Of all subjects together.
    prior_only : mapping of str to int
        Subjects with vertices that have no data, whose labels are the prior's, and how many.
    verdict : Verdict
    warnings : tuple of str
        On the data and on the fit.
    agreement : mapping of str to float
        Adjusted Rand indices with areas, within and between subjects, and k-means' own.
    refinement : Refinement, optional
        What ``--refine`` gained.
    identity : Identity, optional
        What the networks are named after.
    """

    output: Path
    files: tuple[Path, ...]
    figures: tuple[Path, ...]
    population: SoftParcellation
    subjects: tuple[str, ...]
    n_sessions: int
    prior_only: Mapping[str, int]
    verdict: Verdict
    warnings: tuple[str, ...]
    agreement: Mapping[str, float]
    refinement: Refinement | None = None
    identity: Identity | None = None

    @cached_property
    def parcellation(self) -> CohortParcellation:
        """All parcellations; read from the files of the run when they are first asked for."""
        return read_parcellations(self.output)

    def summary(self) -> str:
        """A few lines for the terminal."""
        axis = self.population.axis
        lines = [
            f"{len(self.subjects)} subjects, {self.n_sessions} sessions, "
            f"{len(axis)} {axis.rows_are}, {self.population.n_networks} networks",
            *self._prior_lines(),
            *self._identity_lines(),
            *(f"verdict: {message}" for message in self.verdict.messages),
            *_agreement_lines(self.agreement),
            *_refinement_lines(self.refinement),
            *(f"warning: {warning}" for warning in self.warnings),
            f"parcellations and run.json: {self.output}",
        ]
        if (self.output / "model").is_dir():
            lines.append(f"model, for neuroparcel infer: {self.output / 'model'}")
        if self.figures:
            lines.append(f"pictures: {self.figures[0].parent}")
        return "\n".join(lines)

    def _identity_lines(self) -> list[str]:
        said = None if self.identity is None else self.identity.describe()
        return [] if said is None else [said]

    def _prior_lines(self) -> list[str]:
        if not self.prior_only:
            return []
        rows_are = self.population.axis.rows_are
        shown = [f"{name} {count}" for name, count in self.prior_only.items()][:_MOST_NAMED]
        more = ", ..." if len(self.prior_only) > len(shown) else ""
        return [
            f"{rows_are} without data, which have the prior (desc-data_mask tells them): "
            f"{', '.join(shown)}{more}"
        ]


def _agreement_lines(agreement: Mapping[str, float]) -> list[str]:
    titles = {
        "areas": "population map with the anatomical areas",
        "within_subject": "single-session maps, same subject",
        "between_subjects": "single-session maps, different subjects",
    }
    lines = []
    for key, title in titles.items():
        if key in agreement:
            rivals = [
                f"{name} {agreement[prefix + key]:.2f}"
                for prefix, name in _RIVALS.items()
                if prefix + key in agreement
            ]
            lines.append(
                f"adjusted Rand index, {title}: {agreement[key]:.2f} ({', '.join(rivals)})"
            )
    return lines


def _refinement_lines(found: Refinement | None) -> list[str]:
    if found is None:
        return []
    return [
        f"refinement in {found.n_steps} steps: evidence lower bound from {found.before:.4f} to "
        f"{found.after:.4f} nats a vertex, gain {found.gain:.4f} ± {found.standard_error:.4f}; "
        f"{found.n_improved} of {found.n_members} subjects nearer to the exact posterior"
    ]


def write_history(folder: Path, history: TrainingHistory) -> Path:
    """The loss of every step as a TSV, one row a step."""
    checks = dict(zip(history.validation_step, history.validation_loss, strict=True))
    rows = zip(history.step, history.stage, history.objective, history.loss, strict=True)
    lines = [
        f"{step}\t{stage}\t{objective}\t{loss:.6g}\t{_or_missing(checks.get(step))}"
        for step, stage, objective, loss in rows
    ]
    return write_text(folder / TRAINING_FILE, "\n".join(["\t".join(_COLUMNS), *lines, ""]))


def read_history(folder: Path) -> TrainingHistory:
    """Read what :func:`write_history` wrote.

    Raises
    ------
    FileFormatError
        If the table is missing or damaged.
    """
    path = folder / TRAINING_FILE
    with parsing(path, "Put it back, or run neuroparcel fit again with --overwrite."):
        header, rows = read_tsv(path)
        if tuple(header) != _COLUMNS:
            raise ValueError(f"its columns are not {', '.join(_COLUMNS)}")
        columns = list(zip(*rows, strict=True)) or [()] * len(_COLUMNS)
        checked = [i for i, value in enumerate(columns[4]) if value != _MISSING]
        return TrainingHistory(
            step=np.asarray(columns[0], dtype=int),
            stage=tuple(columns[1]),
            objective=tuple(columns[2]),
            loss=np.asarray(columns[3], dtype=float),
            validation_step=np.asarray(checked, dtype=int),
            validation_loss=np.asarray([columns[4][i] for i in checked], dtype=float),
        )


def _or_missing(value: float | None) -> str:
    return _MISSING if value is None else f"{value:.6g}"
