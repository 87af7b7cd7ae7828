"""The hierarchical encoder: one summary for every plate level (ADAVI, eq. 1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from neuroparcel.graph.observation import Observation
from neuroparcel.nets.attention import SetTransformer
from neuroparcel.nets.summaries import AnchoredMoments, Moments, SetSummary, Standardise


@dataclass(frozen=True)
class Encoding:
    """What is known about every ground variable of one hierarchy.

    Attributes
    ----------
    summary : Tensor, shape (batch, *plates, n_summary)
        Standardised plain summaries (the residual path).
    embedding : Tensor, shape (batch, *plates, size)
        From the set transformer.
    """

    summary: Tensor
    embedding: Tensor


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of the encoder; equal at all hierarchies (ADAVI, appendix B.5).

    ``n_steps`` unrolled assignments, ``temperature`` and ``pseudo_count`` matter
    only where there are anchors.
    """

    size: int = 32
    n_heads: int = 4
    n_blocks: int = 1
    n_inducing: int = 8
    n_steps: int = 4
    temperature: float = 1.0
    pseudo_count: float = 1.0


class HierarchicalEncoder(nn.Module):
    """Contract the plates one by one, from the innermost outwards.

    Every contraction runs a set transformer and, beside it, plain summaries of
    the set. Plate sizes are data: the weights do not depend on them.

    Parameters
    ----------
    n_features : int
        Width of one observed element.
    n_plates : int
    config : EncoderConfig
    anchors : Tensor, shape (anchor, feature), optional
        Start of the anchors for mixtures; without, the set's own mean is carried.
    """

    def __init__(
        self, n_features: int, n_plates: int, config: EncoderConfig, anchors: Tensor | None = None
    ) -> None:
        super().__init__()
        first: SetSummary
        if anchors is None:
            first = Moments(n_features, (n_features,))
        else:
            first = AnchoredMoments(
                anchors, config.temperature, config.n_steps, config.pseudo_count
            )
        summaries = [first]
        transformers = [_transformer(n_features, config)]
        for _ in range(n_plates - 1):
            below = summaries[-1].n_outputs
            summaries.append(Moments(below, first.block_sizes))
            transformers.append(_transformer(below + config.size, config))
        self.summaries = nn.ModuleList(summaries)
        self.transformers = nn.ModuleList(transformers)
        self.standardise = nn.ModuleList(Standardise(s.n_outputs) for s in summaries)
        self.summary_sizes = tuple(s.n_outputs for s in summaries)
        self.embedding_size = config.size

    def forward(self, data: Observation) -> tuple[Encoding, ...]:
        """Encodings of hierarchy 1, 2, ..., number of plates."""
        elements = data.values.flatten(data.mask.dim())
        raw, embedding = elements, None
        encodings = []
        for level, summarise in enumerate(self.summaries):
            mask = data.mask_at(level)
            raw_above = summarise(torch.nan_to_num(raw), mask)
            tokens = elements if embedding is None else self._tokens(level, raw, embedding)
            embedding = self.transformers[level](tokens, mask)
            raw = raw_above
            encodings.append(Encoding(self.standardise[level](raw), embedding))
        return tuple(encodings)

    def _tokens(self, level: int, raw: Tensor, embedding: Tensor) -> Tensor:
        return torch.cat([self.standardise[level - 1](raw), embedding], -1)

    @torch.no_grad()
    def measure(self, batches: Sequence[Observation]) -> None:
        """Set the standardisation constants of every level from first data."""
        for level in range(len(self.summaries)):
            rows = torch.cat([self._raw_rows(data, level) for data in batches])
            self.standardise[level].measure(rows)  # type: ignore[operator]

    def _raw_rows(self, data: Observation, level: int) -> Tensor:
        raw = data.values.flatten(data.mask.dim())
        for below in range(level + 1):
            raw = self.summaries[below](torch.nan_to_num(raw), data.mask_at(below))
        return raw[data.mask_at(level + 1)]


def _transformer(n_features: int, config: EncoderConfig) -> SetTransformer:
    return SetTransformer(
        n_features, config.size, config.n_heads, config.n_blocks, config.n_inducing
    )
