"""Laws of the hierarchical encoder, whatever its sizes, summaries and precision.

Plates of the data are numbered by their axis: 1 is the outermost, 0 the batch.
Hierarchy ``h`` of ``n`` plates has the axes up to ``n - h``.
"""

import io
from dataclasses import dataclass, replace
from types import SimpleNamespace

import pytest
import torch

from neuroparcel.graph import Observation
from neuroparcel.nets.hierarchical_encoder import EncoderConfig, HierarchicalEncoder

N_FEATURES = 3
SIZES = (4, 3, 10)
SMALL = EncoderConfig(size=8, n_heads=2, n_inducing=3, n_quantiles=0)


@dataclass(frozen=True)
class Case:
    n_plates: int
    config: EncoderConfig = SMALL
    n_anchors: int = 0

    def build(self, dtype, device, seed=0):
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        anchors = 2 * torch.randn(self.n_anchors, N_FEATURES, generator=generator)
        encoder = HierarchicalEncoder(
            N_FEATURES, self.n_plates, self.config, anchors if self.n_anchors else None
        )
        return encoder.to(device, dtype)

    @property
    def is_rounded(self):
        return self.config.mixed_precision


CASES = {
    "1 plate": Case(1),
    "2 plates": Case(2),
    "3 plates": Case(3),
    "1 plate, anchors": Case(1, n_anchors=2),
    "3 plates, anchors": Case(3, n_anchors=2),
    "3 plates, quantiles": Case(3, replace(SMALL, n_quantiles=4)),
    "3 plates, clusters": Case(3, replace(SMALL, n_components=2)),
    "cut into sets": Case(3, replace(SMALL, chunk_size=25)),
    "cut within sets": Case(3, replace(SMALL, chunk_size=6, n_blocks=2)),
    "cut, anchors": Case(2, replace(SMALL, chunk_size=6), n_anchors=2),
    "1 plate, by component": Case(1, replace(SMALL, by_component=True), n_anchors=2),
    "3 plates, by component": Case(3, replace(SMALL, by_component=True), n_anchors=2),
    "cut, by component": Case(
        2, replace(SMALL, by_component=True, chunk_size=6, max_attended=20), n_anchors=2
    ),
    "mixed precision, by component": Case(
        3, replace(SMALL, mixed_precision=True, by_component=True), n_anchors=2
    ),
    "mixed precision": Case(3, replace(SMALL, mixed_precision=True)),
    "mixed precision, cut": Case(2, replace(SMALL, mixed_precision=True, chunk_size=6)),
}


@pytest.fixture(params=CASES.values(), ids=CASES.keys())
def case(request):
    return request.param


@pytest.fixture
def encoder(case, dtype, device):
    return case.build(dtype, device)


@pytest.fixture
def data(case, dtype, device):
    """Two clusters of points, far apart; in one data set two points are missing."""
    generator = torch.Generator().manual_seed(1)
    shape = (2, *SIZES[-case.n_plates :])
    values = 0.3 * torch.randn(*shape, N_FEATURES, generator=generator, dtype=torch.float64)
    values[..., ::3, :] += torch.tensor([3.0, -2.0, 1.0])
    mask = torch.ones(shape, dtype=torch.bool)
    mask[1, ..., 4:6] = False
    return Observation(
        (values * mask.unsqueeze(-1)).to(device, dtype),
        mask.to(device),
    )


@pytest.fixture
def assert_same(case, dtype):
    """Sums in another order differ by rounding; bfloat16 has 8 bits, in about ten layers."""
    exact = {torch.float32: 1e-3, torch.float64: 1e-9}[dtype]
    rounded = 0.1 if case.is_rounded and dtype == torch.float32 else exact

    def check(encodings, others):
        for one, other in zip(encodings, others, strict=True):
            torch.testing.assert_close(one.summary, other.summary, atol=exact, rtol=exact)
            torch.testing.assert_close(one.embedding, other.embedding, atol=rounded, rtol=0)

    return check


def select(data, axis, index):
    index = index.to(data.mask.device)
    return Observation(data.values.index_select(axis, index), data.mask.index_select(axis, index))


@torch.no_grad()
def encode(encoder, data):
    return encoder(data)


def encodings_of(encodings, axis, index):
    """Encodings whose hierarchy has the axis, restricted to ``index``; the others as they are."""
    return [
        type(e)(
            e.summary.index_select(axis, index.to(e.summary.device)),
            e.embedding.index_select(axis, index.to(e.summary.device)),
        )
        if axis < e.summary.dim() - 1
        else e
        for e in encodings
    ]


def test_every_hierarchy_has_an_encoding_like_the_data(encoder, data, dtype, device, case):
    encodings = encode(encoder, data)
    assert len(encodings) == case.n_plates
    for hierarchy, encoding in enumerate(encodings, start=1):
        lead = data.mask.shape[: case.n_plates + 1 - hierarchy]
        assert encoding.summary.shape == (*lead, encoder.summary_sizes[hierarchy - 1])
        assert encoding.embedding.shape == (*lead, encoder.n_embeddings * SMALL.size)
        for tensor in (encoding.summary, encoding.embedding):
            assert tensor.dtype == dtype
            assert tensor.device.type == device.type
            assert bool(torch.isfinite(tensor).all())


def test_the_order_of_a_sets_members_does_not_matter(encoder, data, assert_same):
    """Every set in an order of its own."""
    noise = torch.rand(data.mask.shape, generator=torch.Generator().manual_seed(2))
    order = noise.argsort(-1).to(data.mask.device)
    values = data.values.gather(-2, order.unsqueeze(-1).expand_as(data.values))
    moved = Observation(values, data.mask.gather(-1, order))
    assert_same(encode(encoder, moved), encode(encoder, data))


def test_a_plates_order_moves_only_the_encodings_inside_it(encoder, data, assert_same, case):
    encodings = encode(encoder, data)
    for axis in range(1, case.n_plates + 1):
        order = torch.arange(data.mask.shape[axis]).roll(1)
        moved = encode(encoder, select(data, axis, order))
        assert_same(moved, encodings_of(encodings, axis, order))


def test_masking_is_dropping(encoder, data, assert_same):
    """And masked values are not read."""
    mask = data.mask.clone()
    mask[..., 7:] = False
    spoilt = torch.where(mask.unsqueeze(-1), data.values, 50.0)
    kept = select(data, data.mask.dim() - 1, torch.arange(7))
    assert_same(encode(encoder, Observation(spoilt, mask)), encode(encoder, kept))


def test_a_missing_group_is_as_if_it_did_not_exist(encoder, data, assert_same, case):
    for axis in range(1, case.n_plates):
        mask = data.mask.clone()
        mask.select(axis, 1).fill_(False)
        kept = torch.tensor([i for i in range(mask.shape[axis]) if i != 1])
        with_gap = encode(encoder, Observation(data.values * mask.unsqueeze(-1), mask))
        assert_same(encodings_of(with_gap, axis, kept), encode(encoder, select(data, axis, kept)))


def test_an_empty_data_set_gives_finite_numbers_and_gradients(encoder, data):
    mask = data.mask.clone()
    mask[0] = False
    encodings = encoder(Observation(data.values * mask.unsqueeze(-1), mask))
    sum(e.summary.sum() + e.embedding.sum() for e in encodings).backward()
    assert all(bool(torch.isfinite(e.summary).all()) for e in encodings)
    assert all(bool(torch.isfinite(p.grad).all()) for p in encoder.parameters())


def test_plate_sizes_change_no_weights(encoder, case, dtype, device):
    before = {name: tensor.clone() for name, tensor in encoder.state_dict().items()}
    for sizes in ((1, 1, 5), (7, 2, 40)):
        values = torch.randn(1, *sizes[-case.n_plates :], N_FEATURES)
        top = encode(encoder, Observation.complete(values.to(device, dtype)))[-1]
        assert top.embedding.shape == (1, encoder.n_embeddings * SMALL.size)
    after = encoder.state_dict()
    assert list(after) == list(before)
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_a_gradient_reaches_every_parameter(encoder, data):
    loss = sum(e.summary.square().sum() + e.embedding.square().sum() for e in encoder(data))
    loss.backward()
    for name, parameter in encoder.named_parameters():
        assert parameter.grad is not None, name
        assert bool(torch.isfinite(parameter.grad).all()), name
        assert bool(parameter.grad.abs().sum() > 0), name


def test_saved_weights_give_the_same_encodings(encoder, case, data, dtype, device):
    encoder.measure([data])
    file = io.BytesIO()
    torch.save(encoder.state_dict(), file)
    file.seek(0)
    other = case.build(dtype, device, seed=9)
    other.load_state_dict(torch.load(file, weights_only=True, map_location=device))
    for one, again in zip(encode(encoder, data), encode(other, data), strict=True):
        assert torch.equal(one.summary, again.summary)
        assert torch.equal(one.embedding, again.embedding)


def test_a_device_that_is_not_there_is_a_usage_error(pytestconfig):
    (shared,) = (p for p in pytestconfig.pluginmanager.get_plugins() if hasattr(p, "real_data"))
    asked = SimpleNamespace(getoption={"--device": "nowhere"}.get)
    with pytest.raises(pytest.UsageError, match="--device nowhere: there is no such device here"):
        shared.pytest_configure(asked)
