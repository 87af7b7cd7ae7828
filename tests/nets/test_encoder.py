"""Laws of the hierarchical encoder (ADAVI, eq. 1)."""

import pytest
import torch

from neuroparcel.graph import Observation
from neuroparcel.nets.hierarchical_encoder import EncoderConfig, HierarchicalEncoder

CONFIG = EncoderConfig(size=8, n_heads=2, n_inducing=3)


@pytest.fixture(params=[None, 2], ids=["plain", "anchored"])
def encoder(request):
    torch.manual_seed(0)
    anchors = torch.randn(request.param, 3) if request.param else None
    return HierarchicalEncoder(3, 3, CONFIG, anchors).eval()


@pytest.fixture
def data():
    values = torch.randn(2, 4, 3, 10, 3, generator=torch.Generator().manual_seed(1))
    mask = torch.ones(2, 4, 3, 10, dtype=torch.bool)
    mask[0, 2, 1] = False  # a missing session
    mask[1, 3] = False  # a missing subject
    mask[1, 0, 0, 5:] = False  # a smaller region
    return Observation(values * mask.unsqueeze(-1), mask)


def assert_equal(encodings, others):
    for one, other in zip(encodings, others, strict=True):
        torch.testing.assert_close(one.summary, other.summary, atol=1e-4, rtol=1e-4)
        torch.testing.assert_close(one.embedding, other.embedding, atol=1e-4, rtol=1e-4)


def test_one_encoding_for_each_hierarchy(encoder, data):
    shapes = [tuple(e.embedding.shape) for e in encoder(data)]
    assert shapes == [(2, 4, 3, 8), (2, 4, 8), (2, 8)]
    assert [e.summary.shape[-1] for e in encoder(data)] == list(encoder.summary_sizes)


def test_the_order_of_vertices_does_not_matter(encoder, data):
    order = torch.randperm(10)
    moved = Observation(data.values[:, :, :, order], data.mask[:, :, :, order])
    assert_equal(encoder(moved), encoder(data))


def test_the_order_of_subjects_moves_only_their_own_encodings(encoder, data):
    order = torch.tensor([2, 0, 3, 1])
    session, subject, population = encoder(data)
    moved = encoder(Observation(data.values[:, order], data.mask[:, order]))
    torch.testing.assert_close(moved[1].summary, subject.summary[:, order], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(moved[0].summary, session.summary[:, order], atol=1e-4, rtol=1e-4)
    assert_equal(moved[2:], [population])


def test_masking_is_dropping(encoder, data):
    smaller = Observation(data.values[1:, :3], data.mask[1:, :3])
    session, subject, population = encoder(smaller)
    whole = encoder(data)
    assert_equal([population], [type(population)(whole[2].summary[1:], whole[2].embedding[1:])])
    torch.testing.assert_close(subject.summary, whole[1].summary[1:, :3], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(session.embedding, whole[0].embedding[1:, :3], atol=1e-4, rtol=1e-4)


def test_masked_values_are_not_read(encoder, data):
    spoilt = torch.where(data.mask.unsqueeze(-1), data.values, torch.full_like(data.values, 1e3))
    assert_equal([encoder(Observation(spoilt, data.mask))[-1]], [encoder(data)[-1]])


def test_standardisation_is_measured_where_there_is_data(encoder, data):
    encoder.measure([data])
    session = encoder(data)[0].summary[data.mask_at(1)]
    torch.testing.assert_close(session.mean(0), torch.zeros(session.shape[1]), atol=1e-3, rtol=0)


def test_plate_sizes_change_no_weights(encoder):
    n_weights = sum(p.numel() for p in encoder.parameters())
    for sizes in ((1, 1, 5), (7, 2, 40)):
        encodings = encoder(Observation.complete(torch.randn(1, *sizes, 3)))
        assert encodings[-1].embedding.shape == (1, 8)
    assert sum(p.numel() for p in encoder.parameters()) == n_weights
