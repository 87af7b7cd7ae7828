"""Labels from evidence: Bayes' rule by hand, the fixed point of the mesh, recalibration."""

import math

import numpy as np
import pytest
import torch
from scipy.sparse import csr_array

from neuroparcel.errors import OptionError
from neuroparcel.parcellation.label_model import LabelModel, recalibrate

PRIOR = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.1, 0.8], [0.4, 0.3, 0.3]], dtype=torch.float64)
CHAIN = csr_array(np.array([[0, 1, 0], [0.5, 0, 0.5], [0, 1, 0]], np.float32))
PAIR = csr_array(np.array([[0, 1], [1, 0]], np.float32))


@pytest.fixture
def evidence():
    return 2 * torch.randn(3, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def ring(n_vertices):
    """Each vertex between its two neighbours."""
    return csr_array((np.roll(np.eye(n_vertices), 1, 0) + np.roll(np.eye(n_vertices), -1, 0)) / 2)


def test_labels_are_weighted_bayes_rule(evidence):
    strength = torch.tensor([1.0, 0.5, 3.0], dtype=torch.float64)
    found = LabelModel(PRIOR, evidence_weight=0.3, prior_weight=2.0)(evidence, strength)
    for vertex in range(3):
        weighted = [
            math.exp(0.3 * float(strength[vertex]) * float(evidence[vertex, k]))
            * float(PRIOR[vertex, k]) ** 2
            for k in range(3)
        ]
        expected = torch.tensor(weighted, dtype=torch.float64) / sum(weighted)
        torch.testing.assert_close(found[vertex], expected, rtol=1e-12, atol=0)


def test_at_face_value_labels_are_bayes_rule(evidence):
    joint = evidence.exp() * PRIOR
    torch.testing.assert_close(LabelModel(PRIOR)(evidence), joint / joint.sum(-1, keepdim=True))


def test_without_evidence_labels_are_the_prior(evidence):
    evidence[1] = 0  # a vertex without data
    torch.testing.assert_close(LabelModel(PRIOR)(evidence)[1], PRIOR[1])
    torch.testing.assert_close(LabelModel(PRIOR, evidence_weight=0)(evidence), PRIOR)
    no_signal = LabelModel(PRIOR)(evidence, torch.zeros(3, dtype=torch.float64))
    torch.testing.assert_close(no_signal, PRIOR)


def test_one_prior_can_serve_all_vertices(evidence):
    shared = LabelModel(PRIOR[:1])(evidence)
    torch.testing.assert_close(shared, LabelModel(PRIOR[:1].expand(3, -1))(evidence))


def test_a_constant_of_the_evidence_changes_nothing(evidence):
    labels = LabelModel(PRIOR, 0.4, 1.3, 0.5, CHAIN)
    shifted = evidence + torch.tensor([[1.0], [-200.0], [1e4]], dtype=torch.float64)
    torch.testing.assert_close(labels(shifted), labels(evidence))


def test_renumbered_networks_are_renumbered_labels(evidence):
    order = torch.tensor([2, 0, 1])
    labels, renumbered = (LabelModel(p, 0.4, 1.3, 0.5, CHAIN) for p in (PRIOR, PRIOR[:, order]))
    torch.testing.assert_close(renumbered(evidence[:, order]), labels(evidence)[:, order])


@pytest.mark.parametrize("smoothness", [0.3, 1.5, 6.0])
def test_smooth_labels_are_the_fixed_point_of_the_chain(evidence, smoothness):
    """Iterated here vertex by vertex, 2,000 times; the package stops at moves of 1e-3.

    What is left of the way is then 1e-3 / (1 - slope); at these smoothnesses below 0.02.
    """
    field = 0.5 * evidence + PRIOR.log()
    expected = torch.softmax(field, -1)
    for _ in range(2_000):
        for vertex, others in enumerate(([1], [0, 2], [1])):
            around = expected[others].mean(0)
            expected[vertex] = torch.softmax(field[vertex] + smoothness * around, -1)
    found = LabelModel(PRIOR, 0.5, 1.0, smoothness, CHAIN)(evidence)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-3 if smoothness < 1 else 2e-2)


@pytest.mark.parametrize("smoothness", [3.0, 10.0, 30.0])
def test_neighbours_do_not_swap_their_labels_for_ever(smoothness):
    """Full steps at the same time would: each takes the other's label."""
    even = torch.full((1, 2), 0.5)
    evidence = torch.tensor([[1.5, 0.0], [0.0, 0.5]])
    found = LabelModel(even, 1.0, 1.0, smoothness, PAIR)(evidence)
    again = torch.softmax(evidence + even.log() + smoothness * found[[1, 0]], -1)
    torch.testing.assert_close(found, again, rtol=0, atol=5e-3)
    assert (found.argmax(-1) == 0).all()  # the stronger evidence wins both


def test_more_smoothness_leaves_fewer_borders():
    n_vertices = 400
    evidence = torch.randn(n_vertices, 3, generator=torch.Generator().manual_seed(1))
    prior, mesh = torch.full((1, 3), 1 / 3), ring(n_vertices)
    borders = []
    for smoothness in (0.0, 0.5, 1.0, 2.0, 4.0):
        hard = LabelModel(prior, 1.0, 1.0, smoothness, mesh)(evidence).argmax(-1)
        borders.append(int((hard != hard.roll(1)).sum()))
    assert borders == sorted(borders, reverse=True)
    assert borders[-1] < 0.5 * borders[0]


def test_a_vertex_without_data_follows_its_neighbours():
    evidence = torch.tensor([[4.0, 0.0], [0.0, 0.0], [4.0, 0.0]])
    even = torch.full((1, 2), 0.5)
    assert LabelModel(even)(evidence)[1, 0] == 0.5
    assert LabelModel(even, smoothness=1.0, neighbours=CHAIN)(evidence)[1, 0] > 0.7


def test_no_smoothness_and_no_neighbour_is_no_pull(evidence):
    apart = csr_array((3, 3), dtype=np.float32)
    plain = LabelModel(PRIOR)(evidence)
    torch.testing.assert_close(LabelModel(PRIOR, neighbours=CHAIN)(evidence), plain)
    torch.testing.assert_close(LabelModel(PRIOR, 1, 1, 5.0, apart)(evidence), plain)


def test_recalibration_is_a_power_and_a_mixture(evidence):
    labels = LabelModel(PRIOR, 0.5, 1.2, 0.4, CHAIN)
    plain = labels(evidence)
    softer = plain.sqrt() / plain.sqrt().sum(-1, keepdim=True)
    found = labels.recalibrated(2.0, 0.3)(evidence)
    torch.testing.assert_close(found, 0.7 * softer + 0.1)
    torch.testing.assert_close(labels.recalibrated(1.0, 0.0)(evidence), plain)
    torch.testing.assert_close(recalibrate(plain, 1.0, 1.0), torch.full_like(plain, 1 / 3))


def test_certain_labels_stay_certain_and_finite():
    certain = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    torch.testing.assert_close(recalibrate(certain, 2.0, 0.0), certain, rtol=0, atol=1e-6)
    huge = LabelModel(torch.full((1, 2), 0.5), 4.0)(torch.tensor([[-1e9, 0.0]]))
    assert huge.tolist() == [[0.0, 1.0]]


def test_settings_make_the_same_labels(evidence):
    labels = LabelModel(PRIOR, 0.5, 1.2, 0.4, CHAIN, 1.5, 0.1)
    again = LabelModel(PRIOR, neighbours=CHAIN, **labels.settings())
    torch.testing.assert_close(again(evidence), labels(evidence), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"evidence_weight": -0.1}, r"weights -0.1 of the evidence.*Give finite numbers"),
        ({"prior_weight": -1.0}, r"-1.0 of the prior.*Give finite numbers"),
        ({"smoothness": -2.0, "neighbours": CHAIN}, r"smoothness -2.0.*Give finite numbers"),
        ({"temperature": 0.0}, r"temperature 0.0.*The one is positive"),
        ({"uniform_share": 1.5}, r"uniform share 1.5.*between 0 and 1"),
        ({"evidence_weight": math.nan}, r"nan of the evidence"),
        ({"smoothness": 0.5}, r"only where vertices have neighbours.*Leave --smoothness away"),
    ],
)
def test_what_is_no_label_model_is_refused(wrong, message):
    with pytest.raises(OptionError, match=message):
        LabelModel(PRIOR, **wrong)
