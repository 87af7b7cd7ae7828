"""ADAVI: the variational family dual to a pyramidal model.

One conditional flow for each latent site, repeated over its plates and
conditioned on the encoding of its hierarchy; independent across sites
(ADAVI, eq. 2 and 4). Beyond the paper, a factor also sees the encodings of the
hierarchies above its own, so that a subject is shrunk towards its population.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, cast

import torch
from torch import Tensor, nn

from neuroparcel.distributions.links import Link
from neuroparcel.families.base import ConditionedFamily, Draws, Latents, VariationalFamily
from neuroparcel.graph.model_graph import ModelGraph, Site
from neuroparcel.graph.observation import Observation
from neuroparcel.nets.flows import ConditionalFlow, ConditionedFlow, FlowConfig
from neuroparcel.nets.hierarchical_encoder import EncoderConfig, Encoding, HierarchicalEncoder
from neuroparcel.nets.matching import matching, renumber


@dataclass(frozen=True)
class AdaviConfig:
    """Sizes of the encoder and of the flows."""

    encoder: EncoderConfig = field(default_factory=EncoderConfig)
    flow: FlowConfig = field(default_factory=FlowConfig)

    @classmethod
    def from_dict(cls, config: Mapping[str, Any]) -> AdaviConfig:
        """Undo :func:`dataclasses.asdict`, as read from JSON."""
        return cls(EncoderConfig(**config["encoder"]), FlowConfig(**config["flow"]))


class Adavi(VariationalFamily):
    """Hierarchical encoder and one conditional flow a site.

    Parameters
    ----------
    graph : ModelGraph
        Of the template the family is dual to.
    config : AdaviConfig, optional
    anchors : Tensor, shape (anchor, feature), optional
        Start of the encoder's anchors, for mixtures.

    References
    ----------
    Rouillard and Wassermann, ADAVI, ICLR 2022, section 2.2.
    """

    name: ClassVar[str] = "adavi"
    amortized: ClassVar[bool] = True

    def __init__(
        self, graph: ModelGraph, config: AdaviConfig | None = None, anchors: Tensor | None = None
    ) -> None:
        super().__init__()
        config = config or AdaviConfig()
        self.graph = graph
        self.config = config
        self._n_anchors = 0 if anchors is None else len(anchors)
        self._links = {site.name: site.link() for site in graph.latents}
        self.encoder = HierarchicalEncoder(
            graph.observed.event_size, graph.n_plates, config.encoder, anchors
        )
        self.factors = nn.ModuleDict(
            {site.name: self._new_factor(site, config.flow) for site in graph.latents}
        )

    def _new_factor(self, site: Site, config: FlowConfig) -> ConditionalFlow:
        seen = self.encoder.summary_sizes[site.hierarchy - 1 :]
        n_summary = sum(seen)
        n_context = n_summary + len(seen) * self.encoder.embedding_size
        return ConditionalFlow(self._links[site.name].size, n_summary, n_context, config)

    def _factor_of(self, site: Site) -> ConditionalFlow:
        return cast(ConditionalFlow, self.factors[site.name])

    def encode(self, data: Observation) -> tuple[Encoding, ...]:
        """Encodings of hierarchy 1, 2, ... of ``data`` (batch, *plates, *event)."""
        return tuple(self.encoder(data))

    def condition(
        self, encodings: Sequence[Encoding], data: Observation, *, affine_only: bool = False
    ) -> MeanFieldPosterior:
        """Independent factors for these encodings; ``data`` gives plates and masks."""
        flows = {}
        for site in self.graph.latents:
            summary, context = _seen_from(encodings, site.hierarchy)
            factor = self._factor_of(site)
            flows[site.name] = factor(summary, context, affine_only=affine_only)
        return MeanFieldPosterior(self.graph, self._links, flows, data)

    @torch.no_grad()
    def start(self, simulations: Sequence[tuple[Latents, Observation]]) -> None:
        """Linear regression of the simulated latents on the plain summaries.

        The affine blocks start at the best linear-Gaussian answer under the
        simulator, instead of at random. Exchangeable components are renumbered to
        match the encoder's clusters first: a regression over random numberings would
        start all components at the same place.
        """
        self.encoder.measure([data for _, data in simulations])
        simulations = [(self._renumbered(latents, data), data) for latents, data in simulations]
        encoded = [self.encode(data) for _, data in simulations]
        for site in self.graph.latents:
            summaries, targets = [], []
            for (latents, data), encodings in zip(simulations, encoded, strict=True):
                mask = data.mask_at(site.hierarchy)
                summaries.append(_seen_from(encodings, site.hierarchy)[0][mask])
                targets.append(self._links[site.name].inverse(latents[site.name])[mask])
            self._factor_of(site).start(torch.cat(summaries), torch.cat(targets))
        self.has_started.fill_(True)

    def _renumbered(self, latents: Latents, data: Observation) -> Latents:
        n = self.config.encoder.n_components
        located = (n, self.graph.observed.event_size)
        sites = [site for site in self.graph.latents if site.event_shape == located]
        if n is None or not sites:
            return latents
        nearest = min(sites, key=lambda site: site.hierarchy)
        clusters = self.encoder.block_means(data, nearest.hierarchy)
        order = matching(latents[nearest.name], clusters, data.mask_at(nearest.hierarchy))
        components = [site for site in self.graph.latents if site.event_shape[:1] == (n,)]
        numbered = {s.name: renumber(latents[s.name], order, s.event_shape) for s in components}
        return {**latents, **numbered}

    def settings(self) -> dict[str, Any]:
        """Sizes, and the number of anchors; the anchors themselves are weights."""
        return {"config": asdict(self.config), "n_anchors": self._n_anchors}

    @classmethod
    def from_settings(cls, graph: ModelGraph, settings: Mapping[str, Any]) -> Adavi:
        """A family of these :meth:`settings`, whose weights are still to be loaded."""
        n_anchors = settings["n_anchors"]
        anchors = torch.zeros(n_anchors, graph.observed.event_size) if n_anchors else None
        return cls(graph, AdaviConfig.from_dict(settings["config"]), anchors)

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """Parameters of the ``encoder``, and of ``shift``, ``scale``, ``flow`` over all sites."""
        groups: dict[str, list[nn.Parameter]] = {"encoder": list(self.encoder.parameters())}
        for site in self.graph.latents:
            for role, parameters in self._factor_of(site).groups().items():
                groups.setdefault(role, []).extend(parameters)
        return groups


@dataclass(frozen=True, eq=False)
class MeanFieldPosterior(ConditionedFamily):
    """Independent conditioned flows, one a site (ADAVI, eq. 4)."""

    graph: ModelGraph
    links: dict[str, Link]
    flows: dict[str, ConditionedFlow]
    data: Observation

    def rsample(self, n_draws: int) -> Draws:
        """Draws of shape (draw, batch, *plates, *event) and their log density."""
        values, log_prob = {}, {}
        for site in self.graph.latents:
            unbounded, log_density = self.flows[site.name].rsample_and_log_prob(n_draws)
            values[site.name], log_det = self.links[site.name](unbounded)
            log_prob[site.name] = self._sum(log_density - log_det, site)
        return Draws(values, log_prob)

    def log_prob(self, values: Latents) -> dict[str, Tensor]:
        """Log density of each site at ``values``; shape (draw, batch)."""
        result = {}
        for site in self.graph.latents:
            unbounded = self.links[site.name].inverse(values[site.name])
            _, log_det = self.links[site.name](unbounded)
            density = self.flows[site.name].log_prob(unbounded)
            result[site.name] = self._sum(density - log_det, site)
        return result

    def point(self) -> Latents:
        """The links of the shifts: the centre of each affine block."""
        return {
            site.name: self.links[site.name](self.flows[site.name].shift.unsqueeze(0))[0]
            for site in self.graph.latents
        }

    def _sum(self, log_prob: Tensor, site: Site) -> Tensor:
        return self.data.sum_present(log_prob, site.hierarchy)


def _seen_from(encodings: Sequence[Encoding], hierarchy: int) -> tuple[Tensor, Tensor]:
    """Summaries and whole context of one hierarchy and all above, side by side."""
    own = encodings[hierarchy - 1 :]
    shape = own[0].summary.shape[:-1]
    summaries = [_broadcast(e.summary, shape) for e in own]
    embeddings = [_broadcast(e.embedding, shape) for e in own]
    summary = torch.cat(summaries, -1)
    return summary, torch.cat([summary, *embeddings], -1)


def _broadcast(tensor: Tensor, shape: torch.Size) -> Tensor:
    """(batch, *outer, k) to (batch, *outer, *inner, k)."""
    missing = len(shape) + 1 - tensor.dim()
    lead, width = tensor.shape[:-1], tensor.shape[-1]
    return tensor.reshape(*lead, *(1,) * missing, width).expand(*shape, width)
