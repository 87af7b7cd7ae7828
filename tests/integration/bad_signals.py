"""Recordings without enough signal, and what cleaning needs and does not find."""

from __future__ import annotations

import numpy as np

from neuroparcel.io.regions import load_region
from neuroparcel.io.writers.cifti_writer import write_dscalar

from .bad_files import N_FRAMES, Folder
from .bad_inputs import PARTLY_DONE, Section

signals = Section("Signals")
cleaning = Section("Cleaning")

CONFOUNDS = "subject session path confounds"
CENSOR = "subject session path censor"


@signals.case("two frames", PARTLY_DONE, done="s2", names="short.npy")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes("short.npy", (2, 20)), at.nodes())
    return at.build()


@signals.case("few frames: they can be used, which is said", 0, done="s1", names="few.npy")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes("few.npy", (12, 20)))
    return at.build()


@signals.case(
    "nodes by frames instead of frames by nodes, which inspect says", 0, names="turned.npy"
)
def _(at: Folder) -> list[str]:
    at.listed(at.nodes("turned.npy", (20, 40)))
    return at.inspect()


@signals.case("a constant node of twenty: it is masked", 0, done="s1", names="flat.npy")
def _(at: Folder) -> list[str]:
    def flatten(series: np.ndarray) -> None:
        series[:, 3] = 7.0

    at.listed(at.nodes("flat.npy", change=flatten))
    return at.build()


@signals.case("a quarter of the nodes constant", PARTLY_DONE, done="s2", names="flat.npy")
def _(at: Folder) -> list[str]:
    def flatten(series: np.ndarray) -> None:
        series[:, :5] = 7.0

    at.listed(at.nodes("flat.npy", change=flatten), at.nodes())
    return at.build()


@signals.case("constant vertices, a few: they are masked", 0, done="s1", names="flat.dtseries.nii")
def _(at: Folder) -> list[str]:
    def flatten(series: np.ndarray) -> None:
        series[10:14] = 0

    at.listed(at.surface("flat.dtseries.nii", change=flatten))
    return at.build(*at.targets())


@signals.case(
    "a block of NaN in some vertices: these are masked", 0, done="s1", names="nan.dtseries"
)
def _(at: Folder) -> list[str]:
    def spoil(series: np.ndarray) -> None:
        series[50:60, 10:20] = np.nan

    at.listed(at.surface("nan.dtseries.nii", change=spoil))
    return at.build(*at.targets())


@signals.case(
    "a block of NaN in half of the vertices", PARTLY_DONE, done="s2", names="nan.dtseries"
)
def _(at: Folder) -> list[str]:
    def spoil(series: np.ndarray) -> None:
        series[:170, 10:20] = np.nan

    at.listed(at.surface("nan.dtseries.nii", change=spoil), at.surface())
    return at.build(*at.targets())


@signals.case("frames of NaN in all vertices", PARTLY_DONE, done="s2", names="nan.dtseries")
def _(at: Folder) -> list[str]:
    def spoil(series: np.ndarray) -> None:
        series[:, 10:20] = np.nan

    at.listed(at.surface("nan.dtseries.nii", change=spoil), at.surface())
    return at.build(*at.targets())


@signals.case("nothing but NaN", PARTLY_DONE, done="s2", names="nan.npy")
def _(at: Folder) -> list[str]:
    def spoil(series: np.ndarray) -> None:
        series[:] = np.nan

    at.listed(at.nodes("nan.npy", change=spoil), at.nodes())
    return at.build()


@signals.case("a dead target", PARTLY_DONE, done="s2", names="flat.dtseries.nii")
def _(at: Folder) -> list[str]:
    def flatten(series: np.ndarray) -> None:
        series[-1] = 0

    at.listed(at.surface("flat.dtseries.nii", change=flatten), at.surface())
    return at.build(*at.targets())


@signals.case("maps that are equal at all vertices", names="do not vary")
def _(at: Folder) -> list[str]:
    names = ("rest", "faces", "tools")
    for name in ("a", "b"):
        axis = load_region("broca-left").axis
        values = np.ones((3, len(axis)), np.float32) * np.array([[1], [2], [-1]], np.float32)
        write_dscalar(at / f"{name}.dscalar.nii", axis, dict(zip(names, values, strict=True)))
    at.listed("a.dscalar.nii", "b.dscalar.nii")
    return at.fit("--features", "maps", "--family", "reference")


@cleaning.case("confounds asked for, and none named", names="good.npy")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.fit("--confounds", "all")


@cleaning.case("confounds of another length", PARTLY_DONE, done="s2", names="short.tsv")
def _(at: Folder) -> list[str]:
    with_confounds(at, at.text("short.tsv", "x", *["0.5", "0.25"] * 10))
    return at.build("--confounds", "all")


@cleaning.case("a confound that the table lacks", names="long.tsv")
def _(at: Folder) -> list[str]:
    with_confounds(at)
    return at.fit("--confounds", "trans_xx")


@cleaning.case("confounds with a missing number", PARTLY_DONE, done="s2", names="gap.tsv")
def _(at: Folder) -> list[str]:
    with_confounds(at, at.text("gap.tsv", "x", *["0.5", "n/a"] * (N_FRAMES // 2)))
    return at.build("--confounds", "all")


@cleaning.case("confounds that are no table of numbers", PARTLY_DONE, done="s2", names="words.tsv")
def _(at: Folder) -> list[str]:
    with_confounds(at, at.text("words.tsv", "x", "0.5", "often"))
    return at.build("--confounds", "all")


@cleaning.case("a strategy for a table that is not fMRIPrep's", names="long.tsv")
def _(at: Folder) -> list[str]:
    with_confounds(at)
    return at.fit("--confounds", "simple")


@cleaning.case("as many confounds as frames", PARTLY_DONE, done="s2", names="bad.npy")
def _(at: Folder) -> list[str]:
    rows = np.random.default_rng(0).normal(size=(N_FRAMES, N_FRAMES))
    lines = ["\t".join(f"{value:.3f}" for value in row) for row in rows]
    with_confounds(at, at.text("wide.tsv", "\t".join(f"c{n}" for n in range(N_FRAMES)), *lines))
    return at.build("--confounds", "all")


def with_confounds(at: Folder, bad: str | None = None) -> None:
    """A table of a recording with bad confounds, if any, and one with good ones."""
    at.text("long.tsv", "trans_x", *[f"{n % 7}" for n in range(N_FRAMES)])
    first = [] if bad is None else [f"s1 1 {at.nodes('bad.npy')} {bad}"]
    at.table(*first, f"s2 1 {at.nodes()} long.tsv", columns=CONFOUNDS)


@cleaning.case("censoring asked for, and no file named", names="good.npy")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.fit("--censor")


@cleaning.case("a censor file of another length", PARTLY_DONE, done="s2", names="short.txt")
def _(at: Folder) -> list[str]:
    with_censor(at, at.text("short.txt", *["1"] * 39))
    return at.build("--censor")


@cleaning.case(
    "a censor file of a recording that is censored already",
    PARTLY_DONE,
    done="s2",
    names="done.txt",
)
def _(at: Folder) -> list[str]:
    with_censor(at, at.text("done.txt", *["1"] * N_FRAMES, "0", "0"))
    return at.build("--censor")


@cleaning.case("motion in place of a censor file", PARTLY_DONE, done="s2", names="motion.txt")
def _(at: Folder) -> list[str]:
    with_censor(at, at.text("motion.txt", *["0.3"] * N_FRAMES))
    return at.build("--censor")


@cleaning.case("a censor file that keeps nothing", PARTLY_DONE, done="s2", names="bad.npy has 0")
def _(at: Folder) -> list[str]:
    with_censor(at, at.text("none.txt", *["0"] * N_FRAMES))
    return at.build("--censor")


def with_censor(at: Folder, bad: str) -> None:
    """A table of a recording with a bad censor file and one with a good one."""
    at.text("good.txt", *["1"] * N_FRAMES)
    rows = (f"s1 1 {at.nodes('bad.npy')} {bad}", f"s2 1 {at.nodes()} good.txt")
    at.table(*rows, columns=CENSOR)


@cleaning.case("a band-pass where the TR is not known", names="good.npy")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.fit("--band-pass", "0.01,0.08")


@cleaning.case(
    "a TR that differs: it can be used, which inspect says", 0, names="slow.dtseries.nii"
)
def _(at: Folder) -> list[str]:
    at.listed(
        at.surface(), at.surface("fast.dtseries.nii"), at.surface("slow.dtseries.nii", tr=3.0)
    )
    return at.inspect()


@cleaning.case(
    "a TR too long for the band-pass", PARTLY_DONE, done="s1 s2", names="slow.dtseries.nii"
)
def _(at: Folder) -> list[str]:
    at.listed(
        at.surface(), at.surface("fast.dtseries.nii"), at.surface("slow.dtseries.nii", tr=3.0)
    )
    return at.build(*at.targets(), "--band-pass", "0.01,0.2")


@cleaning.case(
    "too few frames for the band-pass", PARTLY_DONE, done="s2", names="short.dtseries.nii"
)
def _(at: Folder) -> list[str]:
    at.listed(at.surface("short.dtseries.nii", 15), at.surface())
    return at.build(*at.targets(), "--band-pass", "0.01,0.2")


@cleaning.case("a band whose ends are swapped")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes())
    return at.fit("--band-pass", "0.08,0.01")
