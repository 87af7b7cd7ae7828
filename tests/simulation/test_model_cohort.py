"""Cohorts from the model: as hard as they say, in the files what was drawn, and read by a fit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuroparcel.brain.model_cohort import DIFFICULTIES, LINK_OF, ModelSettings
from neuroparcel.brain.recovery import calibration_error
from neuroparcel.brain.simulation import SimulationSettings
from neuroparcel.errors import OptionError, OutputError, SpaceError
from neuroparcel.graph.trace import seeded
from neuroparcel.io.files import read_arrays
from neuroparcel.io.regions import load_region
from neuroparcel.io.simulated import read_settings, read_truth
from neuroparcel.models.choices import EMISSIONS
from neuroparcel.models.mshbm_simulation import (
    bayes_labels,
    draw_model_cohort,
    mean_cosine_of,
    step_of,
)
from neuroparcel.pipeline import FitOptions, simulate
from neuroparcel.pipeline.demonstration import fit_command, simulation_settings
from neuroparcel.pipeline.fitting import find_inputs, reduce
from neuroparcel.pipeline.reading import read_cohort


def test_every_emission_has_a_link():
    assert set(LINK_OF) == set(EMISSIONS)


@pytest.mark.parametrize("n_components", [3, 14, 1_175])
@pytest.mark.parametrize("cosine", [0.4, 0.83, 0.98])
def test_a_step_leaves_the_mean_cosine(n_components, cosine):
    step = step_of(cosine, n_components)
    assert mean_cosine_of(step, n_components) == pytest.approx(cosine, abs=1e-9)
    with seeded(0):
        vectors = step * torch.randn(4_000, n_components)
    vectors[:, 0] += 1
    cosines = vectors[:, 0] / vectors.norm(dim=-1)
    error = 4 * float(cosines.std()) / np.sqrt(len(cosines))
    assert float(cosines.mean()) == pytest.approx(cosine, abs=error)


@pytest.mark.parametrize("cosine", [0.0, 1.0, -0.2])
def test_an_impossible_cosine_is_refused(cosine):
    with pytest.raises(OptionError, match=f"a mean cosine of {cosine} has no step"):
        step_of(cosine, 14)


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


@pytest.mark.parametrize("emission", EMISSIONS)
@pytest.mark.parametrize("difficulty", DIFFICULTIES)
def test_cosines_between_levels_are_the_difficulty_s(difficulty, emission):
    settings = ModelSettings(difficulty, emission, n_subjects=40, n_networks=5, n_components=60)
    cohort = draw_model_cohort(settings, 50)
    population, subject, session = (unit(n) for n in cohort.networks.values())
    own = np.stack([session[s][:, cohort.labels[s]] for s in range(40)])
    found = {
        "subject": (population * subject).sum(-1).mean(),
        "session": (subject[:, None] * session).sum(-1).mean(),
        "profile": (own * unit(cohort.coordinates)).sum(-1).mean(),
    }
    # Lengths of 60 components vary by 9 %, five of the population give a mean to 4 %, and a
    # cosine answers by at most a third of that.
    for name, cosine in found.items():
        assert cosine == pytest.approx(getattr(settings.cosines, name), abs=0.025), name


def test_realistic_cosines_are_those_of_the_concentrations_at_their_dimension():
    """The medians that are cited, through A_D at 1,175 features."""
    from neuroparcel.distributions.von_mises_fisher import mean_resultant_length

    medians = torch.tensor([3129.75, 6432.17, 1002.82], dtype=torch.float64)
    found = mean_resultant_length(medians, 1_175).numpy()
    realistic = DIFFICULTIES["realistic"]
    expected = (realistic.subject, realistic.session, realistic.profile)
    np.testing.assert_allclose(found, expected, atol=6e-4)
    for easier, harder in (("easy", "realistic"), ("realistic", "hard")):
        for name in ("subject", "session", "profile"):
            one, other = DIFFICULTIES[easier], DIFFICULTIES[harder]
            assert getattr(one, name) > getattr(other, name) + 0.03


@pytest.mark.parametrize("emission", EMISSIONS)
def test_bayes_labels_are_calibrated_and_easier_with_two_sessions(emission):
    cohort = draw_model_cohort(ModelSettings("realistic", emission, n_networks=4), 1_000)
    subject, session = (labels.numpy() for labels in bayes_labels(cohort))
    once = np.repeat(cohort.labels[:, None], 2, axis=1)
    # 16,000 labels in ten bins: errors of a bin are about 0.01, and their mean is below.
    assert calibration_error(session, once) < 0.015
    assert calibration_error(subject, cohort.labels) < 0.015
    accuracy = (session.argmax(-1) == once).mean()
    assert accuracy + 0.02 < (subject.argmax(-1) == cohort.labels).mean()


def test_the_same_seed_gives_the_same_cohort():
    one, other = (draw_model_cohort(ModelSettings(seed=4), 30) for _ in range(2))
    np.testing.assert_array_equal(one.coordinates, other.coordinates)
    third = draw_model_cohort(ModelSettings(seed=5), 30)
    assert not np.array_equal(one.coordinates, third.coordinates)


@pytest.fixture(scope="module", params=EMISSIONS)
def written(request, tmp_path_factory):
    settings = ModelSettings("easy", request.param, n_subjects=2, n_networks=3, n_components=6)
    folder = tmp_path_factory.mktemp("drawn") / "cohort"
    return settings, simulate(folder, settings, quiet=True)


def options_of(command: str, output) -> FitOptions:
    """The options that the printed command gives."""
    words = command.split()[2:]
    given = dict(zip(words[::2], words[1::2], strict=True))
    given = {name.removeprefix("--").replace("-", "_"): value for name, value in given.items()}
    numbers = {"networks": int(given.pop("networks")), "variance": float(given.pop("variance"))}
    return FitOptions(**given, **numbers, output=output, quiet=True)


def test_the_printed_command_reads_what_was_drawn(written, tmp_path):
    settings, cohort = written
    drawn = draw_model_cohort(settings, load_region(settings.roi).n_vertices)
    options = options_of(fit_command(cohort, settings), tmp_path / "results")
    profiles, warnings = read_cohort(find_inputs(options), options)
    assert warnings == ()
    assert profiles.subjects == settings.subjects
    assert profiles.sessions == settings.sessions
    reduction = reduce(profiles, options)
    assert reduction.n_components == settings.n_components
    found = reduction.transform(profiles.profiles[1, 0]).astype(np.float64)
    expected = drawn.coordinates[1, 0].astype(np.float64)
    if settings.emission == "von-mises-fisher":
        np.testing.assert_allclose(found @ found.T, expected @ expected.T, atol=1e-5)
    else:  # up to the centre, and the one scale
        scale = reduction.scale[0]
        gaps, true = found[1:] - found[0], expected[1:] - expected[0]
        np.testing.assert_allclose(scale**2 * gaps @ gaps.T, true @ true.T, atol=1e-4)


def test_truth_and_networks_are_in_the_files(written):
    settings, cohort = written
    drawn = draw_model_cohort(settings, load_region(settings.roi).n_vertices)
    assert read_settings(cohort.folder) == settings
    truth = read_truth(cohort.folder)
    np.testing.assert_array_equal(truth.subject, drawn.labels + 1)
    np.testing.assert_array_equal(truth.population, drawn.group_labels + 1)
    arrays = read_arrays(cohort.networks)
    np.testing.assert_array_equal(arrays["session_networks"], drawn.networks["session"])
    assert arrays["kappa"].item() == drawn.kappa


def test_one_kind_replaces_the_other(tmp_path):
    small = ModelSettings(n_subjects=1, n_sessions=1, n_components=3)
    cohort = simulate(tmp_path / "cohort", small, quiet=True)
    with pytest.raises(OutputError, match="already holds a simulated cohort"):
        simulate(tmp_path / "cohort", small, quiet=True)
    runs = SimulationSettings(n_subjects=1, n_sessions=1, n_runs=1, n_frames=4)
    simulate(tmp_path / "cohort", runs, overwrite=True, quiet=True)
    assert not cohort.table.exists()
    assert not cohort.maps_dir.exists()
    simulate(tmp_path / "cohort", small, overwrite=True, quiet=True)
    assert not cohort.subject_list.exists()
    assert not cohort.data_dir.exists()


def test_options_of_the_other_kind_are_refused():
    assert simulation_settings(n_runs=None, roi="broca-left") == SimulationSettings()
    assert simulation_settings("hard", n_frames=None) == ModelSettings("hard")
    with pytest.raises(OptionError, match="--n-components is of cohorts from the model"):
        simulation_settings(n_components=5)
    with pytest.raises(OptionError, match="--n-frames is of recordings"):
        simulation_settings("hard", n_frames=5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"difficulty": "absurd"}, "Unknown difficulty 'absurd'"),
        ({"emission": "normal"}, "Unknown emission 'normal'"),
        ({"n_subjects": 0}, "needs n_subjects of at least 1"),
        ({"n_networks": 1}, "needs n_networks of at least 2"),
        ({"n_components": 2}, "needs n_components of at least 3"),
    ],
)
def test_impossible_settings_are_refused(wrong, message):
    with pytest.raises(OptionError, match=message):
        ModelSettings(**wrong)


def test_a_truth_needs_its_own_axis():
    cohort = draw_model_cohort(ModelSettings(n_subjects=1), 10)
    with pytest.raises(SpaceError, match="10 simulated vertices do not lie on 339"):
        cohort.truth(load_region("broca-left").axis)
