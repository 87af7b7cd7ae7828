"""From two folders or atlases to numbers and files."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.errors import NeuroparcelError, OptionError, OutputError
from neuroparcel.io.files import write_json
from neuroparcel.io.formats.cifti import read_cifti
from neuroparcel.io.regions import load_region
from neuroparcel.io.writers import write_parcellations
from neuroparcel.parcellation import spins
from neuroparcel.pipeline import CompareOptions, Comparison, compare, comparing
from neuroparcel.plotting import difference as plotting

AREAS = load_region("broca-left").label_of_vertex
AXIS = load_region("broca-left").axis
NETWORKS = ("Network1", "Network2", "Network3")


def write_fit(folder: Path, *subjects: str, seed: int = 0, axis: BrainAxis = AXIS) -> Path:
    """Results without a fit: a third network that is dead, and one subject of its own in each."""
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([3, 3], (len(subjects), 1, len(axis))).astype(np.float32)
    p = np.concatenate([p, 0 * p[..., :1]], axis=-1)
    same = np.random.default_rng(7).dirichlet([3, 3], len(AXIS)).astype(np.float32)
    rows = np.arange(len(axis)) if axis.is_nodes else AXIS.rows_of(axis)
    p[subjects.index("common"), 0, :, :2] = same[rows]
    cohort = CohortParcellation(
        axis, NETWORKS, subjects, ("1",), p.mean(axis=(0, 1)), p.mean(axis=1), p
    )
    write_parcellations(folder, cohort, sources={})
    region = {"name": "part", "labels": ["x"], "label_of_vertex": ["x"] * len(axis)}
    write_json(folder / "run.json", {"status": "complete", "command": "fit", "region": region})
    lines = ["target\tNetwork1\tNetwork2\tNetwork3", "a\t1\t0\t0", "b\t0\t1\t0", "c\t0\t0\t1"]
    (folder / "desc-population_networks.tsv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def fits(tmp_path_factory) -> tuple[str, str]:
    """Two fits, of which two subjects have the same name and one the same map too."""
    folder = tmp_path_factory.mktemp("fits")
    first = write_fit(folder / "first", "s1", "common", "changed")
    second = write_fit(folder / "second", "changed", "common", "s9", seed=1)
    return str(first), str(second)


def run(*two: str, **options: object) -> Comparison:
    first, second = two
    return compare(CompareOptions(first=first, second=second, quiet=True, **options))


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def test_a_fit_with_itself(fits):
    found = run(fits[0], fits[0])
    agreement = found.agreement
    assert agreement.n_vertices == 339
    agreed = (agreement.adjusted_rand, agreement.mean_dice, agreement.overlap)
    assert agreed == pytest.approx((1, 1, 1))
    assert not found.difference.any()
    assert found.files == ()
    dead = [row for row in found.networks if row.dice is None]
    assert [(row.first, row.second) for row in dead] == [("Network3", None), (None, "Network3")]


def test_subjects_tell_who_has_changed(fits):
    found = run(*fits)
    assert set(found.subjects) == {"common", "changed"}
    assert found.subjects["common"].overlap == pytest.approx(1)
    assert found.subjects["changed"].overlap < 0.9
    assert "2 subjects in both" in found.summary()
    assert f"least alike: changed {found.subjects['changed'].overlap:.2f}" in found.summary()
    assert run(*fits, subjects=False).subjects == {}
    assert run(fits[0], "yeo7").subjects == {}


def test_subjects_are_compared_where_their_vertices_are(fits, tmp_path):
    """The second fit has some of the vertices, in another order."""
    part = write_fit(tmp_path / "part", "common", axis=AXIS.restrict(np.arange(200, 100, -1)))
    for two in ((fits[0], str(part)), (str(part), fits[0])):
        common = run(*two).subjects["common"]
        assert common.n_vertices == 100
        assert common.overlap == pytest.approx(1)


def test_an_atlas_lists_just_what_lies_in_the_region(fits):
    """Areas 44 and 45 are all that there is of mmp; dead networks of a fit are said."""
    rows = run(fits[0], "mmp").networks
    assert {row.second for row in rows} == {"L_44", "L_45", None}
    assert [row.n_second for row in rows if row.second] == [
        int((row.second == AREAS).sum()) for row in rows if row.second
    ]
    assert rows[-1].first == "Network3"


def test_two_atlases_of_the_cortex():
    found = run("yeo7", "cole-anticevic")
    assert found.agreement.n_vertices == 58666
    matched = {row.first: row.second for row in found.networks if row.first}
    assert matched["Somatomotor"] == "Somatomotor"
    assert matched["Default"] == "Default"
    assert 0.4 < found.agreement.adjusted_rand < 0.5


def test_networks_are_matched_as_asked(fits):
    """The second fit's third profile is that of the first's first."""
    by_names = run(*fits, match="names").pairs
    assert by_names == ((0, 0), (1, 1), (2, 2))
    path = Path(fits[1]) / "desc-population_networks.tsv"
    kept = path.read_text()
    path.write_text(kept.replace("a\t1\t0\t0", "a\t0\t0\t1").replace("c\t0\t0\t1", "c\t1\t0\t0"))
    assert run(*fits, match="profiles").pairs == ((0, 2), (1, 1), (2, 0))
    path.write_text(kept)


@pytest.mark.parametrize(
    ("two", "match", "says"),
    [
        (("fit", "yeo7"), "names", "have no network of the same name.*--match overlap"),
        (("yeo7", "fit"), "profiles", "yeo7 is an atlas, whose networks have no profiles"),
    ],
    ids=["names", "profiles"],
)
def test_what_cannot_be_matched_is_said(fits, two, match, says):
    first, second = (fits[0] if name == "fit" else name for name in two)
    with pytest.raises(OptionError, match=says):
        run(first, second, match=match)


def test_other_targets_and_damaged_profiles_are_said(fits, tmp_path):
    other = write_fit(tmp_path / "other", "common")
    table = other / "desc-population_networks.tsv"
    table.write_text(table.read_text().replace("\na\t", "\nz\t"))
    with pytest.raises(OptionError, match=r"profiles over different targets \(3 and 3\)"):
        run(fits[0], str(other), match="profiles")
    table.write_text(table.read_text().replace("\t1\t", "\tone\t"))
    with pytest.raises(NeuroparcelError, match=r"networks.tsv is no table of networks"):
        run(fits[0], str(other), match="profiles")


def test_what_is_written(fits, tmp_path, monkeypatch):
    monkeypatch.setattr(plotting, "_LARGE", 60)
    output = tmp_path / "out"
    found = run(*fits, output=output, formats=("png", "svg"), dpi=30)
    names = {file.relative_to(output).as_posix() for file in found.files}
    assert names == {p.relative_to(output).as_posix() for p in output.rglob("*") if p.is_file()}
    assert {"comparison.tsv", "subjects.tsv", "comparison.json"} <= names
    assert {"figures/difference.png", "figures/difference.svg"} <= names
    rows = read_table(output / "comparison.tsv")
    assert [(row["first"], row["second"]) for row in rows] == [
        (row.first or "n/a", row.second or "n/a") for row in found.networks
    ]
    assert float(rows[0]["dice"]) == pytest.approx(found.networks[0].dice, rel=1e-5)
    subjects = {
        row["subject"]: float(row["overlap"]) for row in read_table(output / "subjects.tsv")
    }
    assert subjects == pytest.approx(
        {n: one.overlap for n, one in found.subjects.items()}, rel=1e-5
    )
    record = json.loads((output / "comparison.json").read_text())
    assert record["agreement"]["adjusted_rand"] == found.agreement.adjusted_rand
    assert record["first"]["path"] == fits[0]
    assert record["options"]["match"] == "overlap"
    assert record["versions"]["scikit-learn"]
    assert record["match"]["only_in_second"] == ["Network3"]
    assert {*record["files"], "comparison.json"} == names


def test_matched_networks_share_a_key_in_the_label_file(fits, tmp_path):
    """Of mmp's 360 labels those in use; the numbers of the two areas are not those of a fit."""
    found = run(fits[0], "mmp", output=tmp_path, figures=False)
    matrix = read_cifti(next(tmp_path.glob("*_dseg.dlabel.nii")))
    first, second, difference = matrix.read(matrix.axis.rows_of(AXIS)).T
    name_of = {label.key: label.name for label in matrix.labels[0]}
    matched = {f"{row.first} | {row.second}" for row in found.networks if row.dice is not None}
    assert set(name_of.values()) == {*matched, "another network", "the same network"}
    same = np.array([name_of[key] == "the same network" for key in difference])
    np.testing.assert_array_equal(same, first == second)
    assert 0 < same.sum() < len(same)
    names = np.array([name_of[key].partition(" | ")[2] for key in second])
    np.testing.assert_array_equal(names, AREAS)


def test_a_spin_test_is_passed_on_and_written(fits, tmp_path, monkeypatch):
    asked = {}

    def spin(first, second, pairs, spheres, **options):
        asked.update(options, spheres=spheres)
        null = np.array([0.1, 0.3])
        return spins.SpinTest(2, 5, null, 0.04, np.array([0.01, 0.5]), 300.0)

    monkeypatch.setattr(comparing, "load_spheres", lambda first, second: "spheres")
    monkeypatch.setattr(comparing, "spin_test", spin)
    found = run(*fits, spins=2, seed=5, output=tmp_path, figures=False)
    assert (asked["n_spins"], asked["seed"], asked["spheres"]) == (2, 5, "spheres")
    assert asked["rematch"]
    run(*fits, spins=2, match="names")
    assert not asked["rematch"], "the names were not chosen by the overlap"
    assert "spin test p = 0.0400 (2 rotations: 0.20 on average)" in found.summary()
    rows = read_table(tmp_path / "comparison.tsv")
    assert [row["spin_p"] for row in rows] == ["0.01", "0.5", "n/a", "n/a"]
    record = json.loads((tmp_path / "comparison.json").read_text())["spin_test"]
    assert record["adjusted_rand"]["p"] == 0.04
    assert not list(tmp_path.rglob("*.png"))


def test_a_region_is_no_place_for_a_spin_test(fits):
    with pytest.raises(NeuroparcelError, match=r"whole hemispheres.*Leave --spins away"):
        run(*fits, spins=10)


def test_nothing_is_overwritten_unasked(fits, tmp_path):
    options = {"output": tmp_path / "out", "figures": False}
    run(*fits, **options)
    with pytest.raises(OutputError, match=r"out holds a comparison already.*--overwrite"):
        run(*fits, **options)
    (tmp_path / "out" / "notes.txt").write_text("mine")
    run(fits[0], "yeo7", overwrite=True, **options)
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert "notes.txt" in names
    assert "subjects.tsv" not in names, "what the earlier comparison left is gone"


def test_other_files_and_a_file_are_not_written_over(fits, tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match="is not empty and holds no comparison"):
        run(*fits, output=tmp_path)
    with pytest.raises(OutputError, match="is a file, not a folder"):
        run(*fits, output=tmp_path / "thesis.tex")


def test_a_damaged_record_does_not_stop_overwriting(fits, tmp_path):
    (tmp_path / "comparison.json").write_text("{")
    run(*fits, output=tmp_path, figures=False, overwrite=True)
    assert json.loads((tmp_path / "comparison.json").read_text())["agreement"]


def test_nodes_are_compared_without_a_figure(tmp_path, capsys):
    nodes = BrainAxis.from_nodes([f"n{k}" for k in range(12)])
    fit = str(write_fit(tmp_path / "nodes", "common", axis=nodes))
    options = CompareOptions(first=fit, second=fit, output=tmp_path / "out")
    found = compare(options)
    assert found.agreement.n_vertices == 12
    assert (tmp_path / "out" / "difference.tsv") in found.files
    assert "No figure" in capsys.readouterr().err
    compare(replace(options, overwrite=True, quiet=True))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"match": "faith"}, "--match is 'faith'.*overlap"),
        ({"spins": -1}, "--spins is -1"),
        ({"formats": ("gif",)}, "--format is 'gif'"),
        ({"dpi": 5}, "--dpi is 5"),
    ],
    ids=["match", "spins", "format", "dpi"],
)
def test_options_that_make_no_sense(given, says):
    with pytest.raises(OptionError, match=says):
        CompareOptions(first="a", second="b", **given)
