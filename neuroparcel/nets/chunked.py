"""Sets too large to keep every hidden activation of: read them a piece at a time.

A batch of sets is cut into blocks of whole sets, and a set that is larger than a
chunk by itself along its elements. While gradients are recorded, the activations
of a piece are recomputed in the backward pass instead of stored, so memory beyond
the inputs is that of one piece.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import torch
from torch import Tensor

# Elements, over all sets. Above the largest batches of ordinary fits (6,000 to
# 100,000 elements), which are therefore never cut; with 32 hidden features a chunk
# keeps about 200 MB in the backward pass.
CHUNK_SIZE = 2**17

Result = TypeVar("Result")
Chunks = Sequence[tuple[Tensor, Tensor]]


def over_sets(
    function: Callable[[Tensor, Tensor], Tensor], elements: Tensor, mask: Tensor, chunk_size: int
) -> Tensor:
    """Summaries of sets, computed in blocks of whole sets.

    Parameters
    ----------
    function : callable
        Elements (set, n, feature) and mask (set, n) to summaries (set, size). Its sets
        do not see one another.
    elements : Tensor, shape (..., n, feature)
    mask : Tensor of bool, shape (..., n)
    chunk_size : int
        Elements in one block, at most; a set that is larger is a block of its own.

    Returns
    -------
    Tensor, shape (..., size)
    """
    if mask.numel() <= chunk_size:
        return function(elements, mask)
    n = mask.shape[-1]
    sets_a_block = max(1, chunk_size // n)
    blocks = zip(
        elements.reshape(-1, *elements.shape[-2:]).split(sets_a_block),
        mask.reshape(-1, n).split(sets_a_block),
        strict=True,
    )
    # A set larger than a chunk is cut, and recomputed, by the function itself.
    apply = function if n > chunk_size else _recomputed(function)
    summaries = [apply(*block) for block in blocks]
    return torch.cat(summaries).reshape(*mask.shape[:-1], -1)


def chunks(elements: Tensor, mask: Tensor, chunk_size: int) -> Chunks:
    """Cut along the elements: pairs of (..., k, feature) and mask (..., k).

    ``chunk_size`` bounds the elements of a chunk over all sets, as far as every
    chunk has at least one of each set.
    """
    n = mask.shape[-1]
    n_chunks = min(-(-mask.numel() // chunk_size), n)
    if n_chunks <= 1:
        return [(elements, mask)]
    size = -(-n // n_chunks)
    return list(zip(elements.split(size, -2), mask.split(size, -1), strict=True))


def of_chunks(function: Callable[[Tensor, Tensor], Result], pieces: Chunks) -> list[Result]:
    """``function`` of every chunk; recomputed in the backward pass if there are several."""
    apply = function if len(pieces) == 1 else _recomputed(function)
    return [apply(*piece) for piece in pieces]


def summed(
    function: Callable[[Tensor, Tensor], tuple[Tensor, ...]], pieces: Chunks
) -> tuple[Tensor, ...]:
    """Sums over chunks of what ``function`` sums over the elements of a chunk."""
    parts = of_chunks(function, pieces)
    return tuple(sum(terms[1:], start=terms[0]) for terms in zip(*parts, strict=True))


def _recomputed(function: Callable[..., Result]) -> Callable[..., Result]:
    """``function``, whose backward pass runs its forward pass again."""

    def apply(*inputs: Any) -> Result:
        if not torch.is_grad_enabled():
            return function(*inputs)
        from torch.utils.checkpoint import checkpoint  # a second of imports, seldom needed

        # Nothing in the encoder is random, so there is no random state to keep.
        return checkpoint(function, *inputs, use_reentrant=False, preserve_rng_state=False)

    return apply
