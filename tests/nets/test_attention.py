"""Laws of set transformers: order does not matter, masked elements do not exist."""

import pytest
import torch

from neuroparcel.nets.attention import ISAB, MAB, PMA, SAB, SetTransformer, merge

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


def outputs_and_gradients(block, output, inputs):
    """The output, and gradients of a sum of it for the inputs and for the weights."""
    weights = torch.linspace(-1, 1, output.numel(), dtype=output.dtype).reshape(output.shape)
    gradients = torch.autograd.grad((weights * output).sum(), [*inputs, *block.parameters()])
    return [output, *gradients]


def test_projecting_the_few_is_projecting_the_many(elements, mask):
    """Algebra, so to rounding: gather and spread are the plain attention block."""
    torch.manual_seed(0)
    block = MAB(SIZE, 2).double()
    few = torch.randn(3, SIZE, dtype=torch.float64, requires_grad=True)
    many = elements.double().requires_grad_()
    mask = mask.clone()
    mask[1] = False
    everyone = few.expand(3, -1, -1)
    inputs = (few, many)
    gathered = outputs_and_gradients(block, block.gather(few, many, mask), inputs)
    plain = outputs_and_gradients(block, block(everyone, many, mask), inputs)
    torch.testing.assert_close(gathered, plain, atol=1e-12, rtol=1e-10)
    spread = outputs_and_gradients(block, block.spread(many, everyone), inputs)
    nothing_masked = mask.new_ones(3, 3)
    plain = outputs_and_gradients(block, block(many, everyone, nothing_masked), inputs)
    torch.testing.assert_close(spread, plain, atol=1e-12, rtol=1e-10)


@pytest.mark.parametrize("chunk_size", [1, 5, 9, 17])
@pytest.mark.parametrize("n_blocks", [0, 1, 2])
def test_chunks_of_a_set_are_merged_exactly(n_blocks, chunk_size):
    """Values and gradients; one set is empty, one has chunks without any element."""
    torch.manual_seed(0)
    transformer = SetTransformer(SIZE, SIZE, 2, n_blocks, 3).double()
    elements = 3 * torch.randn(3, 6, SIZE, dtype=torch.float64)
    elements.requires_grad_()
    mask = torch.ones(3, 6, dtype=torch.bool)
    mask[0], mask[1, :4] = False, False
    whole = outputs_and_gradients(transformer, transformer(elements, mask), [elements])
    transformer.chunk_size = chunk_size
    cut = outputs_and_gradients(transformer, transformer(elements, mask), [elements])
    torch.testing.assert_close(cut, whole, atol=1e-12, rtol=1e-10)


def test_merging_is_safe_where_exponentials_are_not():
    """Scores of a thousand overflow; only their differences count."""
    block = MAB(2, 1).double()
    keys = torch.tensor([[1000.0, 0.0]], dtype=torch.float64)
    elements = torch.tensor([[[1.0, 5.0], [1.0, 7.0], [0.0, 9.0]]], dtype=torch.float64)
    mask = torch.ones(1, 3, dtype=torch.bool)
    parts = [block.part(keys, elements[:, i : i + 1], mask[:, i : i + 1]) for i in range(3)]
    torch.testing.assert_close(merge(parts), torch.tensor([[[1.0, 6.0]]], dtype=torch.float64))


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
