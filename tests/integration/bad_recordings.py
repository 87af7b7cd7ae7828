"""Files that are not what they seem, by kind; a good one stands behind each in the list."""

from __future__ import annotations

import gzip
from collections.abc import Sequence

import numpy as np

from neuroparcel.io.meshes import load_cortex_axis

from ..io.samples import mat_bytes
from .bad_files import LEFT, N_FRAMES, N_NODES, RIGHT, Folder, fslr, volume_image
from .bad_inputs import PARTLY_DONE, Section

files = Section("Files that cannot be read")
surfaces = Section("Surfaces")
volumes = Section("Volumes")
arrays = Section("Arrays and tables")


def beside_a_good_one(at: Folder, bad: str, *more: str | object) -> list[str]:
    """Build a store of a bad file and a good one, which must get into it."""
    at.listed(bad, at.nodes())
    return at.build(*map(str, more))


@files.case("the only file is bad", names="empty.npy")
def _(at: Folder) -> list[str]:
    at.listed(at.bytes("empty.npy", b""))
    return at.fit()


@files.case("two of three files are bad", names="--skip-bad")
def _(at: Folder) -> list[str]:
    at.listed(at.nodes(), at.nodes("short.npy", (2, N_NODES)), at.bytes("empty.npy", b""))
    return at.fit()


@files.case("an empty file", PARTLY_DONE, done="s2", names="empty.npy")
def _(at: Folder) -> list[str]:
    return beside_a_good_one(at, at.bytes("empty.npy", b""))


@files.case(
    "a file whose permissions keep it from being read", PARTLY_DONE, done="s2", names="locked.npy"
)
def _(at: Folder) -> list[str]:
    at.nodes("locked.npy")
    at.lock("locked.npy")
    return beside_a_good_one(at, "locked.npy")


@files.case("a Git LFS pointer", PARTLY_DONE, done="s2", names="a.dtseries.nii")
def _(at: Folder) -> list[str]:
    pointer = at.text(
        "a.dtseries.nii", "version https://git-lfs.github.com/spec/v1", "oid sha256:4d"
    )
    return beside_a_good_one(at, pointer)


@files.case("a git-annex pointer", PARTLY_DONE, done="s2", names="a.dtseries.nii")
def _(at: Folder) -> list[str]:
    return beside_a_good_one(at, at.text("a.dtseries.nii", "/annex/objects/MD5E-s12--4d.nii"))


@files.case("an ending that nobody knows", PARTLY_DONE, done="s2", names="a.xls")
def _(at: Folder) -> list[str]:
    return beside_a_good_one(at, at.text("a.xls", "1"))


@files.case("a truncated CIFTI file", PARTLY_DONE, done="s2", names="bad.dtseries.nii")
def _(at: Folder) -> list[str]:
    content = (at / at.surface("bad.dtseries.nii")).read_bytes()
    at.bytes("bad.dtseries.nii", content[: len(content) - 1000])
    at.listed("bad.dtseries.nii", at.surface())
    return at.build(*at.targets())


@files.case("a CIFTI file cut off in its header", PARTLY_DONE, done="s2", names="bad.dtseries.nii")
def _(at: Folder) -> list[str]:
    at.bytes("bad.dtseries.nii", (at / at.surface()).read_bytes()[:600])
    at.listed("bad.dtseries.nii", "good.dtseries.nii")
    return at.build(*at.targets())


@files.case("a CIFTI file of version 1", PARTLY_DONE, done="s2", names="bad.dtseries.nii")
def _(at: Folder) -> list[str]:
    content = (at / at.surface()).read_bytes()
    at.bytes("bad.dtseries.nii", content.replace(b'<CIFTI Version="2.0"', b'<CIFTI Version="1.0"'))
    at.listed("bad.dtseries.nii", "good.dtseries.nii")
    return at.build(*at.targets())


@files.case("a gzipped CIFTI file", PARTLY_DONE, done="s2", names="bad.dtseries.nii.gz")
def _(at: Folder) -> list[str]:
    content = (at / at.surface()).read_bytes()
    at.bytes("bad.dtseries.nii.gz", gzip.compress(content))
    at.listed("bad.dtseries.nii.gz", "good.dtseries.nii")
    return at.build(*at.targets())


@files.case(
    "a volume by the name of a CIFTI file", PARTLY_DONE, done="s2", names="bad.dtseries.nii"
)
def _(at: Folder) -> list[str]:
    at.bytes("bad.dtseries.nii", volume_image("v", (3, 4, 2, 9)))
    at.listed("bad.dtseries.nii", at.surface())
    return at.build(*at.targets())


@files.case("a label file as a recording", PARTLY_DONE, done="s2", names="areas.dlabel.nii")
def _(at: Folder) -> list[str]:
    at.listed(at.labels("areas.dlabel.nii"), at.surface())
    return at.build(*at.targets())


@surfaces.case(
    "a CIFTI file whose hemispheres are swapped", PARTLY_DONE, done="s2", names="bad.dtseries.nii"
)
def _(at: Folder) -> list[str]:
    cortex = load_cortex_axis()
    sides = {LEFT: cortex.vertex[cortex.rows_in(RIGHT)], RIGHT: cortex.vertex[cortex.rows_in(LEFT)]}
    at.listed(at.surface("bad.dtseries.nii", 12, axis=fslr(sides)), at.surface())
    return at.build(*at.targets())


@surfaces.case(
    "a GIFTI file of the left hemisphere that says right inside", names="hemi-L.func.gii"
)
def _(at: Folder) -> list[str]:
    left = at.gifti("hemi-L.func.gii", "CortexRight")
    at.listed(f"{left.replace('-L', '-{L,R}')}")
    at.gifti("hemi-R.func.gii", "CortexRight")
    return at.fit("--roi", "cortex")


@surfaces.case("a GIFTI file that tells no hemisphere", names="run.func.gii")
def _(at: Folder) -> list[str]:
    at.listed(at.gifti("run.func.gii", ""))
    return at.fit("--roi", "cortex")


@surfaces.case("a pair of hemispheres of two resolutions", names="hemi-R.func.gii")
def _(at: Folder) -> list[str]:
    at.gifti("hemi-L.func.gii", "CortexLeft")
    at.gifti("hemi-R.func.gii", "CortexRight", 2562)
    at.listed("hemi-{L,R}.func.gii")
    return at.fit("--roi", "cortex")


@surfaces.case("a pair of hemispheres of two lengths", names="hemi-R.func.gii")
def _(at: Folder) -> list[str]:
    at.gifti("hemi-L.func.gii", "CortexLeft")
    at.gifti("hemi-R.func.gii", "CortexRight", n_frames=N_FRAMES - 1)
    at.listed("hemi-{L,R}.func.gii")
    return at.fit("--roi", "cortex")


@surfaces.case(
    "a file that lacks the hemisphere of the targets",
    PARTLY_DONE,
    done="s2 s3",
    names="left.dtseries.nii",
)
def _(at: Folder) -> list[str]:
    left = fslr({LEFT: load_cortex_axis().vertex[load_cortex_axis().rows_in(LEFT)]})
    at.surface("left.dtseries.nii", 12, axis=left)
    at.listed("left.dtseries.nii", at.surface(), at.surface("other.dtseries.nii"))
    return at.build(*at.targets())


@surfaces.case(
    "the medial wall in one file, absent in another, and a GIFTI pair: they can be used together",
    0,
    done="s1 s2 s3",
)
def _(at: Folder) -> list[str]:
    size = load_cortex_axis().mesh_size
    whole = fslr({side: np.arange(size[side]) for side in (LEFT, RIGHT)})
    cut = load_cortex_axis()
    at.gifti("hemi-L.func.gii", "CortexLeft", size[LEFT], 12)
    at.gifti("hemi-R.func.gii", "CortexRight", size[RIGHT], 12)
    at.listed(
        at.surface("whole.dtseries.nii", 12, axis=whole),
        at.surface("cut.dtseries.nii", 12, axis=cut),
        "hemi-{L,R}.func.gii",
    )
    return at.build(*at.targets())


@volumes.case("a volume without a mask", names="bold.nii.gz")
def _(at: Folder) -> list[str]:
    at.bytes("bold.nii.gz", gzip.compress((at / at.volume("bold.nii")).read_bytes()))
    at.listed("bold.nii.gz")
    return at.fit()


@volumes.case("a mask on another grid", names="mask.nii")
def _(at: Folder) -> list[str]:
    masked(at, at.volume("mask.nii", (3, 4, 3)))
    return at.fit()


@volumes.case("an empty mask", names="mask.nii")
def _(at: Folder) -> list[str]:
    image = bytearray((at / at.volume("mask.nii", (3, 4, 2))).read_bytes())
    image[352:] = bytes(len(image) - 352)
    masked(at, at.bytes("mask.nii", bytes(image)))
    return at.fit()


@volumes.case("a volume without time", names="bold.nii")
def _(at: Folder) -> list[str]:
    masked(at, at.volume("mask.nii", (3, 4, 2)), (3, 4, 2))
    places = ("x\ty\tz", "10\t-20\t5", "8\t-20\t5", "6\t-20\t5")
    targets = at / at.text("targets.tsv", *places)
    return at.fit("--roi", at / "mask.nii", "--targets", targets)


def masked(at: Folder, mask: str, shape: Sequence[int] = (3, 4, 2, N_FRAMES)) -> None:
    """A table of one volume and its mask."""
    columns = "subject session path mask"
    at.table(f"s1 1 {at.volume('bold.nii', shape)} {mask}", columns=columns)


@arrays.case("a truncated array", PARTLY_DONE, done="s2", names="bad.npy")
def _(at: Folder) -> list[str]:
    content = (at / at.nodes("bad.npy")).read_bytes()
    return beside_a_good_one(at, at.bytes("bad.npy", content[:1000]))


@arrays.case("an array of one dimension", PARTLY_DONE, done="s2", names="bad.npy")
def _(at: Folder) -> list[str]:
    return beside_a_good_one(at, at.nodes("bad.npy", (N_FRAMES,)))


@arrays.case("an array of three dimensions", PARTLY_DONE, done="s2", names="bad.npy")
def _(at: Folder) -> list[str]:
    return beside_a_good_one(at, at.nodes("bad.npy", (2, N_FRAMES, N_NODES)))


@arrays.case("complex numbers", PARTLY_DONE, done="s2", names="bad.npy")
def _(at: Folder) -> list[str]:
    np.save(at / "bad.npy", np.ones((N_FRAMES, N_NODES), complex))
    return beside_a_good_one(at, "bad.npy")


@arrays.case(
    "a correlation matrix in place of time series", PARTLY_DONE, done="s2", names="bad.npy"
)
def _(at: Folder) -> list[str]:
    np.save(at / "bad.npy", np.corrcoef(np.load(at / at.nodes()).T))
    return beside_a_good_one(at, "bad.npy")


@arrays.case("nodes by frames, the wrong way round", PARTLY_DONE, done="s2 s3", names="bad.npy")
def _(at: Folder) -> list[str]:
    at.nodes("bad.npy", (N_NODES, N_FRAMES))
    at.listed("bad.npy", at.nodes(), at.nodes("other.npy"))
    return at.build()


@arrays.case("a MATLAB file with two variables", PARTLY_DONE, done="s2", names="bad.mat")
def _(at: Folder) -> list[str]:
    series = np.load(at / at.nodes())
    at.bytes("bad.mat", mat_bytes(compressed=False, rest=series, task=series))
    return beside_a_good_one(at, "bad.mat")


@arrays.case(
    "a MATLAB file without the variable asked for", PARTLY_DONE, done="s2", names="bad.mat"
)
def _(at: Folder) -> list[str]:
    at.bytes("bad.mat", mat_bytes(compressed=False, rest=np.load(at / at.nodes())))
    return beside_a_good_one(at, "bad.mat:task")


@arrays.case("a MATLAB file with a variable chosen: it can be used", 0, done="s1")
def _(at: Folder) -> list[str]:
    series = np.load(at / at.nodes())
    at.bytes("good.mat", mat_bytes(compressed=False, rest=series, task=series))
    at.listed("good.mat:rest")
    return at.build()


@arrays.case("a table whose rows differ in length", PARTLY_DONE, done="s2", names="bad.tsv")
def _(at: Folder) -> list[str]:
    return beside_a_good_one(at, at.text("bad.tsv", "1\t2\t3", "4\t5"))


@arrays.case("a table with words between its numbers", PARTLY_DONE, done="s2", names="bad.tsv")
def _(at: Folder) -> list[str]:
    at.text("bad.tsv", *["\t".join(["1"] * N_NODES)] * 4, "\t".join(["one"] * N_NODES))
    return beside_a_good_one(at, "bad.tsv")


@arrays.case("a table with an index", PARTLY_DONE, done="s2", names="bad.csv")
def _(at: Folder) -> list[str]:
    return beside_a_good_one(at, at.text("bad.csv", ",a,b", "0,1.5,2.5", "1,3.5,4.5"))
