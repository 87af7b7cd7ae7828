"""Labels with a vertex-wise prior, from maps on disk to new subjects: the command line."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from neuroparcel_cli.main import neuroparcel
from sklearn.metrics import adjusted_rand_score

from neuroparcel.io.regions import load_region
from neuroparcel.io.writers import read_parcellations
from neuroparcel.io.writers.cifti_writer import write_dscalar
from neuroparcel.pipeline.saved_model import load_model

NAMES = tuple(f"contrast {n}" for n in range(6))
MODEL = (
    *("--features", "maps", "--emission", "von-mises-fisher", "--family", "reference"),
    *("--label-prior", "vertex", "--networks", "2", "--no-figures", "--quiet"),
)


class Cohort:
    """Maps of subjects whose border between two networks lies in another place each.

    Parameters
    ----------
    folder : Path
    noise : float
        Standard deviation of a map, whose signal is 1 in each network's own three maps.
    """

    def __init__(self, folder, noise=1.0):
        self.folder, self.noise = folder, noise
        self.axis = load_region("broca-left").axis
        self.along = np.argsort(np.argsort(self.axis.vertex))  # 0 to 338

    def truth(self, subject):
        border = len(self.axis) * (0.4 + 0.05 * (subject % 5))
        return (self.along > border).astype(int)

    def listed(self, name, subjects, n_sessions):
        """Write the maps of some subjects, and a table of them."""
        rows = ["subject\tsession\tpath"]
        for subject in subjects:
            for session in range(n_sessions):
                random = np.random.default_rng((subject, session))
                signal = np.repeat(np.eye(2), 3, axis=1)[self.truth(subject)].T
                maps = (signal + self.noise * random.normal(size=signal.shape)).astype(np.float32)
                path = self.folder / f"{subject}-{session}.dscalar.nii"
                write_dscalar(path, self.axis, dict(zip(NAMES, maps, strict=True)))
                rows.append(f"s{subject}\t{session}\t{path.name}")
        table = self.folder / name
        table.write_text("\n".join(rows) + "\n", encoding="utf-8")
        return table


def run(*arguments):
    result = CliRunner().invoke(neuroparcel, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def record(folder):
    return json.loads((folder / "run.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    return Cohort(tmp_path_factory.mktemp("maps"))


@pytest.fixture(scope="module")
def fitted(cohort):
    table = cohort.listed("train.tsv", range(5), 2)
    output = cohort.folder / "fit"
    run("fit", "--subjects", table, "--output", output, *MODEL, "--smoothness", "auto")
    return output


def test_new_subjects_with_one_session_need_no_training(cohort, fitted):
    new = cohort.listed("new.tsv", (7, 8), 1)
    output = cohort.folder / "inferred"
    run(
        "infer", "--model", fitted, "--subjects", new, "--output", output, "--no-figures", "--quiet"
    )
    found = read_parcellations(output)
    assert found.subject.shape == (2, len(cohort.axis), 2)
    for subject, soft in zip((7, 8), found.subject, strict=True):
        assert adjusted_rand_score(soft.argmax(-1), cohort.truth(subject)) > 0.6
    np.testing.assert_allclose(found.subject.sum(-1), 1, atol=1e-5)


def test_a_subject_s_labels_do_not_depend_on_the_others(cohort, fitted):
    """Each starts at what training said of all, not at a training subject's networks."""
    alone = cohort.listed("alone.tsv", (8,), 1)
    output = cohort.folder / "alone"
    run(
        "infer",
        "--model",
        fitted,
        "--subjects",
        alone,
        "--output",
        output,
        "--no-figures",
        "--quiet",
    )
    together = read_parcellations(cohort.folder / "inferred").subject[1]
    np.testing.assert_allclose(read_parcellations(output).subject[0], together, atol=5e-3)


def test_what_was_learnt_is_recorded(fitted):
    labels = record(fitted)["labels"]
    assert labels["prior"] == "vertex"
    assert labels["learning"]["learnt"] is True
    assert 0 < labels["learning"]["effective_share"] <= 1
    assert labels["smoothness"] > 0  # networks are two halves
    model = load_model(fitted)
    assert model.labels.settings() == {key: labels[key] for key in model.labels.settings()}
    prior = model.labels.prior
    assert prior.shape == (339, 2)
    assert float((prior.max(-1).values > 0.8).float().mean()) > 0.6  # most vertices are agreed on


def test_labels_know_more_with_a_prior_than_without(cohort, fitted):
    """Under the paper's labels, vertices are apart and only evidence counts."""
    table, output = cohort.folder / "train.tsv", cohort.folder / "global"
    plain = [*MODEL[:6], *MODEL[8:]]
    run("fit", "--subjects", table, "--output", output, *plain)
    assert record(output)["labels"] == {"prior": "global"}
    accuracy = {}
    for name in (fitted, output):
        soft = read_parcellations(name).session
        accuracy[name] = np.mean(
            [
                adjusted_rand_score(soft[s, t].argmax(-1), cohort.truth(s))
                for s, t in np.ndindex(5, 2)
            ]
        )
    assert accuracy[fitted] > accuracy[output] + 0.05


@pytest.mark.parametrize(("subjects", "n_sessions"), [((0,), 2), ((0, 1, 2), 1)])
def test_too_few_to_learn_from_is_said(cohort, tmp_path, subjects, n_sessions):
    few = Cohort(tmp_path)
    table = few.listed("few.tsv", subjects, n_sessions)
    run("fit", "--subjects", table, "--output", tmp_path / "few", *MODEL)
    found = record(tmp_path / "few")
    assert found["labels"]["learning"]["learnt"] is False
    assert any("weight of evidence could not be learnt" in line for line in found["warnings"])
    assert np.isfinite(read_parcellations(tmp_path / "few").subject).all()


@pytest.mark.parametrize("emission", ["von-mises-fisher", "l-normal"])
def test_noiseless_maps_give_finite_labels(tmp_path, emission):
    """Kappa goes to its bound: two directions, and nothing around them."""
    clean = Cohort(tmp_path, noise=0.0)
    table = clean.listed("clean.tsv", range(3), 2)
    options = [word.replace("von-mises-fisher", emission) for word in MODEL]
    run("fit", "--subjects", table, "--output", tmp_path / "clean", *options, "--variance", "1")
    found = read_parcellations(tmp_path / "clean")
    for subject in range(3):
        assert np.isfinite(found.subject[subject]).all()
        labels = found.subject[subject].argmax(-1)
        assert adjusted_rand_score(labels, clean.truth(subject)) > 0.99
    assert np.isfinite(list(record(tmp_path / "clean")["heldout_nats_per_vertex"].values())).all()
