from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.brain.atlas import Label
from neuroparcel.brain.features import Features
from neuroparcel.errors import ConnectomeError, FileFormatError, OptionError, SpaceError
from neuroparcel.io.cohort import load_cohort
from neuroparcel.io.formats.cifti import read_cifti
from neuroparcel.io.layout import CohortFiles, Recording
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.scheduling import Scheduler
from neuroparcel.io.writers.cifti_writer import write_dlabel

REGION = slice(5, 15)  # rows of the toy region in the toy axis
TARGETS = slice(36, 56)


def recordings(*entries) -> CohortFiles:
    return CohortFiles(tuple(Recording(*names, (path,)) for *names, path in entries))


def test_profiles_are_correlations_shifted_and_normalised(write_recording, toy_region, toy_targets):
    path = write_recording("a")
    series = read_cifti(path).read()
    expected = np.corrcoef(series[REGION], series[TARGETS].reshape(5, 4, -1).mean(axis=1))[:10, 10:]
    expected = (1 + expected) / 2
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    cohort, warnings = load_cohort(
        recordings(("s", "1", "1", path)), Recipe(toy_region, toy_targets)
    )
    np.testing.assert_allclose(cohort.profiles[0, 0], expected, atol=1e-6)
    assert warnings == ()
    assert cohort.targets == toy_targets.names
    assert cohort.axis == toy_region.axis


def test_signed_profiles_have_a_strength(tmp_path, write_recording, toy_region, toy_targets):
    """Of correlations, with a dead row, in a cohort of which one subject is left out."""

    def kill(series: np.ndarray) -> None:
        series[7] = 0

    path, bad = write_recording("a", change=kill), tmp_path / "bad.dtseries.nii"
    bad.touch()
    series = read_cifti(path).read()
    with np.errstate(invalid="ignore"):
        targets = series[TARGETS].reshape(5, 4, -1).mean(axis=1)
        r = np.corrcoef(series[REGION], targets)[:10, 10:]
    norm = np.nan_to_num(np.linalg.norm(r - r.mean(axis=1, keepdims=True), axis=1))
    files = recordings(("b", "1", "1", bad), ("s", "1", "1", path))
    recipe = Recipe(toy_region, toy_targets, Features(positive="signed"))
    cohort, _ = load_cohort(files, recipe, skip_bad=True)
    assert cohort.strength.dtype == np.float32
    np.testing.assert_allclose(cohort.strength[0, 0], norm * 9 / norm.sum(), atol=1e-5)
    assert cohort.strength[0, 0, 2] == 0
    shifted, _ = load_cohort(files, Recipe(toy_region, toy_targets), skip_bad=True)
    assert shifted.strength is None


def test_runs_are_combined_and_sessions_may_be_missing(write_recording, toy_region, toy_targets):
    paths = [write_recording(f"r{seed}", seed=seed, n_frames=10 + seed) for seed in range(4)]
    files = recordings(
        ("s", "1", "LR", paths[0]), ("s", "1", "RL", paths[1]), ("t", "2", "LR", paths[2])
    )
    seen: list[tuple[int, int]] = []
    cohort, _ = load_cohort(
        files,
        Recipe(toy_region, toy_targets),
        progress=lambda done, total: seen.append((done, total)),
    )
    np.testing.assert_array_equal(cohort.present, [[True, False], [False, True]])
    assert seen == [(1, 2), (2, 2)]  # sessions
    single, _ = load_cohort(recordings(("s", "1", "LR", paths[0])), Recipe(toy_region, toy_targets))
    assert not np.allclose(single.profiles[0, 0], cohort.profiles[0, 0], atol=1e-3)


def test_files_with_more_rows_give_the_same_profiles(
    write_recording, toy_region, toy_targets, toy_axis
):
    """A file may hold further structures, and the rows in another order."""
    shuffled = np.random.default_rng(1).permutation(len(toy_axis))
    series = read_cifti(write_recording("a")).read()

    def reorder(numbers: np.ndarray) -> None:
        numbers[:] = series[shuffled]

    axis = toy_axis.restrict(np.sort(shuffled))
    rows_by_structure = np.concatenate(
        [shuffled[toy_axis.structure[shuffled] == name] for name in axis.structures]
    )
    shuffled = rows_by_structure
    other = write_recording("b", axis=toy_axis.restrict(shuffled), change=reorder)
    both = [
        load_cohort(recordings(("s", "1", "1", path)), Recipe(toy_region, toy_targets))[0]
        for path in (write_recording("a"), other)
    ]
    np.testing.assert_allclose(both[0].profiles, both[1].profiles, atol=1e-6)


@pytest.mark.parametrize("value", [0.0, 5.0, np.nan, np.inf])
def test_dead_vertices_are_masked_and_reported(write_recording, toy_region, toy_targets, value):
    def kill(series: np.ndarray) -> None:
        series[7] = value

    path = write_recording("dead", change=kill)
    cohort, warnings = load_cohort(
        recordings(("s", "1", "LR", path)), Recipe(toy_region, toy_targets)
    )
    np.testing.assert_array_equal(np.flatnonzero(~cohort.valid[0, 0]), [2])
    assert (cohort.profiles[0, 0, 2] == 0).all()
    (warning,) = warnings
    assert "subject s, session 1, run LR: 1 of 10 vertices carry no signal" in warning
    assert "masked" in warning
    assert str(path) in warning


def test_too_many_dead_vertices_are_refused(write_recording, toy_region, toy_targets):
    def kill(series: np.ndarray) -> None:
        series[6:9] = 0

    path = write_recording("dead", change=kill)
    files = recordings(("s", "1", "1", path))
    with pytest.raises(ConnectomeError, match=r"3 of 10 vertices .* more than the 10% allowed"):
        load_cohort(files, Recipe(toy_region, toy_targets))
    cohort, _ = load_cohort(files, Recipe(toy_region, toy_targets, max_dead=0.3))
    assert cohort.valid.sum() == 7


def test_a_vertex_dead_in_one_run_takes_the_other(write_recording, toy_region, toy_targets):
    def kill(series: np.ndarray) -> None:
        series[7] = 0

    files = recordings(
        ("s", "1", "LR", write_recording("dead", change=kill)),
        ("s", "1", "RL", write_recording("alive", seed=1)),
    )
    cohort, warnings = load_cohort(files, Recipe(toy_region, toy_targets))
    assert cohort.valid.all()
    assert len(warnings) == 1


def test_dead_target_counts_as_uncorrelated(write_recording, toy_region, toy_targets):
    def kill(series: np.ndarray) -> None:
        series[36:40] = 0

    path = write_recording("dead", change=kill)
    files = recordings(("s", "1", "1", path))
    with pytest.raises(ConnectomeError, match="1 of 5 targets carry no signal"):
        load_cohort(files, Recipe(toy_region, toy_targets))
    cohort, warnings = load_cohort(files, Recipe(toy_region, toy_targets, max_dead=0.2))
    assert cohort.valid.all()
    assert "1 of 5 targets" in warnings[0]
    # An uncorrelated target has (1 + 0) / 2 before normalisation.
    whole, _ = load_cohort(
        recordings(("s", "1", "1", write_recording("whole"))), Recipe(toy_region, toy_targets)
    )
    ratio = cohort.profiles[0, 0, :, 1] / cohort.profiles[0, 0, :, 0]
    shifted = whole.profiles[0, 0, :, 1] / whole.profiles[0, 0, :, 2]
    other = cohort.profiles[0, 0, :, 1] / cohort.profiles[0, 0, :, 2]
    np.testing.assert_allclose(other, shifted, rtol=1e-5)
    assert ratio.max() < 2


def test_too_few_frames(write_recording, toy_region, toy_targets):
    path = write_recording("short", n_frames=2)
    with pytest.raises(ConnectomeError, match=r"short.* has 2 time points"):
        load_cohort(recordings(("s", "1", "1", path)), Recipe(toy_region, toy_targets))


@pytest.mark.parametrize(("n_frames", "n_warnings"), [(19, 1), (20, 0)])
def test_few_frames_are_reported(write_recording, toy_region, toy_targets, n_frames, n_warnings):
    path = write_recording("short", n_frames=n_frames)
    _, warnings = load_cohort(recordings(("s", "1", "LR", path)), Recipe(toy_region, toy_targets))
    assert len(warnings) == n_warnings
    for warning in warnings:
        assert "run LR: profiles of 19 frames, fewer than 20, are mostly noise" in warning
        assert str(path) in warning


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ([3], "frame 4 is not finite in all"),
        ([3, 4, 7, 9], r"frames 4, 5, 8, \.\.\. are not finite"),
    ],
)
def test_frames_of_nan_are_named(write_recording, toy_region, toy_targets, frames, message):
    def censor(series: np.ndarray) -> None:
        series[:, frames] = np.nan

    path = write_recording("censored", change=censor)
    with pytest.raises(ConnectomeError, match=rf"censored\.dtseries\.nii: {message}") as caught:
        load_cohort(recordings(("s", "1", "1", path)), Recipe(toy_region, toy_targets))
    assert "Censor them" in caught.value.tip


def test_a_file_of_nan_has_dead_vertices(write_recording, toy_region, toy_targets):
    path = write_recording("nan", change=lambda series: series.fill(np.nan))
    with pytest.raises(ConnectomeError, match="10 of 10 vertices carry no signal"):
        load_cohort(recordings(("s", "1", "1", path)), Recipe(toy_region, toy_targets))


def test_a_label_file_is_no_recording(tmp_path, toy_axis, toy_region, toy_targets):
    keys = {"areas": np.ones(len(toy_axis), dtype=int)}
    label = Label(1, "a", (0.0, 1.0, 0.0, 1.0))
    path = write_dlabel(tmp_path / "areas.dlabel.nii", toy_axis, keys, (label,))
    with pytest.raises(FileFormatError, match=r"areas\.dlabel\.nii is a label file") as caught:
        load_cohort(recordings(("s", "1", "1", path)), Recipe(toy_region, toy_targets))
    assert "time series" in caught.value.tip


def test_files_may_have_other_vertices_as_long_as_they_hold_the_region(
    write_recording, toy_region, toy_targets, toy_axis
):
    """As where one file has the medial wall and another has not."""
    fewer = np.delete(np.arange(len(toy_axis)), [0, 60])  # neither in the region nor a target

    def same(numbers: np.ndarray) -> None:
        numbers[:] = read_cifti(first).read(fewer)

    first = write_recording("first")
    second = write_recording("second", axis=toy_axis.restrict(fewer), change=same)
    files = recordings(("s", "1", "1", first), ("t", "1", "1", second))
    cohort, warnings = load_cohort(files, Recipe(toy_region, toy_targets))
    np.testing.assert_array_equal(cohort.profiles[0, 0], cohort.profiles[1, 0])
    assert warnings == ()


def test_vertices_that_a_file_lacks_are_masked_and_reported(
    write_recording, toy_region, toy_targets, toy_axis
):
    fewer = np.delete(np.arange(len(toy_axis)), 7)
    files = recordings(("s", "1", "1", write_recording("cut", axis=toy_axis.restrict(fewer))))
    cohort, (warning,) = load_cohort(files, Recipe(toy_region, toy_targets))
    np.testing.assert_array_equal(np.flatnonzero(~cohort.valid[0, 0]), [2])
    assert "1 of 10 vertices carry no signal" in warning
    assert "not in the file" in warning
    with pytest.raises(SpaceError, match=r"cut.* 1 of 10 rows of CORTEX_LEFT are missing"):
        load_cohort(files, Recipe(toy_region, toy_targets, max_dead=0.05))


def test_all_bad_sessions_are_listed_and_can_be_left_out(
    tmp_path, write_recording, toy_region, toy_targets
):
    for name in ("bad", "worse"):
        (tmp_path / f"{name}.dtseries.nii").touch()
    files = recordings(
        ("s", "1", "1", write_recording("good")),
        ("s", "2", "1", tmp_path / "bad.dtseries.nii"),
        ("t", "1", "1", tmp_path / "worse.dtseries.nii"),
    )
    recipe = Recipe(toy_region, toy_targets)
    with pytest.raises(ConnectomeError, match="2 of 3 sessions cannot be used") as caught:
        load_cohort(files, recipe)
    assert "bad.dtseries.nii" in caught.value.message
    assert "worse.dtseries.nii" in caught.value.message
    assert "--skip-bad" in caught.value.tip
    cohort, warnings = load_cohort(files, recipe, skip_bad=True)
    assert cohort.subjects == ("s",)
    np.testing.assert_array_equal(cohort.present, [[True, False]])
    text = "\n".join(warnings)
    assert "subject s, session 2 was left out" in text
    assert "subject t has no session left" in text


def test_processes_read_what_one_reads(write_recording, toy_region, toy_targets):
    files = recordings(*(("s", str(n), "1", write_recording(f"r{n}", seed=n)) for n in range(3)))
    recipe = Recipe(toy_region, toy_targets)
    alone, _ = load_cohort(files, recipe)
    together, _ = load_cohort(files, recipe, n_jobs=2)
    np.testing.assert_array_equal(alone.profiles, together.profiles)


def test_a_cluster_needs_a_store(write_recording, toy_region, toy_targets):
    files = recordings(("s", "1", "1", write_recording("a")))
    message = "A cluster needs a connectome store on a disk that all its machines see"
    with pytest.raises(OptionError, match=message) as caught:
        load_cohort(
            files, Recipe(toy_region, toy_targets), scheduler=Scheduler.parse("dask:tcp://x:1")
        )
    assert caught.value.tip == "Give --connectome FOLDER."


@pytest.mark.parametrize(("scale", "offset"), [(1e-25, 0), (1e25, 0), (1, 1e8)])
def test_signals_beyond_float32_are_said_to_be_that(
    write_recording, toy_region, toy_targets, scale, offset
):
    def strain(series: np.ndarray) -> None:
        series *= scale
        series += offset

    files = recordings(("s", "1", "1", write_recording("a", change=strain)))
    with pytest.raises(ConnectomeError, match="varying too little or too much for float32"):
        load_cohort(files, Recipe(toy_region, toy_targets))


def test_another_space_is_refused(write_recording, toy_region, toy_targets, toy_axis):
    from neuroparcel.brain.axis import BrainAxis

    finer = BrainAxis.from_vertices(
        "unknown",
        {"CORTEX_LEFT": np.arange(50), "CORTEX_RIGHT": np.arange(50)},
        {"CORTEX_LEFT": 162, "CORTEX_RIGHT": 162},
    )
    path = write_recording("finer", axis=finer)
    with pytest.raises(SpaceError, match=r"finer.* does not hold the region toy: .* mesh of 162"):
        load_cohort(recordings(("s", "1", "1", path)), Recipe(toy_region, toy_targets))
    left = write_recording("left", axis=toy_axis.restrict(toy_axis.rows_in("CORTEX_LEFT")))
    with pytest.raises(SpaceError, match=r"targets toy: The structure CORTEX_RIGHT is missing"):
        load_cohort(recordings(("s", "1", "1", left)), Recipe(toy_region, toy_targets))


def test_an_unreadable_file_is_named(tmp_path, write_recording, toy_region, toy_targets):
    bad = tmp_path / "bad.dtseries.nii"
    bad.touch()
    files = recordings(("s", "1", "1", write_recording("good")), ("t", "1", "1", bad))
    with pytest.raises(FileFormatError, match=r"bad\.dtseries\.nii is an empty file"):
        load_cohort(files, Recipe(toy_region, toy_targets))
