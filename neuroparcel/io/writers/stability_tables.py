"""Tables of a stability analysis, each with a JSON sidecar that says what its columns hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from math import isnan
from pathlib import Path

import numpy as np

from neuroparcel.brain.designs import ALL_SESSIONS
from neuroparcel.brain.stability import SizeStability, StabilityReport, Statistic
from neuroparcel.io.files import write_json
from neuroparcel.io.writers.map_files import MapFiles, maps_of
from neuroparcel.io.writers.maps import NO_VALUE, network_labels
from neuroparcel.io.writers.stability_maps import level_name
from neuroparcel.io.writers.tables import write_tsv
from neuroparcel.types import FloatArray

STATISTICS_FILE, SAMPLES_FILE = "statistics.tsv", "samples.tsv"
DISTANCES_FILE = "desc-sessions_distances.tsv"

_BETWEEN = ","  # names in one cell
_STATISTICS = {
    "group": "Group of subjects that sub-populations are drawn from; 'A vs B' between two groups.",
    "size": "Subjects of a sub-population; n/a of what is found from the cohort as a whole.",
    "name": "What is measured; the user guide of neuroparcel lists the names.",
    "network": "The network; n/a where it is of all networks.",
    "value": "The number.",
    "low": "Lower end of its 95 % confidence interval.",
    "high": "Upper end.",
    "interval": "What the interval is over: subjects (other cohorts of the kind), or samples "
    "(other sub-populations of this cohort).",
    "q05": "5th percentile over sub-populations, or pairs of them.",
    "q95": "95th percentile.",
    "n": "Sub-populations, pairs, or subjects that it is a mean over.",
    "null": "Mean under the null hypothesis.",
    "p": "Share of the null that is at least as large, (1 + b) / (1 + m).",
}
_SAMPLES = {
    "group": "Group of subjects that the sub-population is drawn from.",
    "size": "Its subjects.",
    "sample": "Its number, from 0.",
    "session": "The session that it is parcellated from; 'all' of all sessions.",
    "members": "Its subjects, separated by commas.",
    "ari_full": "Adjusted Rand index of its labels with those of its full group.",
}
_SAYS_SIMILARITY = (
    "Adjusted Rand index between the labels of evenly spaced sub-populations. The columns, and the "
    "rows in the same order, are the numbers of the sub-populations in samples.tsv."
)
_SAYS_DISTANCES = (
    "Mean squared difference of the soft labels of a subject's first session (rows, in the order "
    "of the columns) and of another's second (columns)."
)


def write_stability_tables(folder: Path, report: StabilityReport) -> list[Path]:
    """Write statistics, sub-populations, matrices and the networks; returns the files."""
    tables = {
        write_tsv(folder / STATISTICS_FILE, tuple(_STATISTICS), _statistics(report)): _described(
            _STATISTICS
        ),
        write_tsv(folder / SAMPLES_FILE, _sample_columns(report), _samples(report)): _described(
            _SAMPLES | _of_networks(report.networks)
        ),
    }
    for one in report.sizes:
        path = folder / f"desc-{level_name(one.group, one.size)}_similarity.tsv"
        write_tsv(path, [str(n) for n in one.shown.tolist()], _matrix(one.similarity))
        tables[path] = {"Description": _SAYS_SIMILARITY}
    if report.reliability is not None:
        path = folder / DISTANCES_FILE
        write_tsv(path, report.reliability.subjects, _matrix(report.reliability.distances))
        sessions = list(report.reliability.sessions)
        tables[path] = {"Description": _SAYS_DISTANCES, "Sessions": sessions}
    sidecars = [write_json(path.with_suffix(".json"), says) for path, says in tables.items()]
    return [*tables, *sidecars, _write_networks(folder, report)]


def _described(columns: Mapping[str, str]) -> dict[str, object]:
    return {name: {"Description": text} for name, text in columns.items()}


def _of_networks(networks: Sequence[str]) -> dict[str, str]:
    dice = {f"dice_{n}": f"Dice coefficient of {n} with the full group's." for n in networks}
    profile = {
        f"profile_{n}": f"Correlation of the profile of {n} with the full group's."
        for n in networks
    }
    return dice | profile


def _statistics(report: StabilityReport) -> Iterator[list[object]]:
    names = [field.name for field in fields(Statistic)]
    for one in report.statistics:
        yield [_cell(getattr(one, name)) for name in names]


def _sample_columns(report: StabilityReport) -> tuple[str, ...]:
    return (*_SAMPLES, *_of_networks(report.networks))


def _samples(report: StabilityReport) -> Iterator[list[object]]:
    for one in report.sizes:
        for number in range(one.n_samples):
            numbers = [one.ari_full[number], *one.dice_full[number], *one.profile_full[number]]
            names = [report.subjects[row] for row in one.members[number].tolist()]
            yield [
                one.group,
                one.size,
                number,
                _session(one, number, report.sessions),
                _BETWEEN.join(names),
                *(_cell(float(value)) for value in numbers),
            ]


def _session(one: SizeStability, number: int, sessions: Sequence[str]) -> str:
    column = int(one.session[number])
    return "all" if column == ALL_SESSIONS else sessions[column]


def _matrix(values: FloatArray) -> Iterator[list[str]]:
    for row in np.asarray(values, dtype=np.float64).tolist():
        yield [_cell(value) for value in row]


def _write_networks(folder: Path, report: StabilityReport) -> Path:
    """Numbers, names and colours of the networks, as beside every map of labels."""
    layout = MapFiles.of(folder, maps_of(report.axis).stem)
    rows = [
        (label.key, label.name, "#" + "".join(f"{round(255 * c):02x}" for c in label.rgba[:3]))
        for label in network_labels(report.networks, report.colours)
    ]
    return write_tsv(layout.file("dseg.tsv"), ("index", "name", "color"), rows)


def _cell(value: object) -> str:
    """Numbers with six digits; whatever is missing in BIDS's word for it."""
    if value is None or value == "" or (isinstance(value, float) and isnan(value)):
        return NO_VALUE
    return f"{value:.6g}" if isinstance(value, float) else str(value)
