"""A stability analysis in a folder: maps and tables for people, arrays that are read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from math import isnan
from pathlib import Path
from typing import Any

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.colours import Colour
from neuroparcel.brain.designs import Design
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.brain.stability import (
    PARTS,
    RetestReliability,
    SizeStability,
    StabilityReport,
    Statistic,
    VertexEstimate,
)
from neuroparcel.errors import FileFormatError
from neuroparcel.io.axis_arrays import axis_from, axis_to_arrays, axis_to_json
from neuroparcel.io.files import (
    parsing,
    read_arrays,
    read_json,
    write_arrays,
    write_json,
    write_text,
)
from neuroparcel.io.writers.map_files import REGION
from neuroparcel.io.writers.metadata import (
    DESCRIPTION,
    IGNORE,
    IGNORED,
    SourceFolder,
    description,
)
from neuroparcel.io.writers.stability_maps import write_stability_maps
from neuroparcel.io.writers.stability_tables import write_stability_tables

STABILITY_FILE, ARRAYS_FILE = "stability.json", "stability.safetensors"

_TIP = "Put it back, or run neuroparcel stability again with --overwrite."
_OWN_IGNORED = "stability.*\nstatistics.*\nsamples.*\n"
_ESTIMATE = ("value", "low", "high")
_OF_SAMPLES = ("members", "session", "ari_full", "dice_full", "profile_full", "similarity", "shown")
_NUMBERS = tuple(field.name for field in fields(Statistic) if field.type == "float")


def write_stability(
    folder: Path, report: StabilityReport, *, sources: Sequence[str] = ()
) -> list[Path]:
    """Write a stability analysis, all but its record, which :func:`write_record` writes last.

    Maps of vertices become CIFTI files, those of voxels NIfTI, those of nodes tables; each has a
    JSON sidecar:

    - ``..._stat-stability_desc-allSize5_boldmap``, of the group ``all`` and the size 5: the
      probability that a label is stable, and both ends of its interval;
    - ``..._stat-variance_desc-allSize5_boldmap``: parts of population, subject and session;
    - ``..._stat-icc_boldmap``: intraclass correlations with their intervals;
    - ``..._desc-all_dseg``, ``..._desc-all_probseg``, ...: the parcellation of each full group.

    Tables are ``statistics.tsv``, ``samples.tsv``, and matrices of similarity and distance.

    Parameters
    ----------
    folder : pathlib.Path
        Files of the same names are replaced.
    report : StabilityReport
    sources : sequence of str
        Input files, for the sidecars.

    Returns
    -------
    list of pathlib.Path
        The files, in the order written.
    """
    source = SourceFolder.of(sources)
    uris = [source.uri(path) for path in sources]
    return [
        *write_stability_maps(folder, report, uris),
        *write_stability_tables(folder, report),
        write_json(folder / DESCRIPTION, description(source)),
        write_text(folder / IGNORE, IGNORED + _OWN_IGNORED),
        write_arrays(folder / ARRAYS_FILE, _to_arrays(report)),
    ]


def write_record(
    folder: Path, report: StabilityReport, record: Mapping[str, Any], files: Sequence[Path]
) -> Path:
    """Write ``stability.json``, which :func:`read_stability` starts from: now all is there.

    Parameters
    ----------
    folder : pathlib.Path
    report : StabilityReport
    record : mapping
        What else to note, as plain JSON values.
    files : sequence of pathlib.Path
        Everything that was written.
    """
    names = sorted(file.relative_to(folder).as_posix() for file in files)
    content = {"status": "complete", **record, "files": names, "report": _to_json(report)}
    return write_json(folder / STABILITY_FILE, content)


def read_stability(folder: Path) -> StabilityReport:
    """Read what :func:`write_stability` and :func:`write_record` wrote, number for number.

    Raises
    ------
    FileFormatError
        If the folder holds no stability analysis, an unfinished one, or a damaged file.
    """
    path = Path(folder) / STABILITY_FILE
    if not path.exists():
        raise FileFormatError(
            f"{folder} holds no stability analysis (no {STABILITY_FILE}).",
            "Give the --output folder of neuroparcel stability.",
        )
    record = read_json(path, _TIP)
    if record.get("status") != "complete":
        raise FileFormatError(
            f"{folder} holds an unfinished stability analysis.",
            "Go on with neuroparcel stability ... --resume.",
        )
    with parsing(path, _TIP):
        content, arrays = record["report"], read_arrays(Path(folder) / ARRAYS_FILE)
        return _from(content, arrays)


def _to_json(report: StabilityReport) -> dict[str, Any]:
    """What of a report fits into JSON: names and single numbers."""
    retest = report.reliability
    return {
        "axis": axis_to_json(report.axis),
        "networks": report.networks,
        "colours": report.colours,
        "subjects": report.subjects,
        "sessions": report.sessions,
        "design": asdict(report.design),
        "method": report.method,
        "prior": report.prior,
        "groups": list(report.full),
        "sizes": [
            {"group": one.group, "size": int(one.size), "n_samples": int(one.n_samples)}
            for one in report.sizes
        ],
        "retest": retest and {"sessions": retest.sessions, "subjects": retest.subjects},
        "statistics": [_statistic_to_json(one) for one in report.statistics],
        "notes": report.notes,
    }


def _to_arrays(report: StabilityReport) -> dict[str, np.ndarray]:
    """What of a report is arrays; groups and sizes by their numbers."""
    arrays = axis_to_arrays(REGION, report.axis)
    for number, soft in enumerate(report.full.values()):
        arrays[f"full/{number}/probabilities"] = soft.probabilities
        if soft.data is not None:
            arrays[f"full/{number}/data"] = soft.data
    for number, one in enumerate(report.sizes):
        at = f"sizes/{number}"
        arrays |= {f"{at}/{name}": getattr(one, name) for name in _OF_SAMPLES}
        arrays |= {f"{at}/parts/{name}": one.parts[name] for name in PARTS}
        arrays |= _estimate_to_arrays(f"{at}/stable", one.stable)
    retest = report.reliability
    if retest is not None:
        arrays |= _estimate_to_arrays("retest/icc2", retest.icc2)
        arrays |= _estimate_to_arrays("retest/icc3", retest.icc3)
        arrays["retest/distances"] = retest.distances
    return arrays


def _from(content: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> StabilityReport:
    axis = axis_from(REGION, content["axis"], arrays)
    networks, subjects = tuple(content["networks"]), tuple(content["subjects"])
    colours: tuple[Colour, ...] = tuple(
        (float(r), float(g), float(b), float(a)) for r, g, b, a in content["colours"]
    )
    design = content["design"]
    full = {
        group: SoftParcellation(
            axis,
            networks,
            arrays[f"full/{number}/probabilities"],
            arrays.get(f"full/{number}/data"),
            colours,
        )
        for number, group in enumerate(content["groups"])
    }
    sizes = tuple(
        _size_from(f"sizes/{number}", about, arrays, axis, len(networks))
        for number, about in enumerate(content["sizes"])
    )
    retest = content["retest"]
    return StabilityReport(
        axis=axis,
        networks=networks,
        colours=colours,
        subjects=subjects,
        sessions=tuple(content["sessions"]),
        design=Design(**{**design, "sizes": tuple(design["sizes"])}),
        method=content["method"],
        prior=content["prior"],
        full=full,
        sizes=sizes,
        reliability=None if retest is None else _retest_from(retest, arrays, axis),
        statistics=tuple(_statistic_from(one) for one in content["statistics"]),
        notes=tuple(content["notes"]),
    )


def _size_from(
    at: str,
    about: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    axis: BrainAxis,
    n_networks: int,
) -> SizeStability:
    n, shown = about["n_samples"], len(arrays[f"{at}/shown"])
    shapes = {
        "members": (n, about["size"]),
        "session": (n,),
        "ari_full": (n,),
        "dice_full": (n, n_networks),
        "profile_full": (n, n_networks),
        "similarity": (shown, shown),
        "shown": (shown,),
    }
    return SizeStability(
        group=about["group"],
        size=about["size"],
        n_samples=n,
        stable=_estimate_from(f"{at}/stable", arrays, axis),
        parts={name: _of_shape(arrays, f"{at}/parts/{name}", (len(axis),)) for name in PARTS},
        **{name: _of_shape(arrays, f"{at}/{name}", shape) for name, shape in shapes.items()},
    )


def _retest_from(
    about: Mapping[str, Any], arrays: Mapping[str, np.ndarray], axis: BrainAxis
) -> RetestReliability:
    n = len(about["subjects"])
    return RetestReliability(
        tuple(about["sessions"]),
        tuple(about["subjects"]),
        _estimate_from("retest/icc2", arrays, axis),
        _estimate_from("retest/icc3", arrays, axis),
        _of_shape(arrays, "retest/distances", (n, n)),
    )


def _estimate_to_arrays(at: str, estimate: VertexEstimate) -> dict[str, np.ndarray]:
    return {f"{at}/{name}": getattr(estimate, name) for name in _ESTIMATE}


def _estimate_from(at: str, arrays: Mapping[str, np.ndarray], axis: BrainAxis) -> VertexEstimate:
    return VertexEstimate(*(_of_shape(arrays, f"{at}/{name}", (len(axis),)) for name in _ESTIMATE))


def _of_shape(arrays: Mapping[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    """An array whose shape follows from others: two files of different runs do not agree."""
    array = arrays[name]
    if array.shape != shape:
        raise ValueError(f"{name} of shape {array.shape} should be {shape}")
    return array


def _statistic_to_json(one: Statistic) -> dict[str, Any]:
    """JSON has no NaN."""
    numbers = {name: float(getattr(one, name)) for name in _NUMBERS}
    plain = {name: None if isnan(value) else value for name, value in numbers.items()}
    return {**asdict(one), **plain}


def _statistic_from(content: Mapping[str, Any]) -> Statistic:
    numbers = {
        name: float("nan") if content[name] is None else float(content[name]) for name in _NUMBERS
    }
    return Statistic(**{**content, **numbers})
