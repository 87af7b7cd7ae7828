"""What the tests of the store share: a small cohort on disk, and counting what is made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.io.cells import Cell, make_cell
from neuroparcel.io.layout import CohortFiles, Recording
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.writers.cifti_writer import write_dtseries

ALL = (("a", "1"), ("a", "2"), ("b", "1"), ("b", "2"), ("c", "1"))
"""Subjects and sessions of :func:`write_cohort`; c lacks session 2."""


def write_series(path: Path, axis: BrainAxis, seed: int, dead: Sequence[int] = ()) -> Path:
    series = np.random.default_rng(seed).normal(size=(len(axis), 24))
    series[list(dead)] = 0
    return write_dtseries(path, axis, series, step=0.72)


def write_cohort(folder: Path, axis: BrainAxis) -> CohortFiles:
    """Three subjects; session 1 of a has two runs, session 2 of b a censor file and a dead row."""
    recordings = [
        Recording("a", "1", "LR", (write_series(folder / "a1l.dtseries.nii", axis, 0),)),
        Recording("a", "1", "RL", (write_series(folder / "a1r.dtseries.nii", axis, 1),)),
        Recording("a", "2", "LR", (write_series(folder / "a2.dtseries.nii", axis, 2),)),
        Recording("b", "1", "LR", (write_series(folder / "b1.dtseries.nii", axis, 3),)),
        Recording(
            "b",
            "2",
            "LR",
            (write_series(folder / "b2.dtseries.nii", axis, 4, dead=[7]),),
            censor=folder / "b2.censor.txt",
            confounds=folder / "b2.confounds.tsv",
            mask=folder / "b2.mask.nii",
        ),
        Recording("c", "1", "LR", (write_series(folder / "c1.dtseries.nii", axis, 5),)),
    ]
    for name in ("censor.txt", "confounds.tsv", "confounds.json", "mask.nii"):
        (folder / f"b2.{name}").write_text("1\n")
    return CohortFiles(tuple(recordings))


def only(files: CohortFiles, *subjects: str) -> CohortFiles:
    return CohortFiles(tuple(r for r in files.recordings if r.subject in subjects))


@dataclass
class Counting:
    """Makes sessions and notes which; ``before`` is called first and may raise."""

    before: Callable[[str, str], None] | None = None
    made: list[tuple[str, str]] = field(default_factory=list)

    def __call__(self, recordings: Sequence[Recording], recipe: Recipe) -> Cell:
        name = recordings[0].subject, recordings[0].session
        self.made.append(name)
        if self.before:
            self.before(*name)
        return make_cell(recordings, recipe)
