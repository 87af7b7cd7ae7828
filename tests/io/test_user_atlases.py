"""Atlases of the user: what was added comes back under its name, and nothing else does."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.freesurfer import write_annot

from neuroparcel.atomic import ASIDE
from neuroparcel.brain.atlas import Atlas, Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.errors import AtlasError, FileFormatError, OutputError
from neuroparcel.io import user_atlases
from neuroparcel.io.atlases import is_atlas_name, load_atlas
from neuroparcel.io.label_files import files_of, read_label_file
from neuroparcel.io.regions import load_atlas_on, load_region
from neuroparcel.io.targets import load_targets
from neuroparcel.io.user_atlases import (
    FOLDER_VARIABLE,
    add_user_atlas,
    atlas_folder,
    find_user_atlas,
    remove_user_atlas,
    user_atlas_names,
)
from neuroparcel.io.writers.atlas_files import write_atlas
from neuroparcel.io.writers.cifti_writer import write_dlabel

RED = (1.0, 0.0, 0.0, 1.0)
AFFINE = np.diag([2.0, 2, 2, 1])


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of atlases, not the one of whoever runs the tests."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "atlases"))
    return tmp_path / "atlases"


@pytest.fixture
def toy(toy_axis: BrainAxis) -> Atlas:
    """Four areas on the toy meshes, the last one without a vertex."""
    keys = np.zeros(len(toy_axis), int)
    keys[:6], keys[6:9], keys[40:] = 3, 5, 8
    labels = [Label(key, name, RED) for key, name in ((3, "a"), (5, "b"), (8, "c"), (9, "d"))]
    return Atlas("toy", toy_axis, keys, tuple(labels))


@pytest.fixture
def dlabel(tmp_path: Path, toy: Atlas) -> str:
    path = write_dlabel(tmp_path / "my.dlabel.nii", toy.axis, {"areas": toy.keys}, toy.labels)
    return str(path)


def of_labels(atlas: Atlas) -> dict[str, list[str]]:
    """Label -> the rows that carry it."""
    rows = np.array(atlas.axis.names)
    return {label.name: rows[atlas.keys == label.key].tolist() for label in atlas.labels}


def write_volume(folder: Path) -> str:
    values = np.zeros((3, 3, 3), np.int16)
    values[1], values[2], values[0, 0, 0] = 1, 7, 9
    nib.save(nib.Nifti1Image(values, AFFINE), folder / "a_dseg.nii.gz")
    (folder / "a_dseg.tsv").write_text("index\tname\n1\tPut\n7\tCau\n9\tTha\n")
    return str(folder / "a_dseg.nii.gz")


def write_annots(folder: Path) -> str:
    table = np.array([[10 * n, 255, n, 0, 0] for n in range(3)])
    for side in ("lh", "rh"):
        write_annot(folder / f"{side}.a.annot", np.arange(642) % 3, table, [b"x", b"y", b"z"], True)
    return str(folder / "{lh,rh}.a.annot")


def write_giftis_in_folders(folder: Path, toy: Atlas) -> str:
    for side in ("lh", "rh"):
        (folder / side).mkdir()
    write_atlas(str(folder / "{L,R}.label.gii"), toy)
    for old, new in (("L.label.gii", "lh/a.label.gii"), ("R.label.gii", "rh/a.label.gii")):
        (folder / old).rename(folder / new)
    return str(folder / "{lh,rh}" / "a.label.gii")


# What was added comes back.


@pytest.mark.parametrize("kind", ["dlabel", "pair", "folders", "annot", "volume"])
def test_it_is_what_the_file_is(kind, dlabel, toy, tmp_path):
    made = {
        "dlabel": lambda: dlabel,
        "pair": lambda: (
            write_atlas(str(tmp_path / "a.{L,R}.label.gii"), toy)
            and str(tmp_path / "a.{L,R}.label.gii")
        ),
        "folders": lambda: write_giftis_in_folders(tmp_path, toy),
        "annot": lambda: write_annots(tmp_path),
        "volume": lambda: write_volume(tmp_path),
    }
    spec = made[kind]()
    expected = read_label_file(spec)
    added = add_user_atlas("mine", spec, citation="A. Author (2024)", licence="CC0")
    for path in files_of(spec):  # the copy counts, not the file
        path.unlink()
    atlas = load_atlas("mine")
    assert (atlas.name, atlas.citation, atlas.licence) == ("mine", "A. Author (2024)", "CC0")
    assert atlas.axis == expected.axis
    assert of_labels(atlas) == of_labels(expected)
    assert len(added.files) == len(files_of(spec)) + (kind == "volume")
    assert added.n_labels == 3


def test_it_is_a_region_and_targets(dlabel, toy):
    add_user_atlas("mine", dlabel)
    assert load_region("mine").labels == ("a", "b", "c")  # d has no vertex
    some = load_region("mine:b, a")
    assert (some.name, some.n_vertices, some.labels) == ("mine:b, a", 9, ("b", "a"))
    assert load_targets("mine").names == ("a", "b", "c")
    assert load_targets("mine", toy.axis).name == "mine"


def test_what_is_known_of_it(dlabel, tmp_path):
    entry = add_user_atlas("mine", dlabel, licence="CC BY 4.0").entry()
    assert find_user_atlas("mine").entry() == entry
    assert (entry.name, entry.kind, entry.size, entry.own) == ("mine", "atlas", 3, True)
    assert entry.licence.short == "CC BY 4.0"
    assert entry.citation == "not stated"
    assert str(tmp_path / "my.dlabel.nii") in entry.title
    assert entry.space == "unknown, 40 + 40 vertices"


def test_names_are_sorted_and_leftovers_do_not_count(dlabel, folder):
    assert user_atlas_names() == ()
    for name in ("b", "a"):
        add_user_atlas(name, dlabel)
    (folder / f"{ASIDE}x").mkdir()
    (folder / "notes.txt").write_text("mine")
    assert user_atlas_names() == ("a", "b")
    assert find_user_atlas("c") is None
    assert find_user_atlas("../a") is None


def test_an_atlas_can_be_replaced_and_removed(dlabel, tmp_path, folder):
    add_user_atlas("mine", dlabel)
    with pytest.raises(AtlasError, match="have an atlas called mine already"):
        add_user_atlas("MINE", dlabel, overwrite=True)
    add_user_atlas("mine", write_volume(tmp_path), overwrite=True)
    assert {label.name for label in load_atlas("mine").labels} == {"Put", "Cau", "Tha"}
    names = {path.name for path in (folder / "mine").iterdir()}
    assert names == {"a_dseg.nii.gz", "a_dseg.tsv", "atlas.json"}
    assert remove_user_atlas("mine") == folder / "mine"
    assert not is_atlas_name("mine")
    assert Path(dlabel).is_file()
    with pytest.raises(AtlasError, match="added no atlas called 'mine'") as caught:
        remove_user_atlas("mine")
    assert "neuroparcel atlas add" in caught.value.tip


@pytest.mark.skipif(sys.platform != "linux", reason="the folder is that of the XDG standard")
def test_the_folder_is_the_one_for_data_of_the_user(tmp_path, monkeypatch):
    monkeypatch.delenv(FOLDER_VARIABLE)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    assert atlas_folder() == tmp_path / "data" / "neuroparcel" / "atlases"
    monkeypatch.setenv(FOLDER_VARIABLE, "~/mine")
    assert atlas_folder() == Path.home() / "mine"


# Bad input.


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("mmp", "The name 'mmp' is taken: mmp is built in"),
        ("MMP", "The name 'MMP' is taken: mmp is built in"),
        ("nodes", "is taken: nodes is built in"),
        ("Voxels", "is taken: voxels is built in"),
        ("a.tsv", "ends as files do"),
        ("a.label.gii", "ends as files do"),
        ("a:b", "cannot be the name of an atlas"),
        ("a,b", "cannot be the name of an atlas"),
        ("../a", "cannot be the name of an atlas"),
        (".a", "cannot be the name of an atlas"),
        ("", "cannot be the name of an atlas"),
    ],
)
def test_names_that_cannot_be(dlabel, folder, name, message):
    with pytest.raises(AtlasError, match=message):
        add_user_atlas(name, dlabel, ("mmp", "motor"))
    assert not folder.exists()


def test_files_that_cannot_be_added_leave_nothing(tmp_path, toy, folder):
    nothing = write_dlabel(
        tmp_path / "no.dlabel.nii", toy.axis, {"a": np.zeros(len(toy.keys), int)}, toy.labels
    )
    with pytest.raises(FileFormatError, match=r"no\.dlabel\.nii holds no labels"):
        add_user_atlas("mine", str(nothing))
    with pytest.raises(AtlasError, match=r"my\.csv is not a label file by its name"):
        add_user_atlas("mine", str(tmp_path / "my.csv"))
    with pytest.raises(FileFormatError, match=r"gone\.annot does not exist"):
        add_user_atlas("mine", str(tmp_path / "lh.gone.annot"))
    assert not folder.exists()


def test_a_folder_that_is_a_file(dlabel, monkeypatch):
    for name in (dlabel, str(Path(dlabel) / "atlases")):
        monkeypatch.setenv(FOLDER_VARIABLE, name)
        with pytest.raises(AtlasError, match=r"cannot be read \(Not a directory\)") as caught:
            add_user_atlas("mine", dlabel)
        assert FOLDER_VARIABLE in caught.value.tip


@pytest.mark.parametrize("step", ["mkdtemp", "shutil.copyfile"])
def test_a_disk_that_is_full(dlabel, folder, monkeypatch, step):
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(f"{user_atlases.__name__}.{step}", full)
    with pytest.raises(OutputError, match=r"cannot be written to \(No space left on device\)"):
        add_user_atlas("mine", dlabel)
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ("{", r"atlas\.json cannot be read"),
        ("[]", r"atlas\.json cannot be read"),
        ('{"name": "mine"}', r"atlas\.json cannot be read"),
        (None, r"atlas\.json cannot be read"),
        ({"files": {}}, r"atlas\.json lists no files"),
        ({"files": {"my.dlabel.nii": "0" * 64}}, "has changed since it was added"),
        ({"files": {"other.dlabel.nii": "0" * 64}}, "other.dlabel.nii is missing"),
    ],
)
def test_damaged_atlases(dlabel, folder, record, message):
    add_user_atlas("mine", dlabel)
    path = folder / "mine" / "atlas.json"
    if record is None:
        path.unlink()
    elif isinstance(record, str):
        path.write_text(record)
    else:
        path.write_text(json.dumps(json.loads(path.read_text()) | record))
    with pytest.raises(AtlasError, match=f"Your atlas mine is damaged: .*{message}") as caught:
        load_atlas("mine")
    assert "neuroparcel atlas remove mine" in caught.value.tip
    remove_user_atlas("mine")
    assert user_atlas_names() == ()


def test_a_name_that_a_later_version_has_built_in(dlabel, folder):
    add_user_atlas("mine", dlabel)
    (folder / "mine").rename(folder / "motor")
    for load in (load_atlas, load_region, load_targets):
        with pytest.raises(AtlasError, match="The name 'motor' stands for two things"):
            load("motor")


def test_unknown_names_are_compared_with_the_users_own(dlabel):
    add_user_atlas("areas", dlabel)
    with pytest.raises(AtlasError) as caught:
        load_atlas("aeras")
    assert caught.value.tip.startswith("Did you mean areas? Use mmp, ")
    with pytest.raises(AtlasError, match=r"Unknown region 'aareas'\. Did you mean areas"):
        load_region("aareas")
    with pytest.raises(AtlasError, match="Unknown atlas 'aeras'"):
        load_region("aeras:a")
    with pytest.raises(AtlasError, match=r"Unknown targets 'aeras'\. Did you mean areas"):
        load_targets("aeras")


def test_another_mesh_than_the_recordings(dlabel, toy):
    add_user_atlas("mine", dlabel)
    other = BrainAxis.from_vertices("fsaverage", {"CORTEX_LEFT": [1]}, {"CORTEX_LEFT": 642})
    voxels = BrainAxis("MNI", ["OTHER"], [-1], [[0, 0, 0]], {}, np.eye(4), (1, 1, 1))
    nodes = BrainAxis.from_nodes(["x", "y", "z"])
    for axis, where in ((other, "fsaverage"), (voxels, "a volume"), (nodes, "3 nodes")):
        for load in (load_atlas_on, load_region, load_targets):
            with pytest.raises(AtlasError, match=f"mine lies on .*, and the .* are on {where}"):
                load("mine", axis)
    left = toy.axis.restrict(toy.axis.rows_in("CORTEX_LEFT"))
    assert load_atlas_on("mine", left).name == "mine"
