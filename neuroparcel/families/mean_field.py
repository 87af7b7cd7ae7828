"""Mean-field variational inference: the yardstick, for one observation at a time.

One free factor for every ground variable, independent of all others: of the
prior's parametric form where that can be varied, else a normal in the
coordinates of the site's link. Nothing is amortized: the weights belong to the
data sets that they were fitted to.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, cast

from torch import Tensor, nn

from neuroparcel.errors import OptionError
from neuroparcel.families.base import ConditionedFamily, Draws, Latents, NonAmortizedFamily
from neuroparcel.graph.model_graph import ModelGraph, Site
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.template import ModelTemplate
from neuroparcel.nets.free_factors import FreeFactor, LinkNormal, PriorForm, has_free_form
from neuroparcel.nets.hierarchical_encoder import Encoding

FORMS = ("prior", "normal")


class MeanField(NonAmortizedFamily):
    """Free independent factors, started at a draw of the prior.

    Parameters
    ----------
    template : ModelTemplate
    plate_sizes : tuple of int
        Of the data, outermost plate first.
    batch_size : int
        Data sets that are fitted side by side, each with its own factors.
    form : {"prior", "normal"}
        ``prior``: each factor has its prior's parametric form (a Dirichlet for a
        Dirichlet); sites whose form cannot be varied, such as a uniform, take the
        normal. ``normal``: a normal in link coordinates everywhere.

    Attributes
    ----------
    forms : dict of site name to str
        What each site took.
    """

    name: ClassVar[str] = "mean-field"

    def __init__(
        self,
        template: ModelTemplate,
        plate_sizes: tuple[int, ...],
        batch_size: int = 1,
        form: str = "prior",
    ) -> None:
        super().__init__(plate_sizes, batch_size)
        if form not in FORMS:
            raise OptionError(f"no mean-field form '{form}'.", f"Choose one of {', '.join(FORMS)}.")
        self.graph = template.graph
        self._form = form
        self.factors = nn.ModuleDict()
        for name, (prior, draw) in template.priors(self.plate_sizes, batch_size).items():
            if form == "prior" and has_free_form(prior):
                self.factors[name] = PriorForm(prior, draw)
            else:
                self.factors[name] = LinkNormal(self.graph.site(name).link(), draw)

    @property
    def forms(self) -> dict[str, str]:
        """Parametric form of each site's factor."""
        return {name: self._factor(name).form for name in self.factors}

    def _factor(self, name: str) -> FreeFactor:
        return cast(FreeFactor, self.factors[name])

    def condition(
        self, encodings: Sequence[Encoding], data: Observation, *, affine_only: bool = False
    ) -> FreePosterior:
        """The factors as they stand; ``data`` gives the masks."""
        return FreePosterior(self.graph, {n: self._factor(n) for n in self.factors}, data)

    def settings(self) -> dict[str, Any]:
        """Sizes and form."""
        return {
            "plate_sizes": list(self.plate_sizes),
            "batch_size": self.batch_size,
            "form": self._form,
        }

    @classmethod
    def from_settings(cls, template: ModelTemplate, settings: Mapping[str, Any]) -> MeanField:
        """A family of these :meth:`settings`, whose weights are still to be loaded."""
        return cls(
            template, tuple(settings["plate_sizes"]), settings["batch_size"], settings["form"]
        )

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """All parameters, as ``factors``."""
        return {"factors": list(self.factors.parameters())}


@dataclass(frozen=True, eq=False)
class FreePosterior(ConditionedFamily):
    """Independent free factors, one a ground variable."""

    graph: ModelGraph
    factors: Mapping[str, FreeFactor]
    data: Observation

    def rsample(self, n_draws: int) -> Draws:
        """Draws of shape (draw, batch, *plates, *event) and their log density."""
        values, log_prob = {}, {}
        for site in self.graph.latents:
            value, density = self.factors[site.name].rsample_and_log_prob(n_draws)
            values[site.name], log_prob[site.name] = value, self._sum(density, site)
        return Draws(values, log_prob)

    def log_prob(self, values: Latents) -> dict[str, Tensor]:
        """Log density of each site at ``values``; shape (draw, batch)."""
        return {
            site.name: self._sum(self.factors[site.name].log_prob(values[site.name]), site)
            for site in self.graph.latents
        }

    def point(self) -> Latents:
        """The centre of each factor."""
        return {s.name: self.factors[s.name].centre().unsqueeze(0) for s in self.graph.latents}

    def _sum(self, log_prob: Tensor, site: Site) -> Tensor:
        return self.data.sum_present(log_prob, site.hierarchy)
