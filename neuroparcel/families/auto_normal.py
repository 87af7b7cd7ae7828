"""Pyro's AutoNormal behind the interface of the other families."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import pyro
from pyro import poutine
from pyro.infer.autoguide import AutoNormal
from torch import Tensor, nn
from torch.distributions import IndependentTransform, Transform, biject_to

from neuroparcel.errors import OptionError
from neuroparcel.families.base import ConditionedFamily, Draws, Latents, NonAmortizedFamily
from neuroparcel.graph.model_graph import Site
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.template import ModelTemplate
from neuroparcel.nets.hierarchical_encoder import Encoding


class PyroAutoNormal(NonAmortizedFamily):
    """``pyro.infer.autoguide.AutoNormal``: what Pyro's users would run.

    Parameters
    ----------
    template : ModelTemplate
    plate_sizes : tuple of int
        Of the data, outermost plate first.
    batch_size : int
        Data sets that are fitted side by side, each with its own factors.
    """

    name: ClassVar[str] = "auto-normal"

    def __init__(
        self, template: ModelTemplate, plate_sizes: tuple[int, ...], batch_size: int = 1
    ) -> None:
        super().__init__(plate_sizes, batch_size)
        _check_transforms(template, self.plate_sizes)
        self.template = template
        with _local_parameters():
            self.guide = AutoNormal(template.latent_model(self.plate_sizes, batch_size))
            self.guide()

    def condition(
        self, encodings: Sequence[Encoding], data: Observation, *, affine_only: bool = False
    ) -> AutoNormalPosterior:
        """The guide as it stands; ``data`` gives the masks."""
        return AutoNormalPosterior(self.template, self.guide, data)

    def settings(self) -> dict[str, Any]:
        """Sizes."""
        return {"plate_sizes": list(self.plate_sizes), "batch_size": self.batch_size}

    @classmethod
    def from_settings(cls, template: ModelTemplate, settings: Mapping[str, Any]) -> PyroAutoNormal:
        """A family of these :meth:`settings`, whose weights are still to be loaded."""
        return cls(template, tuple(settings["plate_sizes"]), settings["batch_size"])

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """All parameters, as ``factors``."""
        return {"factors": list(self.guide.parameters())}


@dataclass(frozen=True, eq=False)
class AutoNormalPosterior(ConditionedFamily):
    """The guide's distribution over all latents."""

    template: ModelTemplate
    guide: AutoNormal
    data: Observation

    def rsample(self, n_draws: int) -> Draws:
        """Draws of shape (draw, batch, *plates, *event) and their log density."""
        nodes = self._trace(n_draws, {})
        values = {s.name: self._compact(nodes[s.name]["value"], s) for s in self._sites}
        return Draws(values, {s.name: self._density(nodes, s, n_draws) for s in self._sites})

    def log_prob(self, values: Latents) -> dict[str, Tensor]:
        """Log density of each site at ``values``; shape (draw, batch)."""
        prototype = self.guide.prototype_trace.nodes
        unbounded = {}
        for site in self._sites:
            value = values[site.name]
            batch = value.dim() - len(site.event_shape)
            spread = (*value.shape[:batch], *(1,) * site.hierarchy, *site.event_shape)
            transform = biject_to(prototype[site.name]["fn"].support)
            unbounded[f"{site.name}_unconstrained"] = transform.inv(value.reshape(spread))
        n_draws = next(iter(values.values())).shape[0]
        nodes = self._trace(n_draws, unbounded)
        return {site.name: self._density(nodes, site, n_draws) for site in self._sites}

    def point(self) -> Latents:
        """The guide's median."""
        with _local_parameters():
            median = self.guide.median()
        return {s.name: self._compact(median[s.name].unsqueeze(0), s) for s in self._sites}

    @property
    def _sites(self) -> tuple[Site, ...]:
        return self.template.graph.latents

    def _trace(self, n_draws: int, given: Mapping[str, Tensor]) -> Mapping[str, Any]:
        draws = pyro.plate("_draw", n_draws, dim=-self.template.graph.n_plates - 2)
        guide = poutine.condition(self.guide, data=dict(given))
        with _local_parameters(), pyro.validation_enabled(False), draws:
            return dict(poutine.trace(guide).get_trace().nodes)

    def _density(self, nodes: Mapping[str, Any], site: Site, n_draws: int) -> Tensor:
        normal, value = nodes[f"{site.name}_unconstrained"], nodes[site.name]
        density = normal["fn"].log_prob(normal["value"]) + value["fn"].log_prob(value["value"])
        plates = self.data.mask_at(site.hierarchy).shape
        return self.data.sum_present(density.reshape(n_draws, *plates), site.hierarchy)

    def _compact(self, value: Tensor, site: Site) -> Tensor:
        plates = self.data.mask_at(site.hierarchy).shape
        return value.reshape(-1, *plates, *site.event_shape)


def _check_transforms(template: ModelTemplate, plate_sizes: tuple[int, ...]) -> None:
    """Pyro's transforms must be bijections with a known volume onto the sites' supports."""
    for name, (prior, _) in template.priors(plate_sizes, 1).items():
        try:
            transform = biject_to(prior.support)
        except NotImplementedError:
            transform = Transform()
        while isinstance(transform, IndependentTransform):
            transform = transform.base_transform
        if type(transform).log_abs_det_jacobian is Transform.log_abs_det_jacobian:
            raise OptionError(
                f"Pyro's AutoNormal knows no bijection with a volume for the site '{name}' "
                f"({template.graph.site(name).link_name}).",
                "Use the family 'mean-field' or 'adavi'.",
            )


def _local_parameters() -> Any:
    """Parameters belong to their guide and not to Pyro's global store."""
    return pyro.settings.context(module_local_params=True)
