from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import nibabel as nib
import numpy as np
import pytest
from nibabel.cifti2 import BrainModelAxis, ParcelsAxis, ScalarAxis, SeriesAxis

from neuroparcel.brain.atlas import Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import FileFormatError, SpaceError
from neuroparcel.io.formats.blocks import Block
from neuroparcel.io.formats.cifti import read_cifti
from neuroparcel.io.formats.cifti_header import parse_dimensions
from neuroparcel.io.formats.spaces import space_of_mesh
from neuroparcel.io.writers.cifti_writer import (
    CiftiWriter,
    write_dlabel,
    write_dscalar,
    write_dtseries,
)

from .samples import little_memory, samples

LABELS = (Label(1, "one", (1.0, 0.0, 0.0, 1.0)), Label(7, "seven", (0.0, 0.5, 0.0, 1.0)))


@pytest.fixture(params=["surface", "volume"])
def axis(request) -> BrainAxis:
    """The cortex alone, or with some voxels, as in 91,282 grayordinates."""
    structure = ["CORTEX_LEFT"] * 3 + ["CORTEX_RIGHT"] * 2
    vertex, voxel = [0, 2, 3, 1, 4], [[-1] * 3] * 5
    if request.param == "volume":
        structure += ["BRAIN_STEM", "BRAIN_STEM", "THALAMUS_LEFT"]
        vertex += [-1] * 3
        voxel += [[0, 1, 2], [1, 1, 2], [2, 2, 2]]
    affine = np.diag([-2.0, 2, 2, 1])
    sizes = {"CORTEX_LEFT": 5, "CORTEX_RIGHT": 6}
    return BrainAxis("unknown", structure, vertex, voxel, sizes, affine, (3, 3, 3))


@pytest.fixture
def series(axis) -> np.ndarray:
    return np.random.default_rng(0).normal(size=(len(axis), 9)).astype(np.float32)


def intent(path: Path) -> str:
    return nib.load(path).nifti_header.get_intent()[0]


def test_dtseries_round_trip(tmp_path, axis, series):
    path = write_dtseries(tmp_path / "a.dtseries.nii", axis, series, step=0.72)
    matrix = read_cifti(path)
    assert (matrix.kind, matrix.n_frames, matrix.names) == ("series", 9, ())
    assert (matrix.tr, matrix.columns, matrix.path) == (0.72, None, path)
    assert matrix.axis == axis
    np.testing.assert_array_equal(matrix.read(), series)
    assert intent(path) == "ConnDenseSeries"
    assert nib.load(path).header.get_axis(0).step == 0.72


def test_dscalar_round_trip(tmp_path, axis, series):
    maps = {"entropy": series[:, 0], "network 1": series[:, 1]}
    maps["network 1"][2] = np.nan
    path = write_dscalar(tmp_path / "a.dscalar.nii", axis, maps)
    matrix = read_cifti(path)
    assert (matrix.kind, matrix.names) == ("maps", ("entropy", "network 1"))
    assert matrix.axis == axis
    np.testing.assert_array_equal(matrix.read(), np.column_stack(list(maps.values())))
    assert intent(path) == "ConnDenseScalar"


def test_dlabel_round_trip(tmp_path, axis):
    keys = np.resize([0, 1, 7], len(axis))
    path = write_dlabel(tmp_path / "a.dlabel.nii", axis, {"areas": keys}, LABELS)
    matrix = read_cifti(path)
    assert (matrix.kind, matrix.names) == ("labels", ("areas",))
    assert matrix.labels == (LABELS,)
    np.testing.assert_array_equal(matrix.read()[:, 0], keys)
    assert intent(path) == "ConnDenseLabel"
    assert nib.load(path).get_data_dtype() == np.int32
    assert nib.load(path).header.get_axis(0).label[0][0] == ("???", (0, 0, 0, 0))


def test_nibabel_writes_the_same_header(tmp_path, axis, series):
    """Our shortcut around Cifti2Image changes nothing that a reader sees."""
    ours = write_dtseries(tmp_path / "a.dtseries.nii", axis, series, step=1.0)
    image = nib.load(ours)
    theirs = tmp_path / "b.dtseries.nii"
    copy = nib.Cifti2Image(series.T, header=image.header)
    copy.nifti_header.set_intent("ConnDenseSeries")
    copy.to_filename(theirs)
    assert ours.read_bytes() == theirs.read_bytes()


def test_one_writer_serves_many_kinds(tmp_path, axis, series):
    writer = CiftiWriter(axis)
    paths = [
        writer.dscalar(tmp_path / "a.dscalar.nii", {"a": series[:, 0]}),
        writer.dlabel(tmp_path / "a.dlabel.nii", {"a": np.zeros(len(axis), int)}, LABELS),
        writer.dtseries(tmp_path / "a.dtseries.nii", series, step=1.0),
    ]
    assert [read_cifti(path).kind for path in paths] == ["maps", "labels", "series"]
    assert all(read_cifti(path).axis == axis for path in paths)


def test_rows_are_read_in_the_order_asked_for(tmp_path, axis, series):
    matrix = read_cifti(write_dtseries(tmp_path / "a.dtseries.nii", axis, series, step=1.0))
    rows = np.array([4, 0, 2])
    found = matrix.read(rows)
    np.testing.assert_array_equal(found, series[rows])
    assert found.flags.c_contiguous
    assert found.dtype == np.float32


def test_scaled_integers_are_read_in_their_unit(tmp_path, axis, series):
    """Files written by other tools may hold int16 with a slope."""
    image = nib.load(write_dtseries(tmp_path / "a.dtseries.nii", axis, series, step=1.0))
    scaled = nib.Nifti2Image(series.T.reshape(1, 1, 1, 1, 9, -1), None, image.nifti_header)
    scaled.set_data_dtype(np.int16)
    scaled.to_filename(tmp_path / "b.dtseries.nii")
    np.testing.assert_allclose(read_cifti(tmp_path / "b.dtseries.nii").read(), series, atol=1e-3)


def test_spaces_are_told_by_the_size_of_the_mesh():
    assert (space_of_mesh(32492), space_of_mesh(10242), space_of_mesh(163842)) == (
        "fsLR",
        "fsaverage",
        "unknown",
    )


def test_nothing_is_written_that_does_not_fit(tmp_path, axis, series):
    with pytest.raises(FileFormatError, match="2 values cannot be written on"):
        write_dtseries(tmp_path / "a.dtseries.nii", axis, series[:2], step=1.0)
    with pytest.raises(FileFormatError, match=r"no label for the keys \[3\]"):
        write_dlabel(tmp_path / "a.dlabel.nii", axis, {"a": np.full(len(axis), 3)}, LABELS)
    assert list(tmp_path.iterdir()) == []


def test_an_interrupt_leaves_nothing_behind(tmp_path, axis, series, monkeypatch):
    def interrupted(header: nib.Nifti2Header, stream: BinaryIO) -> None:
        stream.write(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(nib.Nifti2Header, "write_to", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_dtseries(tmp_path / "a.dtseries.nii", axis, series, step=1.0)
    assert list(tmp_path.iterdir()) == []


# Bad input: what, which file, and a tip.

CONTENTS = {
    "empty": (b"", "is an empty file", "Copy or download it again"),
    "lfs": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 439\n",
        "is a Git LFS pointer",
        "git lfs pull",
    ),
    "annex": (
        b"/annex/objects/MD5E-s439--0123.dtseries.nii\n",
        "is a git-annex pointer",
        "git annex get",
    ),
    "text": (b"subject\tsession\tpath\n" * 50, "is not a readable NIfTI file", "another format"),
    "gifti": (b'<?xml version="1.0"?><GIFTI/>', "is an XML file", "its own ending"),
    "gzip": (b"\x1f\x8b\x08\x00", "is compressed", "gunzip -k"),
}


@pytest.mark.parametrize("case", CONTENTS)
def test_contents_that_are_no_cifti(tmp_path, case):
    content, message, tip = CONTENTS[case]
    path = tmp_path / f"{case}.dtseries.nii"
    path.write_bytes(content)
    with pytest.raises(FileFormatError, match=message) as caught:
        read_cifti(path)
    assert str(path) in caught.value.message
    assert tip in caught.value.tip


def test_missing_file_and_broken_link(tmp_path):
    path = tmp_path / "none.dtseries.nii"
    with pytest.raises(FileFormatError, match="does not exist"):
        read_cifti(path)
    path.symlink_to(tmp_path / "annexed")
    with pytest.raises(FileFormatError, match="broken link") as caught:
        read_cifti(path)
    assert "datalad get" in caught.value.tip


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.999])
def test_truncated_files(write_recording, kept):
    path = write_recording("whole", n_frames=200)
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(FileFormatError, match="truncated"):
        read_cifti(path)


def test_cifti_version_1(write_recording):
    path = write_recording("old")
    content = path.read_bytes()
    assert content.count(b'<CIFTI Version="2.0">') == 1
    path.write_bytes(content.replace(b'<CIFTI Version="2.0">', b'<CIFTI Version="1.0">'))
    with pytest.raises(FileFormatError, match="CIFTI version 1 file") as caught:
        read_cifti(path)
    assert "wb_command -file-convert -cifti-version-convert" in caught.value.tip


def test_other_nifti_files(tmp_path):
    path = tmp_path / "bold.nii"
    nib.Nifti1Image(np.zeros((2, 2, 2, 5), np.float32), np.eye(4)).to_filename(path)
    with pytest.raises(FileFormatError, match="NIfTI-1 file without the XML of CIFTI"):
        read_cifti(path)


# Parcels and connectivity.


@pytest.fixture
def parcels():
    rows = BrainModelAxis.from_surface(np.arange(3), 5, "CORTEX_LEFT")
    return ParcelsAxis.from_brain_models([("a", rows[:2]), ("b", rows[2:])])


@pytest.fixture
def dense():
    rows = BrainModelAxis.from_surface(np.array([0, 2, 3]), 5, "CORTEX_LEFT")
    return rows + BrainModelAxis.from_surface(np.array([1, 4]), 6, "CORTEX_RIGHT")


def save(path: Path, axes: tuple) -> np.ndarray:
    """Write random numbers on nibabel's axes; gives (row, frame) back."""
    shape = tuple(len(axis) for axis in axes)
    values = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    nib.Cifti2Image(values, header=axes).to_filename(path)
    return values.T


def test_parcels_are_nodes_with_names(tmp_path, parcels):
    values = save(tmp_path / "a.ptseries.nii", (SeriesAxis(0, 2.5, 4), parcels))
    series = read_cifti(tmp_path / "a.ptseries.nii")
    assert (series.kind, series.n_frames, series.tr) == ("series", 4, 2.5)
    assert series.axis == BrainAxis.from_nodes(["a", "b"])
    np.testing.assert_array_equal(series.read(), values)
    values = save(tmp_path / "a.pscalar.nii", (ScalarAxis(["x"]), parcels))
    maps = read_cifti(tmp_path / "a.pscalar.nii")
    assert (maps.kind, maps.names, maps.axis.nodes) == ("maps", ("x",), ("a", "b"))
    np.testing.assert_array_equal(maps.read([1, 0]), values[::-1])


@pytest.mark.parametrize(
    ("ending", "columns", "rows"),
    [
        ("dconn", "dense", "dense"),
        ("pconn", "parcels", "parcels"),
        ("dpconn", "parcels", "dense"),
        ("pdconn", "dense", "parcels"),
    ],
)
def test_connectivity_keeps_rows_and_columns_apart(tmp_path, parcels, dense, ending, columns, rows):
    """The matrix is not symmetric, so that a transposed one would be found out."""
    axes = {"dense": dense, "parcels": parcels}
    path = tmp_path / f"a.{ending}.nii"
    values = save(path, (axes[columns], axes[rows]))
    matrix = read_cifti(path)
    assert (matrix.kind, matrix.n_frames) == ("connectivity", len(axes[columns]))
    assert matrix.columns is not None
    assert matrix.columns.is_nodes == (columns == "parcels")
    assert matrix.axis.is_nodes == (rows == "parcels")
    np.testing.assert_array_equal(matrix.read(), values)
    np.testing.assert_array_equal(matrix.read([1]), values[[1]])


def test_rows_of_a_connectome_are_read_without_the_others(tmp_path, monkeypatch):
    """3,000 x 3,000: three rows take three reads of 12 kB, wherever they lie."""
    rows = BrainModelAxis.from_surface(np.arange(3000), 3000, "CORTEX_LEFT")
    path = tmp_path / "a.dconn.nii"
    values = save(path, (rows, rows))
    sizes = []
    read_into = Block._read_into

    def spy(block, stream, array):
        sizes.append(array.nbytes)
        read_into(block, stream, array)

    matrix = read_cifti(path)
    monkeypatch.setattr(Block, "_read_into", spy)
    np.testing.assert_array_equal(matrix.read([2999, 0, 1700]), values[[2999, 0, 1700]])
    assert sizes == [12_000] * 3


def test_rows_outside_the_axis_are_refused(write_recording):
    matrix = read_cifti(write_recording("a"))
    for rows in ([0, 74], [-1]):
        with pytest.raises(SpaceError, match="which has 74 rows"):
            matrix.read(rows)
    assert matrix.read(np.empty(0, int)).shape == (0, 24)


def test_big_endian_files_of_scaled_integers(tmp_path):
    sample = samples()["scaled.dtseries.nii"]
    path = tmp_path / sample.name
    path.write_bytes(sample.content)
    matrix = read_cifti(path)
    np.testing.assert_array_equal(matrix.read([3, 1]), sample.values[[3, 1]])
    assert matrix.tr == 0.72


@pytest.mark.parametrize(
    ("attributes", "tr"),
    [
        ('SeriesExponent="-3" SeriesStep="720" SeriesUnit="SECOND"', 0.72),
        ('SeriesExponent="0" SeriesStep="2" SeriesUnit="HERTZ"', None),
        ('SeriesExponent="0" SeriesStep="0" SeriesUnit="SECOND"', None),
    ],
)
def test_tr_is_in_seconds_or_unknown(attributes, tr):
    element = f"""<CIFTI Version="2"><Matrix><MatrixIndicesMap AppliesToMatrixDimension="0"
        IndicesMapToDataType="CIFTI_INDEX_TYPE_SERIES" NumberOfSeriesPoints="3" SeriesStart="0"
        {attributes}/></Matrix></CIFTI>"""
    (dimension,) = parse_dimensions(element.encode())
    assert (dimension.n_points, dimension.tr) == (3, tr and pytest.approx(tr))


@pytest.mark.parametrize("axis", ["volume"], indirect=True)
def test_affines_come_in_millimetres(tmp_path, axis):
    """Other tools may give the affine in metres."""
    path = write_dtseries(tmp_path / "a.dtseries.nii", axis, np.zeros((len(axis), 3)), step=1.0)
    content = path.read_bytes()
    assert content.count(b'MeterExponent="-3"') == 1
    path.write_bytes(content.replace(b'MeterExponent="-3"', b'MeterExponent="-2"'))
    expected = np.diag([-20.0, 20, 20, 1])
    np.testing.assert_allclose(read_cifti(path).axis.affine, expected)


def test_runs_of_a_cohort_share_their_axis(write_recording):
    first, second = (read_cifti(write_recording(name, seed=k)) for k, name in enumerate("ab"))
    assert first.axis is second.axis


# Lying headers: an error of ours, and no memory.

NUMBER_OF_FRAMES, NUMBER_OF_ROWS, OFFSET = 16 + 5 * 8, 16 + 6 * 8, 168


@pytest.mark.parametrize(
    ("at", "value", "message"),
    [
        (NUMBER_OF_FRAMES, 10**12, "contradicts itself"),
        (NUMBER_OF_FRAMES, -4, "header that makes no sense"),
        (NUMBER_OF_ROWS, 2**62, "contradicts itself"),
        (OFFSET, 2**50, "is truncated"),
        (OFFSET, -1, "header that makes no sense"),
    ],
)
def test_lying_nifti_headers(write_recording, at, value, message):
    path = write_recording("a")
    content = bytearray(path.read_bytes())
    content[at : at + 8] = value.to_bytes(8, "little", signed=True)
    path.write_bytes(content)
    with little_memory(), pytest.raises(FileFormatError, match=message) as caught:
        read_cifti(path)
    assert str(path) in caught.value.message


def test_a_header_and_xml_that_promise_terabytes_together(write_recording):
    path = write_recording("a")
    content = path.read_bytes().replace(
        b'NumberOfSeriesPoints="24"', b'NumberOfSeriesPoints="9999999999"'
    )
    shift = len(content) - len(path.read_bytes())
    edited = bytearray(content)
    edited[NUMBER_OF_FRAMES : NUMBER_OF_FRAMES + 8] = (9_999_999_999).to_bytes(8, "little")
    size = int.from_bytes(edited[544:548], "little") + shift
    edited[544:548] = size.to_bytes(4, "little")
    edited[OFFSET : OFFSET + 8] = (544 + size).to_bytes(8, "little")
    path.write_bytes(edited)
    with (
        little_memory(),
        pytest.raises(
            FileFormatError,
            match=r"is truncated: \d+ bytes, where its header promises 2960000001\d+",
        ),
    ):
        read_cifti(path)


XML_EDITS = {
    "extension": (None, None, "an extension of 2147483647 bytes does not fit"),
    "outside": (b"<VertexIndices>4 ", b"<VertexIndices>99 ", "do not fit its mesh of 40"),
    "twice": (b"<VertexIndices>4 5 ", b"<VertexIndices>5 5 ", "the same place in CORTEX_LEFT"),
    "negative": (b"<VertexIndices>4 ", b"<VertexIndices>-4 ", "has negative indices"),
    "words": (b"<VertexIndices>4 ", b"<VertexIndices>x ", "its XML is damaged"),
    "count": (b'IndexCount="36"', b'IndexCount="37"', "36 indices for 37 rows"),
    "offset": (b'IndexOffset="36"', b'IndexOffset="35"', "begins at row 35, not 36"),
    "mesh": (b'Vertices="40"', b'Vertices="99999999999"', "has 99999999999 vertices"),
    "step": (b'SeriesStep="0.72"', b'SeriesStep="inf"', "its time points are inf apart"),
    "length": (b'SeriesPoints="24"', b'SeriesPoints="25"', r"its XML 25 x 74 \(time points"),
    "type": (b"TYPE_SERIES", b"TYPE_SERIOUS", "unknown type SERIOUS"),
    "lacks": (b"SeriesStep=", b"SeriesPets=", "its XML lacks SeriesStep"),
    "tag": (b"</CIFTI>", b"</CIFTY>", "its XML is damaged: mismatched tag"),
}


@pytest.mark.parametrize("case", XML_EDITS)
def test_lying_xml(write_recording, case):
    old, new, message = XML_EDITS[case]
    path = write_recording("a")
    content = path.read_bytes()
    if old is None:
        edited = content[:544] + (2**31 - 1).to_bytes(4, "little") + content[548:]
    else:
        assert old in content
        edited = content.replace(old, new, 1)
        # The extension ends in spaces or zeros: what was added is taken from there, or put there.
        size = int.from_bytes(content[544:548], "little")
        head, tail = content[:552], content[544 + size :]
        xml = content[552 : 544 + size].rstrip(b"\x00 ").replace(old, new, 1)
        xml = xml.ljust(size - 8)
        edited = bytearray(head + xml + tail)
        edited[544:548] = (len(xml) + 8).to_bytes(4, "little")
        edited[OFFSET : OFFSET + 8] = (552 + len(xml)).to_bytes(8, "little")
    path.write_bytes(edited)
    with little_memory(), pytest.raises(FileFormatError, match=message) as caught:
        read_cifti(path)
    assert str(path) in caught.value.message


def test_label_keys_beyond_float32_are_refused(tmp_path, axis):
    labels = (Label(2**24 + 1, "far", (1.0, 0.0, 0.0, 1.0)),)
    keys = np.full(len(axis), 2**24 + 1)
    path = write_dlabel(tmp_path / "a.dlabel.nii", axis, {"areas": keys}, labels)
    with pytest.raises(FileFormatError, match="label keys beyond 16777216"):
        read_cifti(path)


def test_a_matrix_without_rows_of_the_brain(tmp_path, dense):
    save(tmp_path / "a.dtseries.nii", (dense, SeriesAxis(0, 1, 4)))
    with pytest.raises(FileFormatError, match="dimensions vertices x time points"):
        read_cifti(tmp_path / "a.dtseries.nii")


def test_a_file_cut_short_while_it_is_read(write_recording):
    """A mapped file would kill the process here."""
    path = write_recording("a")
    matrix = read_cifti(path)
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(FileFormatError, match="ends before the numbers") as caught:
        matrix.read()
    assert str(path) in caught.value.message


def test_files_that_cannot_be_opened(tmp_path, write_recording, monkeypatch):
    with pytest.raises(FileFormatError, match="is a folder, not a file"):
        read_cifti(tmp_path)
    path = write_recording("a")

    def forbidden(*args, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(FileFormatError, match=r"cannot be opened \(Permission denied\)") as caught:
        read_cifti(path)
    assert "permissions" in caught.value.tip
