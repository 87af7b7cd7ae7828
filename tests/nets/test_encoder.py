"""Laws of the hierarchical encoder (ADAVI, eq. 1)."""

import os
import subprocess
import sys
from dataclasses import asdict, replace

import pytest
import torch

from neuroparcel.errors import OptionError
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


def values_and_gradients(encoder, data):
    """Encodings, and the gradients of a sum of them for data and weights."""
    values = data.values.clone().requires_grad_()
    encodings = encoder(Observation(values, data.mask))
    tensors = [t for e in encodings for t in (e.summary, e.embedding)]
    loss = sum(t.square().sum() for t in tensors)
    return tensors, torch.autograd.grad(loss, [values, *encoder.parameters()])


@pytest.mark.parametrize("n_anchors", [0, 2])
@pytest.mark.parametrize("chunk_size", [2, 25, 60])
def test_chunks_change_neither_values_nor_gradients(data, chunk_size, n_anchors):
    """From pairs of elements to all but whole batches; missing groups, wholly masked chunks."""

    def new(config):
        torch.manual_seed(0)
        anchors = torch.randn(n_anchors, 3) if n_anchors else None
        return HierarchicalEncoder(3, 3, config, anchors).double()

    data = Observation(data.values.double(), data.mask)
    config = replace(CONFIG, n_blocks=2, n_quantiles=0)
    whole = values_and_gradients(new(config), data)
    cut = values_and_gradients(new(replace(config, chunk_size=chunk_size)), data)
    torch.testing.assert_close(cut, whole, atol=1e-10, rtol=1e-10)


_MEASURE = """
import torch
from neuroparcel.graph import Observation
from neuroparcel.nets.hierarchical_encoder import EncoderConfig, HierarchicalEncoder
torch.set_num_threads(1)
def peak(n, chunk_size):
    config = EncoderConfig(n_quantiles=0, chunk_size=chunk_size)
    encoder = HierarchicalEncoder(2, 1, config)
    encoder(Observation.complete(torch.ones(1, n, 2)))[0].embedding.sum().backward()
    status = open("/proc/self/status").read()  # unlike ru_maxrss, not that of the parent
    return int(status.split("VmHWM:")[1].split()[0])
print(peak(30_000, 2**13), peak(200_000, 2**13), peak(200_000, 2**30))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_memory_of_a_training_step_is_that_of_a_chunk():
    """Kilobytes; of 170,000 more points the inputs take 1,500, their activations 200,000."""
    # The C library then gives large arrays back at once; otherwise its cache would count.
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "1000000"}
    printed = subprocess.check_output([sys.executable, "-c", _MEASURE], env=environment)
    few, many, many_uncut = (int(word) for word in printed.split())
    assert many - few < 20_000
    assert many_uncut - few > 100_000


def test_compiling_keeps_names_and_values():
    """With the backend that only traces: the others take minutes."""
    encoder = HierarchicalEncoder(3, 1, CONFIG)
    data = Observation.complete(torch.randn(2, 5, 3))
    names, before = list(encoder.state_dict()), encoder(data)
    encoder.compile_transformers(backend="eager")
    assert list(encoder.state_dict()) == names
    assert_equal(encoder(data), before)


def test_mixed_precision_agrees_to_its_eight_bits(data):
    def new(**options):
        torch.manual_seed(0)
        return HierarchicalEncoder(3, 3, replace(CONFIG, **options))

    single, mixed = new()(data), new(mixed_precision=True)(data)
    for one, other in zip(single, mixed, strict=True):
        assert torch.equal(one.summary, other.summary)
        assert not torch.equal(one.embedding, other.embedding)
        torch.testing.assert_close(one.embedding, other.embedding, atol=0.1, rtol=0)


def test_a_chunk_has_at_least_one_element():
    with pytest.raises(OptionError, match="chunk_size must be at least 1 element, not 0"):
        EncoderConfig(chunk_size=0)


def test_a_config_survives_a_dictionary():
    config = EncoderConfig(chunk_size=100, mixed_precision=True)
    assert EncoderConfig(**asdict(config)) == config


def test_members_are_encoded_by_themselves(encoder, data):
    """A sub-population of encoded members has the encodings of its own data set."""
    single = Observation(data.values[:1], data.mask[:1])
    index = torch.tensor([[0, 2], [3, 1], [2, 2]])
    found = encoder.together(encoder.members(single).take(index))
    own = Observation(data.values[0][index], data.mask[0][index])
    assert_equal(found, encoder(own))
