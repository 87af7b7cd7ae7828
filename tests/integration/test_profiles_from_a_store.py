"""A store gives the same profiles as the recordings, and never those of another cohort."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuroparcel.brain.simulation import SimulationSettings
from neuroparcel.errors import NeuroparcelError, OptionError
from neuroparcel.pipeline import BuildOptions, FitOptions, build, fit, infer, plan, simulate
from neuroparcel.pipeline.fitting import find_inputs
from neuroparcel.pipeline.options import InferOptions
from neuroparcel.pipeline.reading import read_cohort


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    settings = SimulationSettings(n_subjects=3, n_runs=2, n_frames=24, seed=5)
    return simulate(tmp_path_factory.mktemp("store") / "cohort", settings, quiet=True)


@pytest.fixture(scope="module")
def store(cohort, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("built") / "store"
    report = build(
        BuildOptions(
            data_dir=cohort.data_dir, output=path, roi="ifg-left", targets="mmp", quiet=True
        )
    )
    assert report.ok
    assert len(report.built) == 6
    return path


@pytest.fixture
def options(cohort, tmp_path) -> FitOptions:
    return FitOptions(
        subjects=cohort.subject_list,
        data_dir=cohort.data_dir,
        output=tmp_path / "results",
        targets="mmp",
        figures=False,
        quiet=True,
    )


def profiles(options: FitOptions):
    return read_cohort(find_inputs(options), options)[0]


def test_a_region_inside_the_store_has_the_profiles_of_the_recordings(options, store):
    memory = profiles(options)
    alone = FitOptions(connectome=store, roi="broca-left", output=options.output, quiet=True)
    for lazy in (profiles(replace(options, connectome=store)), profiles(alone)):
        assert (lazy.subjects, lazy.sessions) == (memory.subjects, memory.sessions)
        assert lazy.axis == memory.axis
        assert lazy.targets == memory.targets
        np.testing.assert_array_equal(lazy.valid, memory.valid)
        for row, column, values in lazy.cells():
            np.testing.assert_allclose(values, memory.profiles[row, column], atol=1e-6)


def test_the_whole_region_of_the_store_is_the_default(options, store):
    alone = FitOptions(connectome=store, output=options.output, quiet=True)
    assert find_inputs(alone).recipe.region.name == "ifg-left"


def test_some_subjects_of_the_store(options, store, cohort, tmp_path):
    chosen = cohort.subject_list.read_text().split()[1:]
    (tmp_path / "two.txt").write_text("\n".join(chosen))
    lazy = profiles(replace(options, subjects=tmp_path / "two.txt", connectome=store))
    assert lazy.subjects == tuple(chosen)


def test_a_fit_makes_the_store_that_is_not_there(options, tmp_path):
    path = tmp_path / "new"
    lazy = profiles(replace(options, connectome=path))
    assert (path / "index.json").exists()
    np.testing.assert_array_equal(lazy.valid, profiles(options).valid)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": "cole-anticevic"}, "other targets than are asked for"),
        ({"detrend": True}, "other cleaning"),
        ({"features": "binary"}, "other measure"),
        ({"roi": "R_44,R_45"}, "holds the region ifg-left, of which R_44,R_45 is no part"),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_a_store_of_something_else_is_refused_and_left_alone(options, store, change, message):
    before = (store / "index.json").read_bytes()
    wanted = replace(options, connectome=store, **change)
    with pytest.raises(OptionError, match=message):
        read_cohort(find_inputs(wanted), wanted)
    assert (store / "index.json").read_bytes() == before


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"targets": "mmp"}, "holds profiles that are made already"),
        ({"features": "binary"}, "holds correlation features"),
        ({"connectome": None}, "No recordings are named"),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_a_store_alone_cannot_be_asked_for_something_else(store, tmp_path, change, message):
    given = {"connectome": store, "output": tmp_path / "out", "quiet": True} | change
    with pytest.raises(NeuroparcelError, match=message):
        find_inputs(FitOptions(**given))


def test_fit_and_infer_from_a_store_alone(store, tmp_path):
    options = FitOptions(
        connectome=store,
        roi="broca-left",
        output=tmp_path / "results",
        steps=5,
        figures=False,
        quiet=True,
    )
    assert "3 subjects x 2 sessions" in plan(options).summary()
    fitted = fit(options)
    again = infer(
        InferOptions(
            model=options.output,
            connectome=store,
            output=tmp_path / "again",
            figures=False,
            quiet=True,
        )
    )
    np.testing.assert_allclose(again.parcellation.subject, fitted.parcellation.subject, atol=1e-4)


def test_a_subject_without_recordings_does_not_stop_the_others(cohort, tmp_path):
    names = cohort.subject_list.read_text().split()
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join([names[0], "nobody"]))
    wanted = BuildOptions(
        subjects=listed,
        data_dir=cohort.data_dir,
        output=tmp_path / "store",
        targets="mmp",
        quiet=True,
    )
    report = build(wanted)
    assert not report.ok
    assert [name for name, _ in report.built] == [names[0]] * 2
    ((subject, _, why),) = report.failed
    assert subject == "nobody"
    assert "does not exist" in why
    options = FitOptions(
        subjects=listed,
        data_dir=cohort.data_dir,
        output=tmp_path / "results",
        targets="mmp",
        quiet=True,
    )
    with pytest.raises(NeuroparcelError, match="No resting-state recording of subject nobody"):
        profiles(options)
    assert profiles(replace(options, skip_bad=True)).subjects == (names[0],)


def test_a_confounds_table_beside_a_recording_belongs_to_the_store(cohort, tmp_path):
    """fMRIPrep's table is found by its name; a changed one makes the session anew."""
    rng = np.random.default_rng(0)
    subject = cohort.subject_list.read_text().split()[0]
    recording = tmp_path / "sub-1_task-rest_space-fsLR_den-91k_bold.dtseries.nii"
    recording.hardlink_to(cohort.recording(subject, 0, 0))
    table = tmp_path / "sub-1_task-rest_desc-confounds_timeseries.tsv"

    def write_table() -> None:
        rows = ["\t".join(map(str, row)) for row in rng.normal(size=(24, 2))]
        table.write_text("\n".join(["csf\tmotion", *rows]))

    write_table()
    listed = tmp_path / "cohort.tsv"
    listed.write_text(f"subject\tsession\tpath\n1\t1\t{recording.name}\n")
    wanted = BuildOptions(
        subjects=listed, output=tmp_path / "store", targets="mmp", confounds="csf", quiet=True
    )
    assert len(build(wanted).built) == 1
    assert len(build(wanted).kept) == 1
    write_table()
    assert len(build(wanted).built) == 1


def nodes(folder: Path, name: str, *, seed: int, dead: int = 0) -> Path:
    series = np.random.default_rng(seed).normal(size=(60, 30))
    series[:, :dead] = 0
    np.save(folder / f"{name}.npy", series)
    return folder / f"{name}.npy"


def table(folder: Path, name: str, *rows: str) -> Path:
    path = folder / f"{name}.tsv"
    path.write_text("\n".join(["subject\tsession\tpath", *rows]) + "\n")
    return path


@pytest.fixture
def tables(tmp_path) -> tuple[Path, Path]:
    """Three subjects of two sessions, and the same without the second session of the first."""
    names = [f"{subject}{session}" for subject in "xyz" for session in "12"]
    for seed, name in enumerate(names):
        nodes(tmp_path, name, seed=seed, dead=2 if name == "y1" else 0)
    rows = [f"{name[0]}\t{name[1]}\t{name}.npy" for name in names]
    return table(tmp_path, "all", *rows), table(tmp_path, "fewer", rows[0], *rows[2:])


def from_table(listed: Path, **more) -> FitOptions:
    output = listed.parent / "results"
    return FitOptions(subjects=listed, output=output, figures=False, quiet=True, **more)


def test_sessions_that_are_not_listed_stay_out_whatever_the_store_holds(tables, tmp_path):
    everything, fewer = tables
    store = tmp_path / "store"
    build(BuildOptions(subjects=everything, output=store, quiet=True))
    options = from_table(fewer)
    memory, lines = read_cohort(find_inputs(options), options)
    kept = replace(options, connectome=store)
    lazy, kept_lines = read_cohort(find_inputs(kept), kept)
    np.testing.assert_array_equal(lazy.valid, memory.valid)
    np.testing.assert_array_equal(lazy.pooled(), memory.pooled())
    assert sorted(kept_lines) == sorted(lines)


def test_what_was_masked_or_is_missing_is_told_of_a_store_alone(tables, tmp_path):
    store = tmp_path / "store"
    build(BuildOptions(subjects=tables[1], output=store, quiet=True))
    alone = FitOptions(connectome=store, output=tmp_path / "results", quiet=True)
    _, lines = read_cohort(find_inputs(alone), alone)
    assert any("subject y, session 1, run 1: 2 of 30 vertices carry no signal" in x for x in lines)
    assert "subject x, session 2: the session is missing." in lines


def test_a_failure_that_is_not_asked_for_is_no_hindrance(tables, tmp_path):
    everything, fewer = tables
    (tmp_path / "x2.npy").write_bytes((tmp_path / "x2.npy").read_bytes()[:-100])
    store = tmp_path / "store"
    assert not build(BuildOptions(subjects=everything, output=store, quiet=True)).ok
    options = from_table(fewer, connectome=store)
    assert read_cohort(find_inputs(options), options)[0].subjects == ("x", "y", "z")
    options = from_table(everything, connectome=store)
    with pytest.raises(NeuroparcelError, match=r"x2\.npy is truncated"):
        read_cohort(find_inputs(options), options)
    cohort, lines = read_cohort(find_inputs(options), replace(options, skip_bad=True))
    assert cohort.present.sum() == 5
    assert any("subject x, session 2 was left out" in line for line in lines)


def test_sessions_of_a_store_alone_are_chosen_and_dead_vertices_counted(tables, tmp_path):
    store = tmp_path / "store"
    build(BuildOptions(subjects=tables[0], output=store, quiet=True))
    alone = FitOptions(connectome=store, output=tmp_path / "results", quiet=True)
    chosen = replace(alone, sessions="2")
    assert read_cohort(find_inputs(chosen), chosen)[0].sessions == ("2",)
    for change, message in (
        ({"sessions": "9"}, "has no session '9'"),
        ({"sessions": "run"}, "--sessions run cannot be chosen"),
        ({"task": "rest", "space": "fsLR"}, "--task and --space cannot be chosen"),
        ({"max_dead": 0.05}, "2 of 30 vertices carry no signal, more than the 5% allowed"),
    ):
        with pytest.raises(NeuroparcelError, match=message):
            read_cohort(find_inputs(alone), replace(alone, **change))


def test_only_what_is_listed_stays_if_asked_for(tables, tmp_path):
    everything, fewer = tables
    store = tmp_path / "store"
    build(BuildOptions(subjects=everything, output=store, quiet=True))
    build(BuildOptions(subjects=fewer, output=store, quiet=True))
    alone = FitOptions(connectome=store, output=tmp_path / "results", quiet=True)
    assert read_cohort(find_inputs(alone), alone)[0].present.sum() == 6
    build(BuildOptions(subjects=fewer, output=store, only_listed=True, quiet=True))
    assert read_cohort(find_inputs(alone), alone)[0].present.sum() == 5
