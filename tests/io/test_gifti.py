from __future__ import annotations

import base64
import zlib
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.gifti import GiftiDataArray, GiftiImage

from neuroparcel.errors import FileFormatError
from neuroparcel.io.formats import open_matrix
from neuroparcel.io.formats.gifti import read_gifti, read_label_gifti
from neuroparcel.io.formats.gifti_arrays import external_files
from neuroparcel.io.formats.spaces import space_of_surface

from .samples import (
    N_MESH,
    gifti_bytes,
    label_gifti_bytes,
    little_memory,
    mgh_bytes,
    numbers,
    samples,
)

PRIMARY = {"L": "CortexLeft", "R": "CortexRight"}


def write(path: Path, values: np.ndarray, primary: str, **options: str) -> Path:
    path.write_bytes(gifti_bytes(values, encoding="B64GZ", primary=primary, **options))
    return path


def write_pair(folder: Path, left: np.ndarray, right: np.ndarray) -> list[Path]:
    parts = {"L": left, "R": right}
    return [
        write(folder / f"sub-1_hemi-{side}_bold.func.gii", part, PRIMARY[side])
        for side, part in parts.items()
    ]


@pytest.mark.parametrize("encoding", ["ascii", "base64", "gzip"])
def test_one_hemisphere(tmp_path, encoding):
    sample = samples()[f"{encoding}.L.func.gii"]
    path = tmp_path / sample.name
    path.write_bytes(sample.content)
    matrix = read_gifti(path)
    assert (matrix.kind, matrix.n_frames, matrix.tr) == ("series", 6, 0.72)
    assert matrix.axis.structures == ("CORTEX_LEFT",)
    assert matrix.axis.mesh_size == {"CORTEX_LEFT": 7}
    np.testing.assert_allclose(matrix.read([5, 0]), sample.values[[5, 0]], atol=1e-6)
    np.testing.assert_array_equal(
        matrix.read(), np.stack([array.data for array in nib.load(path).darrays], axis=1)
    )


def test_a_pair_is_left_before_right_in_whatever_order_it_is_given(tmp_path):
    left, right = numbers(10), numbers(11)[:10]
    files = write_pair(tmp_path, left, right)
    for given in (files, files[::-1]):
        matrix = open_matrix(given)
        assert matrix.paths == tuple(files)
        assert matrix.axis.structures == ("CORTEX_LEFT", "CORTEX_RIGHT")
        np.testing.assert_array_equal(matrix.read(), np.vstack([left, right]))
        np.testing.assert_array_equal(matrix.read([12, 3]), [right[2], left[3]])


@pytest.mark.parametrize(
    ("size", "space"), [(32492, "fsLR"), (10242, "fsaverage"), (40962, "fsaverage")]
)
def test_template_meshes_are_known_by_their_size(tmp_path, size, space):
    files = write_pair(tmp_path, numbers(size, 2), numbers(size, 2))
    matrix = open_matrix(files)
    assert (matrix.axis.space, len(matrix.axis)) == (space, 2 * size)


def test_a_name_decides_where_the_mesh_leaves_two_spaces():
    names = {"space-fsLR_den-164k": "fsLR", "space-fsaverage_hemi-L": "fsaverage", "a": "unknown"}
    for name, space in names.items():
        assert space_of_surface(Path(f"sub-1_{name}_bold.func.gii"), 163842) == space
    assert space_of_surface(Path("sub-1_space-fsaverage_bold.func.gii"), 32492) == "fsLR"


def test_columns_of_one_array_are_frames(tmp_path):
    data = GiftiDataArray(numbers(8), "NIFTI_INTENT_NONE", "NIFTI_TYPE_FLOAT32")
    for name, kind in (("a.L.func.gii", "series"), ("a.L.shape.gii", "maps"), ("a.L.gii", "maps")):
        nib.save(GiftiImage(darrays=[data]), tmp_path / name)
        matrix = read_gifti(tmp_path / name)
        assert (matrix.kind, matrix.n_frames) == (kind, 6)
        np.testing.assert_array_equal(matrix.read(), numbers(8))
    assert matrix.names == tuple(f"map-{number}" for number in range(1, 7))


def test_maps_have_names(tmp_path):
    arrays = [
        GiftiDataArray(
            numbers(8)[:, k], "NIFTI_INTENT_ZSCORE", "NIFTI_TYPE_FLOAT32", meta={"Name": name}
        )
        for k, name in enumerate(["faces", "houses"])
    ]
    nib.save(GiftiImage(darrays=arrays), tmp_path / "a.R.func.gii")
    matrix = read_gifti(tmp_path / "a.R.func.gii")
    assert (matrix.kind, matrix.names, matrix.tr) == ("maps", ("faces", "houses"), None)


@pytest.mark.parametrize(
    ("step", "tr"), [("720.0", 0.72), ("0.000000", None), ("2.0", None), ("nan", None), ("x", None)]
)
def test_tr_is_in_milliseconds_or_unknown(tmp_path, step, tr):
    assert read_gifti(write(tmp_path / "a.L.func.gii", numbers(4), "", step=step)).tr == tr


def test_labels(tmp_path):
    keys = np.array([0, 1, 7, 1, 3])
    path = tmp_path / "a.R.label.gii"
    path.write_bytes(label_gifti_bytes(keys))
    matrix = open_matrix(path)
    assert (matrix.kind, matrix.n_frames) == ("labels", 1)
    assert [(label.key, label.name) for label in matrix.labels[0]] == [(1, "one"), (7, "seven")]
    np.testing.assert_array_equal(matrix.read()[:, 0], keys)
    atlas = read_label_gifti(path)
    np.testing.assert_array_equal(atlas.keys, [0, 1, 7, 1, 0])
    assert atlas.labels[0].rgba == (0.5, 0.25, 0.5, 1.0)


# Pairs that do not belong together.


@pytest.mark.parametrize("primary", ["CortexRight", "CortexLeft"])
def test_a_name_that_contradicts_the_content(tmp_path, primary):
    side = "L" if primary == "CortexRight" else "R"
    path = write(tmp_path / f"a_hemi-{side}_bold.func.gii", numbers(4), primary)
    with pytest.raises(FileFormatError, match="swapped or labelled wrongly") as caught:
        open_matrix(path)
    assert str(path) in caught.value.message


def test_pairs_that_do_not_belong_together(tmp_path):
    left = write(tmp_path / "a.L.func.gii", numbers(4), "CortexLeft")
    again = write(tmp_path / "b.L.func.gii", numbers(4), "CortexLeft")
    larger = write(tmp_path / "c.R.func.gii", numbers(5), "CortexRight")
    shorter = write(tmp_path / "d.R.func.gii", numbers(4)[:, :3], "CortexRight")
    slower = write(tmp_path / "e.R.func.gii", numbers(4), "CortexRight", step="2000")
    labels = tmp_path / "f.R.label.gii"
    labels.write_bytes(label_gifti_bytes(np.array([0, 1, 7, 1])))
    one_frame = write(tmp_path / "g.L.func.gii", numbers(4)[:, :1], "CortexLeft")
    cases = [
        (left, again, "are both left hemispheres"),
        (left, larger, "meshes of 4 and 5 vertices"),
        (left, shorter, "have 6 and 3 frames"),
        (left, slower, "have TRs of 0.72 and 2.0 s"),
        (one_frame, labels, "hold series and labels"),
    ]
    for first, second, message in cases:
        with pytest.raises(FileFormatError, match=message) as caught:
            open_matrix([first, second])
        assert str(first) in caught.value.message
        assert str(second) in caught.value.message
    with pytest.raises(FileFormatError, match="given twice"):
        open_matrix([left, left])
    with pytest.raises(FileFormatError, match="2 others are given as one recording"):
        open_matrix([left, again, larger])
    with pytest.raises(FileFormatError, match="not the two hemispheres of one recording"):
        open_matrix([left, tmp_path / "a.tsv"] if (tmp_path / "a.tsv").write_text("1") else [])


# Bad input.


def test_files_without_a_side(tmp_path):
    path = write(tmp_path / "bold.func.gii", numbers(4), "")
    with pytest.raises(FileFormatError, match="does not tell its hemisphere"):
        open_matrix(path)
    path = write(tmp_path / "a.L.func.gii", numbers(4), "Cerebellum")
    with pytest.raises(FileFormatError, match="does not tell its hemisphere"):
        open_matrix(path)


def test_meshes_and_files_without_numbers(tmp_path):
    points = GiftiDataArray(numbers(4)[:, :3], "NIFTI_INTENT_POINTSET", "NIFTI_TYPE_FLOAT32")
    nib.save(GiftiImage(darrays=[points]), tmp_path / "a.L.surf.gii")
    with pytest.raises(FileFormatError, match="is a surface mesh, which holds no data"):
        open_matrix(tmp_path / "a.L.surf.gii")
    nib.save(GiftiImage(), tmp_path / "a.L.func.gii")
    with pytest.raises(FileFormatError, match="holds no numbers"):
        open_matrix(tmp_path / "a.L.func.gii")
    arrays = [
        GiftiDataArray(numbers(n)[:, 0], "NIFTI_INTENT_NONE", "NIFTI_TYPE_FLOAT32") for n in (4, 5)
    ]
    nib.save(GiftiImage(darrays=arrays), tmp_path / "a.L.func.gii")
    with pytest.raises(FileFormatError, match=r"arrays of the shapes \(4,\), \(5,\)"):
        open_matrix(tmp_path / "a.L.func.gii")
    (tmp_path / "a.L.func.gii").write_text("<?xml version='1.0'?><CIFTI/>")
    with pytest.raises(FileFormatError, match="its XML is of CIFTI"):
        open_matrix(tmp_path / "a.L.func.gii")


def edited(tmp_path: Path, old: bytes, new: bytes, *, sample: str = "gzip.L.func.gii") -> Path:
    content = samples()[sample].content
    assert old in content
    path = tmp_path / "a.L.func.gii"
    path.write_bytes(content.replace(old, new))
    return path


@pytest.mark.parametrize("sample", ["gzip.L.func.gii", "base64.L.func.gii", "ascii.L.func.gii"])
def test_headers_that_promise_terabytes(tmp_path, sample):
    path = edited(tmp_path, b'Dim0="7"', b'Dim0="3000000"', sample=sample)
    with little_memory(), pytest.raises(FileFormatError, match="header promises"):
        read_gifti(path)
    matrix = read_gifti(edited(tmp_path, b'Dim0="7"', b'Dim0="8"', sample=sample))
    with pytest.raises(FileFormatError, match=r"not a readable GIFTI file \(an array of"):
        matrix.read([0])


def test_arrays_that_hold_more_than_they_say(tmp_path):
    """A small file that unpacks to 100 MB is not unpacked."""
    bomb = base64.b64encode(zlib.compress(bytes(10**8)))
    small = base64.b64encode(zlib.compress(numbers(7)[:, 0].tobytes()))
    path = edited(tmp_path, b"GZipBase64Binary", b"GZipBase64Binary")
    start, _, rest = path.read_bytes().partition(b"<Data>")
    path.write_bytes(start + b"<Data>" + bomb + b"</Data>" + rest.partition(b"</Data>")[2])
    assert len(small) < len(bomb) < 200_000
    matrix = read_gifti(path)
    with little_memory():
        assert matrix.read([0]).shape == (1, 6)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b'Dim0="7"', b'Dim0="-7"', r"an array of shape \(-7,\)"),
        (b'Dimensionality="1"', b'Dimensionality="9"', "an array of 9 dimensions"),
        (b"NIFTI_TYPE_FLOAT32", b"NIFTI_TYPE_COMPLEX64", "numbers of the type NIFTI_TYPE_COMPLEX"),
        (b"LittleEndian", b"MiddleEndian", "its XML lacks 'MiddleEndian'"),
        (b"</GIFTI>", b"", "no element found"),
    ],
)
def test_headers_that_make_no_sense(tmp_path, old, new, message):
    with pytest.raises(FileFormatError, match=message):
        read_gifti(edited(tmp_path, old, new))


def test_big_endian_numbers(tmp_path):
    path = edited(tmp_path, b"LittleEndian", b"BigEndian", sample="base64.L.func.gii")
    expected = samples()["base64.L.func.gii"].values.astype("<f4").view(">f4").astype(np.float32)
    np.testing.assert_array_equal(read_gifti(path).read(), expected)


def external(tmp_path: Path, name: str) -> Path:
    attributes = f'ExternalFileBinary" ExternalFileName="{name}" ExternalFileOffset="4'
    path = edited(tmp_path, b"GZipBase64Binary", attributes.encode())
    content = path.read_bytes().replace(b'ExternalFileName="" ExternalFileOffset="0"', b"")
    path.write_bytes(content.replace(b'ExternalFileName="" ExternalFileOffset=""', b""))
    return path


def test_numbers_in_a_file_beside(tmp_path):
    values = numbers(7)[:, 0]
    (tmp_path / "a.dat").write_bytes(b"head" + values.tobytes())
    matrix = read_gifti(external(tmp_path, "a.dat"))
    np.testing.assert_array_equal(matrix.read([6, 1])[:, 3], values[[6, 1]])
    (tmp_path / "a.dat").write_bytes(b"head")
    with pytest.raises(FileFormatError, match=r"a\.dat is truncated: a\.L\.func\.gii expects 28 "):
        matrix.read()


def test_files_beside_are_told(tmp_path):
    """Only where the numbers lie outside; broken and missing files are for the reader to name."""
    assert external_files(external(tmp_path, "a.dat")) == (tmp_path / "a.dat",)
    assert external_files(external(tmp_path, "../a.dat")) == ()
    assert external_files(external(tmp_path, "a" * 5000)) == ()  # no file can be called so
    assert external_files(edited(tmp_path, b"</GIFTI>", b"")) == ()
    assert external_files(tmp_path / "missing.gii") == ()


def test_numbers_here_and_in_a_file_beside(tmp_path):
    """Which files a recording depends on is told by its first array."""
    path = external(tmp_path, "a.dat")
    path.write_bytes(path.read_bytes().replace(b"ExternalFileBinary", b"Base64Binary", 1))
    with pytest.raises(FileFormatError, match="lie in a file beside it, and some do not"):
        read_gifti(path)


@pytest.mark.parametrize("name", ["/etc/hostname", "../secret.dat", "link.dat"])
def test_numbers_elsewhere_are_not_followed(tmp_path, name):
    (tmp_path / "link.dat").symlink_to("/etc/hostname")
    matrix = read_gifti(external(tmp_path, name))
    with pytest.raises(FileFormatError, match="which is not a file beside it"):
        matrix.read()


# FreeSurfer's overlays.


@pytest.mark.parametrize("name", ["lh.a.mgh", "rh.a.mgz", "lh.a_fsaverage3.nii.gz"])
def test_overlays(tmp_path, name):
    sample = samples()[name]
    (tmp_path / name).write_bytes(sample.content)
    matrix = open_matrix(tmp_path / name)
    side = "LEFT" if name.startswith("lh") else "RIGHT"
    assert matrix.axis.structures == (f"CORTEX_{side}",)
    assert (matrix.axis.space, matrix.kind, len(matrix.axis)) == ("fsaverage", "series", N_MESH)
    rows = np.array([600, 3, 77])
    np.testing.assert_array_equal(matrix.read(rows), sample.values[rows])
    np.testing.assert_array_equal(matrix.read(), sample.values)


def test_a_pair_of_overlays(tmp_path):
    left, right = numbers(N_MESH, 3), -numbers(N_MESH, 3)
    files = [tmp_path / f"{side}.rest.mgh" for side in ("rh", "lh")]
    for path, values in zip(files, (right, left), strict=True):
        path.write_bytes(mgh_bytes(values))
    matrix = open_matrix(files)
    assert matrix.paths == tuple(files[::-1])
    np.testing.assert_array_equal(matrix.read(), np.vstack([left, right]))
    np.testing.assert_array_equal(matrix.read([N_MESH, 0]), [right[0], left[0]])


def test_overlays_that_are_none(tmp_path):
    path = tmp_path / "lh.a.mgh"
    path.write_bytes(mgh_bytes(numbers(10)))
    with pytest.raises(FileFormatError, match="10 places, which is no mesh of fsaverage or fs_LR"):
        open_matrix(path)
    path.write_bytes(mgh_bytes(numbers(N_MESH))[:2000])
    with pytest.raises(FileFormatError, match="is truncated: 2000 bytes"):
        open_matrix(path)
    path.write_bytes(b"text, and no overlay of any kind at all")
    with pytest.raises(FileFormatError, match="not a readable MGH file"):
        open_matrix(path)
    (tmp_path / "a.mgh").write_bytes(mgh_bytes(numbers(N_MESH)))
    with pytest.raises(FileFormatError, match="does not tell its hemisphere"):
        open_matrix(tmp_path / "a.mgh")
