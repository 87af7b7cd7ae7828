r"""Set transformer blocks with masks, linear in the number of elements.

Inducing points and seeds are few, elements are many. Where one side of an attention
is few, its projections absorb those of the many: a score
:math:`(W_q x)^\top (W_k y)` is :math:`(W_k^\top W_q x)^\top y`, so the many are
neither projected to keys nor to values. The numbers are the same.

References
----------
Lee et al., Set Transformer, ICML 2019, section 3.
Rabe and Staats, Self-attention does not need O(n^2) memory, 2021 (merging chunks).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from neuroparcel.nets.chunked import CHUNK_SIZE, Chunks, chunks, of_chunks

# The score of a masked element: finite, so that a wholly masked chunk has gradients,
# and so low that its exponential is zero beside any other in every dtype.
_LOWEST = -1e30


class Part(NamedTuple):
    """What a few queries find in one chunk of a set.

    Attributes
    ----------
    log_mass : Tensor, shape (set, head * m)
        Log of the sum of the exponentials of the scores.
    mean : Tensor, shape (set, head * m, size)
        Mean of the chunk's elements under those weights.
    """

    log_mass: Tensor
    mean: Tensor


class MAB(nn.Module):
    """Multihead attention block: queries attend to the elements of a set.

    Parameters
    ----------
    size : int
        Width of queries, elements and output.
    n_heads : int
    """

    def __init__(self, size: int, n_heads: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.query, self.out = nn.Linear(size, size), nn.Linear(size, size)
        self.key_value = nn.Linear(size, 2 * size)
        self.norm_attention, self.norm_output = nn.LayerNorm(size), nn.LayerNorm(size)
        self.feed_forward = nn.Sequential(nn.Linear(size, size), nn.GELU(), nn.Linear(size, size))

    def forward(self, queries: Tensor, elements: Tensor, mask: Tensor) -> Tensor:
        """Shapes: queries (set, m, size), elements (set, n, size), mask (set, n) bool.

        An empty set attends to its first, masked element: finite, and the
        caller's mask drops the result.
        """
        key, value = self.key_value(elements).chunk(2, -1)
        attended = scaled_dot_product_attention(
            self._heads(self.query(queries)),
            self._heads(key),
            self._heads(value),
            attn_mask=never_empty(mask)[:, None, None],
        )
        return self._finish(queries, self.out(attended.transpose(1, 2).flatten(-2)))

    def gather(self, queries: Tensor, elements: Tensor, mask: Tensor) -> Tensor:
        """:meth:`forward` for few queries (m, size) that all sets share."""
        weights = _scores(self.keys(queries), elements, never_empty(mask)).softmax(-1)
        return self.answer(queries, weights.to(elements) @ elements)

    def spread(self, queries: Tensor, elements: Tensor) -> Tensor:
        """:meth:`forward` for many queries (set, n, size) and few elements, none masked."""
        key, value = (self._heads(t) for t in self.key_value(elements).chunk(2, -1))
        key = key * key.shape[-1] ** -0.5
        keys = (key @ self._by_head(self.query.weight)).flatten(1, 2)
        constant = (key @ self.query.bias.unflatten(0, (self.n_heads, -1, 1))).flatten(1, 2)
        scores = torch.baddbmm(constant, keys, queries.transpose(1, 2))
        weights = scores.unflatten(1, (self.n_heads, -1)).softmax(2).flatten(1, 2).to(scores)
        values = (value @ self._by_head(self.out.weight.t())).flatten(1, 2)
        attended = torch.baddbmm(self.out.bias, weights.transpose(1, 2), values)
        return self._finish(queries, attended)

    def keys(self, queries: Tensor) -> Tensor:
        """What few queries (m, size) look for in the elements themselves: (head * m, size).

        The bias of the keys is left out: it adds the same to all scores of a query.
        """
        query = self._heads(self.query(queries).unsqueeze(0))[0]
        weight = self._by_head(self.key_value.weight.chunk(2)[0])
        return (query @ weight).flatten(0, 1) * query.shape[-1] ** -0.5

    def part(self, keys: Tensor, elements: Tensor, mask: Tensor) -> Part:
        """What :meth:`keys` find in one chunk (set, n, size), perhaps wholly masked."""
        scores = _scores(keys, elements, mask)
        return Part(scores.logsumexp(-1), scores.softmax(-1).to(elements) @ elements)

    def answer(self, queries: Tensor, means: Tensor) -> Tensor:
        """Output (set, m, size) from attended means of the elements (set, head * m, size)."""
        weight = self._by_head(self.key_value.weight.chunk(2)[1])
        values = means.unflatten(1, (self.n_heads, -1)) @ weight.transpose(1, 2)
        attended = values.transpose(1, 2).flatten(-2) + self.key_value.bias.chunk(2)[1]
        return self._finish(queries, self.out(attended))

    def _finish(self, queries: Tensor, attended: Tensor) -> Tensor:
        hidden = self.norm_attention(queries + attended)
        return self.norm_output(hidden + self.feed_forward(hidden))

    def _heads(self, tokens: Tensor) -> Tensor:
        """(set, n, size) to (set, head, n, size of head)."""
        return tokens.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)

    def _by_head(self, weight: Tensor) -> Tensor:
        """(size, size) to (head, size of head, size)."""
        return weight.unflatten(0, (self.n_heads, -1))


class SAB(nn.Module):
    """Set attention block: every element attends to the whole set, at quadratic cost."""

    def __init__(self, size: int, n_heads: int) -> None:
        super().__init__()
        self.block = MAB(size, n_heads)

    def forward(self, elements: Tensor, mask: Tensor) -> Tensor:
        """(set, n, size) with mask (set, n) to (set, n, size)."""
        return self.block(elements, elements, mask)


class ISAB(nn.Module):
    """Induced set attention block: linear in the number of elements."""

    def __init__(self, size: int, n_heads: int, n_inducing: int) -> None:
        super().__init__()
        self.inducing = nn.Parameter(torch.randn(n_inducing, size) * size**-0.5)
        self.gather, self.spread = MAB(size, n_heads), MAB(size, n_heads)

    def forward(self, elements: Tensor, mask: Tensor) -> Tensor:
        """(set, n, size) with mask (set, n) to (set, n, size)."""
        summary = self.gather.gather(self.inducing, elements, mask)
        return self.spread.spread(elements, summary)


class PMA(nn.Module):
    """Pooling by multihead attention: one learnt seed asks the set for its summary."""

    def __init__(self, size: int, n_heads: int) -> None:
        super().__init__()
        self.seed = nn.Parameter(torch.randn(1, size) * size**-0.5)
        self.block = MAB(size, n_heads)

    def forward(self, elements: Tensor, mask: Tensor) -> Tensor:
        """(set, n, size) with mask (set, n) to (set, size)."""
        return self.block.gather(self.seed, elements, mask).squeeze(-2)


class SetTransformer(nn.Module):
    """Permutation-invariant summary of a set: linear, ISABs, PMA, linear.

    Beside the learnt seed, more queries may ask the set: elements of another kind (the
    anchors of a mixture), embedded as its own elements are and added to the seed.

    Parameters
    ----------
    n_features : int
        Width of one element.
    size : int
        Width of the summary.
    n_heads, n_blocks, n_inducing : int
    chunk_size : int
        More elements than these, over all sets, are read in chunks: every pass over
        the data computes the hidden activations of a chunk anew.
    """

    def __init__(
        self,
        n_features: int,
        size: int,
        n_heads: int,
        n_blocks: int,
        n_inducing: int,
        chunk_size: int = CHUNK_SIZE,
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(n_features, size)
        self.blocks = nn.ModuleList(ISAB(size, n_heads, n_inducing) for _ in range(n_blocks))
        self.pool = PMA(size, n_heads)
        self.readout = nn.Linear(size, size)
        self.chunk_size = chunk_size

    def forward(self, elements: Tensor, mask: Tensor, asking: Tensor | None = None) -> Tensor:
        """(..., n, n_features) with mask (..., n) to (..., size).

        With ``asking`` (m, n_features) to (..., (1 + m) * size): the seed's, then theirs.
        """
        flat = elements.reshape(-1, *elements.shape[-2:])
        flat_mask = mask.reshape(-1, mask.shape[-1])
        seeds = self._seeds(asking)
        summarise = self._whole if mask.numel() <= self.chunk_size else self._streamed
        return self.readout(summarise(flat, flat_mask, seeds)).reshape(*mask.shape[:-1], -1)

    def compile(self, *args: Any, **kwargs: Any) -> None:
        """Compile in place, but for sets that are cut into chunks.

        Not by a decorator, which would import the compiler with this file.
        """
        self.__dict__["_streamed"] = torch.compiler.disable(self._streamed)
        super().compile(*args, **kwargs)

    def _seeds(self, asking: Tensor | None) -> Tensor:
        if asking is None:
            return self.pool.seed
        return torch.cat([self.pool.seed, self.pool.seed + self.embed(asking)])

    def _whole(self, elements: Tensor, mask: Tensor, seeds: Tensor) -> Tensor:
        hidden = self.embed(elements)
        for block in self.blocks:
            hidden = block(hidden, mask)
        return self.pool.block.gather(seeds, hidden, mask)

    def _streamed(self, elements: Tensor, mask: Tensor, seeds: Tensor) -> Tensor:
        pieces = chunks(elements, never_empty(mask), self.chunk_size)
        summaries: list[Tensor] = []
        for block in self._isabs():
            summaries.append(self._gather(block.gather, block.inducing, summaries, pieces))
        return self._gather(self.pool.block, seeds, summaries, pieces)

    def _gather(
        self, attention: MAB, queries: Tensor, summaries: Sequence[Tensor], pieces: Chunks
    ) -> Tensor:
        """One attention over all chunks, behind the blocks whose summaries are known."""
        keys, known = attention.keys(queries), tuple(summaries)

        def part(elements: Tensor, mask: Tensor) -> Part:
            return attention.part(keys, self._hidden(elements, known), mask)

        return attention.answer(queries, merge(of_chunks(part, pieces)))

    def _hidden(self, elements: Tensor, summaries: Sequence[Tensor]) -> Tensor:
        hidden = self.embed(elements)
        for block, summary in zip(self._isabs(), summaries, strict=False):
            hidden = block.spread.spread(hidden, summary)
        return hidden

    def _isabs(self) -> list[ISAB]:
        return [cast(ISAB, block) for block in self.blocks]


def merge(parts: Sequence[Part]) -> Tensor:
    """Means (set, head * m, size) of the whole set; a chunk weighs as much as its mass."""
    share = torch.stack([part.log_mass for part in parts]).softmax(0)
    return (share.unsqueeze(-1) * torch.stack([part.mean for part in parts])).sum(0)


def never_empty(mask: Tensor) -> Tensor:
    """Masks of empty sets let their first element in, so that no softmax is empty."""
    first = torch.zeros_like(mask)
    first[..., 0] = True
    return mask | (first & ~mask.any(-1, keepdim=True))


def _scores(keys: Tensor, elements: Tensor, mask: Tensor) -> Tensor:
    """(set, head * m, n), in single precision at least: sums over many elements follow."""
    penalty = torch.zeros_like(mask, dtype=elements.dtype).masked_fill(~mask, _LOWEST)
    shared = keys.to(elements).expand(len(elements), -1, -1)
    scores = torch.baddbmm(penalty.unsqueeze(1), shared, elements.transpose(1, 2))
    return scores.to(torch.promote_types(scores.dtype, torch.float32))
