"""Set transformers for mixtures: one embedding a component, and no weight of its own.

In the innermost sets, every component asks with its anchor: the query is the anchor,
embedded as an element would be. Further up, a set of groups is read once for each
component, with what the groups said of it. Weights are shared by all components, so
that their number does not grow with the number of components.

An embedding is flat, ``(1 + component) * size``: first that of the set as a whole.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neuroparcel.nets.attention import SetTransformer
from neuroparcel.nets.component_layout import ComponentLayout


class ComponentwiseTransformer(nn.Module):
    """A set transformer that reads the groups of a set once for each component.

    Parameters
    ----------
    layout : ComponentLayout
        Of the groups' summaries.
    size : int
        Width of an embedding.
    n_heads, n_blocks, n_inducing, chunk_size : int
        See :class:`~neuroparcel.nets.attention.SetTransformer`.
    """

    def __init__(
        self,
        layout: ComponentLayout,
        size: int,
        n_heads: int,
        n_blocks: int,
        n_inducing: int,
        chunk_size: int,
    ) -> None:
        super().__init__()
        self.layout, self.size = layout, size
        width = layout.n_features + layout.n_scalars + len(layout.shared) + 2 * size
        self.transformer = SetTransformer(width, size, n_heads, n_blocks, n_inducing, chunk_size)

    def forward(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """Summaries and embeddings of groups (..., n, feature) to (..., (1 + component) * size).

        The embedding of the set as a whole is the mean over components.
        """
        summary, embedding = tokens.split(
            (self.layout.n_outputs, tokens.shape[-1] - self.layout.n_outputs), -1
        )
        means, scalars, shared = self.layout.split(summary)
        whole, own = split_embedding(embedding, self.size)
        rows = [means, scalars, own, *beside(own, shared, whole)]
        elements = torch.cat(rows, -1).transpose(-2, -3)
        present = mask.unsqueeze(-2).expand(elements.shape[:-1])
        found = self.transformer(elements, present)
        return torch.cat([found.mean(-2, keepdim=True), found], -2).flatten(-2)


def split_embedding(embedding: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Of the set (..., size), and of its components (..., component, size)."""
    parts = embedding.unflatten(-1, (-1, size))
    return parts[..., 0, :], parts[..., 1:, :]


def beside(rows: Tensor, *whole: Tensor) -> list[Tensor]:
    """What belongs to the set (..., k), once for each of its rows (..., component, feature)."""
    return [w.unsqueeze(-2).expand(*rows.shape[:-1], w.shape[-1]) for w in whole]
