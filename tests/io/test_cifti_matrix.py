"""CIFTI files are, byte by byte, what nibabel writes, though the rows are turned to XML once."""

from __future__ import annotations

import nibabel as nib
import numpy as np
from nibabel.cifti2 import BrainModelAxis, Cifti2Header, LabelAxis, ScalarAxis, SeriesAxis

from neuroparcel.brain.atlas import Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.io.writers.cifti_writer import CiftiWriter

AFFINE = np.array([[-2.0, 0, 0, 90], [0, 2, 0, -126], [0, 0, 2, -72], [0, 0, 0, 1]])
AXIS = BrainAxis(
    "fsLR",
    np.array([*["CORTEX_LEFT"] * 2, "CORTEX_RIGHT", *["PUTAMEN_LEFT"] * 2, "BRAIN_STEM"]),
    np.array([3, 9, 4, -1, -1, -1]),
    np.array([*[[-1] * 3] * 3, [1, 2, 3], [0, 0, 1], [5, 4, 3]]),
    {"CORTEX_LEFT": 10, "CORTEX_RIGHT": 11},
    AFFINE,
    (6, 7, 5),
)
RED = (1.0, 0.0, 0.0, 1.0)


def nibabels(path, columns, values: np.ndarray, intent: str) -> bytes:
    """The file that nibabel makes of the same axes and values."""
    rows = BrainModelAxis(
        name=[f"CIFTI_STRUCTURE_{name}" for name in AXIS.structure],
        voxel=AXIS.voxel,
        vertex=AXIS.vertex,
        affine=AXIS.affine,
        volume_shape=AXIS.volume_shape,
        nvertices={f"CIFTI_STRUCTURE_{name}": n for name, n in AXIS.mesh_size.items()},
    )
    header = Cifti2Header.from_axes((columns, rows))
    image = nib.Cifti2Image(values, header)
    image.nifti_header.set_intent(intent)
    image.to_filename(path)
    return path.read_bytes()


def test_bytes_are_nibabels(tmp_path):
    writer = CiftiWriter(AXIS)
    ours, theirs = (tmp_path / f"{who}.dscalar.nii" for who in ("ours", "theirs"))
    rng = np.random.default_rng(0)
    for names in (["a", "b"], ["b", "a"], ["a"], ["a", "b"]):  # the last XML is made already
        values = rng.normal(size=(len(names), 6)).astype(np.float32)
        values[0, 0] = np.nan
        writer.dscalar(ours, dict(zip(names, values, strict=True)))
        expected = nibabels(theirs, ScalarAxis(names), values, "ConnDenseScalar")
        assert ours.read_bytes() == expected


def test_labels_and_series_too(tmp_path):
    writer = CiftiWriter(AXIS)
    keys = np.array([0, 1, 1, 0, 2, 1], np.int32)
    for names in (("x", "y"), ("x", "z")):
        labels = [Label(key, name, RED) for key, name in enumerate(names, start=1)]
        ours = writer.dlabel(tmp_path / "ours.dlabel.nii", {"map": keys}, labels)
        table = {0: ("???", (0, 0, 0, 0)), **{label.key: (label.name, RED) for label in labels}}
        columns = LabelAxis(["map"], table)
        path = tmp_path / "theirs.dlabel.nii"
        assert ours.read_bytes() == nibabels(path, columns, keys[None], "ConnDenseLabel")
    series = np.random.default_rng(0).normal(size=(6, 4)).astype(np.float32)
    for step in (0.5, 2.0):
        ours = writer.dtseries(tmp_path / "ours.dtseries.nii", series, step=step)
        columns = SeriesAxis(0.0, step, 4)
        path = tmp_path / "theirs.dtseries.nii"
        assert ours.read_bytes() == nibabels(path, columns, series.T, "ConnDenseSeries")
