r"""Cohorts drawn from the model: labels, credible sets and calibration beside the truth.

Each cohort is learnt as a user would, ``neuroparcel fit`` on what ``neuroparcel simulate
--difficulty`` writes, from k-means to labels, without the files. Networks are renamed once,
for the whole cohort, to match the true population networks.

Labels (the paper's: one set of mixture weights) are compared with the Bayes-optimal ones
under the true networks, scales and weights; a subject's are made of the product of its
sessions' evidence, as its true labels are the same in all of them.

A credible set of a network at 90 % is, for each coordinate, the central interval of the
posterior's draws; the share of true coordinates inside is the coverage. Of the von
Mises-Fisher emission a network's length reaches no data (decision 11), so that sets are those
of its direction: intervals of the coordinates of the unit vector. Beside them stand joint
sets: a ball around the mean, or a cap around the mean direction, that holds 90 % of the
draws. These are asked of no goal; they punish any deviation in all coordinates together.

"exact mean field" is the coverage that intervals of a mean-field posterior would have if it
knew labels and scales: what the factorisation alone costs
(:mod:`neuroparcel.models.mean_field_coverage`).

L-normal cohorts are learnt a second time "from the truth", starting at the true population
networks: what is missing there is not the fault of k-means.

Sizes are ours: as many vertices a network as make the sessions' networks well known, far
fewer than the whole cortex has, and for hard cohorts about the fewest that reach the goals.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from torch import Tensor
from torch.nn.functional import normalize

from benchmarks.model_cohorts import FEATURES, as_read, true_networks
from benchmarks.record import Recorder
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.model_cohort import ModelCohort, ModelSettings
from neuroparcel.brain.recovery import calibration_error
from neuroparcel.distributions.von_mises_fisher import mean_resultant_length
from neuroparcel.inference.device import cpu_threads
from neuroparcel.models.choices import EMISSIONS, L_NORMAL
from neuroparcel.models.mean_field_coverage import NetworkTree
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_simulation import bayes_labels, draw_model_cohort
from neuroparcel.parcellation.labels import soft_labels
from neuroparcel.parcellation.networks import CohortNetworks
from neuroparcel.pipeline.fitting import learn
from neuroparcel.pipeline.options import FitOptions
from neuroparcel.pipeline.trainers import Start, Trained, train_reference

N_SEEDS = 3
_N_DRAWS = 400  # an interval's ends are then known to a fifth of a standard deviation
_LEVELS = ("population", "subject", "session")
_MESH_SIZE = 32_492


@dataclass(frozen=True)
class Case:
    """One row of the table."""

    difficulty: str
    emission: str
    family: str = "reference"
    n_subjects: int = 10
    n_vertices: int = 4_000
    n_networks: int = 7

    @property
    def name(self) -> str:
        """What the rows of the benchmark are called."""
        return (
            f"{self.difficulty}, {self.emission}, {self.family}, "
            f"{self.n_networks} networks, {self.n_vertices} vertices"
        )

    def settings(self, seed: int) -> ModelSettings:
        """What the cohort is drawn from."""
        return ModelSettings(
            self.difficulty,
            self.emission,
            n_subjects=self.n_subjects,
            n_networks=self.n_networks,
            seed=seed,
        )

    def options(self, seed: int) -> FitOptions:
        """What a user would fit it with."""
        features = FEATURES[self.emission]
        return FitOptions(
            subjects=Path("none"),
            output=Path("none"),
            networks=self.n_networks,
            features="maps",
            positive=features.positive,
            emission=self.emission,
            variance=1.0,
            family=self.family,
            seed=seed,
            quiet=True,
        )


CASES = (
    *(
        Case(difficulty, emission)
        for difficulty in ("easy", "realistic", "hard")
        for emission in EMISSIONS
    ),
)
LARGE = tuple(
    Case("realistic", emission, n_subjects=8, n_vertices=20_000, n_networks=17)
    for emission in EMISSIONS
)
AMORTIZED = tuple(Case("realistic", emission, "adavi", 8, 2_000, 4) for emission in EMISSIONS)
SMALL = tuple(Case("realistic", emission, n_vertices=2_000) for emission in EMISSIONS)


def run(recorder: Recorder, seed: int) -> None:
    """Three seeds, of large and amortized cases one; two small cases with ``--quick``."""
    if recorder.quick:
        for case in SMALL:
            _run_case(recorder, case, seed)
        return
    for case in CASES:
        for one in range(seed, seed + N_SEEDS):
            _run_case(recorder, case, one)
    for case in LARGE:
        _run_case(recorder, case, seed)
    for case in AMORTIZED:
        for family in ("reference", "adavi"):
            _run_case(recorder, replace(case, family=family), seed)
    recorder.add_medians()


def _run_case(recorder: Recorder, case: Case, seed: int) -> None:
    with cpu_threads(1):
        _learn_and_measure(recorder, case, seed)


def _learn_and_measure(recorder: Recorder, case: Case, seed: int) -> None:
    drawn = draw_model_cohort(case.settings(seed), case.n_vertices)
    axis = BrainAxis.from_vertices(
        "fsLR", {"CORTEX_LEFT": np.arange(case.n_vertices)}, {"CORTEX_LEFT": _MESH_SIZE}
    )
    with recorder.timed() as clock:
        learnt = learn(as_read(drawn, axis), case.options(seed))
        recorder.add(case.name, "time of learning", clock.seconds, unit="s", seed=seed)
    truth = true_networks(drawn, learnt.reduction)
    _measure(recorder, case.name, drawn, truth, learnt.start, learnt.trained, seed)
    if case.family == "reference" and case.emission == L_NORMAL:
        options = case.options(seed)
        start = replace(learnt.start, anchors=truth["population"].float())
        trained = train_reference(start, options)
        _measure(recorder, f"{case.name}, from the truth", drawn, truth, start, trained, seed)


def _measure(
    recorder: Recorder,
    name: str,
    drawn: ModelCohort,
    truth: Mapping[str, Tensor],
    start: Start,
    trained: Trained,
    seed: int,
) -> None:
    networks = trained.networks(start.data, start.strength)
    draws = networks.sample(_N_DRAWS, seed)
    order = _order(draws["population_networks"].mean(0), truth["population"])
    _labels(recorder, name, drawn, networks, trained.networks.model, order, seed)
    for level in _LEVELS:
        found = draws[f"{level}_networks"][..., order, :].double()
        if drawn.settings.emission != L_NORMAL:
            found = normalize(found, dim=-1)
        _coverage(recorder, name, level, found, truth[level], seed)
        ideal = _exact_mean_field(drawn, level)
        recorder.add(name, f"coverage of {level} networks, exact mean field", ideal, seed=seed)


def _labels(
    recorder: Recorder,
    name: str,
    drawn: ModelCohort,
    networks: CohortNetworks,
    model: MSHBM,
    order: Tensor,
    seed: int,
) -> None:
    """Accuracy and calibration of subjects' and sessions' labels, beside the best there are."""
    _, *found = soft_labels(networks, model, None, evidence="product", seed=seed)
    best = [labels.numpy() for labels in bayes_labels(drawn)]
    once = np.repeat(drawn.labels[:, None], drawn.settings.n_sessions, axis=1)
    add = recorder.add
    for level, labels, bayes, true in zip(
        ("subject", "session"), found, best, (drawn.labels, once), strict=True
    ):
        own = labels[..., order.numpy()]
        accuracy, optimum = ((p.argmax(-1) == true).mean() for p in (own, bayes))
        add(name, f"{level} accuracy", accuracy, seed=seed)
        add(name, f"{level} accuracy, Bayes-optimal", optimum, seed=seed)
        behind = optimum - accuracy
        add(name, f"{level} accuracy behind it", behind, goal="<= 0.01", seed=seed)
        error = calibration_error(own, true)
        add(name, f"{level} calibration error", error, goal="<= 0.02", seed=seed)


def _coverage(
    recorder: Recorder, name: str, level: str, draws: Tensor, truth: Tensor, seed: int
) -> None:
    """Coverage of intervals, and of balls or caps, at 90 %."""
    title, add = f"coverage of {level} networks", recorder.add
    share = interval_coverage(draws, truth)
    add(name, title, share, seed=seed)
    if level == "session":
        add(name, f"{title}, from 0.9", abs(share - 0.9), goal="<= 0.03", seed=seed)
    add(name, f"{title}, joint sets", joint_coverage(draws, truth), seed=seed)


def interval_coverage(draws: Tensor, truth: Tensor) -> float:
    """Share of coordinates inside their central intervals.

    Parameters
    ----------
    draws : Tensor, shape (draw, ...)
    truth : Tensor, shape (...)
    """
    rank = (draws < truth).double().mean(0)
    return float(((rank > 0.05) & (rank < 0.95)).double().mean())


def joint_coverage(draws: Tensor, truth: Tensor) -> float:
    """Share of networks inside balls around the mean: caps, where all are unit vectors.

    Parameters
    ----------
    draws : Tensor, shape (draw, ..., component)
    truth : Tensor, shape (..., component)
    """
    mean = draws.mean(0)
    if torch.allclose(truth.norm(dim=-1), torch.ones((), dtype=truth.dtype)):
        mean = normalize(mean, dim=-1)
    radius = torch.quantile((draws - mean).norm(dim=-1), 0.9, dim=0)
    return float(((truth - mean).norm(dim=-1) <= radius).double().mean())


def _exact_mean_field(drawn: ModelCohort, level: str) -> float:
    """Coverage of 90 % intervals of a mean field that knows labels and scales; over networks."""
    settings, kappa = drawn.settings, torch.tensor(drawn.kappa, dtype=torch.float64)
    n_components = settings.n_components
    # Of a coordinate of a network whose length is the typical one of a session's.
    if settings.emission == L_NORMAL:
        weight = float(kappa**-2)
    else:
        length = 1 + n_components * (drawn.epsilon**2 + drawn.sigma**2)
        weight = float(kappa * mean_resultant_length(kappa, n_components)) / length
    counts = drawn.coordinates.shape[2] * drawn.shares
    trees = (
        NetworkTree(
            settings.n_subjects,
            settings.n_sessions,
            1 / n_components,
            drawn.epsilon,
            drawn.sigma,
            weight * float(count),
        )
        for count in counts
    )
    return float(np.mean([tree.coverage(level) for tree in trees]))


def _order(found: Tensor, truth: Tensor) -> Tensor:
    """Number of the found network that is each true one."""
    cosine = normalize(truth.double(), dim=-1) @ normalize(found.double(), dim=-1).T
    return torch.as_tensor(linear_sum_assignment(-cosine.numpy())[1])
