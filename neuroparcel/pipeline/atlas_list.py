"""What goes by a name, in a table. Nothing heavy is imported: the list shall come at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from neuroparcel.errors import NeuroparcelError
from neuroparcel.io.registry import Entry, entries
from neuroparcel.io.user_atlases import atlas_folder, find_user_atlas, user_atlas_names


@dataclass(frozen=True)
class AtlasList:
    """What goes by a name.

    Attributes
    ----------
    entries : tuple of Entry
        Atlases, regions and target sets of the package, then the user's atlases.
    damaged : tuple of str
        What is wrong with those of the user that cannot be used.
    """

    entries: tuple[Entry, ...]
    damaged: tuple[str, ...] = ()

    def summary(self) -> str:
        """A table for the terminal, the two halves of a region in the line of the whole."""
        by_name = {entry.name: entry for entry in self.entries}
        rows: list[tuple[str, ...]] = [("name", "kind", "size", "licence", "what it is")]
        for entry in self.entries:
            if not entry.name.endswith(("-left", "-right")) or entry.own:
                size = _size(entry, by_name)
                licence = entry.licence.short
                rows.append((entry.name, kind_of(entry), size, licence, entry.title))
        lines = aligned(rows)
        lines += ["", "Regions also by halves: broca-left, broca-right."]
        lines += [f"Your atlases lie in {atlas_folder()}.", *self.damaged]
        return "\n".join(lines)


def list_atlases() -> AtlasList:
    """Everything that goes by a name; no atlas is read."""
    own: list[Entry] = []
    damaged: list[str] = []
    for name in user_atlas_names():
        try:
            found = find_user_atlas(name)
        except NeuroparcelError as error:
            damaged.append(str(error))
        else:
            own += [found.entry()] if found is not None else []
    return AtlasList((*entries().values(), *own), tuple(damaged))


def kind_of(entry: Entry) -> str:
    """What an entry is, in a word or two."""
    return "own atlas" if entry.own else entry.kind


def unit_of(entry: Entry) -> str:
    """What the size of an entry counts."""
    return {"atlas": "labels", "region": "vertices", "targets": "targets"}[entry.kind]


def aligned(rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table: columns of one width, the last one as long as it is."""
    table = [tuple(row) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*table, strict=True)][:-1]
    return [
        "  ".join(
            [*(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=False)), row[-1]]
        )
        for row in table
    ]


def _size(entry: Entry, by_name: dict[str, Entry]) -> str:
    if entry.kind != "region":
        return f"{entry.size} {unit_of(entry)}"
    left, right = (by_name[f"{entry.name}-{side}"].size for side in ("left", "right"))
    return f"{left} + {right} vertices"
