"""ADAVI: the variational family dual to a pyramidal model.

One conditional flow for each latent site, repeated over its plates and
conditioned on the encoding of its hierarchy; independent across sites
(ADAVI, eq. 2 and 4). Beyond the paper, a factor also sees the encodings of the
hierarchies above its own, so that a subject is shrunk towards its population.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, TypeAlias, cast

import torch
from torch import Tensor, nn
from torch.distributions import constraints

from neuroparcel.distributions.links import Link
from neuroparcel.distributions.supports import element_support
from neuroparcel.families.base import ConditionedFamily, Draws, Latents, VariationalFamily
from neuroparcel.graph.model_graph import ModelGraph, Site
from neuroparcel.graph.observation import Observation
from neuroparcel.nets.component_factors import ComponentFactor, ConditionedComponents
from neuroparcel.nets.flows import ConditionalFlow, ConditionedFlow, FlowConfig
from neuroparcel.nets.hierarchical_encoder import EncoderConfig, Encoding, HierarchicalEncoder
from neuroparcel.nets.matching import matching, renumber
from neuroparcel.nets.readers import (
    CommonReader,
    ComponentReader,
    Reader,
    StickReader,
    WholeReader,
)

Factor: TypeAlias = ConditionalFlow | ComponentFactor


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
        Start of the encoder's anchors, for mixtures. With ``by_component`` in the encoder's
        configuration, sites whose events have one row an anchor get a factor whose
        weights all rows share.

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
        self._readers: dict[str, Reader] = {}
        self.factors = nn.ModuleDict()
        for site in graph.latents:
            self._readers[site.name], self.factors[site.name] = self._new_factor(site)

    def _new_factor(self, site: Site) -> tuple[Reader, Factor]:
        """The factor of a site, and what it reads; componentwise where components are known."""
        link, flow = self._links[site.name], self.config.flow
        by_component = self.config.encoder.by_component
        if by_component and self._is_simplex(site):
            sticks = StickReader(self.encoder, site.hierarchy, link)
            return sticks, ComponentFactor(sticks.sizes, flow)
        if by_component and self._has_rows(site):
            rows = self._row_reader(site, link.size // self._n_anchors)
            return rows, ComponentFactor(rows.sizes, flow)
        kind = CommonReader if by_component else WholeReader
        plain = kind(self.encoder, site.hierarchy)
        return plain, ConditionalFlow(link.size, plain.n_summary, plain.n_context, flow)

    def _row_reader(self, site: Site, n: int) -> ComponentReader:
        like_data = site.event_shape[1:] == self.graph.observed.event_shape
        located = like_data and n == self.graph.observed.event_size
        return ComponentReader(self.encoder, site.hierarchy, n, located=located)

    def _is_simplex(self, site: Site) -> bool:
        simplex = isinstance(element_support(site.support), type(constraints.simplex))
        return simplex and site.event_shape == (self._n_anchors,) and self._n_anchors > 1

    def _has_rows(self, site: Site) -> bool:
        """Whether events have one row a component, on a support of its own."""
        inner = element_support(site.support).event_dim < len(site.event_shape)
        return inner and site.event_shape[0] == self._n_anchors

    def _factor_of(self, site: Site) -> Factor:
        return cast(Factor, self.factors[site.name])

    def _read(self, site: Site, encodings: Sequence[Encoding]) -> tuple[Tensor, Tensor]:
        """Summary and context of a site's factor."""
        return self._readers[site.name](encodings[site.hierarchy - 1 :])

    def encode(self, data: Observation) -> tuple[Encoding, ...]:
        """Encodings of hierarchy 1, 2, ... of ``data`` (batch, *plates, *event)."""
        return tuple(self.encoder(data))

    def condition(
        self, encodings: Sequence[Encoding], data: Observation, *, affine_only: bool = False
    ) -> MeanFieldPosterior:
        """Independent factors for these encodings; ``data`` gives plates and masks."""
        flows: dict[str, ConditionedFlow | ConditionedComponents] = {}
        for site in self.graph.latents:
            summary, context = self._read(site, encodings)
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
                summaries.append(self._read(site, encodings)[0][mask])
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
    flows: dict[str, ConditionedFlow | ConditionedComponents]
    data: Observation

    def rsample(
        self, n_draws: int, *, common: bool = False, sites: Collection[str] | None = None
    ) -> Draws:
        """Draws of shape (draw, batch, *plates, *event) and their log density.

        Parameters
        ----------
        n_draws : int
        common : bool
            Noise that all data sets share: draws of one do not depend on which others are in
            its batch, and differences between data sets are not those of the noise.
        sites : collection of str, optional
            Those that are drawn, as they would be among all.
        """
        values, log_prob = {}, {}
        for site in self.graph.latents:
            flow = self.flows[site.name]
            if sites is not None and site.name not in sites:
                flow.noise(n_draws, common=common)  # which the others must not get
                continue
            unbounded, log_density = flow.rsample_and_log_prob(n_draws, common=common)
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
