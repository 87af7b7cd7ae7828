"""The main job, from files to files: a small simulated cohort, then real brains."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial

import h5py
import nibabel as nib
import numpy as np
import pytest
import scipy.io

from neuroparcel.brain.recovery import parcellation_accuracies
from neuroparcel.brain.simulation import SimulationSettings
from neuroparcel.errors import CheckpointError, NeuroparcelError, OutputError
from neuroparcel.inference.trainer import TrainingLimits
from neuroparcel.io.simulated import read_truth
from neuroparcel.io.writers import read_parcellations
from neuroparcel.io.writers.posteriors import POSTERIOR_FILE
from neuroparcel.pipeline import (
    FitOptions,
    InferOptions,
    fit,
    infer,
    load_model,
    plan,
    plot,
    simulate,
)
from neuroparcel.pipeline.run_folder import read_run

STEPS = 15


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    settings = SimulationSettings(n_subjects=4, n_runs=1, seed=1)
    return simulate(tmp_path_factory.mktemp("main") / "cohort", settings, quiet=True)


@pytest.fixture(scope="module")
def options(cohort, tmp_path_factory):
    return FitOptions(
        subjects=cohort.subject_list,
        data_dir=cohort.data_dir,
        output=tmp_path_factory.mktemp("main") / "results",
        targets="mmp",
        steps=STEPS,
        figures=False,
        quiet=True,
    )


@pytest.fixture(scope="module")
def fitted(options):
    return fit(options)


def snapshot(folder):
    return {p: p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


def test_the_truth_is_recovered(fitted, cohort):
    accuracy = parcellation_accuracies(fitted.parcellation, read_truth(cohort.folder))
    assert accuracy["subject"] > 0.9
    assert accuracy["population"] > 0.85


def test_labels_stand_on_the_cortex_with_a_label_table(fitted, options):
    image = nib.load(options.output / "space-fsLR_seg-neuroparcel_den-32k_dseg.dlabel.nii")
    labels, models = image.header.get_axis(0), image.header.get_axis(1)
    assert len(models) == 59412
    assert {name for name, _ in labels.label[0].values()} >= {"Network1", "Network2"}
    values = np.asarray(image.dataobj)[0]
    assert (values > 0).sum() == 339
    assert image.nifti_header.get_intent()[0] == "ConnDenseLabel"


def test_files_read_back_as_the_parcellation(fitted, options):
    again = read_parcellations(options.output)
    np.testing.assert_allclose(again.subject, fitted.parcellation.subject, atol=1e-6)
    assert again.networks == fitted.parcellation.networks


def test_networks_of_every_level_lie_on_their_targets(fitted, options):
    """What the posterior file has in components, brought back to the 360 areas."""
    model = load_model(options.output)
    name = "space-fsLR_seg-neuroparcel_den-32k_desc-networks_boldmap.pscalar.nii"
    with h5py.File(options.output / POSTERIOR_FILE) as posterior:
        subject, session = (posterior[key].asstr()[1] for key in ("subject", "session"))
        expected = {
            f"sub-{subject}/func/sub-{subject}_": posterior["subject_networks_mean"][1],
            f"sub-{subject}/ses-{session}/func/sub-{subject}_ses-{session}_": posterior[
                "session_networks_mean"
            ][1, 1],
        }
    for place, mean in expected.items():
        image = nib.load(options.output / f"{place}{name}")
        assert tuple(image.header.get_axis(1).name) == model.feature_names
        profiles = np.asarray(image.dataobj)
        np.testing.assert_allclose(profiles, model.reduction.inverse(mean), atol=1e-5)
        np.testing.assert_allclose(np.linalg.norm(profiles, axis=1), 1, atol=1e-5)
    population = np.asarray(nib.load(options.output / name).dataobj)
    table = np.loadtxt(
        options.output / "desc-population_networks.tsv", skiprows=1, usecols=(1, 2), delimiter="\t"
    )
    np.testing.assert_allclose(population, table.T, atol=1e-5)


def test_the_run_is_recorded(fitted, options):
    run = read_run(options.output)
    assert run["status"] == "complete"
    assert any("NOT JUDGED" in warning for warning in run["warnings"])  # so few steps
    assert set(run["agreement"]) >= {"areas", "kmeans_areas", "reduced_kmeans_areas"}
    assert run["options"]["seed"] == 0
    assert run["versions"]["torch"]
    assert len(run["inputs"]) == 8
    assert run["heldout_nats_per_vertex"]["model"] > run["heldout_nats_per_vertex"]["kmeans"]
    assert all((options.output / name).is_file() for name in run["files"])


def test_a_finished_run_is_not_overwritten_unasked(fitted, options):
    before = snapshot(options.output)
    with pytest.raises(OutputError, match="holds a finished run"):
        fit(options)
    assert snapshot(options.output) == before


def test_a_killed_run_resumes_to_the_same_labels(fitted, options, tmp_path, monkeypatch):
    """It was trained from the beginning, so the same seed gives the same labels too."""
    from neuroparcel.pipeline import fitting, labelling

    every_step = partial(TrainingLimits, checkpoint_every=0.0)
    monkeypatch.setattr(fitting, "TrainingLimits", every_step)
    interrupted = replace(options, output=tmp_path / "killed")

    def kill(*_args, **_kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(labelling, "parcellate", kill)
        with pytest.raises(KeyboardInterrupt):
            fit(interrupted)
    assert read_run(interrupted.output)["status"] == "running"
    assert (interrupted.output / ".training.safetensors").exists()
    assert not list(interrupted.output.rglob("*.nii"))
    with pytest.raises(OutputError, match=r"unfinished run.*--resume"):
        fit(interrupted)
    with pytest.raises(OutputError, match=r"other options \(seed\)"):
        fit(replace(interrupted, resume=True, seed=5))
    resumed = fit(replace(interrupted, resume=True))
    np.testing.assert_array_equal(resumed.parcellation.subject, fitted.parcellation.subject)
    np.testing.assert_array_equal(resumed.parcellation.population, fitted.parcellation.population)
    assert not (interrupted.output / ".training.safetensors").exists()


def test_overwriting_removes_a_dead_run_s_maps(fitted, options, tmp_path, monkeypatch):
    """Killed while writing: the record lists no files, yet none of them may stay."""
    from neuroparcel.pipeline import outputs

    two = options.subjects.read_text().split()[:2]
    (tmp_path / "two.txt").write_text("\n".join(two))
    killed = replace(
        options,
        subjects=tmp_path / "two.txt",
        output=tmp_path / "killed",
        family="reference",  # nothing to train, as many files
        steps=None,
    )
    (tmp_path / "killed").mkdir()
    note = tmp_path / "killed" / "notes.txt"

    def kill(*_args, **_kwargs):
        note.write_text("a file of the user's")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(outputs, "write_network_profiles", kill)
        with pytest.raises(KeyboardInterrupt):
            fit(killed)
    dead = list(killed.output.glob("sub-*"))
    assert len(dead) == 2
    first, _ = two
    (tmp_path / "one.txt").write_text(first)
    fit(replace(killed, subjects=tmp_path / "one.txt", overwrite=True))
    assert [path.name for path in killed.output.glob("sub-*")] == [f"sub-{first}"]
    assert note.exists()


def test_nothing_is_left_to_resume_of_a_finished_run(fitted, options):
    with pytest.raises(OutputError, match="nothing to resume"):
        fit(replace(options, resume=True))


def test_inference_on_the_training_cohort_repeats_the_fit(fitted, options, cohort, tmp_path):
    result = infer(
        InferOptions(
            model=options.output,
            subjects=cohort.subject_list,
            data_dir=cohort.data_dir,
            output=tmp_path / "inferred",
            figures=False,
            quiet=True,
        )
    )
    np.testing.assert_allclose(result.parcellation.subject, fitted.parcellation.subject, atol=1e-4)


def test_new_subjects_keep_the_population_and_its_numbers(fitted, options, tmp_path):
    settings = SimulationSettings(n_subjects=2, n_runs=1, seed=1)
    model = load_model(options.output)
    cohort = simulate(tmp_path / "cohort", settings, quiet=True)
    new = InferOptions(
        model=options.output / "model",
        subjects=cohort.subject_list,
        data_dir=cohort.data_dir,
        output=tmp_path / "inferred",
        figures=False,
        quiet=True,
    )
    kept = infer(new)
    refitted = infer(replace(new, output=tmp_path / "population", new_population=True))
    header = (tmp_path / "inferred" / "desc-population_networks.tsv").read_text()
    assert header == (options.output / "desc-population_networks.tsv").read_text()
    assert (tmp_path / "population" / "desc-population_networks.tsv").read_text() != header
    assert kept.parcellation.subjects == refitted.parcellation.subjects
    assert model.region.n_vertices == 339


def test_a_missing_session_stays_missing(fitted, options, cohort, tmp_path):
    table = tmp_path / "cohort.tsv"
    first, second, *_ = cohort.subject_list.read_text().split()
    rows = [
        "subject\tsession\tpath",
        f"one\tREST1\t{cohort.recording(first, 0, 0)}",
        f"both\tREST1\t{cohort.recording(second, 0, 0)}",
        f"both\tREST2\t{cohort.recording(second, 1, 0)}",
    ]
    table.write_text("\n".join(rows))
    result = infer(
        InferOptions(
            model=options.output,
            subjects=table,
            output=tmp_path / "inferred",
            figures=False,
            quiet=True,
        )
    )
    missing = np.isnan(result.parcellation.session).all((2, 3))
    assert missing.tolist() == [[False, True], [False, False]]
    assert not np.isnan(result.parcellation.subject).any()


def test_a_variable_of_a_file_is_recorded_with_the_size_of_the_file(tmp_path):
    series = np.random.default_rng(0).normal(size=(30, 8))
    scipy.io.savemat(tmp_path / "a.mat", {"rest": series, "task": series})
    (tmp_path / "cohort.tsv").write_text("subject\tsession\tpath\ns1\t1\ta.mat:rest\n")
    planned = plan(FitOptions(subjects=tmp_path / "cohort.tsv", output=tmp_path / "results"))
    (entry,) = planned.input_record().values()
    assert entry["bytes"] == (tmp_path / "a.mat").stat().st_size


def test_pictures_can_be_drawn_again(fitted, options):
    figures = plot(options.output, dpi=72, quiet=True)
    names = {figure.name for figure in figures}
    assert {"population.png", "overview.png", "training.png"} <= names
    assert sum(name.startswith("sub-") for name in names) == 4
    assert all(figure.stat().st_size > 10_000 for figure in figures)


def test_a_damaged_model_is_refused(fitted, options, tmp_path):
    import shutil

    model = tmp_path / "model"
    shutil.copytree(options.output / "model", model)
    weights = model / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match="damaged"):
        load_model(model)
    config = json.loads((model / "model.json").read_text())
    (model / "model.json").write_text(json.dumps({**config, "format": 99}))
    with pytest.raises(CheckpointError, match="format 99"):
        load_model(model)
    with pytest.raises(CheckpointError, match="no saved model"):
        load_model(tmp_path / "nothing")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"networks": 1}, "do not divide a region"),
        ({"networks": 400}, "400 networks asked for.*339 vertices"),
        ({"steps": 10, "time_budget": 5.0}, "exclude each other"),
        ({"steps": 0}, "--steps is 0"),
        ({"time_budget": -1.0, "steps": None}, "--time-budget is -1"),
        ({"resume": True, "overwrite": True}, "exclude each other"),
        ({"roi": "nodes"}, "have no nodes: they are on fsLR"),
        ({"roi": "cortex", "networks": 60000}, "60000 networks asked for.*59412 vertices"),
        ({"roi": "L_nowhere"}, "L_nowhere"),
        ({"device": "abacus"}, "abacus"),
        ({"max_dead": 2.0}, "--max-dead is 2"),
        ({"variance": float("nan")}, "--variance is nan"),
        ({"evidence": "sum"}, "--evidence is 'sum'"),
        ({"threads": 0}, "--threads is 0"),
    ],
    ids=lambda case: next(iter(case)) if isinstance(case, dict) else "",
)
def test_bad_options_end_in_one_line_and_nothing_is_written(options, tmp_path, change, message):
    output = tmp_path / "results"
    with pytest.raises(NeuroparcelError, match=message) as caught:
        fit(replace(options, output=output, **change))
    assert "\n" not in str(caught.value)
    assert not output.exists()


def test_real_brains_follow_the_anatomical_split(real_data, tmp_path):
    """Five subjects of the MDTB: areas 44 and 45, and individual maps that persist."""
    rows = ["subject\tsession\tpath"]
    for folder in sorted((real_data / "mdtb_cortex").glob("sub-*"))[:5]:
        for file in sorted(folder.glob("*.dscalar.nii")):
            session = file.name.split("_ses-")[1][0]
            rows.append(f"{folder.name}\t{session}\t{file}")
    (tmp_path / "cohort.tsv").write_text("\n".join(rows))
    result = fit(
        FitOptions(
            subjects=tmp_path / "cohort.tsv",
            output=tmp_path / "results",
            targets="mmp",
            steps=60,
            figures=False,
            quiet=True,
        )
    )
    # All ten subjects reach 0.85, these five 0.70; chance is 0.
    assert result.agreement["areas"] > 0.6
    gap = result.agreement["within_subject"] - result.agreement["between_subjects"]
    assert gap > 0.15
    assert result.verdict.heldout.gain > 0
