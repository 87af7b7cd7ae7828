"""What mean-field intervals cover, against the exact Gaussian of the whole tree."""

import numpy as np
import pytest
from scipy import stats

from neuroparcel.models.mean_field_coverage import NetworkTree

S, T, PRIOR, EPSILON, SIGMA, PRECISION = 3, 2, 0.7, 0.3, 0.2, 50.0


@pytest.fixture
def precision():
    """Of population, subjects and sessions, in this order."""
    joint = np.zeros((1 + S + S * T,) * 2)
    joint[0, 0] = 1 / PRIOR
    for subject in range(S):
        edge(joint, 0, 1 + subject, EPSILON)
        for session in range(T):
            number = 1 + S + subject * T + session
            edge(joint, 1 + subject, number, SIGMA)
            joint[number, number] += PRECISION
    return joint


def edge(joint, one, other, spread):
    for row, column, sign in ((one, one, 1), (other, other, 1), (one, other, -1), (other, one, -1)):
        joint[row, column] += sign / spread**2


def test_variances_are_those_of_the_joint_gaussian(precision):
    tree = NetworkTree(S, T, PRIOR, EPSILON, SIGMA, PRECISION)
    exact = np.linalg.inv(precision).diagonal()
    for level, number in (("population", 0), ("subject", 2), ("session", -1)):
        assert tree.exact(level) == pytest.approx(exact[number], rel=1e-12)
        assert tree.mean_field(level) == pytest.approx(1 / precision[number, number], rel=1e-12)
        ratio = np.sqrt(tree.mean_field(level) / tree.exact(level))
        ends = stats.norm.ppf(0.95) * ratio
        expected = stats.norm.cdf(ends) - stats.norm.cdf(-ends)
        assert tree.coverage(level) == pytest.approx(expected, abs=1e-9)
        assert tree.coverage(level) < 0.9


def test_without_parents_to_learn_coverage_is_nominal():
    alone = NetworkTree(1, 1, 1e-12, 0.3, 1e-9, 1.0)
    assert alone.coverage("population", 0.8) == pytest.approx(0.8, abs=1e-6)
