"""Laws of set transformers: order does not matter, masked elements do not exist."""

import pytest
import torch

from neuroparcel.nets.attention import ISAB, PMA, SAB, SetTransformer

SIZE = 8


@pytest.fixture
def elements():
    return torch.randn(3, 6, SIZE, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def mask():
    mask = torch.ones(3, 6, dtype=torch.bool)
    mask[0, 4:] = False
    return mask


@pytest.fixture(params=["SAB", "ISAB"])
def block(request):
    torch.manual_seed(0)
    return {"SAB": SAB(SIZE, 2), "ISAB": ISAB(SIZE, 2, 3)}[request.param]


def test_blocks_are_equivariant(block, elements, mask):
    order = torch.tensor([3, 1, 0, 5, 2, 4])
    moved = block(elements[:, order], mask[:, order])
    torch.testing.assert_close(moved, block(elements, mask)[:, order])


def test_blocks_do_not_see_masked_elements(block, elements, mask):
    changed = torch.where(mask.unsqueeze(-1), elements, torch.full_like(elements, 99.0))
    torch.testing.assert_close(block(changed, mask)[mask], block(elements, mask)[mask])


def test_pooling_a_masked_set_is_pooling_the_smaller_set(elements, mask):
    torch.manual_seed(0)
    pool = PMA(SIZE, 2)
    smaller = pool(elements[:1, :4], mask[:1, :4])
    torch.testing.assert_close(pool(elements, mask)[:1], smaller)


def test_an_empty_set_gives_finite_numbers_and_gradients(elements):
    torch.manual_seed(0)
    transformer = SetTransformer(SIZE, SIZE, 2, 1, 3)
    mask = torch.zeros(3, 6, dtype=torch.bool)
    summary = transformer(elements, mask)
    summary.sum().backward()
    assert bool(torch.isfinite(summary).all())
    assert all(bool(torch.isfinite(p.grad).all()) for p in transformer.parameters())


def test_set_transformer_is_invariant_tensorwise(elements, mask):
    torch.manual_seed(0)
    transformer = SetTransformer(SIZE, SIZE, 2, 1, 3)
    together = transformer(elements.reshape(1, 3, 6, SIZE), mask.reshape(1, 3, 6))
    assert together.shape == (1, 3, SIZE)
    for row in range(3):
        alone = transformer(elements[row].flip(0), mask[row].flip(0))
        torch.testing.assert_close(together[0, row], alone)
