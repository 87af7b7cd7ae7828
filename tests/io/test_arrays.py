from __future__ import annotations

import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
import scipy.io

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import FileFormatError
from neuroparcel.io.formats import open_matrix, split_variable

from .samples import little_memory, mat73_bytes, mat_bytes, npy_bytes, numbers, samples

ARRAYS = [name for name in samples() if name.endswith((".npy", ".npz", ".mat", ".tsv", ".csv"))]


@pytest.mark.parametrize("name", ARRAYS)
def test_every_format_gives_the_same_series(tmp_path, name):
    """Frames x nodes on disk, in numpy's words and in MATLAB's; rows are nodes."""
    (tmp_path / name).write_bytes(samples()[name].content)
    matrix = open_matrix(tmp_path / name)
    named = ("a", "b", "c", "d") if name == "named.tsv" else ()
    names = named or ("node-001", "node-002", "node-003", "node-004")
    assert matrix.axis == BrainAxis.from_nodes(names)
    assert (matrix.kind, matrix.n_frames, matrix.tr, matrix.names) == ("series", 6, None, ())
    np.testing.assert_allclose(matrix.read(), numbers(4), rtol=1e-7)
    np.testing.assert_allclose(matrix.read([3, 0, 3]), numbers(4)[[3, 0, 3]], rtol=1e-7)


@pytest.mark.parametrize("dtype", [">f8", "<i2", ">i4", "u1", "f2", "?"])
def test_any_real_type(tmp_path, dtype):
    values = np.arange(12).reshape(3, 4).astype(dtype)
    np.save(tmp_path / "a.npy", values)
    np.testing.assert_array_equal(open_matrix(tmp_path / "a.npy").read(), values.T)


def test_matlab_reads_its_own_orientation(tmp_path):
    """The same matrix saved by version 5 and 7.3 comes back the same way round."""
    values = np.arange(15.0).reshape(5, 3)
    (tmp_path / "v5.mat").write_bytes(mat_bytes(compressed=True, x=values))
    (tmp_path / "v73.mat").write_bytes(mat73_bytes(x=values))
    for name in ("v5.mat", "v73.mat"):
        matrix = open_matrix(tmp_path / name)
        assert (matrix.n_frames, len(matrix.axis)) == (5, 3)
        np.testing.assert_array_equal(matrix.read(), values.T)


# Choosing a variable.


@pytest.mark.parametrize("version", ["npz", "v5", "v73"])
def test_one_of_several_variables(tmp_path, version):
    arrays = {"rest": numbers(4).T, "task": numbers(3).T, "tr": np.array([[0.72]])}
    path = tmp_path / ("a.npz" if version == "npz" else "a.mat")
    if version == "npz":
        np.savez(path, **arrays)
    else:
        write = mat_bytes if version == "v5" else mat73_bytes
        options = {"compressed": False}
        path.write_bytes(write(**options, **arrays))
    with pytest.raises(FileFormatError, match="holds 2 matrices of numbers; it holds rest") as e:
        open_matrix(path)
    assert e.value.tip == f"Choose one: {path.name}:rest."
    assert "task (6 x 3)" in e.value.message
    chosen = open_matrix(Path(f"{path}:task"))
    np.testing.assert_array_equal(chosen.read(), numbers(3))
    assert chosen.paths == (path,)
    with pytest.raises(FileFormatError, match="holds no variable 'sleep'"):
        open_matrix(Path(f"{path}:sleep"))


def test_a_colon_belongs_to_the_name_of_a_file_that_exists(tmp_path):
    path = tmp_path / "a.mat:x"
    path.write_bytes(b"")
    assert split_variable(path) == (path, None)
    path.unlink()
    assert split_variable(path) == (tmp_path / "a.mat", "x")
    assert split_variable(tmp_path / "a.npy:x") == (tmp_path / "a.npy:x", None)


def test_fields_of_a_structure_are_reached_by_their_path(tmp_path):
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file["data/series"] = numbers(4)
        file["data/noise"] = numbers(4)
    matrix = open_matrix(tmp_path / "a.mat:data/series")
    np.testing.assert_array_equal(matrix.read([2]), numbers(4)[[2]])


# Tables.


def test_missing_numbers_are_nan(tmp_path):
    (tmp_path / "a.tsv").write_text("\ufeffleft\tright\n1\tn/a\n\n2\tNaN\n3\t-4e-1\n", "utf-8")
    matrix = open_matrix(tmp_path / "a.tsv")
    assert matrix.axis.nodes == ("left", "right")
    np.testing.assert_array_equal(
        matrix.read(), np.array([[1, 2, 3], [np.nan, np.nan, -0.4]], np.float32)
    )
    np.testing.assert_array_equal(matrix.read([1])[0, 2], np.float32(-0.4))


def test_counted_columns_are_a_header(tmp_path):
    """What pandas writes for a matrix without names."""
    (tmp_path / "a.csv").write_text("0,1,2\n5,6,7\n8,9,7\n")
    matrix = open_matrix(tmp_path / "a.csv")
    assert (matrix.n_frames, matrix.axis.nodes) == (2, ("0", "1", "2"))
    (tmp_path / "b.csv").write_text("0.5,1,2\n5,6,7\n")
    assert open_matrix(tmp_path / "b.csv").n_frames == 2


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a\tb\n1\t2\n3\n", "has 1 columns in line 3, where the first line has 2"),
        ("a\tb\n1\t2\t3\n", "has 3 columns in line 2"),
        ("\ta\n0\t2\n1\t4\n", "a first column without a name, which looks like an index"),
        ("a\ta\n1\t2\n", "Two nodes are called 'a'"),
        ("a\tb\n", "holds no numbers"),
        ("a\tb\n1\tx\n", "is not a table of numbers"),
        ("a\tb\n1\t2+3j\n", "is not a table of numbers"),
    ],
)
def test_tables_that_are_none(tmp_path, text, message):
    path = tmp_path / "a.tsv"
    path.write_text(text)
    with pytest.raises(FileFormatError, match=message) as caught:
        open_matrix(path).read()
    assert str(path) in caught.value.message


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"\x00\xff\xfe\x80,1\n" * 3)
    with pytest.raises(FileFormatError, match="is not a text file"):
        open_matrix(tmp_path / "a.csv")


# Bad input.

SHAPES = {
    "1-D": (np.arange(5.0), r"the shape \(5\); \(frames, nodes\) is needed"),
    "3-D": (np.zeros((2, 3, 4)), r"the shape \(2, 3, 4\)"),
    "none": (np.float64(3), r"the shape \(\)"),
    "empty": (np.zeros((0, 4)), r"the shape \(0, 4\)"),
    "complex": (np.zeros((3, 4), complex), "holds complex numbers"),
    "text": (np.full((3, 4), "a"), "holds text"),
    "dates": (np.zeros((3, 4), "M8[s]"), "values of type datetime64"),
    "wide": (np.zeros((3, 4), [("x", "f4")]), "values of type"),
}


@pytest.mark.parametrize("case", SHAPES)
def test_arrays_that_are_no_series(tmp_path, case):
    array, message = SHAPES[case]
    path = tmp_path / "a.npy"
    np.save(path, array)
    with pytest.raises(FileFormatError, match=message) as caught:
        open_matrix(path)
    assert str(path) in caught.value.message


@pytest.mark.parametrize("case", ["1-D", "3-D", "text"])
def test_variables_that_are_no_series(tmp_path, case):
    array = SHAPES[case][0]
    np.savez(tmp_path / "a.npz", x=array)
    (tmp_path / "a.mat").write_bytes(mat_bytes(compressed=False, x=array))
    for name in ("a.npz", "a.mat"):
        with pytest.raises(FileFormatError, match="no matrices of numbers; it holds x"):
            open_matrix(tmp_path / name)


def test_complex_variables(tmp_path):
    np.savez(tmp_path / "a.npz", x=SHAPES["complex"][0])
    with pytest.raises(FileFormatError, match="no matrices of numbers"):
        open_matrix(tmp_path / "a.npz")
    (tmp_path / "a.mat").write_bytes(mat_bytes(compressed=False, x=np.full((3, 4), 1j)))
    with pytest.raises(FileFormatError, match="holds complex numbers"):
        open_matrix(tmp_path / "a.mat").read()  # MATLAB calls them double


def test_nothing_is_unpickled(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (Path(tmp_path / "exploded").touch, ())

    bomb = np.empty((2, 2), object)
    bomb[:] = Bomb()
    np.save(tmp_path / "a.npy", bomb, allow_pickle=True)
    np.savez(tmp_path / "a.npz", x=bomb)
    with pytest.raises(FileFormatError, match="Python objects"):
        open_matrix(tmp_path / "a.npy")
    with pytest.raises(FileFormatError, match="holds no matrices of numbers"):
        open_matrix(tmp_path / "a.npz")
    with pytest.raises(FileFormatError, match=r"x in .* is not an array of real numbers"):
        open_matrix(tmp_path / "a.npz:x")
    assert not (tmp_path / "exploded").exists()


def test_structures_cells_and_sparse_matrices_are_refused(tmp_path):
    scipy.io.savemat(
        tmp_path / "a.mat",
        {
            "s": {"x": numbers(4)},
            "c": np.array([[numbers(3), "a"]], object),
            "z": scipy.sparse.eye(4),
        },
    )
    with pytest.raises(FileFormatError, match=r"no matrices of numbers; it holds s .*no numbers"):
        open_matrix(tmp_path / "a.mat")
    with pytest.raises(FileFormatError, match=r"z in .*a\.mat is not an array of real numbers"):
        open_matrix(tmp_path / "a.mat:z")


@pytest.mark.parametrize("ending", ["npy", "npz", "mat", "tsv"])
def test_correlation_matrices_are_found_out(tmp_path, ending):
    correlation = np.corrcoef(numbers(8, 30))
    path = tmp_path / f"a.{ending}"
    if ending == "npy":
        np.save(path, correlation)
    elif ending == "npz":
        np.savez(path, x=correlation)
    elif ending == "mat":
        path.write_bytes(mat_bytes(compressed=True, x=correlation))
    else:
        np.savetxt(path, correlation, delimiter="\t")
    with pytest.raises(FileFormatError, match="looks like a correlation matrix, not time series"):
        open_matrix(path)


def test_square_series_are_no_correlation_matrix(tmp_path):
    np.save(tmp_path / "a.npy", numbers(6))
    assert len(open_matrix(tmp_path / "a.npy").axis) == 6


# Lying headers.


def test_npy_headers_that_promise_terabytes(tmp_path):
    path = tmp_path / "a.npy"
    content = npy_bytes(np.zeros((600, 4), np.float32))
    for shape, message in (
        (b"(999999999, 4)", "is truncated"),
        (b"(6, 999999999)", "is truncated|nodes, more than"),
        (b"(-5, 4)", "the shape|truncated|not a readable"),
    ):
        lying = content.replace(b"(600, 4), }" + b" " * (len(shape) - 8), shape + b", }")
        assert lying != content
        path.write_bytes(lying)
        with little_memory(), pytest.raises(FileFormatError, match=message):
            open_matrix(path)


def test_npz_members_that_promise_terabytes(tmp_path):
    content = npy_bytes(np.zeros((600, 4), np.float32))
    lying = content.replace(b"(600, 4), }" + b" " * 6, b"(999999999, 4), }")
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", lying)
    with little_memory(), pytest.raises(FileFormatError, match=r"x in .* is truncated"):
        open_matrix(tmp_path / "a.npz").read([0])


def test_hdf5_makes_up_nothing(tmp_path):
    """A dataset of which nothing was ever written, and links that lead elsewhere."""
    np.save(tmp_path / "secret.npy", numbers(3))
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["x"] = numbers(4)
    with h5py.File(tmp_path / "a.mat", "w") as file:
        file.create_dataset("x", (10**4, 10**7), "f4", chunks=(1000, 1000))
        file["y"] = h5py.ExternalLink("other.h5", "x")
        file.create_dataset("z", (2, 2), "f4", external=[("secret.npy", 0, 16)])
    matrix = open_matrix(tmp_path / "a.mat")
    with (
        little_memory(),
        pytest.raises(FileFormatError, match="promised 100000000000 numbers, and 0 bytes"),
    ):
        matrix.read([0])
    for name in "yz":
        with pytest.raises(FileFormatError, match=r"no variable 'y'|z in .* is not an array"):
            open_matrix(Path(f"{tmp_path / 'a.mat'}:{name}"))


def test_more_nodes_than_can_be_named(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((1, 1_000_001), np.uint8))
    with pytest.raises(FileFormatError, match="1000001 nodes, more than the 1000000"):
        open_matrix(tmp_path / "a.npy")


@pytest.mark.parametrize("ending", ["npy", "npz", "mat"])
def test_text_under_another_name(tmp_path, ending):
    path = tmp_path / f"a.{ending}"
    path.write_text("subject session path " * 30)
    with pytest.raises(FileFormatError, match=r"is not a readable (\.npy|\.npz|MATLAB) file"):
        open_matrix(path)
