"""A stability analysis comes back from its files number for number, wherever it lies."""

from __future__ import annotations

import csv
import json
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from neuroparcel.brain.stability import StabilityReport
from neuroparcel.errors import FileFormatError
from neuroparcel.io.files import read_json, write_json
from neuroparcel.io.formats.cifti import read_cifti
from neuroparcel.io.writers.stability import read_stability, write_record, write_stability

from .stability_samples import NODES, PATCH, VOXELS, make_report, same

SOURCES = ["/data/sub-01/a.nii", "/data/sub-02/a.nii"]
STEM = "space-fsLR_seg-neuroparcel_den-32k"


def write(folder: Path, report: StabilityReport) -> list[Path]:
    """All files."""
    files = write_stability(folder, report, sources=SOURCES)
    return [*files, write_record(folder, report, {"command": "stability"}, files)]


def table(path: Path) -> list[dict[str, str]]:
    """The rows of a table."""
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


@pytest.mark.parametrize("retest", [True, False])
@pytest.mark.parametrize("axis", [PATCH, VOXELS, NODES], ids=["vertices", "voxels", "nodes"])
def test_it_comes_back(tmp_path, axis, retest):
    report = make_report(axis, retest=retest)
    files = write(tmp_path, report)
    assert sorted(files) == sorted(path for path in tmp_path.rglob("*") if path.is_file())
    assert len(set(files)) == len(files)
    same(read_stability(tmp_path), report)


def test_the_same_report_makes_the_same_bytes(tmp_path):
    for name in ("a", "b"):
        write(tmp_path / name, make_report(NODES))
    files = sorted((tmp_path / "a").iterdir())
    assert all(file.read_bytes() == (tmp_path / "b" / file.name).read_bytes() for file in files)


def test_vertices_become_cifti(tmp_path):
    report = make_report(PATCH)
    write(tmp_path, report)
    path = tmp_path / f"{STEM}_stat-stability_desc-1820Size3_boldmap.dscalar.nii"
    matrix = read_cifti(path)
    assert nib.load(path).nifti_header.get_intent()[0] == "ConnDenseScalar"
    assert matrix.names == ("stable", "stable_low", "stable_high")
    rows = matrix.axis.rows_of(PATCH)
    found, stable = matrix.read()[rows], report.of("18-20", 3).stable
    np.testing.assert_array_equal(found.T, [stable.value, stable.low, stable.high])
    assert np.isnan(np.delete(matrix.read(), rows, axis=0)).all()
    iccs = read_cifti(tmp_path / f"{STEM}_stat-icc_boldmap.dscalar.nii")
    assert iccs.names == ("icc2", "icc2_low", "icc2_high", "icc3", "icc3_low", "icc3_high")
    np.testing.assert_array_equal(iccs.read(rows)[:, 5], report.reliability.icc3.high)
    labels = read_cifti(tmp_path / f"{STEM}_desc-F_dseg.dlabel.nii")
    np.testing.assert_array_equal(labels.read(rows)[:, 0], report.full["F"].labels)
    assert (tmp_path / f"{STEM}_desc-FData_mask.dscalar.nii").exists()


def test_voxels_become_volumes_with_the_maps_named(tmp_path):
    report = make_report(VOXELS)
    write(tmp_path, report)
    name = "space-MNI152NLin6Asym_seg-neuroparcel_stat-variance_desc-FSize2_boldmap"
    values = nib.load(tmp_path / f"{name}.nii.gz").get_fdata()[tuple(VOXELS.voxel.T)]
    parts = report.of("F", 2).parts
    np.testing.assert_array_equal(values.T.astype(np.float32), [*parts.values()])
    assert read_json(tmp_path / f"{name}.json")["Maps"] == ["population", "subject", "session"]


def test_nodes_become_tables(tmp_path):
    report = make_report(NODES)
    write(tmp_path, report)
    rows = table(tmp_path / "seg-neuroparcel_stat-stability_desc-FSize2_boldmap.tsv")
    assert [row["name"] for row in rows] == [*NODES.names]
    assert rows[1] == {
        "index": "1",
        "name": "Cau",
        "stable": "n/a",
        "stable_low": "n/a",
        "stable_high": "n/a",
    }
    assert np.float32(rows[2]["stable_low"]) == report.of("F", 2).stable.low[2]


def test_statistics_are_tidy(tmp_path):
    write(tmp_path, make_report(NODES))
    rows = table(tmp_path / "statistics.tsv")
    assert rows[0] == {
        **{"group": "F", "size": "2", "name": "ari_full", "network": "n/a", "value": "0.333333"},
        **{"low": "0.1", "high": "0.7", "interval": "subjects", "q05": "0.2", "q95": "0.9"},
        **{"n": "5", "null": "n/a", "p": "n/a"},
    }
    assert rows[1]["value"] == rows[1]["interval"] == "n/a"
    assert (rows[2]["size"], rows[2]["p"]) == ("n/a", "0.001")


def test_samples_say_who_was_drawn(tmp_path):
    report = make_report(NODES)
    write(tmp_path, report)
    rows = table(tmp_path / "samples.tsv")
    assert len(rows) == 4 * 5
    one = report.of("18-20", 2)
    row = rows[10 + 3]
    assert (row["group"], row["size"], row["sample"], row["session"]) == ("18-20", "2", "3", "2")
    assert row["members"].split(",") == [report.subjects[i] for i in one.members[3]]
    assert rows[0]["session"] == "all"
    assert rows[0]["dice_Motor"] == "n/a"
    assert float(row["profile_Language & co"]) == pytest.approx(one.profile_full[3, 0], rel=1e-5)


def test_matrices_are_headed_by_what_they_are_of(tmp_path):
    report = make_report(NODES)
    write(tmp_path, report)
    rows = table(tmp_path / "desc-FSize2_similarity.tsv")
    assert rows == [{"0": "1", "4": "0.25"}, {"0": "0.25", "4": "1"}]
    distances = table(tmp_path / "desc-sessions_distances.tsv")
    assert list(distances[0]) == [*report.reliability.subjects]
    expected = report.reliability.distances
    found = [[float(cell) for cell in row.values()] for row in distances]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("axis", [PATCH, VOXELS, NODES], ids=["vertices", "voxels", "nodes"])
def test_every_map_and_table_has_a_sidecar(tmp_path, axis):
    files = write(tmp_path, make_report(axis))
    described = [file for file in files if file.name.endswith((".nii", ".nii.gz", ".tsv"))]
    described.remove(next(file for file in described if file.name.endswith("_dseg.tsv")))
    for file in described:
        said = read_json(file.with_name(file.name.partition(".")[0] + ".json"))
        assert said, file
        if "seg-neuroparcel" in file.name:
            assert said["Sources"][0] == "bids:recordings:sub-01/a.nii"
            assert len(said["Description"]) > 20
    statistics = read_json(tmp_path / "statistics.json")
    assert list(statistics) == list(table(tmp_path / "statistics.tsv")[0])
    samples = read_json(tmp_path / "samples.json")
    assert list(samples) == list(table(tmp_path / "samples.tsv")[0])


@pytest.mark.parametrize("axis", [PATCH, VOXELS, NODES], ids=["vertices", "voxels", "nodes"])
def test_validators_of_bids_leave_all_alone(tmp_path, axis):
    files = write(tmp_path, make_report(axis))
    lines = (tmp_path / ".bidsignore").read_text().splitlines()
    patterns = [line for line in lines if line and not line.startswith("#")]
    known = {"dataset_description.json", ".bidsignore"}
    names = [file.name for file in files if file.name not in known]
    assert [n for n in names if not any(fnmatch(n, pattern) for pattern in patterns)] == []


def change(folder: Path, **changed: Any) -> None:
    path = folder / "stability.json"
    write_json(path, {**read_json(path), **changed})


def without_arrays(folder: Path) -> None:
    (folder / "stability.safetensors").unlink()


def cut_off(folder: Path) -> None:
    path = folder / "stability.safetensors"
    path.write_bytes(path.read_bytes()[:-8])


def arrays_of_another_size(folder: Path) -> None:
    report = read_json(folder / "stability.json")["report"]
    report["sizes"][0]["n_samples"] = 6
    change(folder, report=report)


def another_number(folder: Path) -> None:
    report = read_json(folder / "stability.json")["report"]
    report["statistics"][0]["p"] = "small"
    change(folder, report=report)


def another_design(folder: Path) -> None:
    report = read_json(folder / "stability.json")["report"]
    change(folder, report={**report, "design": {"kind": "magic", "sizes": [2]}})


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: (folder / "stability.json").unlink(), r"holds no stability analysis"),
        (lambda folder: change(folder, status="running"), r"unfinished stability analysis"),
        (lambda folder: (folder / "stability.json").write_text("{"), r"stability\.json is damaged"),
        (lambda folder: change(folder, report=None), r"stability\.json is damaged"),
        (lambda folder: change(folder, report={"axis": {}}), r"stability\.json is damaged \(no"),
        (without_arrays, r"stability\.safetensors does not exist"),
        (cut_off, r"stability\.safetensors is not a safetensors file"),
        (arrays_of_another_size, r"members of shape \(5, 2\) should be \(6, 2\)"),
        (another_number, r"stability\.json is damaged \(could not convert"),
        (another_design, r"stability\.json is damaged: --design is 'magic'"),
    ],
)
def test_damage_is_said_in_one_line(tmp_path, damage, said):
    write(tmp_path, make_report(NODES))
    damage(tmp_path)
    with pytest.raises(FileFormatError, match=said) as raised:
        read_stability(tmp_path)
    assert raised.value.tip
    assert "\n" not in raised.value.message


def test_json_is_strict(tmp_path):
    write(tmp_path, make_report(NODES))

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    json.loads((tmp_path / "stability.json").read_text(), parse_constant=refuse)
