"""What a selection leaves behind: the result noun, its tables and its figure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from neuroparcel.atomic import atomic_path
from neuroparcel.io.writers.tables import write_tsv
from neuroparcel.parcellation.selection import BY_SPLIT, Recommendation, Selection, recommend
from neuroparcel.pipeline.planning import Plan
from neuroparcel.pipeline.results import FIGURES
from neuroparcel.pipeline.run_folder import RunFolder
from neuroparcel.pipeline.selection_options import SelectOptions

CURVES_FILE, SCORES_FILE, FIGURE_FILE = "networks.tsv", "scores.tsv", "selection.png"

_MISSING = "n/a"  # BIDS's word for a missing value in a table
_DPI = 200

_CURVE_COLUMNS = (
    "networks",
    "measure",
    "n",
    "mean",
    "sd",
    "low",
    "high",
    "below_best",
    "below_best_error",
    "below_best_low",
    "below_best_high",
)
_SCORE_COLUMNS = ("networks", "measure", "of", "value")


@dataclass(frozen=True, eq=False)
class SelectionResult:
    """What :func:`~neuroparcel.pipeline.select` returns.

    Attributes
    ----------
    output : Path
    files : tuple of Path
        Everything that was written.
    selection : Selection
    recommendation : Recommendation
    warnings : tuple of str
    """

    output: Path
    files: tuple[Path, ...]
    selection: Selection
    recommendation: Recommendation
    warnings: tuple[str, ...]

    def summary(self) -> str:
        """The curve, the recommendation, and where they are."""
        return "\n".join(
            [
                *_table(self.selection),
                *self.recommendation.lines,
                *(f"warning: {warning}" for warning in self.warnings),
                *(f"written: {file}" for file in self.files),
            ]
        )


def write_selection(
    folder: RunFolder,
    planned: Plan,
    selection: Selection,
    options: SelectOptions,
    warnings: tuple[str, ...],
) -> SelectionResult:
    """Recommend a number, write the tables, draw the curves and finish the run."""
    recommendation = recommend(selection)
    files = [
        write_tsv(folder.path / CURVES_FILE, _CURVE_COLUMNS, _curve_rows(selection)),
        write_tsv(folder.path / SCORES_FILE, _SCORE_COLUMNS, _score_rows(selection)),
    ]
    if options.figures:
        from neuroparcel.plotting.selection import draw_selection

        files.append(folder.path / FIGURES / FIGURE_FILE)
        with atomic_path(files[-1]) as aside:
            draw_selection(selection, recommendation).savefig(aside, dpi=_DPI)
    record = {
        "inputs": planned.input_record(),
        "warnings": warnings,
        "recommendation": {**asdict(recommendation), "lines": recommendation.lines},
        "held_out": selection.heldout,
        "recipe": planned.recipe.to_json(),
    }
    run_file = folder.finish(files, record)
    return SelectionResult(folder.path, (*files, run_file), selection, recommendation, warnings)


def _curve_rows(selection: Selection) -> Iterator[list[object]]:
    for measure in selection.measured:
        values = selection.scores[measure]
        n_units = int((~np.isnan(values).any(axis=0)).sum())
        curve, loss = selection.curve(measure), selection.loss(measure)
        for row, number in enumerate(selection.numbers):
            own = (curve.mean, curve.sd, curve.low, curve.high)
            below = (loss.mean, loss.error, loss.low, loss.high)
            numbers = [_cell(float(column[row])) for column in (*own, *below)]
            if measure == "used":  # more are not better
                numbers[len(own) :] = [_MISSING] * len(below)
            yield [number, measure, n_units, *numbers]


def _score_rows(selection: Selection) -> Iterator[list[object]]:
    for measure in selection.measured:
        values = selection.scores[measure]
        n_splits = values.shape[1] if measure in BY_SPLIT else 0
        units = [f"split-{i + 1}" for i in range(n_splits)] or selection.subjects
        for row, number in enumerate(selection.numbers):
            for name, value in zip(units, values[row].tolist(), strict=True):
                yield [number, measure, name, _cell(value)]


def _cell(value: float) -> str:
    return _MISSING if np.isnan(value) else f"{value:.6g}"


def _table(selection: Selection) -> list[str]:
    """The curves for the terminal, a line a number."""
    shown = {
        "density": f"density of held-out {selection.heldout}",
        "test_retest": "sessions agree",
        "split_half": "halves agree",
        "homogeneity": "homogeneity",
        "homogeneity_gain": "above random",
        "used": "used",
    }
    measured = selection.measured
    columns = {shown[m]: _means(selection, m) for m in measured}
    columns = {"networks": [str(n) for n in selection.numbers], **columns}
    loss = selection.loss("density")
    below = [f"{m:.3f} +- {e:.3f}" for m, e in zip(loss.mean, loss.error, strict=True)]
    names = list(columns)
    columns = {**{n: columns[n] for n in names[:2]}, "below the best": below, **columns}
    widths = {name: max(len(name), *map(len, cells)) for name, cells in columns.items()}
    rows = [list(columns), *(list(row) for row in zip(*columns.values(), strict=True))]
    return ["  ".join(c.rjust(w) for c, w in zip(r, widths.values(), strict=True)) for r in rows]


def _means(selection: Selection, measure: str) -> list[str]:
    digits = {"density": 3, "used": 1}.get(measure, 2)
    return [f"{value:.{digits}f}" for value in selection.curve(measure).mean]
