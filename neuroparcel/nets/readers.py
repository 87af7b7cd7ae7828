"""What the factor of one site reads of the encodings of its hierarchy and those above.

A reader turns encodings into a summary, that the affine block is linear in, and a
context, that its networks see. Where the encoder describes the components of a mixture
one by one, events with one row a component are read row by row, the weights of the
mixture stick by stick, and other sites read what the components have in common.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from neuroparcel.distributions.links import Link
from neuroparcel.nets.component_attention import beside, split_embedding
from neuroparcel.nets.component_factors import FactorSizes
from neuroparcel.nets.component_layout import ComponentLayout
from neuroparcel.nets.hierarchical_encoder import Encoding, HierarchicalEncoder


class Reader(ABC):
    """Encodings of a site's own hierarchy and of all above, to what its factor takes.

    Attributes
    ----------
    n_context : int
        Width of the context.
    """

    n_context: int

    @abstractmethod
    def __call__(self, seen: Sequence[Encoding]) -> tuple[Tensor, Tensor]:
        """Summary and context, both (batch, *plates, ..., feature)."""


class WholeReader(Reader):
    """Summaries and embeddings as they are, side by side.

    Parameters
    ----------
    encoder : HierarchicalEncoder
    hierarchy : int
    """

    def __init__(self, encoder: HierarchicalEncoder, hierarchy: int) -> None:
        seen = encoder.summary_sizes[hierarchy - 1 :]
        self.n_summary = sum(seen)
        self.n_context = self.n_summary + len(seen) * encoder.embedding_size

    def __call__(self, seen: Sequence[Encoding]) -> tuple[Tensor, Tensor]:
        """Summary (..., n_summary) and context (..., n_context)."""
        shape = seen[0].summary.shape[:-1]
        summary = torch.cat([_below(e.summary, shape) for e in seen], -1)
        return summary, torch.cat([summary, *(_below(e.embedding, shape) for e in seen)], -1)


class CommonReader(Reader):
    """What all components have in common: set features, and their own scalars' means.

    Parameters
    ----------
    encoder : HierarchicalEncoder
        By component.
    hierarchy : int
    """

    def __init__(self, encoder: HierarchicalEncoder, hierarchy: int) -> None:
        self._layouts = encoder.layouts[hierarchy - 1 :]
        self._size = encoder.embedding_size
        self.n_summary = sum(len(own.shared) + own.n_scalars for own in self._layouts)
        self.n_context = self.n_summary + len(self._layouts) * self._size

    def __call__(self, seen: Sequence[Encoding]) -> tuple[Tensor, Tensor]:
        """Summary (..., n_summary) and context (..., n_context)."""
        shape = seen[0].summary.shape[:-1]
        features, embeddings = [], []
        for layout, encoding in zip(self._layouts, seen, strict=True):
            _, scalars, shared = layout.split(_below(encoding.summary, shape))
            features += [shared, scalars.mean(-2)]
            embeddings.append(split_embedding(_below(encoding.embedding, shape), self._size)[0])
        summary = torch.cat(features, -1)
        return summary, torch.cat([summary, *embeddings], -1)


class ComponentReader(Reader):
    """One row a component: its means, scalars, embeddings and anchor.

    Parameters
    ----------
    encoder : HierarchicalEncoder
        By component.
    hierarchy : int
    n : int
        Unbounded coordinates of a row of the site.
    located : bool
        Whether they are the coordinates of the observed features, so that a row lies near
        its component's means; the factor's shift is then linear in them.
    """

    def __init__(
        self, encoder: HierarchicalEncoder, hierarchy: int, n: int, *, located: bool
    ) -> None:
        self._encoder = encoder
        self._layouts = encoder.layouts[hierarchy - 1 :]
        size, n_features = encoder.embedding_size, self._layouts[0].n_features
        n_scalars = sum(own.n_scalars + len(own.shared) for own in self._layouts)
        n_means = len(self._layouts) * n_features
        self._located = located
        self.n_context = n_scalars + n_means + 2 * len(self._layouts) * size + n_features
        self.sizes = FactorSizes(
            n_components=len(self._layouts[0].components),
            n=n,
            n_scalars=n_scalars,
            n_context=self.n_context,
            n_levels=len(self._layouts) if located else 0,
        )

    def __call__(self, seen: Sequence[Encoding]) -> tuple[Tensor, Tensor]:
        """Summary and context, both (..., component, feature)."""
        shape = seen[0].summary.shape[:-1]
        scalars, means, embeddings = [], [], []
        for layout, encoding in zip(self._layouts, seen, strict=True):
            mean, scalar, shared = layout.split(_below(encoding.summary, shape))
            embedding = _below(encoding.embedding, shape)
            whole, own = split_embedding(embedding, self._encoder.embedding_size)
            means.append(mean)
            scalars += [scalar, *beside(scalar, shared)]
            embeddings += [own, *beside(own, whole)]
        anchors = self._encoder.standard_anchors.expand(means[0].shape)
        summary = torch.cat([*scalars, *means] if self._located else scalars, -1)
        return summary, torch.cat([*scalars, *means, *embeddings, anchors], -1)


class StickReader(Reader):
    """One row a coordinate of a point on the simplex of the components.

    Its means are the observed shares in the same coordinates, which break the simplex
    like a stick: the first component's share, the second's of the rest, and so on.

    Parameters
    ----------
    encoder : HierarchicalEncoder
        By component.
    hierarchy : int
    link : Link
        Of the site: onto the simplex.
    """

    def __init__(self, encoder: HierarchicalEncoder, hierarchy: int, link: Link) -> None:
        self._encoder, self._link, self._first = encoder, link, hierarchy - 1
        self._layouts = encoder.layouts[hierarchy - 1 :]
        n_scalars = sum(len(own.shared) for own in self._layouts)
        n_levels = len(self._layouts)
        self.n_context = n_scalars + n_levels * (1 + 2 * encoder.embedding_size)
        self.sizes = FactorSizes(link.size, 1, n_scalars, self.n_context, n_levels)

    def __call__(self, seen: Sequence[Encoding]) -> tuple[Tensor, Tensor]:
        """Summary and context, both (..., component - 1, feature)."""
        shape = seen[0].summary.shape[:-1]
        scalars, sticks, embeddings = [], [], []
        for level, (layout, encoding) in enumerate(zip(self._layouts, seen, strict=True)):
            summary = _below(encoding.summary, shape)
            embedding = _below(encoding.embedding, shape)
            whole, own = split_embedding(embedding, self._encoder.embedding_size)
            sticks.append(self._sticks(layout, summary, level).unsqueeze(-1))
            scalars += beside(sticks[-1], layout.split(summary)[2])
            embeddings += [own[..., :-1, :], *beside(sticks[-1], whole)]
        summary = torch.cat([*scalars, *sticks], -1)
        return summary, torch.cat([summary, *embeddings], -1)

    def _sticks(self, layout: ComponentLayout, summary: Tensor, level: int) -> Tensor:
        log_shares = self._encoder.unstandardised(summary, self._first + level)[
            ..., layout.scalars[0]
        ]
        return self._link.inverse(log_shares.softmax(-1))


def _below(tensor: Tensor, shape: torch.Size) -> Tensor:
    """(batch, *outer, k) to (batch, *outer, *inner, k)."""
    missing = len(shape) + 1 - tensor.dim()
    lead, width = tensor.shape[:-1], tensor.shape[-1]
    return tensor.reshape(*lead, *(1,) * missing, width).expand(*shape, width)
