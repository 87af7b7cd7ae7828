"""Atlases by name: look into one, write it, add one's own; :mod:`.atlas_list` lists them."""

from __future__ import annotations

import colorsys
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

import numpy as np

from neuroparcel.brain.atlas import Atlas, Label
from neuroparcel.errors import AtlasError, NeuroparcelError, OutputError
from neuroparcel.io.atlases import is_atlas_name, load_atlas
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.regions import load_region
from neuroparcel.io.registry import LEFT, RIGHT, Entry, entries
from neuroparcel.io.targets import load_targets
from neuroparcel.io.user_atlases import (
    UserAtlas,
    add_user_atlas,
    find_user_atlas,
    remove_user_atlas,
    user_atlas_names,
)
from neuroparcel.pipeline.atlas_list import aligned, kind_of, unit_of

_TURN = 0.618034  # of the colour wheel, the golden section: no two of its multiples lie close


@dataclass(frozen=True, eq=False)
class AtlasDescription:
    """One atlas, region or target set, and all its labels."""

    entry: Entry
    atlas: Atlas

    def summary(self) -> str:
        """What it is and where it comes from, and its label table."""
        entry, licence = self.entry, self.entry.licence
        facts = {
            entry.name: entry.title,
            "kind": f"{kind_of(entry)}, {entry.size} {unit_of(entry)}",
            "space": entry.space,
            "source": entry.source if not entry.atlas else f"{entry.atlas}: {entry.source}",
            "sha256": entry.sha256,
            "citation": entry.citation,
            "doi": entry.doi,
            "licence": licence.name,
            "terms": licence.terms,
            "see": licence.url,
            "acknowledge": licence.acknowledgement,
        }
        told = [(name, text) for name, text in facts.items() if text]
        return "\n".join([*aligned(told), "", *aligned(self._labels())])

    def _labels(self) -> list[tuple[str, ...]]:
        sides = [side for side in (LEFT, RIGHT) if side in self.atlas.axis.structures]
        words = [side.removeprefix("CORTEX_").lower() for side in sides]
        columns = [self.atlas.sizes(side).tolist() for side in sides]
        if not sides:
            words, columns = [self.atlas.axis.rows_are], [self.atlas.sizes().tolist()]
        rows: list[tuple[str, ...]] = [("key", "label", "colour", *words)]
        for label, *sizes in zip(self.atlas.labels, *columns, strict=True):
            rows.append((str(label.key), label.name, label.hex, *map(str, sizes)))
        return rows


def show_atlas(name: str) -> AtlasDescription:
    """One atlas, region or target set by its name.

    Raises
    ------
    AtlasError
        If nothing goes by that name, or the user's atlas of that name is damaged.
    """
    entry = _entry(name)
    return AtlasDescription(entry, _as_atlas(entry))


def export_atlas(name: str, output: str, *, overwrite: bool = False) -> tuple[Path, ...]:
    """Write an atlas, a region or a target set as a label file.

    Parameters
    ----------
    name : str
        As ``neuroparcel atlas list`` shows it.
    output : str
        See :func:`~neuroparcel.io.writers.atlas_files.write_atlas`.
    overwrite : bool, default False
        Whether files that are there may be replaced.

    Returns
    -------
    tuple of pathlib.Path
        What was written.

    Raises
    ------
    AtlasError
        If nothing goes by that name.
    OptionError
        If it cannot be written as a file that ends so.
    OutputError
        If there is such a file already, or it cannot be written.
    """
    from neuroparcel.io.writers.atlas_files import atlas_files, write_atlas

    atlas = _as_atlas(_entry(name))
    there = [path for path in atlas_files(output, atlas) if path.exists()]
    if there and not overwrite:
        raise OutputError(
            f"{there[0]} exists already.", "Give another --output, or --overwrite to replace it."
        )
    try:
        return write_atlas(output, atlas)
    except OSError as error:
        if isinstance(error, NeuroparcelError):
            raise
        raise OutputError(
            f"{output} cannot be written ({error.strerror or error}).",
            "Check the folder, its permissions and the disk.",
        ) from error


def add_atlas(
    name: str, file: str, *, citation: str = "", licence: str = "", overwrite: bool = False
) -> UserAtlas:
    """Add a label file to the user's atlases; from then on it goes by its name everywhere.

    Parameters
    ----------
    name : str
    file : str
        A label file, see :func:`~neuroparcel.io.label_files.read_label_file`.
    citation, licence : str, default ""
        What to cite, and the terms of use.
    overwrite : bool, default False
        Replace an atlas of that name.

    Raises
    ------
    AtlasError
        If the name is taken or none, or two labels share a name.
    FileFormatError
        If the file cannot be read, or holds no labels.
    OutputError
        If the folder of atlases cannot be written to.
    """
    taken = (*entries(), *(label.name for label in load_atlas("mmp").labels))
    return add_user_atlas(
        name, file, taken, citation=citation, licence=licence, overwrite=overwrite
    )


def remove_atlas(name: str) -> Path:
    """Remove one of the user's atlases; returns the folder that is gone.

    Raises
    ------
    AtlasError
        If the user has none of that name.
    """
    if name in entries() and name not in user_atlas_names():
        raise AtlasError(f"{name} is built in, and cannot be removed.", "Name one of your own.")
    return remove_user_atlas(name)


def _entry(name: str) -> Entry:
    is_atlas_name(name)  # raises if the name stands for two things
    own = find_user_atlas(name)
    if own is not None:
        return own.entry()
    if name in entries():
        return entries()[name]
    near = get_close_matches(name, (*entries(), *user_atlas_names()), n=1)
    raise AtlasError(
        f"No atlas, region or target set is called {name!r}.",
        f"Did you mean {near[0]}?" if near else "See 'neuroparcel atlas list' for all names.",
    )


def _as_atlas(entry: Entry) -> Atlas:
    """A region as its labels on the whole cortex; a target set as a label for each target."""
    if entry.kind == "targets":
        return _of_targets(entry)
    if entry.kind == "atlas":
        return load_atlas(entry.name)
    region = load_region(entry.name)
    whole = load_atlas(entry.atlas or "mmp")
    keys = np.zeros_like(whole.keys)
    rows = whole.axis.rows_of(region.axis)
    keys[rows] = whole.keys[rows]
    cut = replace(whole, name=entry.name, keys=keys)
    return replace(cut, labels=cut.present)


def _of_targets(entry: Entry) -> Atlas:
    targets, cortex = load_targets(entry.name), load_cortex_axis()
    keys = np.zeros(len(cortex), dtype=np.int64)
    keys[cortex.rows_of(targets.axis)] = targets.assignment + 1
    labels = tuple(
        Label.of(key, name, (*colorsys.hsv_to_rgb(key * _TURN % 1, 0.8, 0.9), 1.0))
        for key, name in enumerate(targets.names, start=1)
    )
    return Atlas(entry.name, cortex, keys, labels, entry.citation, entry.licence.name)
