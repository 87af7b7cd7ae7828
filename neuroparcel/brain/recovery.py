"""How well a known truth is recovered, and how well it could be at all."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.clustering import nearest_centre, spherical_kmeans
from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.brain.reduction import Reduction
from neuroparcel.errors import OptionError, SpaceError
from neuroparcel.types import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Truth:
    """The networks that the recordings of a simulated cohort were made from.

    Parameters
    ----------
    axis : BrainAxis
        The region's vertices.
    subjects : tuple of str
        Names.
    n_networks : int
        Networks within the region.
    population : (vertex,) array of int
        Network of each vertex, from 1, before subjects deviate.
    subject : (subject, vertex) array of int
        Network of each vertex in each subject.

    Raises
    ------
    SpaceError
        If the labels do not lie on the axis.
    OptionError
        If a label is not a network.
    """

    axis: BrainAxis
    subjects: tuple[str, ...]
    n_networks: int
    population: IntArray
    subject: IntArray

    def __post_init__(self) -> None:
        if self.population.shape != (len(self.axis),):
            raise SpaceError(
                f"True labels of shape {self.population.shape} do not lie on "
                f"{len(self.axis)} vertices."
            )
        if self.subject.shape != (len(self.subjects), len(self.axis)):
            raise SpaceError(
                f"True labels of shape {self.subject.shape} are not those of "
                f"{len(self.subjects)} subjects on {len(self.axis)} vertices."
            )
        labels = np.union1d(self.population, self.subject)
        if labels[0] < 1 or labels[-1] > self.n_networks:
            raise OptionError(f"True labels must be networks 1 to {self.n_networks}.")


def label_accuracy(labels: IntArray, truth: IntArray, n_networks: int) -> float:
    """Share of vertices labelled correctly, after the best one-to-one renaming of networks.

    Parameters
    ----------
    labels : (...) array of int
        Networks from 1; 0 where there is none, which counts as wrong.
    truth : (...) array of int
        True networks, from 1, of the same shape. One renaming holds for the whole array.
    n_networks : int
        Number of networks.

    Returns
    -------
    float
        In [0, 1].

    Examples
    --------
    >>> label_accuracy(np.array([2, 2, 1, 1]), np.array([1, 1, 2, 1]), n_networks=2)
    0.75
    """
    if labels.shape != truth.shape:
        raise SpaceError(f"Labels of shape {labels.shape} and truth of shape {truth.shape}.")
    counts = np.zeros((n_networks + 1, n_networks + 1))
    np.add.at(counts, (labels.reshape(-1), truth.reshape(-1)), 1)
    matched = linear_sum_assignment(counts[1:, 1:], maximize=True)
    return float(counts[1:, 1:][matched].sum() / labels.size)


def calibration_error(probabilities: FloatArray, labels: IntArray, n_bins: int = 10) -> float:
    """Expected calibration error: how far confidence is from accuracy.

    Vertices are binned by the probability of their most probable network, in bins of equal
    width; the error is the mean over vertices of the distance between a bin's mean
    probability and its share of right labels.

    Parameters
    ----------
    probabilities : (..., network) array of float
        Rows of sum 1.
    labels : (...) array of int
        True networks, from 0.
    n_bins : int, default 10

    Returns
    -------
    float
        In [0, 1].

    References
    ----------
    M. P. Naeini, G. F. Cooper and M. Hauskrecht (2015), Obtaining well calibrated
    probabilities using Bayesian binning, AAAI.

    Examples
    --------
    >>> calibration_error(np.array([[0.75, 0.25]] * 4), np.array([0, 0, 1, 1]))
    0.25
    """
    if probabilities.shape[:-1] != labels.shape:
        raise SpaceError(
            f"Probabilities of shape {probabilities.shape} and labels of shape {labels.shape}."
        )
    confidence = probabilities.max(axis=-1).reshape(-1)
    right = (probabilities.argmax(axis=-1) == labels).reshape(-1)
    number = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    gaps = np.bincount(number, confidence - right, n_bins)
    return float(np.abs(gaps).sum() / len(confidence))


def parcellation_accuracies(parcellation: CohortParcellation, truth: Truth) -> dict[str, float]:
    """Accuracy of a parcellation's hard labels at the levels where the truth is known.

    Parameters
    ----------
    parcellation : CohortParcellation
        Of the subjects of the truth, in any order.
    truth : Truth
        Labels the cohort was simulated with.

    Returns
    -------
    dict of str to float
        ``"population"`` and ``"subject"``, the latter a mean over subjects under one
        renaming of the networks.
    """
    if parcellation.axis != truth.axis:
        raise SpaceError("The parcellation and the truth lie on different vertices.")
    order = _rows_of_subjects(parcellation.subjects, truth)
    subject = np.stack([parcellation.of_subject(name).labels for name in parcellation.subjects])
    population = parcellation.of_population().labels
    return {
        "population": label_accuracy(population, truth.population, truth.n_networks),
        "subject": label_accuracy(subject, truth.subject[order], truth.n_networks),
    }


def reference_accuracies(
    cohort: Cohort, reduction: Reduction, truth: Truth, seed: int = 0
) -> dict[str, float]:
    """Accuracy of individual labels by k-means, and by an oracle.

    K-means pools the profiles of all subjects and sessions and labels each with the nearest
    of the common centres. The oracle labels it with the nearest, among reduced profiles, of
    the means of the truly labelled vertices of that session: what a perfect knowledge of a
    session's networks would give without knowing the borders. A subject's label is the most
    frequent of its sessions'; the first session decides a tie.

    Parameters
    ----------
    cohort : Cohort
        Simulated profiles.
    reduction : Reduction
        Coordinates in which the oracle compares.
    truth : Truth
        Labels the cohort was simulated with.
    seed : int, default 0
        Seed of the starting centres of k-means.

    Returns
    -------
    dict of str to float
        ``"kmeans"`` and ``"oracle"``, means over subjects, in [0, 1].
    """
    if cohort.axis != truth.axis:
        raise SpaceError("The cohort and the truth lie on different vertices.")
    true = truth.subject[_rows_of_subjects(cohort.subjects, truth)]
    sessions = {
        "kmeans": _kmeans_labels(cohort, truth.n_networks, seed),
        "oracle": _oracle_labels(cohort, reduction, true, truth.n_networks),
    }
    return {
        name: label_accuracy(_majority(labels, truth.n_networks), true, truth.n_networks)
        for name, labels in sessions.items()
    }


def _kmeans_labels(cohort: Cohort, n_networks: int, seed: int) -> IntArray:
    """Labels of shape (subject, session, vertex); 0 where not valid."""
    labels = np.zeros(cohort.valid.shape, dtype=np.int64)
    profiles = cohort.pooled()
    _, centres = spherical_kmeans(profiles, n_networks, seed)
    labels[cohort.valid] = nearest_centre(profiles, centres) + 1
    return labels


def _oracle_labels(
    cohort: Cohort, reduction: Reduction, true: IntArray, n_networks: int
) -> IntArray:
    """Labels of shape (subject, session, vertex); 0 where not valid."""
    labels = np.zeros(cohort.valid.shape, dtype=np.int64)
    for subject, session, profiles in cohort.cells():
        valid = cohort.valid[subject, session]
        reduced = reduction.transform(profiles)
        labels[subject, session, valid] = _nearest_mean(reduced, true[subject, valid], n_networks)
    return labels


def _nearest_mean(reduced: FloatArray, true: IntArray, n_networks: int) -> IntArray:
    """Label each vertex by the nearest of the networks' true means, shape (vertex,)."""
    present = np.intersect1d(np.arange(1, n_networks + 1), true)
    means = np.stack([reduced[true == network].mean(axis=0) for network in present])
    distance = np.linalg.norm(reduced[:, None] - means, axis=-1)
    return present[distance.argmin(axis=1)]


def _majority(labels: IntArray, n_networks: int) -> IntArray:
    """Most frequent label over sessions, shape (subject, vertex).

    The first session in which a vertex has a label decides a tie.
    """
    one_hot = labels[..., None] == np.arange(1, n_networks + 1)
    labelled = labels > 0
    is_first = labelled & (np.cumsum(labelled, axis=1) == 1)
    votes = (one_hot * (1 + 0.5 * is_first[..., None])).sum(axis=1)
    return np.where(labelled.any(axis=1), votes.argmax(axis=-1) + 1, 0)


def _rows_of_subjects(subjects: tuple[str, ...], truth: Truth) -> list[int]:
    unknown = [name for name in subjects if name not in truth.subjects]
    if unknown:
        raise OptionError(
            f"Subject {unknown[0]} is not one of the simulated cohort.",
            f"Its subjects are {', '.join(truth.subjects)}.",
        )
    return [truth.subjects.index(name) for name in subjects]
