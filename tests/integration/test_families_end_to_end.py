"""Mean field and refinement, from maps on disk to new subjects: the command line."""

from __future__ import annotations

import numpy as np
import pytest
from click.testing import CliRunner
from neuroparcel_cli.main import neuroparcel
from sklearn.metrics import adjusted_rand_score

from neuroparcel.io.writers import read_parcellations

from .test_labels_end_to_end import Cohort, record, run

SILENT = ("--no-figures", "--quiet")
MAPS = ("--features", "maps", "--networks", "2", *SILENT)


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return Cohort(tmp_path_factory.mktemp("maps"), noise=0.7)


@pytest.fixture(scope="module")
def train(cohort):
    return cohort.listed("train.tsv", range(4), 2)


@pytest.fixture(scope="module")
def new(cohort):
    return cohort.listed("new.tsv", (7, 8), 1)


@pytest.fixture(scope="module")
def mean_field(cohort, train):
    output = cohort.folder / "mean-field"
    given = ("--family", "mean-field", "--label-prior", "vertex", "--steps", 40)
    run("fit", "--subjects", train, "--output", output, *MAPS, *given)
    return output


@pytest.fixture(scope="module")
def adavi(cohort, train):
    output = cohort.folder / "adavi"
    run("fit", "--subjects", train, "--output", output, *MAPS, "--steps", 15)
    return output


def infer(model, subjects, output, *more):
    run("infer", "--model", model, "--subjects", subjects, "--output", output, *SILENT, *more)
    return read_parcellations(output)


def test_mean_field_is_fitted_to_new_subjects(cohort, mean_field, new):
    found = infer(mean_field, new, cohort.folder / "new-mean-field")
    for subject, soft in zip((7, 8), found.subject, strict=True):
        assert adjusted_rand_score(soft.argmax(-1), cohort.truth(subject)) > 0.8
    networks = "desc-population_networks.tsv"
    own, theirs = (
        (f / networks).read_text() for f in (mean_field, cohort.folder / "new-mean-field")
    )
    assert own == theirs


def test_the_training_cohort_repeats_the_fit(cohort, mean_field, train):
    again = infer(mean_field, train, cohort.folder / "again")
    np.testing.assert_allclose(again.session, read_parcellations(mean_field).session, atol=1e-5)


def test_refinement_says_what_it_gained(cohort, adavi, new):
    output = cohort.folder / "refined"
    printed = CliRunner().invoke(
        neuroparcel,
        [
            *("infer", "--model", str(adavi), "--subjects", str(new), "--output", str(output)),
            *(*SILENT, "--refine", "20"),
        ],
    )
    assert printed.exit_code == 0, printed.output
    found = record(output)["refinement"]
    assert found["n_steps"] == 20
    assert (found["n_members"], found["n_observed"]) == (2, 2 * 339)
    assert found["after"] > found["before"]
    line = f"refinement in 20 steps: evidence lower bound from {found['before']:.4f} to "
    assert line in printed.output
    plain = infer(adavi, new, cohort.folder / "plain")
    assert record(cohort.folder / "plain")["refinement"] is None
    networks = "desc-population_networks.tsv"
    assert (output / networks).read_text() == (adavi / networks).read_text()
    moved = np.abs(read_parcellations(output).subject - plain.subject)
    assert moved.max() > 1e-4


def test_what_is_fitted_to_new_subjects_is_not_refined(cohort, mean_field, new):
    output = cohort.folder / "refused"
    given = ("--model", mean_field, "--subjects", new, "--output", output, "--refine", 5)
    result = CliRunner().invoke(neuroparcel, ["infer", *map(str, given)])
    assert result.exit_code == 2
    assert "--refine is for amortized networks; a model of --family mean-field" in result.output
    assert not output.exists()
