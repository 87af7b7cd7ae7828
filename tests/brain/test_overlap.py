"""Agreement of two parcellations by the probability that they share."""

from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.overlap import MeanOverlap, overlap
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.errors import ConnectomeError

AXIS = BrainAxis.from_nodes([f"node {n}" for n in range(4)])
NAN = np.nan


def make(probabilities: list[list[float]], data: list[bool] | None = None) -> SoftParcellation:
    values = np.array(probabilities, dtype=np.float32)
    mask = None if data is None else np.array(data)
    return SoftParcellation(AXIS, ("a", "b", "c"), values, mask)


POPULATION = make([[0.5, 0.3, 0.2], [1, 0, 0], [0, 0.5, 0.5], [0.2, 0.2, 0.6]])


def test_known_values():
    other = make([[0.5, 0.3, 0.2], [0, 0.4, 0.6], [0.1, 0.2, 0.7], [NAN] * 3])
    found = overlap(POPULATION.probabilities, other.probabilities)
    np.testing.assert_allclose(found, [1, 0, 0.7, NAN], rtol=1e-6)
    assert found.dtype == np.float32


def test_it_is_one_less_the_total_variation_distance():
    p, q = np.random.default_rng(0).dirichlet(np.full(7, 0.4), size=(2, 50))
    distance = np.abs(p - q).sum(axis=1) / 2
    np.testing.assert_allclose(overlap(p, q), 1 - distance, atol=1e-6)
    np.testing.assert_array_equal(overlap(p, q), overlap(q, p))


def test_no_two_labels_agree_more_often():
    """Of all joint laws of two labels none has them equal with a larger probability."""
    p, q = np.array([[0.6, 0.3, 0.1]]), np.array([[0.2, 0.5, 0.3]])
    best = 0.0
    rng = np.random.default_rng(0)
    for _ in range(60):
        joint = rng.random((3, 3)) ** 8 + 1e-9
        for _ in range(100):  # to the two margins, by iterative proportional fitting
            joint *= (p[0] / joint.sum(axis=1))[:, None]
            joint *= q[0] / joint.sum(axis=0)
        best = max(best, float(np.trace(joint)))
    limit = float(overlap(p, q)[0])
    assert limit - 0.1 < best <= limit + 1e-3


def test_the_mean_is_over_subjects_with_data():
    mean = MeanOverlap(POPULATION)
    first = make(
        [[0.5, 0.3, 0.2], [0, 1, 0], [0, 0.5, 0.5], [0.2, 0.2, 0.6]], [True, True, True, False]
    )
    second = make([[0, 0.4, 0.6], [1, 0, 0], [NAN] * 3, [0, 0, 1]], [True, True, True, False])
    np.testing.assert_allclose(mean.add(first), [1, 0, 1, 1], rtol=1e-6)
    np.testing.assert_allclose(mean.add(second), [0.5, 1, NAN, 0.6], rtol=1e-6)
    np.testing.assert_allclose(mean.result(), [0.75, 0.5, 1, NAN], rtol=1e-6)


def test_other_shapes_are_refused():
    with pytest.raises(ConnectomeError, match=r"shapes \(4, 3\) and \(4, 2\) cannot be compared"):
        overlap(POPULATION.probabilities, np.full((4, 2), 0.5))
