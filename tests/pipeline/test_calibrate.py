"""``--calibrate`` and the table of reliability, from a small simulated cohort to files and back."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from neuroparcel.brain.simulation import SimulationSettings
from neuroparcel.errors import OptionError
from neuroparcel.parcellation.label_model import recalibrate
from neuroparcel.parcellation.reliability import Reliability, ReliabilityTable
from neuroparcel.pipeline import (
    FitOptions,
    InferOptions,
    fit,
    infer,
    load_model,
    plot,
    simulate,
)
from neuroparcel.pipeline.reliability_file import (
    RELIABILITY_FILE,
    read_reliability,
    write_reliability,
)
from neuroparcel.pipeline.run_folder import read_run


@pytest.fixture(scope="module")
def options(tmp_path_factory) -> FitOptions:
    folder = tmp_path_factory.mktemp("calibrate")
    cohort = simulate(folder / "cohort", SimulationSettings(3, n_runs=1, seed=1), quiet=True)
    return FitOptions(
        subjects=cohort.subject_list,
        data_dir=cohort.data_dir,
        output=folder / "results",
        targets="mmp",
        label_prior="vertex",
        family="reference",
        calibrate=True,
        figures=False,
        quiet=True,
    )


@pytest.fixture(scope="module")
def fitted(options):
    return fit(options)


def test_the_run_says_how_labels_were_recalibrated(fitted, options):
    labels = read_run(options.output)["labels"]
    assert labels["temperature"] == labels["calibration"]["temperature"] != 1
    assert labels["uniform_share"] == labels["calibration"]["uniform_share"]
    assert labels["calibration"]["gain"] >= 0
    assert labels["reliability"]["n_subjects"] == 3
    assert labels["reliability"]["n_pairs"] == 6
    assert 0 <= labels["reliability"]["top"]["calibration_error"] < 0.5


def test_the_table_is_among_the_files(fitted, options):
    assert options.output / RELIABILITY_FILE in fitted.files
    table = read_reliability(options.output, read_run(options.output))
    assert table is not None
    n_vertices = fitted.parcellation.session.shape[2]
    assert table.top.count.sum() == 6 * n_vertices
    assert table.network.count.sum() == 2 * 6 * n_vertices


def test_new_subjects_get_recalibrated_labels(fitted, options, tmp_path):
    """With the saved model, and not with one whose recalibration is taken away."""
    model = load_model(options.output)
    plain = replace(model, labels=model.labels.recalibrated(1.0, 0.0))
    plain.save(tmp_path / "plain")
    given = {name: getattr(options, name) for name in ("subjects", "data_dir", "figures", "quiet")}
    new = infer(InferOptions(model=options.output, output=tmp_path / "new", **given))
    old = infer(InferOptions(model=tmp_path / "plain", output=tmp_path / "old", **given))
    before = torch.from_numpy(old.parcellation.session)
    by_hand = recalibrate(before, model.labels.temperature, model.labels.uniform_share)
    np.testing.assert_allclose(new.parcellation.session, by_hand, atol=1e-5)
    assert np.abs(new.parcellation.session - old.parcellation.session).max() > 0.01
    assert read_run(tmp_path / "new")["labels"]["temperature"] == model.labels.temperature
    assert not (tmp_path / "new" / RELIABILITY_FILE).exists()  # these are no training subjects


def test_without_repeated_sessions_that_is_said(options, tmp_path):
    once = replace(options, sessions="REST1", output=tmp_path / "once")
    warnings = fit(once).warnings
    assert any("could not be recalibrated, which takes two subjects" in w for w in warnings)
    labels = read_run(once.output)["labels"]
    assert labels["temperature"] == 1
    assert labels["calibration"] is None
    assert labels["reliability"] is None
    assert read_reliability(once.output, read_run(once.output)) is None
    assert not (once.output / RELIABILITY_FILE).exists()


def test_the_paper_s_labels_are_not_recalibrated():
    with pytest.raises(OptionError, match="--calibrate needs labels whose weights are learnt"):
        FitOptions(data_dir=Path("data"), output=Path("results"), calibrate=True)


def test_a_table_comes_back(tmp_path):
    nan = np.nan
    rows = Reliability(
        np.array([3, 0]), np.array([0.25, nan]), np.array([0.5, nan]), np.array([0.125, nan])
    )
    other = replace(rows, count=np.array([0, 7]), found=np.array([nan, 1.0]))
    table = ReliabilityTable(rows, other, 0.75, 2, 4)
    file = write_reliability(tmp_path, table)
    assert file.read_text().splitlines()[:3] == [
        "kind\tlow\thigh\tn\tpredicted\tfound\texpected",
        "network\t0.0\t0.5\t3\t0.25\t0.5\t0.125",
        "network\t0.5\t1.0\t0\tn/a\tn/a\tn/a",
    ]
    again = read_reliability(tmp_path, {"labels": {"reliability": {**_numbers(table)}}})
    assert again is not None
    assert (again.brier, again.n_subjects, again.n_pairs) == (0.75, 2, 4)
    for kind in ("network", "top"):
        for field in ("count", "predicted", "found", "expected"):
            one, two = (getattr(getattr(t, kind), field) for t in (again, table))
            np.testing.assert_array_equal(one, two)


def _numbers(table: ReliabilityTable) -> dict[str, float]:
    return {name: getattr(table, name) for name in ("brier", "n_subjects", "n_pairs")}


def test_plot_draws_the_diagrams_again(fitted, options):
    files = plot(options.output, only=["reliability"], dpi=30, quiet=True)
    assert [file.name for file in files] == ["reliability.png"]
