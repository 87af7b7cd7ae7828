"""One small valid file of every format that can be opened, and the numbers in it."""

from __future__ import annotations

import gzip
import io
import struct
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import h5py
import nibabel as nib
import numpy as np
import scipy.io
from nibabel.cifti2 import (
    BrainModelAxis,
    LabelAxis,
    ParcelsAxis,
    ScalarAxis,
    SeriesAxis,
)
from nibabel.gifti import GiftiDataArray, GiftiImage, GiftiLabel, GiftiLabelTable
from nibabel.nifti1 import Nifti1Extension

N_FRAMES = 6
N_MESH = 642  # the smallest mesh of FreeSurfer, fsaverage3


@contextmanager
def little_memory(n_bytes: int = 8 * 2**20) -> Iterator[None]:
    """Fail if what runs inside takes more memory than that."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < n_bytes


@dataclass(frozen=True)
class Sample:
    """A file: its name, its bytes, and (row, frame) of what it holds.

    ``inner`` is what ``wrap`` turns into the bytes of the file: to damage what lies inside a
    compressed one.
    """

    name: str
    inner: bytes
    values: np.ndarray
    wrap: Callable[[bytes], bytes] = bytes

    @property
    def content(self) -> bytes:
        return self.wrap(self.inner)


def numbers(n_rows: int, n_frames: int = N_FRAMES) -> np.ndarray:
    return np.random.default_rng(n_rows).normal(size=(n_rows, n_frames)).astype(np.float32)


def surface() -> BrainModelAxis:
    left = BrainModelAxis.from_surface(np.array([0, 2, 3]), 5, "CORTEX_LEFT")
    return left + BrainModelAxis.from_surface(np.array([1, 4]), 6, "CORTEX_RIGHT")


def grayordinates() -> BrainModelAxis:
    inside = np.zeros((3, 3, 3), bool)
    inside[0, 1, 2] = inside[1, 1, 2] = True
    return surface() + BrainModelAxis.from_mask(inside, "BRAIN_STEM", np.diag([-2.0, 2, 2, 1]))


def parcels() -> ParcelsAxis:
    rows = surface()
    return ParcelsAxis.from_brain_models([("a", rows[:2]), ("b", rows[2:3]), ("c", rows[3:])])


def cifti_bytes(axes: tuple, stored: np.ndarray, intent: str) -> bytes:
    """A CIFTI file of stored numbers (frame, row)."""
    image = nib.Cifti2Image(stored, header=axes)
    image.nifti_header.set_intent(intent)
    image.update_headers()
    return image.to_bytes()


def foreign_cifti_bytes(axes: tuple, stored: np.ndarray, *, slope: float, inter: float) -> bytes:
    """A CIFTI file of scaled integers, big-endian throughout."""
    header = nib.Nifti2Header(endianness=">")
    header.set_intent("ConnDenseSeries")
    header.set_data_dtype(stored.dtype.newbyteorder(">"))
    xml = nib.Cifti2Image(stored.astype(np.float32), header=axes).header.to_xml()
    header.extensions.append(Nifti1Extension("cifti", xml))
    image = nib.Nifti2Image(stored.reshape(1, 1, 1, 1, *stored.shape), None, header)
    content = bytearray(image.to_bytes())
    content[176:192] = struct.pack(">2d", slope, inter)  # scl_slope and scl_inter of NIfTI-2
    return bytes(content)


def gifti_bytes(
    values: np.ndarray, *, encoding: str, primary: str = "CortexLeft", step: str = "720.0"
) -> bytes:
    arrays = [
        GiftiDataArray(
            values[:, frame],
            intent="NIFTI_INTENT_TIME_SERIES",
            datatype="NIFTI_TYPE_FLOAT32",
            encoding=encoding,
            meta={"TimeStep": step},
        )
        for frame in range(values.shape[1])
    ]
    image = GiftiImage(darrays=arrays)
    image.meta["AnatomicalStructurePrimary"] = primary
    return image.to_bytes()


def label_gifti_bytes(keys: np.ndarray) -> bytes:
    table = GiftiLabelTable()
    for key, name in ((0, "???"), (1, "one"), (7, "seven")):
        label = GiftiLabel(key, 0.5, 0.25, 0.5, 1.0)
        label.label = name
        table.labels.append(label)
    data = GiftiDataArray(
        keys.astype(np.int32), intent="NIFTI_INTENT_LABEL", datatype="NIFTI_TYPE_INT32"
    )
    image = GiftiImage(labeltable=table, darrays=[data])
    image.meta["AnatomicalStructurePrimary"] = "CortexRight"
    return image.to_bytes()


MASK = np.zeros((3, 4, 2), np.uint8)
MASK[1:, 1:3] = 1
AFFINE = np.array([[-2.0, 0, 0, 10], [0, 2, 0, -20], [0, 0, 3, 5], [0, 0, 0, 1]])


def volume_bytes(volume: np.ndarray, *, tr: float = 2.0, kind: type = nib.Nifti1Image) -> bytes:
    image = kind(volume, AFFINE)
    if volume.ndim == 4:
        image.header.set_xyzt_units("mm", "sec")
        image.header["pixdim"][4] = tr
    return image.to_bytes()


def volume() -> np.ndarray:
    return numbers(MASK.size).reshape(*MASK.shape, N_FRAMES)


def mgh_bytes(values: np.ndarray) -> bytes:
    image = nib.MGHImage(values.reshape(len(values), 1, 1, -1), np.eye(4))
    return image.to_bytes()


def npy_bytes(array: np.ndarray) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _saved(save: Callable[..., None], **arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    save(stream, **arrays)
    return stream.getvalue()


def mat_bytes(*, compressed: bool, **arrays: np.ndarray) -> bytes:
    stream = io.BytesIO()
    scipy.io.savemat(stream, arrays, do_compression=compressed)
    return stream.getvalue()


def mat73_bytes(*, compressed: bool = False, **arrays: np.ndarray) -> bytes:
    """What MATLAB's ``save -v7.3`` writes: dimensions reversed, 512 bytes of text before."""
    stream = io.BytesIO()
    with h5py.File(stream, "w", userblock_size=512) as file:
        for name, array in arrays.items():
            options = {"compression": "gzip"} if compressed else {}
            dataset = file.create_dataset(name, data=array.T, **options)
            dataset.attrs["MATLAB_class"] = np.bytes_("double")
    content = bytearray(stream.getvalue())
    content[:19] = b"MATLAB 7.3 MAT-file"
    return bytes(content)


def table_bytes(values: np.ndarray, separator: str, header: tuple[str, ...] = ()) -> bytes:
    lines = [separator.join(header)] if header else []
    lines += [separator.join(f"{x:.9g}" for x in frame) for frame in values.T]
    return ("\n".join(lines) + "\n").encode()


def samples() -> dict[str, Sample]:
    series = SeriesAxis(0, 0.72, N_FRAMES)
    gray, cortex, nodes = grayordinates(), surface(), parcels()
    table = {0: ("???", (0, 0, 0, 0)), 1: ("one", (1, 0, 0, 1)), 7: ("seven", (0, 0.5, 0, 1))}
    keys = np.resize([0, 1, 7], len(gray)).astype(np.int32)
    whole = np.round(numbers(len(cortex)) * 1000).astype(np.int16)
    mesh = numbers(N_MESH, 2)
    found = [
        Sample(
            "a.dtseries.nii",
            cifti_bytes((series, gray), numbers(len(gray)).T, "ConnDenseSeries"),
            numbers(len(gray)),
        ),
        Sample(
            "scaled.dtseries.nii",
            foreign_cifti_bytes((series, cortex), whole.T, slope=0.5, inter=2.0),
            whole.astype(np.float32) * 0.5 + 2,
        ),
        Sample(
            "a.dscalar.nii",
            cifti_bytes((ScalarAxis(["x", "y"]), gray), numbers(len(gray), 2).T, "ConnDenseScalar"),
            numbers(len(gray), 2),
        ),
        Sample(
            "a.dlabel.nii",
            cifti_bytes((LabelAxis(["areas"], table), gray), keys[None], "ConnDenseLabel"),
            keys[:, None].astype(np.float32),
        ),
        Sample(
            "a.ptseries.nii",
            cifti_bytes((series, nodes), numbers(3).T, "ConnParcelSries"),
            numbers(3),
        ),
        Sample(
            "a.dconn.nii",
            cifti_bytes((gray, gray), numbers(len(gray), len(gray)).T, "ConnDense"),
            numbers(len(gray), len(gray)),
        ),
        Sample(
            "a.pconn.nii",
            cifti_bytes((nodes, nodes), numbers(3, 3).T, "ConnParcels"),
            numbers(3, 3),
        ),
        Sample("ascii.L.func.gii", gifti_bytes(numbers(7), encoding="ASCII"), numbers(7)),
        Sample("base64.L.func.gii", gifti_bytes(numbers(7), encoding="B64BIN"), numbers(7)),
        Sample("gzip.L.func.gii", gifti_bytes(numbers(7), encoding="B64GZ"), numbers(7)),
        Sample(
            "a.R.label.gii",
            label_gifti_bytes(np.array([0, 1, 7, 1])),
            np.array([[0], [1], [7], [1]], np.float32),
        ),
        Sample("a.nii", volume_bytes(volume()), volume()[MASK > 0]),
        Sample("two.nii", volume_bytes(volume(), kind=nib.Nifti2Image), volume()[MASK > 0]),
        Sample("a.nii.gz", volume_bytes(volume()), volume()[MASK > 0], _gzip),
        Sample("lh.a.mgh", mgh_bytes(mesh), mesh),
        Sample("rh.a.mgz", mgh_bytes(mesh), mesh, _gzip),
        Sample(
            "lh.a_fsaverage3.nii.gz",
            volume_bytes(mesh.reshape(107, 6, 1, 2, order="F")),
            mesh,
            _gzip,
        ),
        Sample("c.npy", npy_bytes(numbers(4).T.copy()), numbers(4)),
        Sample("fortran.npy", npy_bytes(np.asfortranarray(numbers(4).T)), numbers(4)),
        Sample("stored.npz", _saved(np.savez, x=numbers(4).T), numbers(4)),
        Sample("deflated.npz", _saved(np.savez_compressed, x=numbers(4).T), numbers(4)),
        Sample("plain.mat", mat_bytes(compressed=False, x=numbers(4).T), numbers(4)),
        Sample("packed.mat", mat_bytes(compressed=True, x=numbers(4).T), numbers(4)),
        Sample("v73.mat", mat73_bytes(x=numbers(4).T), numbers(4)),
        Sample("v73packed.mat", mat73_bytes(compressed=True, x=numbers(4).T), numbers(4)),
        Sample("named.tsv", table_bytes(numbers(4), "\t", ("a", "b", "c", "d")), numbers(4)),
        Sample("bare.csv", table_bytes(numbers(4), ","), numbers(4)),
    ]
    return {sample.name: sample for sample in found}


def write_mask(folder: Path) -> Path:
    path = folder / "mask.nii.gz"
    path.write_bytes(_gzip(volume_bytes(MASK)))
    return path


def _gzip(content: bytes) -> bytes:
    return gzip.compress(content, compresslevel=1, mtime=0)
