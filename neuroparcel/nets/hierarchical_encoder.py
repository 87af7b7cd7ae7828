"""The hierarchical encoder: one summary for every plate level (ADAVI, eq. 1)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import cast

import torch
from torch import Tensor, nn

from neuroparcel.errors import OptionError
from neuroparcel.graph.observation import Observation
from neuroparcel.nets.attention import SetTransformer
from neuroparcel.nets.chunked import CHUNK_SIZE, over_sets
from neuroparcel.nets.clustering import ClusteredMoments
from neuroparcel.nets.component_attention import ComponentwiseTransformer
from neuroparcel.nets.component_layout import ComponentLayout
from neuroparcel.nets.quantiles import MomentsAndQuantiles
from neuroparcel.nets.subsets import evenly_drawn
from neuroparcel.nets.summaries import AnchoredMoments, Moments, SetSummary, Standardise, Units


@dataclass(frozen=True)
class Encoding:
    """What is known about every ground variable of one hierarchy.

    Attributes
    ----------
    summary : Tensor, shape (batch, *plates, n_summary)
        Standardised plain summaries (the residual path).
    embedding : Tensor, shape (batch, *plates, size)
        From the set transformer. By component, ``(1 + component) * size`` wide: that of
        the set as a whole, then one a component.
    """

    summary: Tensor
    embedding: Tensor


@dataclass(frozen=True)
class EncodedMembers:
    """What a data set says of the members of its outermost plate, each by itself.

    Attributes
    ----------
    encodings : tuple of Encoding
        Of all hierarchies but the topmost.
    raw : Tensor, shape (batch, member, n_summary)
        Plain summaries of the members before they were standardised; those of the observed
        elements, if they are the members.
    tokens : Tensor, shape (batch, member, feature)
        What a set transformer reads of them.
    mask : Tensor of bool, shape (batch, member)
    """

    encodings: tuple[Encoding, ...]
    raw: Tensor
    tokens: Tensor
    mask: Tensor

    def take(self, index: Tensor) -> EncodedMembers:
        """Some members of the first data set: those that ``index`` (new_batch, size) numbers."""
        return EncodedMembers(
            tuple(Encoding(e.summary[0][index], e.embedding[0][index]) for e in self.encodings),
            self.raw[0][index],
            self.tokens[0][index],
            self.mask[0][index],
        )


@dataclass(frozen=True)
class EncoderConfig:
    """Sizes of the encoder; equal at all hierarchies (ADAVI, appendix B.5).

    ``n_steps`` unrolled assignments, ``temperature`` and ``pseudo_count`` matter
    only where there are anchors.

    Attributes
    ----------
    n_components : int, optional
        Exchangeable components of a mixture whose means can be anywhere: every data
        set is then clustered by itself. With anchors, or without a mixture, None.
    n_quantiles : int
        Quantiles of each feature of the observed sets, beside their moments; 0 for
        wide data. Not for mixtures.
    chunk_size : int
        Elements, over all sets, whose hidden activations are held at once. More are
        read in chunks, to the same numbers: memory stays bounded, but training
        computes the activations twice. On a CPU, chunks of 32,768 fit its cache and are
        often faster for sets of millions.
    mixed_precision : bool
        Run the attention in bfloat16, for accelerators that are fast at it; encodings
        keep the data's dtype and the plain summaries its precision. Double precision
        is left as it is.
    by_component : bool
        The components that the anchors stand for are described one by one, by weights
        that they share: the number of weights then grows with the anchors alone. For
        models whose events have one row a component.
    max_attended : int, optional
        Elements of one observed set that the set transformer reads, at most: of more, as
        many at equal steps. The plain summaries, which carry the precision, read all.
    """

    size: int = 32
    n_heads: int = 4
    n_blocks: int = 1
    n_inducing: int = 8
    n_steps: int = 4
    temperature: float = 1.0
    pseudo_count: float = 1.0
    n_components: int | None = None
    n_quantiles: int = 5
    chunk_size: int = CHUNK_SIZE
    mixed_precision: bool = False
    by_component: bool = False
    max_attended: int | None = None

    def __post_init__(self) -> None:
        if self.max_attended is not None and self.max_attended < 1:
            raise OptionError(
                f"max_attended must be at least 1 element, not {self.max_attended}.",
                "Give some thousands, or None to read all.",
            )
        if self.chunk_size < 1:
            raise OptionError(
                f"chunk_size must be at least 1 element, not {self.chunk_size}.",
                f"The default, {CHUNK_SIZE}, suits most machines; halve it to save memory.",
            )


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
        first = _first_summary(n_features, config, anchors)
        self.layouts = _layouts(n_features, n_plates, anchors) if config.by_component else ()
        summaries = [first]
        transformers: list[nn.Module] = [_transformer(n_features, config)]
        for level in range(n_plates - 1):
            below = summaries[-1].n_outputs
            summaries.append(Moments(below, first.block_sizes, config.chunk_size))
            layout = self.layouts[level] if self.layouts else None
            transformers.append(_upper_transformer(below, config, layout))
        # Anchors are in the units of the data, which then have to stay.
        shared = config.n_components is not None
        self.units = None if anchors is not None else Units(n_features, shared=shared)
        self.summaries = nn.ModuleList(summaries)
        self.transformers = nn.ModuleList(transformers)
        self.standardise = nn.ModuleList(
            Standardise(s.n_outputs, *(_shared_constants(self.layouts[i]) if self.layouts else ()))
            for i, s in enumerate(summaries)
        )
        self.summary_sizes = tuple(s.n_outputs for s in summaries)
        self.block_sizes = first.block_sizes
        self.embedding_size = config.size
        self.n_embeddings = 1 + (len(self.layouts[0].components) if self.layouts else 0)
        self.n_components = config.n_components
        self.chunk_size, self.max_attended = config.chunk_size, config.max_attended
        self.mixed_precision = config.mixed_precision

    def forward(self, data: Observation) -> tuple[Encoding, ...]:
        """Encodings of hierarchy 1, 2, ..., number of plates."""
        return self.together(self.members(data))

    def members(self, data: Observation) -> EncodedMembers:
        """Encode the members of the outermost plate, which do not see one another."""
        raw = tokens = self._elements(data)
        encodings: list[Encoding] = []
        top = len(self.summaries) - 1
        for level in range(top):
            encoding, raw = self._contract(level, raw, tokens, data.mask_at(level))
            tokens = torch.cat([encoding.summary, encoding.embedding], -1)
            encodings.append(encoding)
        return EncodedMembers(tuple(encodings), raw, tokens, data.mask_at(top))

    def together(self, members: EncodedMembers) -> tuple[Encoding, ...]:
        """Their encodings, and that of the set that they form."""
        top = len(self.summaries) - 1
        encoding, _ = self._contract(top, members.raw, members.tokens, members.mask)
        return (*members.encodings, encoding)

    def _contract(
        self, level: int, raw: Tensor, tokens: Tensor, mask: Tensor
    ) -> tuple[Encoding, Tensor]:
        """Encoding of the sets of a level, and their plain summaries."""
        raw = self._summarise(level, raw, mask)
        summary = self.standardise[level](raw)
        return Encoding(summary, self._attend(level, tokens, mask)), raw

    def compile_transformers(self, backend: str = "inductor") -> None:
        """Compile the set transformers in place; names of weights stay as they are.

        The first step takes up to minutes, and so does the first batch with a single
        set or a single member in a set; other sizes reuse what was compiled. Sets that
        are cut into chunks are computed uncompiled.
        """
        for transformer in self.transformers:
            transformer.compile(dynamic=True, backend=backend)

    def _summarise(self, level: int, raw: Tensor, mask: Tensor) -> Tensor:
        defined = raw
        if level:  # a summary is NaN where its set was too small to define it
            neutral = cast(Standardise, self.standardise[level - 1]).mean
            defined = torch.where(raw.isnan(), neutral, raw)
        if level == 0 and self.n_components is not None:
            return self.summaries[0](defined, mask)  # the sets of a data set are read together
        return over_sets(self.summaries[level], defined, mask, self.chunk_size)

    def _attend(self, level: int, tokens: Tensor, mask: Tensor) -> Tensor:
        attend: Callable[..., Tensor] = self.transformers[level]
        if level == 0 and self.max_attended is not None:
            tokens, mask = evenly_drawn(tokens, mask, self.max_attended)
        if level == 0 and self.layouts:
            attend = partial(attend, asking=self.anchors)
        with torch.autocast(tokens.device.type, torch.bfloat16, enabled=self.mixed_precision):
            embedding = over_sets(attend, tokens, mask, self.chunk_size)
        return embedding.to(tokens.dtype)

    @property
    def anchors(self) -> Tensor:
        """Shape (anchor, feature); of an encoder that has them."""
        return cast(AnchoredMoments, self.summaries[0]).anchors

    @property
    def standard_anchors(self) -> Tensor:
        """Anchors around their mean, in units of their own spread."""
        deviation = self.anchors - self.anchors.mean(0)
        return deviation / (deviation.square().mean().sqrt() + 1e-12)

    def unstandardised(self, summary: Tensor, level: int) -> Tensor:
        """A summary (..., n_summary) as it was before it was standardised."""
        return cast(Standardise, self.standardise[level]).inverse(summary)

    @torch.no_grad()
    def measure(self, batches: Sequence[Observation]) -> None:
        """Set the standardisation constants of every level from first data."""
        if self.units is not None:
            elements = [d.values.reshape(*d.mask.shape, -1)[d.mask] for d in batches]
            self.units.measure(torch.cat(elements))
        for level in range(len(self.summaries)):
            rows = torch.cat([self._raw_rows(data, level) for data in batches])
            self.standardise[level].measure(rows)  # type: ignore[operator]

    def block_means(self, data: Observation, hierarchy: int) -> Tensor:
        """Means of the components (batch, *plates, component, feature) at a hierarchy."""
        raw = self._raw(data, hierarchy - 1)
        means = raw[..., : sum(self.block_sizes)].unflatten(-1, (len(self.block_sizes), -1))
        return means if self.units is None else self.units.inverse(means)

    def _elements(self, data: Observation) -> Tensor:
        """Observed events as vectors, in units of their own."""
        elements = data.values.reshape(*data.mask.shape, -1)
        return elements if self.units is None else self.units(elements)

    def _raw(self, data: Observation, level: int) -> Tensor:
        raw = self._elements(data)
        for below in range(level + 1):
            raw = self._summarise(below, raw, data.mask_at(below))
        return raw

    def _raw_rows(self, data: Observation, level: int) -> Tensor:
        return self._raw(data, level)[data.mask_at(level + 1)]


def _first_summary(n_features: int, config: EncoderConfig, anchors: Tensor | None) -> SetSummary:
    if config.n_components is not None and anchors is not None:
        raise OptionError(
            "anchors fix the components of a mixture, n_components leaves them free.",
            "Give one of the two.",
        )
    if config.n_components is not None:
        return ClusteredMoments(config.n_components, n_features)
    if anchors is None and config.n_quantiles:
        return MomentsAndQuantiles(n_features, config.n_quantiles, config.chunk_size)
    if anchors is None:
        return Moments(n_features, (n_features,), config.chunk_size)
    return AnchoredMoments(
        anchors, config.temperature, config.n_steps, config.pseudo_count, config.chunk_size
    )


def _layouts(n_features: int, n_plates: int, anchors: Tensor | None) -> tuple[ComponentLayout, ...]:
    """Of the summaries of every hierarchy."""
    if anchors is None:
        raise OptionError(
            "components can only be described one by one where anchors fix them.",
            "Give anchors, or leave by_component False.",
        )
    layouts = [ComponentLayout.anchored(len(anchors), n_features)]
    for _ in range(n_plates - 1):
        layouts.append(layouts[-1].above())
    return tuple(layouts)


def _shared_constants(layout: ComponentLayout) -> tuple[Sequence[Tensor], Sequence[Tensor]]:
    """Means have one unit; each scalar has one law, so that components can be compared."""
    return (layout.means,), layout.scalars


def _upper_transformer(
    n_summary: int, config: EncoderConfig, layout: ComponentLayout | None
) -> nn.Module:
    if layout is None:
        return _transformer(n_summary + config.size, config)
    return ComponentwiseTransformer(
        layout,
        config.size,
        config.n_heads,
        config.n_blocks,
        config.n_inducing,
        config.chunk_size,
    )


def _transformer(n_features: int, config: EncoderConfig) -> SetTransformer:
    return SetTransformer(
        n_features,
        config.size,
        config.n_heads,
        config.n_blocks,
        config.n_inducing,
        config.chunk_size,
    )
