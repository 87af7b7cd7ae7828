"""Maps of a stability analysis, in files of the kind that the places take."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.stability import StabilityReport, VertexEstimate
from neuroparcel.io.entities import entity
from neuroparcel.io.files import write_json
from neuroparcel.io.writers.cifti_writer import CiftiWriter
from neuroparcel.io.writers.map_files import MapFiles, full_axis_of, maps_of
from neuroparcel.io.writers.maps import NO_VALUE
from neuroparcel.io.writers.metadata import describe_space
from neuroparcel.io.writers.nifti_writer import NiftiWriter
from neuroparcel.io.writers.tables import write_tsv
from neuroparcel.types import FloatArray

_SAYS_STABLE = (
    "Probability that the label of a sub-population is that of its full group, and both ends of "
    "its 95 % confidence interval."
)
_SAYS_PARTS = (
    "Parts of the mean squared deviation of a session's soft label from that of the full group: "
    "of sub-populations from the full group, of subjects from their sub-population, and of "
    "sessions from their subject."
)
_SAYS_ICC = (
    "Intraclass correlation of the soft labels of single sessions, all networks together: ICC(2,1) "
    "of absolute agreement and ICC(3,1) of consistency (Shrout and Fleiss 1979), each with both "
    "ends of its 95 % confidence interval."
)


def level_name(group: str, size: int | None = None) -> str:
    """What files of a group, and of sub-populations of a size, have as ``desc``."""
    return entity(group) if size is None else f"{entity(group)}Size{size}"


@dataclass(frozen=True, eq=False)
class _Values:
    """Named maps of one file, NaN where nothing is known."""

    ending: str
    maps: Mapping[str, FloatArray]
    says: str


def write_stability_maps(
    folder: Path, report: StabilityReport, sources: Sequence[str]
) -> list[Path]:
    """Write all maps of a report, each with a JSON sidecar.

    Parameters
    ----------
    folder : pathlib.Path
    report : StabilityReport
    sources : sequence of str
        BIDS URIs of the input files.
    """
    axis = report.axis
    maps, writer = maps_of(axis), _writer_for(axis)
    layout = MapFiles.of(folder, maps.stem)
    files: dict[Path, Mapping[str, Any]] = {}
    for values in _every_map(report):
        path = layout.file(f"{values.ending}.{writer.suffix}")
        writer.write(path, values.maps)
        files[path] = {"Description": values.says, "Maps": list(values.maps)}
    for group, soft in report.full.items():
        files |= maps.write(partial(_file_of_group, layout, group), soft)
    about = {"Sources": list(sources), **describe_space(full_axis_of(axis), maps.stem)}
    sidecars = [
        write_json(path.with_name(path.name.partition(".")[0] + ".json"), {**says, **about})
        for path, says in files.items()
    ]
    return [*files, *sidecars]


def _every_map(report: StabilityReport) -> Iterator[_Values]:
    for one in report.sizes:
        name = level_name(one.group, one.size)
        about = f" Group {one.group}, sub-populations of {one.size} subjects."
        yield _Values(
            f"stat-stability_desc-{name}_boldmap",
            _estimate("stable", one.stable),
            _SAYS_STABLE + about,
        )
        yield _Values(f"stat-variance_desc-{name}_boldmap", one.parts, _SAYS_PARTS + about)
    retest = report.reliability
    if retest is not None:
        iccs = {**_estimate("icc2", retest.icc2), **_estimate("icc3", retest.icc3)}
        yield _Values("stat-icc_boldmap", iccs, _SAYS_ICC)


def _estimate(name: str, of: VertexEstimate) -> dict[str, FloatArray]:
    return {name: of.value, f"{name}_low": of.low, f"{name}_high": of.high}


def _file_of_group(layout: MapFiles, group: str, ending: str) -> Path:
    """The file of a group's parcellation: the group is its ``desc``, or the first part of it."""
    entities, _, suffix = ending.rpartition("_")
    before, found, description = entities.rpartition("desc-")
    name = f"desc-{level_name(group)}{description.capitalize() if found else ''}"
    return layout.file("_".join(filter(None, [before if found else entities, name, suffix])))


class _Writer(Protocol):
    """Writes named maps of the region's rows into one file."""

    suffix: str

    def write(self, path: Path, maps: Mapping[str, FloatArray]) -> Path: ...


def _writer_for(axis: BrainAxis) -> _Writer:
    if axis.is_nodes:
        return _Tables(axis)
    return _Cifti(axis) if axis.is_surface.any() else _Nifti(axis)


class _Cifti:
    suffix = "dscalar.nii"

    def __init__(self, axis: BrainAxis) -> None:
        full_axis = full_axis_of(axis)
        self._writer, self._rows = CiftiWriter(full_axis), full_axis.rows_of(axis)

    def write(self, path: Path, maps: Mapping[str, FloatArray]) -> Path:
        return self._writer.dscalar(path, {name: self._spread(one) for name, one in maps.items()})

    def _spread(self, values: FloatArray) -> FloatArray:
        everywhere = np.full(len(self._writer.axis), np.nan, dtype=np.float32)
        everywhere[self._rows] = values
        return everywhere


class _Nifti:
    suffix = "nii.gz"

    def __init__(self, axis: BrainAxis) -> None:
        space = maps_of(axis).stem.partition("space-")[2]  # as in the names of the files
        self._writer = NiftiWriter(replace(axis, space=space))

    def write(self, path: Path, maps: Mapping[str, FloatArray]) -> Path:
        return self._writer.maps(path, np.stack([*maps.values()], axis=-1))


class _Tables:
    suffix = "tsv"

    def __init__(self, axis: BrainAxis) -> None:
        self._axis = axis

    def write(self, path: Path, maps: Mapping[str, FloatArray]) -> Path:
        columns = [self._axis.vertex.tolist(), self._axis.names, *map(_as_text, maps.values())]
        return write_tsv(path, ("index", "name", *maps), zip(*columns, strict=True))


def _as_text(values: FloatArray) -> list[str]:
    texts = np.asarray(values, dtype=np.float32).astype(str)
    return np.where(np.isnan(values), NO_VALUE, texts).tolist()
