"""A Pyro model with its analysed graph: evaluate it and simulate from it in batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import pyro
import torch
from pyro import poutine
from pyro.distributions import TorchDistribution
from torch import Tensor

from neuroparcel.errors import DataError, NotPyramidalError
from neuroparcel.graph.batching import check_batches
from neuroparcel.graph.messengers import Filled, Given, Proposed
from neuroparcel.graph.model_graph import ModelGraph, Site
from neuroparcel.graph.observation import Observation, sum_where
from neuroparcel.graph.pyramid import build_pyramid, find_observed
from neuroparcel.graph.trace import Model, direct_parents, plate_arguments, stable_sites


@dataclass(frozen=True, eq=False)
class ModelTemplate:
    """A pyramidal Pyro model and its descriptors.

    Latent values travel in compact shape ``(*lead, *plates, *event)``: the
    plates that hold the site, outermost first, and no singleton dimensions.

    Attributes
    ----------
    model : callable
        The Pyro function; integer arguments set its plate sizes.
    graph : ModelGraph
    """

    model: Model
    graph: ModelGraph

    def __str__(self) -> str:
        return str(self.graph)

    def log_prob(self, latents: Mapping[str, Tensor], data: Observation) -> dict[str, Tensor]:
        """Log density of each site, summed over its plates where data is present.

        Parameters
        ----------
        latents : mapping of site name to Tensor
            Shape ``(draw, batch, *plates, *event)``, or without the draw.
        data : Observation
            Shape ``(batch, *plates, *event)``.

        Returns
        -------
        dict of site name to Tensor, shape (draw, batch)
        """
        values = {name: self._spread(value, name) for name, value in latents.items()}
        values[self.graph.observed.name] = data.values
        with pyro.validation_enabled(False):
            with Given(values) as given, _on(data.values.device):
                self.model(**self.arguments(data.plate_sizes))
            return {name: self._masked_sum(given.log_prob(name), name, data) for name in values}

    def complete(self, latents: Mapping[str, Tensor], data: Observation) -> dict[str, Tensor]:
        """Ground variables without any data, drawn from the model given their parents.

        Their posterior is exactly that, so no family has to learn it.

        Parameters
        ----------
        latents : mapping of site name to Tensor, shape (draw, batch, *plates, *event)
            Kept where there is data.
        data : Observation
            Gives the mask.
        """
        filled = Filled(
            {name: self._spread(value, name) for name, value in latents.items()},
            {site.name: self._spread_mask(site, data) for site in self.graph.latents},
        )
        with torch.no_grad(), pyro.validation_enabled(False), filled, _on(data.values.device):
            self.model(**self.arguments(data.plate_sizes))
        return {name: filled.values[name].reshape(value.shape) for name, value in latents.items()}

    def missing_log_prob(
        self, latents: Mapping[str, Tensor], data: Observation
    ) -> dict[str, Tensor]:
        """Log density of the ground variables without any data, given their parents.

        Shapes as in :meth:`log_prob`; sites with data everywhere have zeros.
        """
        given = {name: self._spread(value, name) for name, value in latents.items()}
        given[self.graph.observed.name] = data.values
        with pyro.validation_enabled(False):
            with Given(given) as model, _on(data.values.device):
                self.model(**self.arguments(data.plate_sizes))
            return {
                site.name: self._masked_sum(
                    model.log_prob(site.name), site.name, data, ~data.mask_at(site.hierarchy)
                )
                for site in self.graph.latents
            }

    def simulate(
        self,
        plate_sizes: tuple[int, ...],
        batch_size: int,
        proposals: Mapping[str, TorchDistribution] | None = None,
        device: torch.device | str = "cpu",
    ) -> tuple[dict[str, Tensor], Observation]:
        """Draw data sets and the latents that made them.

        Parameters
        ----------
        plate_sizes : tuple of int
            Outermost plate first.
        batch_size : int
        proposals : mapping of site name to distribution, optional
            Distributions to draw these sites from instead of the model's own: where
            a vague prior would almost never give plausible data.

        Returns
        -------
        latents : dict of Tensor, shape (batch, *plates, *event)
        data : Observation
        """
        with torch.no_grad():
            nodes = self._run(plate_sizes, batch_size, proposals or {}, device)
        latents = {
            site.name: self._compact(nodes[site.name]["value"], site, plate_sizes, batch_size)
            for site in self.graph.latents
        }
        values = nodes[self.graph.observed.name]["value"]
        if not values.is_floating_point():  # counts and classes: networks read numbers
            values = values.to(torch.get_default_dtype())
        return latents, Observation.complete(values, len(self.graph.observed.event_shape))

    def priors(
        self, plate_sizes: tuple[int, ...], batch_size: int, device: torch.device | str = "cpu"
    ) -> dict[str, tuple[TorchDistribution, Tensor]]:
        """Each latent site's distribution given a draw of its parents, and a draw of it.

        Returns
        -------
        dict of site name to (distribution, draw)
            Batch shape (batch, *plates, 1, ...) in Pyro's layout; compact shape
            (batch, *plates, *event).
        """
        with torch.no_grad():
            nodes = self._run(plate_sizes, batch_size, {}, device)
        return {
            site.name: (
                nodes[site.name]["fn"],
                self._compact(nodes[site.name]["value"], site, plate_sizes, batch_size),
            )
            for site in self.graph.latents
        }

    def latent_model(self, plate_sizes: tuple[int, ...], batch_size: int) -> Callable[[], None]:
        """The model of a batch without its observed site: what a Pyro guide is made for."""
        hidden = poutine.block(self.model, hide=[self.graph.observed.name])

        def latents() -> None:
            with pyro.plate("_batch", batch_size, dim=-self.graph.n_plates - 1):
                hidden(**self.arguments(plate_sizes))

        return latents

    def _run(
        self,
        plate_sizes: tuple[int, ...],
        batch_size: int,
        proposals: Mapping[str, TorchDistribution],
        device: torch.device | str,
    ) -> Mapping[str, dict[str, Any]]:
        lead = pyro.plate("_batch", batch_size, dim=-self.graph.n_plates - 1, device=str(device))
        with pyro.validation_enabled(False), _on(device), lead, Proposed(proposals):
            trace = poutine.trace(self.model).get_trace(**self.arguments(plate_sizes))
        return dict(trace.nodes)

    def arguments(self, plate_sizes: tuple[int, ...]) -> dict[str, int]:
        """Arguments of the model that set these plate sizes, outermost first.

        Raises
        ------
        DataError
            If there are more or fewer sizes than plates.
        NotPyramidalError
            If a plate's size is fixed in the model, at another value.
        """
        names = [plate.name for plate in reversed(self.graph.plates)]
        if len(plate_sizes) != len(names):
            raise DataError(
                f"the model has {len(names)} plates ({', '.join(names)}); "
                f"{len(plate_sizes)} sizes were given: {tuple(plate_sizes)}.",
                "Give one size a plate, outermost first.",
            )
        arguments: dict[str, int] = {}
        for plate, size in zip(reversed(self.graph.plates), plate_sizes, strict=True):
            if plate.argument is not None:
                arguments[plate.argument] = size
            elif size != plate.size:
                raise NotPyramidalError(
                    f"plate '{plate.name}' has the fixed size {plate.size}, the data {size}.",
                    "Let an integer argument of the model with a default set the size.",
                )
        return arguments

    def _spread(self, value: Tensor, name: str) -> Tensor:
        """Compact shape to Pyro's, with a 1 for every plate that the site is not in."""
        site = self.graph.site(name)
        split = value.dim() - len(site.event_shape)
        return value.reshape(*value.shape[:split], *(1,) * site.hierarchy, *site.event_shape)

    def _compact(
        self, value: Tensor, site: Site, plate_sizes: tuple[int, ...], batch_size: int
    ) -> Tensor:
        plates = plate_sizes[: self.graph.n_plates - site.hierarchy]
        return value.reshape(batch_size, *plates, *site.event_shape)

    def _spread_mask(self, site: Site, data: Observation) -> Tensor:
        """Which ground variables of a site have data, in Pyro's shape."""
        mask = data.mask_at(site.hierarchy)
        return mask.reshape(*mask.shape, *(1,) * (site.hierarchy + len(site.event_shape)))

    def _masked_sum(
        self, log_prob: Tensor, name: str, data: Observation, mask: Tensor | None = None
    ) -> Tensor:
        site = self.graph.site(name)
        mask = data.mask_at(site.hierarchy) if mask is None else mask
        plates = (*mask.shape[1:], *(1,) * site.hierarchy)
        lead = log_prob.shape[: log_prob.dim() - self.graph.n_plates]
        log_prob = log_prob.expand(*lead, *plates).reshape(*lead, *mask.shape[1:])
        return sum_where(mask, log_prob)


def analyse(model: Model, observed: str | None = None) -> ModelTemplate:
    """Analyse a Pyro function into a pyramidal template.

    Parameters
    ----------
    model : callable
        Runs without arguments. Its observed site takes its data from an argument
        that defaults to None; integer arguments with defaults set plate sizes.
    observed : str, optional
        Name of the observed site, where it cannot be told.

    Returns
    -------
    ModelTemplate

    Raises
    ------
    NotPyramidalError
        If the model is no pyramid; the message names sites and plates.

    References
    ----------
    Rouillard and Wassermann, ADAVI, ICLR 2022, section 2.1 and appendix A.

    Examples
    --------
    >>> from neuroparcel.models.toys import gaussian_random_effects
    >>> template = analyse(gaussian_random_effects)
    >>> [site.hierarchy for site in template.graph.latents]
    [2, 1]
    """
    sites = stable_sites(model)
    name = observed or find_observed(sites, model)
    names = tuple(site.name for site in sites)
    if name not in names:
        raise NotPyramidalError(
            f"the model has no site '{name}'.", f"Its sites are {', '.join(names)}."
        )
    graph = build_pyramid(sites, name, direct_parents(model, names), plate_arguments(model))
    for site in graph.latents:
        site.link()
    template = ModelTemplate(model, graph)
    check_batches(template)
    return template


def _on(device: torch.device | str) -> AbstractContextManager[object]:
    """Constants that the model makes inside land on the device.

    The CPU is where they land anyway, without the cost of asking at every call.
    """
    device = torch.device(device)
    return nullcontext() if device.type == "cpu" else device
