"""Atlases that a user has added: copies of label files under a name, with checksums.

Each lies in a folder of its own, ``NAME/``, which holds the files as they were and
``atlas.json``, which says what they are.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from neuroparcel.atomic import ASIDE
from neuroparcel.errors import AtlasError, NeuroparcelError, OutputError
from neuroparcel.io.registry import Entry, Licence, sha256_of

if TYPE_CHECKING:
    from neuroparcel.brain.atlas import Atlas

FOLDER_VARIABLE = "NEUROPARCEL_ATLASES"
"""Environment variable that names another folder for the user's atlases."""

NOT_STATED = "not stated"

_RECORD = "atlas.json"
_REPLACED = ".replaced"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# What --roi and --targets read as a file or as a word of their own.
_READ_AS_FILE = re.compile(r".*\.(nii|gz|gii|annot|tsv|csv|txt)")
_WORDS = ("nodes", "voxels")


@dataclass(frozen=True)
class UserAtlas:
    """An atlas that a user has added.

    Parameters
    ----------
    name : str
    spec : str
        The label file in the atlas's folder, sides as ``{L,R}``.
    files : dict of str to str
        Every file with its SHA-256.
    origin : str
        Where it was copied from.
    added : str
        Date and time, in UTC.
    n_labels : int
        Labels that some row carries.
    space : str
        Where it lies, in a few words.
    citation, licence : str
        As the user has stated them.
    """

    name: str
    spec: str
    files: dict[str, str]
    origin: str
    added: str
    n_labels: int
    space: str
    citation: str = ""
    licence: str = ""

    @property
    def folder(self) -> Path:
        """Where its files lie."""
        return atlas_folder() / self.name

    def entry(self) -> Entry:
        """What is known of it before it is read."""
        terms = self.licence or NOT_STATED
        return Entry(
            self.name,
            "atlas",
            f"Added by you on {self.added[:10]} from {self.origin}",
            self.n_labels,
            str(self.folder / self.spec),
            next(iter(self.files.values())),
            self.space,
            self.citation or NOT_STATED,
            "",
            Licence(terms, terms),
            own=True,
        )

    def read(self) -> Atlas:
        """Read it, its files compared with their checksums.

        Raises
        ------
        AtlasError
            If a file is missing, or is not what was added.
        """
        from neuroparcel.io.label_files import read_label_file

        for name, expected in self.files.items():
            path = self.folder / name
            if not path.is_file() or sha256_of(path) != expected:
                what = "has changed since it was added" if path.exists() else "is missing"
                raise damaged(self.name, f"its file {path} {what}")
        atlas = read_label_file(str(self.folder / self.spec))
        return replace(atlas, name=self.name, citation=self.citation, licence=self.licence)


def atlas_folder() -> Path:
    """Folder of the user's atlases, which need not exist.

    ``NEUROPARCEL_ATLASES`` if that is set, else where the system keeps a user's data.
    """
    named = os.environ.get(FOLDER_VARIABLE, "").strip()
    if named:
        return Path(named).expanduser()
    from platformdirs import user_data_path

    return user_data_path("neuroparcel", appauthor=False) / "atlases"


def user_atlas_names() -> tuple[str, ...]:
    """Names of the user's atlases, damaged ones included, sorted."""
    folder = atlas_folder()
    try:
        return tuple(sorted(path.name for path in folder.iterdir() if _is_atlas(path)))
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise AtlasError(
            f"The folder of your atlases, {folder}, cannot be read ({error.strerror}).",
            f"Check it, or set {FOLDER_VARIABLE} to another one.",
        ) from error


def find_user_atlas(name: str) -> UserAtlas | None:
    """One of the user's atlases by its name, None if there is none of it.

    Raises
    ------
    AtlasError
        If what describes it is damaged.
    """
    if not _NAME.fullmatch(name) or not _is_atlas(atlas_folder() / name):
        return None
    path = atlas_folder() / name / _RECORD
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        found = UserAtlas(**{**content, "name": name})
    except (OSError, ValueError, TypeError) as error:
        raise damaged(name, f"{path} cannot be read") from error
    if not isinstance(found.files, dict) or not found.files:
        raise damaged(name, f"{path} lists no files")
    return found


def add_user_atlas(
    name: str,
    spec: str,
    taken: Iterable[str] = (),
    *,
    citation: str = "",
    licence: str = "",
    overwrite: bool = False,
) -> UserAtlas:
    """Copy a label file, and whatever it is read from, under a name.

    Parameters
    ----------
    name : str
        Letters, digits, dots, dashes and underscores.
    spec : str
        A label file, see :func:`~neuroparcel.io.label_files.read_label_file`.
    taken : iterable of str
        Names that mean something else already.
    citation, licence : str, default ""
        What to cite, and the terms of use.
    overwrite : bool, default False
        Replace an atlas of that name.

    Raises
    ------
    AtlasError
        If the name is taken or none, the file is no label file by its name, or its table is
        ambiguous.
    FileFormatError
        If the file cannot be read, or holds no labels.
    OutputError
        If the folder cannot be written to.
    """
    from neuroparcel.io.label_files import LABEL_SUFFIXES, is_label_file, read_label_file

    _check_name(name, taken, overwrite=overwrite)
    if not is_label_file(spec):
        raise AtlasError(
            f"{spec} is not a label file by its name.",
            f"Label files end in {', '.join(LABEL_SUFFIXES)}; both hemispheres are written "
            "as atlas.{L,R}.label.gii or {lh,rh}.atlas.annot.",
        )
    atlas = read_label_file(spec)
    with _folder_aside() as aside:
        kept, files = _copy(spec, aside)
        record = UserAtlas(
            name,
            kept,
            files,
            str(Path(spec).absolute()),
            datetime.now(UTC).isoformat(timespec="seconds"),
            len(atlas.present),
            _where(atlas),
            citation,
            licence,
        )
        (aside / _RECORD).write_text(json.dumps(asdict(record), indent=2) + "\n", encoding="utf-8")
        if record.folder.exists():  # a folder cannot be replaced in one step
            record.folder.rename(aside / _REPLACED)
        aside.rename(record.folder)
        shutil.rmtree(record.folder / _REPLACED, ignore_errors=True)
    return record


def remove_user_atlas(name: str) -> Path:
    """Delete the copy of an atlas that the user has added; returns its folder.

    Raises
    ------
    AtlasError
        If the user has no atlas of that name.
    OutputError
        If it cannot be deleted.
    """
    if name not in user_atlas_names():
        own = ", ".join(user_atlas_names())
        raise AtlasError(
            f"You have added no atlas called {name!r}.",
            f"Your atlases are {own}." if own else "Add one: neuroparcel atlas add NAME FILE.",
        )
    folder = atlas_folder() / name
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise _unwritable(error) from error
    return folder


def damaged(name: str, why: str) -> AtlasError:
    """The error of an own atlas that cannot be used as it lies there."""
    return AtlasError(
        f"Your atlas {name} is damaged: {why}.",
        f"Add it again: neuroparcel atlas add {name} FILE --overwrite; or remove it: "
        f"neuroparcel atlas remove {name}.",
    )


def _is_atlas(path: Path) -> bool:
    return path.is_dir() and _NAME.fullmatch(path.name) is not None


def _check_name(name: str, taken: Iterable[str], *, overwrite: bool) -> None:
    if not _NAME.fullmatch(name):
        raise AtlasError(
            f"{name!r} cannot be the name of an atlas.",
            "Use letters, digits, dots, dashes and underscores, a letter or digit first.",
        )
    if _READ_AS_FILE.fullmatch(name.lower()):
        raise AtlasError(
            f"{name!r} cannot be the name of an atlas: it ends as files do.",
            f"Call it {name.split('.')[0]}, for example.",
        )
    clash = next((known for known in (*_WORDS, *taken) if known.lower() == name.lower()), None)
    if clash is not None:
        raise AtlasError(
            f"The name {name!r} is taken: {clash} is built in.",
            "Give your atlas another name, such as my-" + name.lower() + ".",
        )
    # Folders of some systems tell no difference between upper and lower case.
    mine = next((own for own in user_atlas_names() if own.lower() == name.lower()), None)
    if mine is not None and not (overwrite and mine == name):
        raise AtlasError(
            f"You have an atlas called {mine} already.",
            f"Give another name, or replace it: neuroparcel atlas add {mine} FILE --overwrite.",
        )


@contextmanager
def _folder_aside() -> Iterator[Path]:
    """A folder among the atlases that is gone afterwards, unless it was given a name."""
    try:
        atlas_folder().mkdir(parents=True, exist_ok=True)
        aside = Path(mkdtemp(prefix=ASIDE, dir=atlas_folder()))
        try:
            aside.chmod(0o755)  # a folder of atlases can be shared
            yield aside
        finally:
            shutil.rmtree(aside, ignore_errors=True)
    except OSError as error:
        raise _unwritable(error) from error


def _copy(spec: str, folder: Path) -> tuple[str, dict[str, str]]:
    """Copy what a label file is read from; its name in the folder, and all files' checksums."""
    from neuroparcel.io.label_files import files_of

    parts = Path(spec).absolute().parts
    # {lh,rh}/atlas.annot keeps its folders, or both sides would have one name.
    first = next((n for n, part in enumerate(parts) if "{" in part), len(parts) - 1)
    n_before = min(first, len(parts) - 1)
    files = {}
    for path in files_of(spec):
        relative = Path(*path.absolute().parts[n_before:])
        (folder / relative).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, folder / relative)
        files[relative.as_posix()] = sha256_of(folder / relative)
    return Path(*parts[n_before:]).as_posix(), files


def _where(atlas: Atlas) -> str:
    """The space of an atlas, and its meshes or its grid, in a few words."""
    axis = atlas.axis
    if axis.mesh_size:
        sizes = " + ".join(str(size) for size in axis.mesh_size.values())
        return f"{axis.space}, {sizes} vertices"
    return f"{axis.space}, a volume of {' x '.join(map(str, axis.volume_shape or ()))}"


def _unwritable(error: OSError) -> NeuroparcelError:
    return OutputError(
        f"The folder of your atlases, {atlas_folder()}, cannot be written to "
        f"({error.strerror or error}).",
        f"Check its permissions and the disk, or set {FOLDER_VARIABLE} to another folder.",
    )
