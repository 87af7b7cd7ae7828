from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuroparcel.brain.colours import network_colours
from neuroparcel.brain.parcellation import CohortParcellation, SoftParcellation
from neuroparcel.errors import ConnectomeError


@pytest.fixture
def soft(axis) -> SoftParcellation:
    rows = [[1, 0], [0.5, 0.5], [0.2, 0.8], [np.nan, np.nan]]
    return SoftParcellation(
        axis.restrict([0, 1, 2, 3]), ("one", "two"), np.array(rows, dtype=np.float32)
    )


def test_labels_count_from_one_and_zero_is_no_data(soft):
    assert soft.labels.tolist() == [1, 1, 2, 0]
    assert soft.labels.dtype == np.int32
    assert soft.has_data.tolist() == [True, True, True, False]


def test_entropy_is_a_share_of_the_largest(soft):
    expected = -(0.2 * np.log2(0.2) + 0.8 * np.log2(0.8))
    np.testing.assert_allclose(soft.entropy, [0, 1, expected, np.nan], atol=1e-6)


@pytest.mark.parametrize("n_networks", [1, 3, 17])
def test_even_probabilities_have_entropy_one(axis, n_networks):
    even = np.full((7, n_networks), 1 / n_networks, dtype=np.float32)
    networks = tuple(map(str, range(n_networks)))
    expected = 1 if n_networks > 1 else 0
    entropy = SoftParcellation(axis, networks, even).entropy
    np.testing.assert_allclose(entropy, expected, atol=1e-6)


@pytest.mark.parametrize("row", [[0.5, 0.6], [1.5, -0.5], [0.5, np.nan]])
def test_rows_that_are_no_distribution_are_refused(soft, row):
    rows = soft.probabilities.copy()
    rows[0] = row
    with pytest.raises(ConnectomeError, match="not probabilities"):
        replace(soft, probabilities=rows)


def test_levels_of_a_cohort(soft):
    p = soft.probabilities
    parcellation = CohortParcellation(
        soft.axis,
        soft.networks,
        ("a", "b"),
        ("x", "y"),
        population=p,
        subject=np.stack([p, p[:, ::-1]]),
        session=np.stack([[p, p], [p[:, ::-1], np.full_like(p, np.nan)]]),
    )
    np.testing.assert_array_equal(parcellation.of_population().labels, soft.labels)
    assert parcellation.of_subject("b").labels.tolist() == [2, 1, 1, 0]
    assert not parcellation.of_session("b", "y").has_data.any()
    with pytest.raises(ConnectomeError, match="no subject 'c'"):
        parcellation.of_subject("c")
    with pytest.raises(ConnectomeError, match=r"should be \(2, 4, 2\)"):
        replace(parcellation, subject=p[None])


def test_a_network_keeps_its_colour():
    many = network_colours(30)
    assert many[:2] == network_colours(2)
    assert len(set(many)) == 30
    assert all(0 <= part <= 1 for colour in many for part in colour)


def test_a_prior_has_a_label_but_no_data(soft):
    marked = replace(soft, data=np.array([True, False, True, True]))
    assert marked.labels.tolist() == soft.labels.tolist()
    assert marked.has_data.tolist() == [True, False, True, False]
    assert marked.n_prior_only == 1
    assert soft.n_prior_only == 0
    with pytest.raises(ConnectomeError, match=r"mask of data of shape \(3,\) should be \(4,\)"):
        replace(soft, data=np.ones(3, bool))


def test_a_subject_has_the_data_of_any_session(soft):
    p = np.full((4, 2), 0.5, np.float32)
    data = np.zeros((2, 2, 4), bool)
    data[0, 0, 0] = data[0, 1, 1] = data[1, 1, 2] = True
    cohort = CohortParcellation(
        soft.axis,
        soft.networks,
        ("a", "b"),
        ("x", "y"),
        population=p,
        subject=np.stack([p, p]),
        session=np.stack([[p, p], [np.full_like(p, np.nan), p]]),
        data=data,
    )
    assert cohort.of_population().has_data.tolist() == [True, True, True, False]
    assert cohort.of_subject("a").has_data.tolist() == [True, True, False, False]
    assert cohort.of_session("b", "y").has_data.tolist() == [False, False, True, False]
    np.testing.assert_array_equal(cohort.has_data, data)
    assert cohort.of_session("b", "x").labels.tolist() == [0] * 4
    with pytest.raises(ConnectomeError, match=r"mask of data of shape \(4,\)"):
        replace(cohort, data=data[0, 0])


def test_the_margin_is_between_the_two_most_probable(axis):
    rows = np.array([[0.2, 0.5, 0.3], [0.4, 0.2, 0.4], [np.nan] * 3], dtype=np.float32)
    soft = SoftParcellation(axis.restrict([0, 1, 2]), ("a", "b", "c"), rows)
    np.testing.assert_allclose(soft.margin, [0.2, 0, np.nan], atol=1e-6)
    one = SoftParcellation(axis.restrict([0]), ("a",), np.ones((1, 1), np.float32))
    assert one.margin.tolist() == [1]


def test_colours_are_one_a_network_and_the_same_at_all_levels(soft):
    assert soft.colours == network_colours(2)
    colours = ((0.1, 0.2, 0.3, 1.0), (0.4, 0.5, 0.6, 1.0))
    p = soft.probabilities
    cohort = CohortParcellation(
        soft.axis, soft.networks, ("s",), ("1",), p, p[None], p[None, None], colours=colours
    )
    levels = (cohort.of_population(), cohort.of_subject("s"), cohort.of_session("s", "1"))
    assert all(level.colours == colours for level in levels)
    with pytest.raises(ConnectomeError, match="2 colours do not belong to 3 networks"):
        SoftParcellation(soft.axis, ("a", "b", "c"), np.ones((4, 3)) / 3, colours=colours)
