"""Regions and targets that the recordings do not have, and recordings that do not go together."""

from __future__ import annotations

import numpy as np

from .bad_files import FSAVERAGE3, Folder
from .bad_inputs import PARTLY_DONE, Section

regions = Section("Regions and targets")
cohorts = Section("Recordings that do not go together")
networks = Section("More networks than the data can carry")


def fsaverage(at: Folder) -> None:
    """A table of one pair on fsaverage3."""
    at.gifti("hemi-L.func.gii", "CortexLeft")
    at.gifti("hemi-R.func.gii", "CortexRight")
    at.listed("hemi-{L,R}.func.gii")


def volume(at: Folder) -> None:
    """A table of one volume and its mask."""
    at.volume("mask.nii", (3, 4, 2))
    columns = "subject session path mask"
    at.table(f"s1 1 {at.volume('bold.nii')} mask.nii", columns=columns)


@regions.case("Broca's area on fsaverage", names="'broca-left'")
def _(at: Folder) -> list[str]:
    fsaverage(at)
    return at.fit("--roi", "broca-left")


@regions.case("Broca's area, the default, in a volume", names="'broca-left'")
def _(at: Folder) -> list[str]:
    volume(at)
    return at.fit()


@regions.case("Broca's area of nodes", names="'broca-left'")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.fit("--roi", "broca-left")


@regions.case("the cortex of a volume")
def _(at: Folder) -> list[str]:
    volume(at)
    return at.fit("--roi", "cortex")


@regions.case("nodes of a surface")
def _(at: Folder) -> list[str]:
    at.listed(at.surface())
    return at.fit("--roi", "nodes")


@regions.case("a node that is not there", names="'V1'")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.fit("--roi", "nodes:V1")


@regions.case("a region that nobody knows", names="brocca-left")
def _(at: Folder) -> list[str]:
    at.listed(at.surface())
    return at.fit("--roi", "brocca-left")


@regions.case("a label that the atlas lacks", names="L_444")
def _(at: Folder) -> list[str]:
    at.listed(at.surface())
    return at.fit("--roi", "L_44,L_444")


@regions.case("a label file that does not exist", names="gone.dlabel.nii")
def _(at: Folder) -> list[str]:
    at.listed(at.surface())
    return at.fit("--roi", at / "gone.dlabel.nii")


@regions.case("a label that the file lacks", names="middle")
def _(at: Folder) -> list[str]:
    at.listed(at.surface())
    return at.fit("--roi", f"{at / at.labels('areas.dlabel.nii')}:middle")


@regions.case("a label file of another mesh", names="areas.dlabel.nii")
def _(at: Folder) -> list[str]:
    fsaverage(at)
    return at.fit("--roi", at / at.labels("areas.dlabel.nii"))


@regions.case("a label file that is a recording", names="good.dtseries.nii")
def _(at: Folder) -> list[str]:
    at.listed(at.surface())
    return at.fit("--roi", at / "good.dtseries.nii")


@regions.case("targets that nobody knows", names="'aal'")
def _(at: Folder) -> list[str]:
    at.listed(at.surface())
    return at.fit("--targets", "aal")


@regions.case("targets of fs_LR on fsaverage", names="'mmp'")
def _(at: Folder) -> list[str]:
    fsaverage(at)
    return at.fit("--roi", "cortex", "--targets", "mmp")


@regions.case("two targets", names="areas.dlabel.nii")
def _(at: Folder) -> list[str]:
    at.listed(at.surface())
    return at.fit("--targets", at / at.labels("areas.dlabel.nii"))


@regions.case("a list of targets that does not exist", names="gone.tsv")
def _(at: Folder) -> list[str]:
    at.listed(at.surface())
    return at.fit("--targets", at / "gone.tsv")


@regions.case("a list of targets without places", names="seeds.tsv")
def _(at: Folder) -> list[str]:
    at.listed(at.surface())
    return at.fit("--targets", at / at.text("seeds.tsv", "area\tsize", "V1\t12"))


@regions.case("a list of targets in other units", names="seeds.tsv")
def _(at: Folder) -> list[str]:
    at.listed(at.surface())
    points = ("x\ty\tz", "-50\t20\t10", "50\t20\t10", "5000\t0\t0")
    return at.fit("--targets", at / at.text("seeds.tsv", *points))


@regions.case("a target that the recordings lack", PARTLY_DONE, names="good.dtseries.nii")
def _(at: Folder) -> list[str]:
    at.listed(at.surface())
    rows = ("hemisphere\tvertex", "L\t1", "L\t2", "R\t3", "R\t4")
    return at.build("--targets", at / at.text("seeds.tsv", *rows))


@cohorts.case("nodes in another order", PARTLY_DONE, done="s1", names="b.tsv")
def _(at: Folder) -> list[str]:
    for name, header in (("a.tsv", "V1\tV2\tV3"), ("b.tsv", "V3\tV1\tV2")):
        rows = ["\t".join(map(str, (n % 7, n % 5, n % 3))) for n in range(30)]
        at.text(name, header, *rows)
    at.listed("a.tsv", "b.tsv")
    return at.build()


@cohorts.case("two resolutions", PARTLY_DONE, done="s1", names="finer_hemi-L.func.gii")
def _(at: Folder) -> list[str]:
    two_resolutions(at)
    return at.build("--roi", "cortex")


@cohorts.case("two resolutions, seen by inspect", PARTLY_DONE, names="finer_hemi-L.func.gii")
def _(at: Folder) -> list[str]:
    two_resolutions(at)
    return at.inspect()


def two_resolutions(at: Folder) -> None:
    """A table of a pair on fsaverage3 and one on fsaverage4."""
    for name, size in (("coarse", FSAVERAGE3), ("finer", 2562)):
        at.gifti(f"{name}_hemi-L.func.gii", "CortexLeft", size)
        at.gifti(f"{name}_hemi-R.func.gii", "CortexRight", size)
    at.listed("coarse_hemi-{L,R}.func.gii", "finer_hemi-{L,R}.func.gii")


@cohorts.case("nodes of two names", PARTLY_DONE, done="s1", names="b.tsv")
def _(at: Folder) -> list[str]:
    for name, first in (("a.tsv", "V1"), ("b.tsv", "V2")):
        values = np.random.default_rng(0).normal(size=(30, 4))
        rows = ["\t".join(f"{value:.3f}" for value in row) for row in values]
        at.text(name, f"{first}\tM1\tS1\tA1", *rows)
    at.listed("a.tsv", "b.tsv")
    return at.build()


@cohorts.case("another number of nodes", PARTLY_DONE, done="s1", names="more.npy")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes(), at.nodes("more.npy", (40, 30)))
    return at.build()


@cohorts.case("a surface among nodes", PARTLY_DONE, done="s1", names="good.dtseries.nii")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes(), at.surface())
    return at.build()


@cohorts.case("a missing session: it stays missing", 0, done="s1 s1 s2", names="session 2")
def _(at: Folder) -> list[str]:
    at.table(f"s1 1 {at.nodes('a.npy')}", f"s1 2 {at.nodes('b.npy')}", f"s2 1 {at.nodes('c.npy')}")
    return at.build()


@cohorts.case(
    "maps of which some are not shared: the shared ones are used", 0, done="s1 s2", names="music"
)
def _(at: Folder) -> list[str]:
    at.maps("a.dscalar.nii", ("rest", "faces", "tools", "music"))
    at.maps("b.dscalar.nii", ("tools", "faces", "rest", "maths"))
    at.listed("a.dscalar.nii", "b.dscalar.nii")
    return at.build("--features", "maps")


@cohorts.case("maps that are not shared")
def _(at: Folder) -> list[str]:
    at.maps("a.dscalar.nii", ("rest", "faces", "tools"))
    at.maps("b.dscalar.nii", ("music", "maths", "tools"))
    at.listed("a.dscalar.nii", "b.dscalar.nii")
    return at.fit("--features", "maps")


@cohorts.case("time series where maps are wanted", names="good.dtseries.nii")
def _(at: Folder) -> list[str]:
    at.maps("a.dscalar.nii", ("rest", "faces", "tools"))
    at.listed("a.dscalar.nii", at.surface())
    return at.fit("--features", "maps")


@cohorts.case("time series among maps", PARTLY_DONE, done="s2", names="good.dtseries.nii")
def _(at: Folder) -> list[str]:
    at.maps("a.dscalar.nii", ("rest", "faces", "tools"))
    at.listed(at.surface(), "a.dscalar.nii")
    return at.build("--features", "maps")


@cohorts.case("two maps of one name", PARTLY_DONE, done="s1", names="b.dscalar.nii")
def _(at: Folder) -> list[str]:
    names = ("rest", "faces", "tools")
    at.maps("a.dscalar.nii", names)
    # The writer takes maps by name, so the second name is changed in the file itself.
    at.maps("b.dscalar.nii", (*names, "music"))
    content = (at / "b.dscalar.nii").read_bytes()
    at.bytes("b.dscalar.nii", content.replace(b">music<", b">tools<"))
    at.listed("a.dscalar.nii", "b.dscalar.nii")
    return at.build("--features", "maps")


@cohorts.case("maps that shall be cleaned")
def _(at: Folder) -> list[str]:
    at.listed(at.maps("a.dscalar.nii", ("rest", "faces", "tools")))
    return at.fit("--features", "maps", "--detrend")


def two_profiles(maps: np.ndarray) -> None:
    """The front and the back of the region, without any noise; (map, vertex)."""
    half = maps.shape[1] // 2
    maps[:, :half], maps[:, half:] = maps[:, :1], maps[:, -1:]


def two_halves(at: Folder) -> None:
    """A table of two subjects whose maps know two networks."""
    names = ("rest", "faces", "tools")
    at.listed(*(at.maps(name, names, two_profiles) for name in ("a.dscalar.nii", "b.dscalar.nii")))


@networks.case("more networks than vertices", names="340 networks")
def _(at: Folder) -> list[str]:
    two_halves(at)
    return at.fit("--features", "maps", "--networks", "340")


@networks.case("more networks than profiles that differ", names="5 networks")
def _(at: Folder) -> list[str]:
    two_halves(at)
    return at.fit("--features", "maps", "--networks", "5")


@networks.case("the same, of directions by coordinate ascent", names="5 networks")
def _(at: Folder) -> list[str]:
    two_halves(at)
    how = ("--family", "reference", "--emission", "von-mises-fisher", "--label-prior", "vertex")
    return at.fit("--features", "maps", "--networks", "5", *how)


@networks.case("numbers of networks, all of them too large", names="6 networks")
def _(at: Folder) -> list[str]:
    two_halves(at)
    return at.select("--features", "maps", "--networks", "6:7")


@networks.case("one subject to choose a number of networks from", names="1 subject")
def _(at: Folder) -> list[str]:
    at.listed(at.maps("a.dscalar.nii", ("rest", "faces", "tools")))
    return at.select("--features", "maps", "--networks", "2:4")


@networks.case("maps that are equal at all vertices, to choose a number from")
def _(at: Folder) -> list[str]:
    def flatten(maps: np.ndarray) -> None:
        maps[:] = maps[:, :1]

    names = ("rest", "faces", "tools")
    at.listed(*(at.maps(name, names, flatten) for name in ("a.dscalar.nii", "b.dscalar.nii")))
    return at.select("--features", "maps", "--networks", "2:4")
