"""What a comparison leaves behind: the result noun, its tables, maps and figure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.brain.atlas import Label
from neuroparcel.brain.comparison import (
    Agreement,
    NetworkAgreement,
    NetworkMap,
    Pairs,
    difference,
    labels_differ,
    matched_colours,
    unmatched,
)
from neuroparcel.errors import OutputError
from neuroparcel.io.files import write_json
from neuroparcel.io.writers.difference_maps import DifferenceMaps, write_difference
from neuroparcel.io.writers.tables import write_tsv
from neuroparcel.parcellation.spins import SpinTest
from neuroparcel.pipeline.compared import Source
from neuroparcel.pipeline.figure_files import Printing, save_figure
from neuroparcel.pipeline.output_place import check_writable, listed_files, remove_files
from neuroparcel.pipeline.results import FIGURES
from neuroparcel.types import FloatArray
from neuroparcel.versions import versions

RECORD_FILE = "comparison.json"
NETWORKS_FILE, SUBJECTS_FILE = "comparison.tsv", "subjects.tsv"
FIGURE = "difference"

_MISSING = "n/a"  # BIDS's word for a missing value in a table
_ALONE = "(unmatched)"
_MOST_NAMED = 5  # subjects, of those that are least alike
_MOST_ALONE = 20  # networks without a match, on the terminal
_WORDS = {
    "adjusted_rand": "adjusted Rand index",
    "normalised_mutual_information": "normalised mutual information",
    "variation_of_information": "variation of information",
    "mean_dice": "mean Dice of matched networks",
    "overlap": "overlap of the probabilities",
}
_MEASURES = tuple(field.name for field in fields(Agreement))


@dataclass(frozen=True, eq=False)
class Comparison:
    """What :func:`~neuroparcel.pipeline.compare` returns.

    Attributes
    ----------
    first, second : Source
    match : {"overlap", "profiles", "names"}
    pairs : Pairs
        Networks that are matched, by their positions.
    maps : pair of NetworkMap
        The two where both have a label.
    agreement : Agreement
    networks : tuple of NetworkAgreement
        Matched networks, then those without a match.
    subjects : mapping of str to Agreement
        Of the subjects that both have, with the networks matched as in the population.
    spins : SpinTest, optional
    files : tuple of Path
        Everything that was written.
    """

    first: Source
    second: Source
    match: str
    pairs: Pairs
    maps: tuple[NetworkMap, NetworkMap]
    agreement: Agreement
    networks: tuple[NetworkAgreement, ...]
    subjects: Mapping[str, Agreement]
    spins: SpinTest | None
    files: tuple[Path, ...] = ()

    @property
    def difference(self) -> FloatArray:
        """Total variation distance at each vertex of :attr:`maps`, (vertex,) float32."""
        return difference(*self.maps, self.pairs)

    def summary(self) -> str:
        """The tables for the terminal, and where the files are."""
        rows_are = self.maps[0].axis.rows_are
        pairs = "pair" if len(self.pairs) == 1 else "pairs"
        return "\n".join(
            [
                f"A  {self.first.summary()}",
                f"B  {self.second.summary()}",
                f"{self.agreement.n_vertices:,} {rows_are} with a label in both, "
                f"{len(self.pairs)} {pairs} of networks matched by {self.match}",
                "",
                *_network_table(self),
                *_not_shown(self),
                "",
                *_measure_lines(self),
                *_subject_lines(self.subjects),
                *(f"written: {file}" for file in self.files),
            ]
        )


def check_output(folder: Path, *, overwrite: bool) -> None:
    """See whether a comparison may be written to a folder; nothing is written yet.

    Raises
    ------
    OutputError
        If the path is a file, or holds another comparison, or files of something else, or
        cannot be written to.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file, not a folder.", "Give another --output.")
    check_writable(folder)
    if overwrite or not folder.exists() or not any(folder.iterdir()):
        return
    if (folder / RECORD_FILE).is_file():
        raise OutputError(
            f"{folder} holds a comparison already.", "Give a new --output, or --overwrite."
        )
    raise OutputError(
        f"{folder} is not empty and holds no comparison of neuroparcel.",
        "Give a new folder, or --overwrite to write beside what is there.",
    )


def write_comparison(
    folder: Path, found: Comparison, options: Mapping[str, Any], *, printing: Printing | None
) -> list[Path]:
    """Write tables, maps and figure, and last ``comparison.json``, which lists them."""
    _clear(folder)
    files = [write_tsv(folder / NETWORKS_FILE, *_network_columns(found))]
    if found.subjects:
        rows = ([name, *_cells(asdict(one).values())] for name, one in found.subjects.items())
        files.append(write_tsv(folder / SUBJECTS_FILE, ("subject", *_MEASURES), rows))
    sources = [str(one.about.get("path") or one.name) for one in (found.first, found.second)]
    files += write_difference(folder, _difference_maps(found), sources)
    if printing is not None:
        files += _draw(folder, found, printing)
    names = [file.relative_to(folder).as_posix() for file in files]
    record = write_json(folder / RECORD_FILE, {**_record(found, options), "files": names})
    return [*files, record]


def _clear(folder: Path) -> None:
    """Remove what an earlier comparison wrote here, and nothing else."""
    record = folder / RECORD_FILE
    if not record.is_file():
        return
    names = listed_files(record)
    record.unlink()
    remove_files(folder, names)


def _draw(folder: Path, found: Comparison, printing: Printing) -> list[Path]:
    from neuroparcel.plotting.difference import draw_difference

    figure = draw_difference(
        *found.maps,
        found.pairs,
        networks=found.networks,
        agreement=found.agreement,
        region=found.first.region,
    )
    return save_figure(figure, folder / FIGURES, FIGURE, printing)


def _difference_maps(found: Comparison) -> DifferenceMaps:
    """Both maps with the keys of one table: networks of the first, then the second's own."""
    first, second = found.maps
    alone_first, alone_second = unmatched(first, second, found.pairs)
    colours = matched_colours(first, second, found.pairs)
    partner = dict(found.pairs)
    names = [
        f"{name} (first only)" if i in alone_first else _joined(name, second.networks[partner[i]])
        for i, name in enumerate(first.networks)
    ]
    names += [f"{second.networks[j]} (second only)" for j in alone_second]
    rgba = [*first.colours, *(colours[j] for j in alone_second)]
    table = [Label(key, *one) for key, one in enumerate(zip(names, rgba, strict=True), start=1)]
    key_of = np.zeros(second.n_networks + 1, dtype=np.int64)
    key_of[[j + 1 for _, j in found.pairs]] = [i + 1 for i, _ in found.pairs]
    key_of[[j + 1 for j in alone_second]] = first.n_networks + 1 + np.arange(len(alone_second))
    theirs = key_of[second.labels]
    in_use = np.union1d(first.labels, theirs)
    return DifferenceMaps(
        first.axis,
        [label for label in table if label.key in in_use],
        first.labels,
        theirs,
        labels_differ(first, second, found.pairs),
        found.difference,
    )


def _joined(first: str, second: str) -> str:
    return first if first == second else f"{first} | {second}"


def _record(found: Comparison, options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "first": found.first.about,
        "second": found.second.about,
        "options": options,
        "versions": versions(),
        "match": {
            "by": found.match,
            "pairs": [
                [row.first, row.second] for row in found.networks if row.first and row.second
            ],
            "only_in_first": [row.first for row in found.networks if row.second is None],
            "only_in_second": [row.second for row in found.networks if row.first is None],
        },
        "agreement": asdict(found.agreement),
        "networks": [asdict(row) for row in found.networks],
        "spin_test": None if found.spins is None else _spin_record(found.spins),
        "subjects": {name: asdict(one) for name, one in found.subjects.items()},
    }


def _spin_record(spins: SpinTest) -> dict[str, Any]:
    null = spins.adjusted_rand_null
    return {
        "spins": spins.n_spins,
        "seed": spins.seed,
        "rotated": "second",
        "mean_vertices_compared": spins.n_compared,
        "adjusted_rand": {
            "p": spins.adjusted_rand_p,
            "null_mean": null.mean(),
            "null_sd": null.std(),
            "null_95th_percentile": np.percentile(null, 95),
        },
        "dice_p": spins.dice_p,
    }


def _network_columns(found: Comparison) -> tuple[tuple[str, ...], Iterable[list[object]]]:
    """Header and rows of ``comparison.tsv``."""
    header = tuple(field.name for field in fields(NetworkAgreement))
    if found.spins is None:
        return header, (_cells(asdict(row).values()) for row in found.networks)
    p_values = _p_of_rows(found)
    return (*header, "spin_p"), (
        _cells([*asdict(row).values(), p]) for row, p in zip(found.networks, p_values, strict=True)
    )


def _p_of_rows(found: Comparison) -> list[float | None]:
    """Of each row of the networks; those without a match have none."""
    assert found.spins is not None  # asked for by those that have it
    alone = [None] * (len(found.networks) - len(found.pairs))
    return [*found.spins.dice_p.tolist(), *alone]


def _cells(values: Iterable[object]) -> list[object]:
    return [_cell(value) for value in values]


def _cell(value: object) -> object:
    if value is None:
        return _MISSING
    return f"{value:.6g}" if isinstance(value, float) else value


def _network_table(found: Comparison) -> Iterator[str]:
    """A line a network, the names to the left and the numbers to the right."""
    shown = found.networks[: len(found.pairs) + _MOST_ALONE]
    columns: dict[str, list[str]] = {
        "A": [row.first or _ALONE for row in shown],
        "B": [row.second or _ALONE for row in shown],
        "in A": [f"{row.n_first:,}" if row.first else "" for row in shown],
        "in B": [f"{row.n_second:,}" if row.second else "" for row in shown],
        "Dice": [_short(row.dice) if row.first and row.second else "" for row in shown],
    }
    if found.spins is not None:
        p_values = _p_of_rows(found)[: len(shown)]
        columns["spin p"] = ["" if p is None else f"{p:.4f}" for p in p_values]
    cells = [[name, *column] for name, column in columns.items()]
    widths = [max(map(len, column)) for column in cells]
    for row in zip(*cells, strict=True):
        names = [cell.ljust(width) for cell, width in zip(row[:2], widths[:2], strict=True)]
        numbers = [cell.rjust(width) for cell, width in zip(row[2:], widths[2:], strict=True)]
        yield "  ".join([*names, *numbers]).rstrip()


def _not_shown(found: Comparison) -> Iterator[str]:
    n_more = len(found.networks) - len(found.pairs) - _MOST_ALONE
    if n_more > 0:
        yield f"and {n_more:,} more without a match"


def _measure_lines(found: Comparison) -> Iterator[str]:
    agreement = asdict(found.agreement)
    for name, words in _WORDS.items():
        text = f"{words}: {_short(agreement[name])}"
        if name == "variation_of_information":
            text += " nats"
        if name == "adjusted_rand" and found.spins is not None:
            spins = found.spins
            text += (
                f", spin test p = {spins.adjusted_rand_p:.4f} ({spins.n_spins:,} rotations: "
                f"{spins.adjusted_rand_null.mean():.2f} on average)"
            )
        yield text


def _subject_lines(subjects: Mapping[str, Agreement]) -> Iterator[str]:
    """How alike the subjects are, and which are least."""
    rated = {name: one.overlap for name, one in subjects.items() if one.overlap is not None}
    if not rated:
        return
    order = sorted(rated, key=rated.__getitem__)
    indices = [one.adjusted_rand for one in subjects.values() if one.adjusted_rand is not None]
    shown = [f"{name} {rated[name]:.2f}" for name in order[:_MOST_NAMED]]
    rand = f", adjusted Rand index {min(indices):.2f} to {max(indices):.2f}" if indices else ""
    yield (
        f"{len(rated)} subjects in both: overlap {rated[order[0]]:.2f} to "
        f"{rated[order[-1]]:.2f}{rand}"
    )
    if len(order) > 1 and rated[order[0]] < rated[order[-1]]:
        yield f"least alike: {', '.join(shown)}"


def _short(value: float | None) -> str:
    return _MISSING if value is None else f"{value:.2f}"
