"""A cell is what numpy makes of the cleaned numbers, whichever way they were read."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from nibabel.cifti2 import BrainModelAxis
from scipy import signal

from neuroparcel.brain.atlas import Region, Targets
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.cleaning import Cleaning
from neuroparcel.brain.features import Features
from neuroparcel.errors import ConnectomeError, FileFormatError, OptionError, SpaceError
from neuroparcel.io import cells
from neuroparcel.io.cells import make_cell
from neuroparcel.io.formats.cifti import read_cifti
from neuroparcel.io.layout import Recording
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.writers.cifti_writer import write_dscalar

from .samples import cifti_bytes

REGION = np.arange(5, 15)  # rows of the toy region in the toy axis
TARGETS = np.arange(36, 56)
N_FRAMES = 60
EXACT = 2e-6  # float32 products of 60 frames


def recording(*paths: Path, run: str = "1", **beside: Path) -> Recording:
    return Recording("s", "1", run, paths, **beside)


def correlations(series: np.ndarray) -> np.ndarray:
    """Of the region with the five means of four target rows, in float64."""
    targets = series[TARGETS].reshape(5, 4, -1).mean(axis=1)
    both = np.corrcoef(series[REGION], targets)
    return both[: len(REGION), len(REGION) :]


def residuals(series: np.ndarray, nuisance: np.ndarray) -> np.ndarray:
    """Rows regressed on a constant and (frame, signal), by least squares in float64."""
    design = np.column_stack([np.ones(len(nuisance)), nuisance])
    return series - (design @ np.linalg.lstsq(design, series.T, rcond=None)[0]).T


@pytest.fixture
def drift(write_recording) -> tuple[Path, np.ndarray]:
    """A recording with a common drift and a common wave, and its numbers."""
    time = np.arange(N_FRAMES)
    common = 0.05 * time + np.sin(time / 3)

    def add(series: np.ndarray) -> None:
        series += common * np.linspace(0.2, 2, len(series))[:, None] + 100

    path = write_recording("drift", n_frames=N_FRAMES, change=add)
    return path, read_cifti(path).read().astype(np.float64)


def write_tsv(path: Path, columns: dict[str, np.ndarray]) -> Path:
    rows = zip(*columns.values(), strict=True)
    lines = ["\t".join(columns), *("\t".join(f"{x:.12g}" for x in row) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


# Time series.


def test_a_cell_is_the_correlation_with_the_mean_of_each_target(drift, toy_region, toy_targets):
    path, series = drift
    cell = make_cell([recording(path)], Recipe(toy_region, toy_targets))
    np.testing.assert_allclose(cell.values, correlations(series), atol=EXACT)
    assert (cell.values.dtype, cell.n_frames, cell.warnings) == (np.float32, N_FRAMES, ())


def test_runs_are_weighted_by_their_frames(write_recording, toy_region, toy_targets):
    lengths = (24, 72)
    paths = [write_recording(f"r{n}", seed=n, n_frames=n) for n in lengths]
    z = [np.arctanh(correlations(read_cifti(path).read())) for path in paths]
    runs = [recording(path, run=str(n)) for n, path in enumerate(paths)]
    cell = make_cell(runs, Recipe(toy_region, toy_targets))
    expected = np.tanh((lengths[0] * z[0] + lengths[1] * z[1]) / sum(lengths))
    np.testing.assert_allclose(cell.values, expected, atol=EXACT)
    assert cell.n_frames == sum(lengths)
    assert [run["n_frames"] for run in cell.runs] == list(lengths)


def test_a_run_weighs_by_the_frames_that_are_left(
    write_recording, tmp_path, toy_region, toy_targets
):
    keep = np.arange(72) < 24
    (tmp_path / "keep.txt").write_text("\n".join(str(int(k)) for k in keep))
    paths = [write_recording(f"r{n}", seed=n, n_frames=72) for n in range(2)]
    runs = [
        recording(paths[0], run="1", censor=tmp_path / "keep.txt"),
        recording(paths[1], run="2", censor=_all_ones(tmp_path / "all.txt", 72)),
    ]
    first, second = (read_cifti(path).read() for path in paths)
    z = [np.arctanh(correlations(first[:, keep])), np.arctanh(correlations(second))]
    cell = make_cell(runs, Recipe(toy_region, toy_targets, cleaning=Cleaning(censor=True)))
    np.testing.assert_allclose(cell.values, np.tanh((24 * z[0] + 72 * z[1]) / 96), atol=EXACT)
    assert [run["n_frames_kept"] for run in cell.runs] == [24, 72]
    assert cell.n_frames == 96


def _all_ones(path: Path, n_frames: int) -> Path:
    path.write_text("1\n" * n_frames)
    return path


def test_binary_cells_are_shares_of_runs(write_recording, toy_region, toy_targets):
    paths = [write_recording(f"r{n}", seed=n) for n in range(2)]
    tops = []
    for path in paths:
        r = correlations(read_cifti(path).read())
        tops.append(r >= np.sort(r, axis=None)[-5])  # 10 % of 10 vertices x 5 targets
    runs = [recording(path, run=str(n)) for n, path in enumerate(paths)]
    cell = make_cell(runs, Recipe(toy_region, toy_targets, Features("binary")))
    expected = np.mean(tops, axis=0)
    expected[~expected.any(axis=1)] = np.nan
    np.testing.assert_array_equal(cell.values, expected)


def test_vertices_without_a_strong_correlation_are_masked(write_recording, toy_region):
    """All targets follow one vertex, whose twenty correlations are a tenth of those of ten."""

    def tie(series: np.ndarray) -> None:
        series[TARGETS] += 20 * series[REGION[0]]

    axis = read_cifti(write_recording("any")).axis
    targets = Targets("t", axis.restrict(TARGETS), np.arange(20), tuple(map(str, range(20))))
    paths = [write_recording(f"r{n}", seed=n, change=tie) for n in range(2)]
    runs = [recording(path, run=str(n)) for n, path in enumerate(paths)]
    cell = make_cell(runs, Recipe(toy_region, targets, Features("binary"), max_dead=0.0))
    np.testing.assert_array_equal(cell.values[0], 1)
    assert np.isnan(cell.values[1:]).all()
    assert cell.warnings == (
        "subject s, session 1: 9 of 10 vertices were masked, as none of their correlations is "
        "among the largest 10% of a run.",
    )
    plain = make_cell(runs, Recipe(toy_region, targets))
    assert np.isfinite(plain.values).all()
    assert plain.warnings == ()


# Cleaning, against independent means.


def test_confounds_and_censoring_through_files(drift, tmp_path, toy_region, toy_targets):
    path, series = drift
    rng = np.random.default_rng(1)
    columns = {name: rng.normal(size=N_FRAMES) for name in ("motion", "csf", "unused")}
    confounds = write_tsv(tmp_path / "confounds.tsv", columns)
    keep = rng.random(N_FRAMES) > 0.2
    censor = write_tsv(tmp_path / "censor.tsv", {"keep": keep.astype(float)})
    cleaning = Cleaning(confounds="motion,csf", censor=True)
    given = recording(path, confounds=confounds, censor=censor)
    cell = make_cell([given], Recipe(toy_region, toy_targets, cleaning=cleaning))
    left = residuals(series, np.column_stack([columns["motion"], columns["csf"]]))[:, keep]
    np.testing.assert_allclose(cell.values, correlations(left), atol=2e-5)
    (run,) = cell.runs
    assert (run["confounds"], run["cleaning"]) == (["motion", "csf"], ["confounds", "censor"])
    assert (run["n_frames"], run["n_frames_kept"]) == (N_FRAMES, keep.sum())


def test_confounds_are_filtered_like_the_data(drift, tmp_path, toy_region, toy_targets):
    path, series = drift
    motion = np.random.default_rng(2).normal(size=N_FRAMES)
    confounds = write_tsv(tmp_path / "confounds.tsv", {"motion": motion})
    cleaning = Cleaning(band_pass=(0.05, 0.3), confounds="motion")
    cell = make_cell(
        [recording(path, confounds=confounds)], Recipe(toy_region, toy_targets, cleaning=cleaning)
    )
    sections = signal.butter(5, (0.05, 0.3), "bandpass", output="sos", fs=1 / 0.72)
    filtered = signal.sosfiltfilt(sections, series - series.mean(axis=1, keepdims=True), axis=1)
    nuisance = signal.sosfiltfilt(sections, motion)
    expected = correlations(residuals(filtered, nuisance[:, None]))
    np.testing.assert_allclose(cell.values, expected, atol=2e-5)


def test_the_global_signal_is_the_mean_of_the_whole_file(drift, toy_region, toy_targets):
    path, series = drift
    recipe = Recipe(toy_region, toy_targets, cleaning=Cleaning(global_signal=True))
    cell = make_cell([recording(path)], recipe)
    centred = series - series.mean(axis=1, keepdims=True)
    expected = correlations(residuals(centred, centred.mean(axis=0)[:, None]))
    np.testing.assert_allclose(cell.values, expected, atol=2e-5)


def test_z_scores_give_each_row_of_a_target_one_voice(drift, toy_region, toy_targets):
    path, series = drift
    cell = make_cell(
        [recording(path)], Recipe(toy_region, toy_targets, cleaning=Cleaning(z_score=True))
    )
    scored = (series - series.mean(axis=1, keepdims=True)) / series.std(axis=1, keepdims=True)
    np.testing.assert_allclose(cell.values, correlations(scored), atol=EXACT)
    assert np.abs(cell.values - correlations(series)).max() > 1e-3


EVERYTHING = Cleaning(
    z_score=True,
    detrend=True,
    band_pass=(0.01, 0.3),
    confounds="all",
    censor=True,
    global_signal=True,
)


@pytest.mark.parametrize("cleaning", [Cleaning(), EVERYTHING], ids=["raw", "everything"])
def test_the_size_of_a_block_does_not_matter(
    drift, tmp_path, toy_region, toy_targets, cleaning, monkeypatch
):
    path, _ = drift
    rng = np.random.default_rng(3)
    given = recording(
        path,
        confounds=write_tsv(tmp_path / "c.tsv", {"a": rng.normal(size=N_FRAMES)}),
        censor=write_tsv(tmp_path / "k.tsv", {"keep": (rng.random(N_FRAMES) > 0.1).astype(float)}),
    )
    recipe = Recipe(toy_region, toy_targets, cleaning=cleaning)
    whole = make_cell([given], recipe)
    monkeypatch.setattr(cells, "_BLOCK", 3)
    np.testing.assert_allclose(make_cell([given], recipe).values, whole.values, atol=EXACT)


def test_the_record_says_what_was_done(drift, toy_region, toy_targets):
    path, _ = drift
    plain = make_cell([recording(path, run="LR")], Recipe(toy_region, toy_targets)).runs[0]
    assert plain == {
        "run": "LR",
        "files": [str(path)],
        "n_frames": N_FRAMES,
        "n_frames_kept": N_FRAMES,
        "tr": pytest.approx(0.72),
    }
    cleaned = Recipe(toy_region, toy_targets, cleaning=Cleaning(detrend=True, band_pass=(0, 0.1)))
    record = make_cell([recording(path)], cleaned).runs[0]
    assert record["cleaning"] == ["detrend", "band-pass"]
    assert json.loads(json.dumps(record)) == record


# Vertices without a signal.


def test_rows_that_the_file_lacks_are_dead(drift, toy_axis, write_recording, toy_region):
    lacking = toy_axis.restrict(np.delete(np.arange(len(toy_axis)), REGION[3]))
    path = write_recording("lacking", axis=lacking, n_frames=N_FRAMES)
    targets = Targets("t", toy_axis.restrict(TARGETS), np.repeat(np.arange(5), 4), tuple("abcde"))
    cell = make_cell([recording(path)], Recipe(toy_region, targets))
    np.testing.assert_array_equal(np.flatnonzero(np.isnan(cell.values).all(axis=1)), [3])
    assert np.isfinite(np.delete(cell.values, 3, axis=0)).all()
    (warning,) = cell.warnings
    assert "1 of 10 vertices carry no signal" in warning
    assert str(path) in warning
    with pytest.raises(SpaceError, match=r"lacking.* does not hold the region toy: 1 of 10 rows"):
        make_cell([recording(path)], Recipe(toy_region, targets, max_dead=0.0))


def test_a_dead_vertex_of_one_run_is_left_to_the_other(write_recording, toy_region, toy_targets):
    def kill(series: np.ndarray) -> None:
        series[REGION[0]] = 7

    first, second = write_recording("a", change=kill), write_recording("b", seed=1)
    runs = [recording(first, run="1"), recording(second, run="2")]
    cell = make_cell(runs, Recipe(toy_region, toy_targets))
    alone = make_cell(runs[1:], Recipe(toy_region, toy_targets))
    np.testing.assert_allclose(cell.values[0], alone.values[0], atol=EXACT)
    assert len(cell.warnings) == 1


def test_a_dead_row_of_a_target_is_left_out_of_its_mean(write_recording, toy_region, toy_targets):
    def kill(series: np.ndarray) -> None:
        series[TARGETS[1]] = np.nan

    path = write_recording("a", change=kill)
    series = read_cifti(path).read()
    mean = series[TARGETS[[0, 2, 3]]].mean(axis=0)
    expected = [np.corrcoef(row, mean)[0, 1] for row in series[REGION]]
    cell = make_cell([recording(path)], Recipe(toy_region, toy_targets))
    np.testing.assert_allclose(cell.values[:, 0], expected, atol=EXACT)


# Maps.


def test_maps_are_taken_by_name_in_the_order_of_the_recipe(tmp_path, toy_axis, toy_region):
    rng = np.random.default_rng(0)
    maps = {name: rng.normal(size=len(toy_axis)) for name in ("rest", "math", "story", "faces")}
    maps["math"][REGION[2]] = np.nan
    path = write_dscalar(tmp_path / "a.dscalar.nii", toy_axis, maps)
    chosen = ("story", "rest", "math")
    recipe = Recipe(toy_region, None, Features("maps"), maps=chosen)
    cell = make_cell([recording(path)], recipe)
    expected = np.column_stack([maps[name][REGION] for name in chosen]).astype(np.float32)
    expected[2] = np.nan
    np.testing.assert_array_equal(cell.values, expected)
    missing = Recipe(toy_region, None, Features("maps"), maps=("rest", "math", "music"))
    with pytest.raises(FileFormatError, match="has no map called 'music'"):
        make_cell([recording(path)], missing)


def test_two_maps_of_one_name_are_refused(tmp_path, toy_axis, toy_region):
    names = ("rest", "math", "rest", "faces", "gaze", "gaze")
    values = np.random.default_rng(0).normal(size=(len(names), len(toy_axis)))
    path = tmp_path / "a.dscalar.nii"
    axes = nib.cifti2.ScalarAxis(names), cifti_axis(toy_axis)
    path.write_bytes(cifti_bytes(axes, values.astype(np.float32), "ConnDenseScalar"))
    recipe = Recipe(toy_region, None, Features("maps"), maps=("faces", "math", "rest"))
    with pytest.raises(
        FileFormatError, match=r"a\.dscalar\.nii has 2 maps called 'rest'"
    ) as caught:
        make_cell([recording(path)], recipe)
    assert "-set-map-names" in caught.value.tip


# Files that hold correlations.


def cifti_axis(axis: BrainAxis) -> BrainModelAxis:
    parts = [
        BrainModelAxis.from_surface(axis.vertex[axis.rows_in(name)], axis.mesh_size[name], name)
        for name in axis.structures
    ]
    return parts[0] + parts[1]


@pytest.fixture
def write_dconn(tmp_path, toy_axis):
    """Write the matrix of all toy rows."""

    def write(matrix: np.ndarray) -> Path:
        path = tmp_path / "a.dconn.nii"
        axis = cifti_axis(toy_axis)
        path.write_bytes(cifti_bytes((axis, axis), matrix.T.astype(np.float32), "ConnDense"))
        return path

    return write


@pytest.fixture
def matrix(toy_axis) -> np.ndarray:
    return np.corrcoef(np.random.default_rng(0).normal(size=(len(toy_axis), 30)))


def target_means(matrix: np.ndarray) -> np.ndarray:
    return matrix[np.ix_(REGION, TARGETS)].reshape(len(REGION), 5, 4).mean(axis=2)


def test_a_dconn_is_averaged_over_the_columns_of_each_target(
    write_dconn, matrix, toy_region, toy_targets
):
    cell = make_cell([recording(write_dconn(matrix))], Recipe(toy_region, toy_targets))
    np.testing.assert_allclose(cell.values, target_means(matrix), atol=1e-6)
    assert cell.warnings == ()


@pytest.mark.parametrize("diagonal", [np.arctanh(0.999), np.inf], ids=["finite", "infinite"])
def test_values_beyond_1_are_fisher_z(write_dconn, matrix, toy_region, toy_targets, diagonal):
    np.fill_diagonal(matrix, 0)
    z = np.arctanh(matrix)
    np.fill_diagonal(z, diagonal)
    cell = make_cell([recording(write_dconn(z))], Recipe(toy_region, toy_targets))
    np.testing.assert_allclose(cell.values, np.tanh(target_means(z)), atol=1e-6)
    assert "taken for Fisher's z" in cell.warnings[0]


@pytest.mark.parametrize("diagonal", [0, 0.9, 1.002, np.nan, np.inf])
def test_weak_fisher_z_is_told_from_r_by_the_diagonal(
    write_dconn, matrix, toy_region, toy_targets, diagonal
):
    """Without a value beyond 1 nothing else tells; infinite and 1.002 are beyond."""
    np.fill_diagonal(matrix, 0)
    np.fill_diagonal(z := np.arctanh(0.5 * matrix), diagonal)
    path = write_dconn(z)
    (warning,) = make_cell([recording(path)], Recipe(toy_region, toy_targets)).warnings
    if diagonal > 1:
        assert "values beyond 1 were taken for Fisher's z" in warning
        return
    assert warning == (
        "subject s, session 1, run 1: values were taken for correlations r, since none passes 1; "
        "if they are Fisher's z, convert them with wb_command -cifti-math 'tanh(x)', and if they "
        f"are r, set the diagonal to 1 ({path})."
    )


def test_rounding_and_dead_vertices_on_the_diagonal_leave_it_one(
    write_dconn, matrix, toy_region, toy_targets
):
    np.fill_diagonal(matrix, 0.9995)
    matrix[REGION[0], REGION[0]], matrix[REGION[1], REGION[1]] = 0, np.nan
    cell = make_cell([recording(write_dconn(matrix))], Recipe(toy_region, toy_targets))
    assert cell.warnings == ()


def test_a_matrix_without_a_diagonal_is_not_known_to_hold_r(
    tmp_path, matrix, toy_axis, toy_region, toy_targets
):
    """Its columns are the other hemisphere."""
    right = toy_axis.rows_in("CORTEX_RIGHT")
    path = tmp_path / "a.dconn.nii"
    columns = BrainModelAxis.from_surface(toy_axis.vertex[right], 40, "CORTEX_RIGHT")
    rows = matrix[:, right].T.astype(np.float32)
    path.write_bytes(cifti_bytes((columns, cifti_axis(toy_axis)), rows, "ConnDense"))
    cell = make_cell([recording(path)], Recipe(toy_region, toy_targets))
    np.testing.assert_allclose(cell.values, target_means(matrix), atol=1e-6)
    assert "were taken for correlations r" in cell.warnings[0]


@pytest.mark.parametrize("block", [3, 4096])
def test_a_dead_row_of_a_dconn_is_only_that(
    write_dconn, matrix, toy_region, toy_targets, monkeypatch, block
):
    """Whatever other rows are read with it."""
    expected = target_means(matrix)
    matrix[REGION[4]], matrix[:, REGION[4]] = np.nan, np.nan
    expected[4] = np.nan
    monkeypatch.setattr(cells, "_BLOCK", block)
    cell = make_cell([recording(write_dconn(matrix))], Recipe(toy_region, toy_targets))
    np.testing.assert_allclose(cell.values, expected, atol=1e-6)
    assert "1 of 10 vertices carry no signal" in cell.warnings[0]


def test_an_unknown_diagonal_costs_nothing_else(tmp_path, matrix, toy_axis):
    """Region and targets are the same places: only the vertex with itself is unknown."""
    path = tmp_path / "a.dconn.nii"
    np.fill_diagonal(matrix, np.nan)
    axis = cifti_axis(toy_axis)
    path.write_bytes(cifti_bytes((axis, axis), matrix.T.astype(np.float32), "ConnDense"))
    own = toy_axis.restrict(REGION)
    recipe = Recipe(
        Region("r", own, ("r",), np.full(len(own), "r")),
        Targets("t", own, np.arange(len(own)), own.names),
    )
    expected = matrix[np.ix_(REGION, REGION)]
    np.testing.assert_allclose(make_cell([recording(path)], recipe).values, expected, atol=1e-6)


def test_a_pconn_is_read_by_the_names_of_its_nodes(tmp_path):
    path = tmp_path / "a.pconn.nii"
    left = BrainModelAxis.from_surface(np.arange(8), 8, "CORTEX_LEFT")
    names = [f"p{n}" for n in range(4)]
    parts = [(name, left[2 * n : 2 * n + 2]) for n, name in enumerate(names)]
    axis = nib.cifti2.ParcelsAxis.from_brain_models(parts)
    r = np.corrcoef(np.random.default_rng(0).normal(size=(4, 9)))
    path.write_bytes(cifti_bytes((axis, axis), r.astype(np.float32), "ConnParcels"))
    nodes = read_cifti(path).axis
    assert nodes.nodes == tuple(names)
    chosen = nodes.restrict([2, 0])
    recipe = Recipe(
        Region("nodes", chosen, chosen.names, np.array(chosen.names)),
        Targets("nodes", nodes, np.arange(4), nodes.names),
    )
    cell = make_cell([recording(path)], recipe)
    np.testing.assert_allclose(cell.values, r[[2, 0]], atol=1e-6)


# Bad input.


def test_what_cannot_be_cleaned_or_used_is_refused(
    write_dconn, matrix, drift, toy_region, toy_targets, tmp_path, toy_axis
):
    dconn, (series, _) = write_dconn(matrix), drift
    clean = Recipe(toy_region, toy_targets, cleaning=Cleaning(detrend=True))
    with pytest.raises(FileFormatError, match=r"holds correlations, which cannot be cleaned \(det"):
        make_cell([recording(dconn)], clean)
    maps = Recipe(toy_region, None, Features("maps"), maps=("a", "b", "c"))
    with pytest.raises(FileFormatError, match=r"holds no named maps \(series\)"):
        make_cell([recording(series)], maps)
    with pytest.raises(ConnectomeError, match=r"has no censor file \(subject s, session 1"):
        make_cell(
            [recording(series)], Recipe(toy_region, toy_targets, cleaning=Cleaning(censor=True))
        )
    with pytest.raises(OptionError, match="Maps are used as they are"):
        Recipe(toy_region, None, Features("maps"), Cleaning(detrend=True), ("a", "b", "c"))


def test_a_fault_of_the_cleaning_names_the_file(drift, toy_region, toy_targets):
    path, _ = drift
    band = Recipe(toy_region, toy_targets, cleaning=Cleaning(band_pass=(0.01, 2)))
    with pytest.raises(ConnectomeError, match=r"drift\.dtseries\.nii: The band 0\.01 to 2 Hz"):
        make_cell([recording(path)], band)


def test_no_row_carries_a_signal(write_recording, toy_region, toy_targets):
    def kill(series: np.ndarray) -> None:
        series[:] = 1

    path = write_recording("dead", change=kill)
    recipe = Recipe(toy_region, toy_targets, cleaning=Cleaning(global_signal=True))
    with pytest.raises(ConnectomeError, match=r"dead\.dtseries\.nii: no row carries a signal"):
        make_cell([recording(path)], recipe)


def test_frames_without_a_number_are_named(write_recording, toy_region, toy_targets, tmp_path):
    def damage(series: np.ndarray) -> None:
        series[:, [4, 9]] = np.nan

    path = write_recording("nan", change=damage)
    with pytest.raises(ConnectomeError, match=r"frames 5, 10 are not finite .*\(2 of 24 frames"):
        make_cell([recording(path)], Recipe(toy_region, toy_targets))
    keep = np.ones(24)
    keep[[4, 9]] = 0
    censor = write_tsv(tmp_path / "k.tsv", {"keep": keep})
    cleaned = Recipe(toy_region, toy_targets, cleaning=Cleaning(censor=True))
    series = read_cifti(path).read()[:, keep > 0]
    cell = make_cell([recording(path, censor=censor)], cleaned)
    np.testing.assert_allclose(cell.values, correlations(series), atol=EXACT)


def test_a_file_that_changes_while_it_is_read_is_refused(
    drift, toy_region, toy_targets, monkeypatch
):
    path, _ = drift
    opened = cells.open_matrix

    def meddle(*given):
        matrix = opened(*given)
        with path.open("ab") as file:
            file.write(b"more")
        return matrix

    monkeypatch.setattr(cells, "open_matrix", meddle)
    with pytest.raises(ConnectomeError, match="changed while it was"):
        make_cell([recording(path)], Recipe(toy_region, toy_targets))
