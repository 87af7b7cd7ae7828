"""The whole of a selection: cohorts whose number of networks is known, and files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.profiles import to_signed_sphere
from neuroparcel.errors import OptionError, OutputError, TrainingError
from neuroparcel.io.writers.tables import read_tsv
from neuroparcel.parcellation.selection import recommend
from neuroparcel.pipeline import SelectOptions, plan_select, select, selecting
from neuroparcel.pipeline.selecting import score_numbers, subject_folds

N_VERTICES, N_TARGETS = 36, 8


@pytest.fixture(autouse=True)
def one_split(monkeypatch):
    """Learning from halves takes most of the time, and each split is like another."""
    monkeypatch.setattr(selecting, "_N_SPLITS", 1)


def options_of(**given) -> SelectOptions:
    small = {"networks": "2:4", "folds": 2, "positive": "signed", "levels": "population"}
    named = {"subjects": Path("list.tsv"), "output": Path("out"), "quiet": True}
    return SelectOptions(**{**named, **small, **given})


def cohort_of(
    n_networks: int, shape: tuple[int, int] = (4, 2), noise: float = 0.4, missing=()
) -> Cohort:
    """Networks far apart, in blocks of vertices; profiles differ from them by noise alone."""
    rng = np.random.default_rng(0)
    networks = rng.normal(size=(n_networks, N_TARGETS))
    blocks = np.arange(N_VERTICES) * n_networks // N_VERTICES
    raw = networks[blocks] + noise * rng.normal(size=(*shape, N_VERTICES, N_TARGETS))
    profiles = to_signed_sphere(raw.reshape(-1, N_TARGETS))[0].reshape(raw.shape)
    valid = np.ones(raw.shape[:3], bool)
    for cell in missing:
        valid[cell] = False
    return Cohort(
        tuple(f"sub-{i}" for i in range(shape[0])),
        tuple(f"ses-{i}" for i in range(shape[1])),
        (profiles * valid[..., None]).astype(np.float32),
        valid,
        BrainAxis.from_vertices(
            "toy", {"CORTEX_LEFT": np.arange(N_VERTICES)}, {"CORTEX_LEFT": N_VERTICES}
        ),
        tuple(f"t{i}" for i in range(N_TARGETS)),
        signed=True,
    )


def test_the_true_number_is_recommended():
    selection = score_numbers(cohort_of(3), options_of())
    found = recommend(selection)
    assert (found.number, found.best) == (3, 3)
    assert selection.heldout == "sessions"
    assert selection.notes == ()
    assert all(not np.isnan(selection.scores[name]).any() for name in selection.scores)
    assert selection.curve("split_half").mean[1] == pytest.approx(1)
    gain = selection.curve("homogeneity_gain").mean
    assert gain[1] > 0.3
    assert selection.curve("used").mean[1] == 3


def test_noise_has_no_networks():
    """Labels of one session say nothing of another: no gain over random parcels, 2 are enough."""
    selection = score_numbers(cohort_of(1, noise=50.0), options_of(networks="2,4"))
    assert recommend(selection).number == 2
    assert np.abs(selection.curve("homogeneity_gain").mean).max() < 0.03
    assert np.abs(selection.curve("split_half").mean).max() < 0.1


def test_one_session_each_is_judged_on_held_out_vertices():
    selection = score_numbers(cohort_of(3, (3, 1)), options_of(networks="2:3"))
    assert selection.heldout == "vertices"
    assert selection.measured == ("density", "homogeneity", "homogeneity_gain", "used")
    assert recommend(selection).best == 3
    assert "agreement across sessions cannot be measured" in selection.notes[0]
    assert "3 subjects have no halves of two" in selection.notes[1]


def test_a_subject_with_one_session_is_learnt_from_and_not_judged():
    cohort = cohort_of(3, (3, 2), missing=[(1, 0)])
    selection = score_numbers(cohort, options_of(networks="2:3"))
    assert np.isnan(selection.scores["density"][:, 1]).all()
    assert not np.isnan(selection.scores["density"][:, [0, 2]]).any()
    assert recommend(selection).best == 3
    assert "1 of 3 subjects have one session (first: sub-1)" in selection.notes[0]


def test_two_subjects_are_held_out_in_turn():
    selection = score_numbers(cohort_of(3, (2, 2)), options_of(networks="2:3", folds=5))
    assert recommend(selection).number == 3


@pytest.mark.slow
def test_networks_are_trained_if_asked_for():
    given = options_of(networks="2:3", family="adavi", steps=4)
    selection = score_numbers(cohort_of(2, (2, 2)), given)
    assert np.isfinite(selection.curve("density").mean).all()


def test_folds_hold_every_subject_out_once():
    names = [f"s{i}" for i in range(7)]
    folds = subject_folds(names, 3, seed=1)
    assert sorted(len(fold) for fold in folds) == [2, 2, 3]
    assert sorted(name for fold in folds for name in fold) == names
    assert folds == subject_folds(names, 3, seed=1) != subject_folds(names, 3, seed=2)
    assert len(subject_folds(names, 20, seed=1)) == 7


def test_one_subject_is_not_enough():
    with pytest.raises(OptionError, match=r"1 subject does not tell how many.*at least 2"):
        score_numbers(cohort_of(3, (1, 2)), options_of())


def fail_for(monkeypatch, error: Exception, *numbers: int) -> None:
    """Learning raises for these numbers of networks."""
    learn = selecting.learn

    def failing(cohort, options, **given):
        if options.networks in numbers:
            raise error
        return learn(cohort, options, **given)

    monkeypatch.setattr(selecting, "learn", failing)


def test_a_number_that_cannot_be_learnt_is_left_out_and_named(monkeypatch):
    fail_for(monkeypatch, TrainingError("It diverged.", "Try again."), 4)
    selection = score_numbers(cohort_of(3, (2, 2)), options_of())
    assert selection.numbers == (2, 3)
    assert "4 networks: It diverged. (fold 1)" in selection.notes


def test_with_one_number_left_there_is_no_answer(monkeypatch):
    fail_for(monkeypatch, TrainingError("It diverged."), 3, 4)
    with pytest.raises(TrainingError, match="It diverged"):
        score_numbers(cohort_of(3, (2, 2)), options_of())


def test_a_bug_is_not_passed_over(monkeypatch):
    fail_for(monkeypatch, ZeroDivisionError("a bug"), 4)
    with pytest.raises(ZeroDivisionError, match="a bug"):
        score_numbers(cohort_of(3, (2, 2)), options_of())


@pytest.mark.parametrize(
    ("text", "numbers"),
    [
        ("2:5", (2, 3, 4, 5)),
        ("2:30:7", (2, 9, 16, 23, 30)),
        ("7, 17,4", (4, 7, 17)),
        ("2:4,3:6,10", (2, 3, 4, 5, 6, 10)),
    ],
)
def test_ranges(text, numbers):
    assert options_of(networks=text).numbers == numbers


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"networks": "many"}, "--networks has the range 'many'"),
        ({"networks": "7:3"}, "--networks has the range '7:3'"),
        ({"networks": "2:9:0"}, "--networks has the range '2:9:0'"),
        ({"networks": "2:9:1:1"}, "--networks has the range '2:9:1:1'"),
        ({"networks": "2,,4"}, "--networks has the range ''"),
        ({"networks": "5"}, "--networks 5 leaves nothing to choose between"),
        ({"networks": "1:3"}, "--networks 1:3 leaves nothing to choose between"),
        ({"folds": 1}, "--folds is 1"),
        ({"link": "ilr"}, "link ilr takes logarithms"),
        ({"family": "em"}, "--family is 'em'"),
        ({"subjects": None}, "No recordings are named"),
    ],
)
def test_wrong_options_are_refused(given, message):
    with pytest.raises(OptionError, match=message):
        options_of(**given)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory) -> Path:
    """Time series of 12 nodes in three groups that fluctuate together; 3 subjects, 2 sessions."""
    folder = tmp_path_factory.mktemp("nodes")
    rng, lines = np.random.default_rng(0), ["subject\tsession\tpath"]
    for subject in range(3):
        for session in range(2):
            groups = rng.normal(size=(120, 3))
            series = np.repeat(groups, 4, axis=1) + 0.4 * rng.normal(size=(120, 12))
            np.save(folder / f"{subject}-{session}.npy", series.astype(np.float32))
            lines.append(f"sub-{subject}\tses-{session}\t{subject}-{session}.npy")
    (folder / "list.tsv").write_text("\n".join([*lines, ""]))
    return folder / "list.tsv"


@pytest.fixture(scope="module")
def asked(recordings, tmp_path_factory) -> SelectOptions:
    output = tmp_path_factory.mktemp("select") / "how-many"
    return options_of(subjects=recordings, output=output, networks="2:4", folds=3)


@pytest.fixture(scope="module")
def result(asked):
    return select(asked)


def test_from_files_to_files(result, asked):
    assert result.recommendation.number == 3
    names = sorted(str(file.relative_to(asked.output)) for file in result.files)
    assert names == ["figures/selection.png", "networks.tsv", "run.json", "scores.tsv"]
    run = json.loads((asked.output / "run.json").read_text())
    assert (run["status"], run["command"]) == ("complete", "select")
    assert run["options"]["networks"] == "2:4"
    assert run["recommendation"]["number"] == 3
    assert run["recommendation"]["lines"] == list(result.recommendation.lines)
    assert run["held_out"] == "sessions"
    assert "cannot be measured" in run["warnings"][-1]


def test_tables_hold_the_curves(result, asked):
    header, rows = read_tsv(asked.output / "networks.tsv")
    found = {(r[0], r[1]): dict(zip(header, r, strict=True)) for r in rows}
    curve, loss = result.selection.curve("density"), result.selection.loss("density")
    for place, number in enumerate((2, 3, 4)):
        row = found[str(number), "density"]
        assert row["n"] == "3"
        assert float(row["mean"]) == pytest.approx(curve.mean[place], rel=1e-5)
        assert float(row["high"]) == pytest.approx(curve.high[place], rel=1e-5)
        assert float(row["below_best"]) == pytest.approx(loss.mean[place], rel=1e-4, abs=1e-9)
    assert {r[1] for r in rows} == set(result.selection.measured)
    assert (found["3", "used"]["mean"], found["3", "used"]["below_best"]) == ("3", "n/a")
    header, rows = read_tsv(asked.output / "scores.tsv")
    assert header == ["networks", "measure", "of", "value"]
    values = {(r[0], r[2]): float(r[3]) for r in rows if r[1] == "test_retest"}
    assert values["3", "sub-1"] == pytest.approx(
        result.selection.scores["test_retest"][1, 1], rel=1e-5
    )
    assert {name for _, name in values} == {"sub-0", "sub-1", "sub-2"}


def test_the_summary_is_a_table_and_a_recommendation(result):
    lines = result.summary().splitlines()
    assert lines[0].split("  ")[0] == "networks"
    assert [line.split()[0] for line in lines[1:4]] == ["2", "3", "4"]
    assert len({len(line) for line in lines[:4]}) == 1
    assert lines[4].startswith("3 networks, ")
    assert any(line.startswith("warning: 3 subjects have no halves") for line in lines)


def test_a_finished_selection_is_not_overwritten_unasked(result, asked):
    with pytest.raises(OutputError, match=r"holds a finished run\. Give a new --output"):
        plan_select(asked)


def test_an_interrupted_selection_is_begun_again_if_asked_for(asked, tmp_path):
    (tmp_path / "run.json").write_text('{"status": "running", "command": "select"}')
    given = {"subjects": asked.subjects, "output": tmp_path, "networks": "2:4"}
    with pytest.raises(OutputError, match=r"holds an unfinished run\. Give a new --output"):
        plan_select(options_of(**given))
    assert plan_select(options_of(**given, overwrite=True)).n_subjects == 3


def test_a_dry_run_tells_what_would_be_done(asked, tmp_path):
    given = options_of(subjects=asked.subjects, output=tmp_path / "new", networks="2:4", folds=3)
    said = plan_select(given).summary()
    assert "3 numbers of networks from 2 to 4, 3 folds of 3 subjects, 0 splits" in said
    assert "9 fits" in said
    assert not (tmp_path / "new").exists()


def test_more_networks_than_nodes_are_refused(asked, tmp_path):
    given = options_of(subjects=asked.subjects, output=tmp_path, networks="2:13")
    with pytest.raises(OptionError, match="13 networks asked for in a region of 12"):
        plan_select(given)


def test_a_list_of_one_subject_is_refused_before_anything_is_read(asked, tmp_path):
    lines = asked.subjects.read_text().splitlines()[:3]
    alone = asked.subjects.with_name("alone.tsv")
    alone.write_text("\n".join([*lines, ""]))
    with pytest.raises(OptionError, match="1 subject does not tell"):
        select(options_of(subjects=alone, output=tmp_path / "new"))
    assert not (tmp_path / "new").exists()
