"""Set transformer blocks with masks.

References
----------
Lee et al., Set Transformer, ICML 2019, section 3.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention


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
            attn_mask=_never_empty(mask)[:, None, None],
        )
        merged = attended.transpose(1, 2).flatten(-2)
        hidden = self.norm_attention(queries + self.out(merged))
        return self.norm_output(hidden + self.feed_forward(hidden))

    def _heads(self, tokens: Tensor) -> Tensor:
        return tokens.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)


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
        inducing = self.inducing.expand(elements.shape[0], -1, -1)
        summary = self.gather(inducing, elements, mask)
        everything = mask.new_ones(summary.shape[:2])
        return self.spread(elements, summary, everything)


class PMA(nn.Module):
    """Pooling by multihead attention: one learnt seed asks the set for its summary."""

    def __init__(self, size: int, n_heads: int) -> None:
        super().__init__()
        self.seed = nn.Parameter(torch.randn(1, size) * size**-0.5)
        self.block = MAB(size, n_heads)

    def forward(self, elements: Tensor, mask: Tensor) -> Tensor:
        """(set, n, size) with mask (set, n) to (set, size)."""
        seed = self.seed.expand(elements.shape[0], -1, -1)
        return self.block(seed, elements, mask).squeeze(-2)


class SetTransformer(nn.Module):
    """Permutation-invariant summary of a set: linear, ISABs, PMA, linear.

    Parameters
    ----------
    n_features : int
        Width of one element.
    size : int
        Width of the summary.
    n_heads, n_blocks, n_inducing : int
    """

    def __init__(
        self, n_features: int, size: int, n_heads: int, n_blocks: int, n_inducing: int
    ) -> None:
        super().__init__()
        self.embed = nn.Linear(n_features, size)
        self.blocks = nn.ModuleList(ISAB(size, n_heads, n_inducing) for _ in range(n_blocks))
        self.pool = PMA(size, n_heads)
        self.readout = nn.Linear(size, size)

    def forward(self, elements: Tensor, mask: Tensor) -> Tensor:
        """(..., n, n_features) with mask (..., n) to (..., size)."""
        lead = mask.shape[:-1]
        hidden = self.embed(elements.reshape(-1, *elements.shape[-2:]))
        flat_mask = mask.reshape(-1, mask.shape[-1])
        for block in self.blocks:
            hidden = block(hidden, flat_mask)
        return self.readout(self.pool(hidden, flat_mask)).reshape(*lead, -1)


def _never_empty(mask: Tensor) -> Tensor:
    """Masks of empty sets let their first element in, so that no softmax is empty."""
    first = torch.zeros_like(mask)
    first[..., 0] = True
    return mask | (first & ~mask.any(-1, keepdim=True))
