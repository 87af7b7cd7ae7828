r"""Mean-field variational inference of the MS-HBM by gradients, fitted to each cohort.

One free factor for each ground variable. The bound is that of the mixture itself, which the
reference (:mod:`neuroparcel.models.mshbm_reference`) bounds once more by labels; both have nearly
the same answer, and this one costs hundreds of passes over the data instead of tens.

Factors start at moment estimates, as wide as so many data would make them: scales and weights
that many profiles share are known to a thousandth, which gradients find slowly from far away.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self, cast

import torch
from pyro import poutine
from torch import Tensor

from neuroparcel.families.mean_field import MeanField
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.template import ModelTemplate, analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.checkpoints import load_weights
from neuroparcel.inference.posterior import AmortizedPosterior
from neuroparcel.inference.refinement import Descent
from neuroparcel.inference.stages import Schedule, Stage
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_start import Moments
from neuroparcel.nets.free_factors import FreeFactor, LinkNormal
from neuroparcel.parcellation.label_model import LabelModel
from neuroparcel.parcellation.networks import (
    DrawnNetworks,
    TrainedNetworks,
    nothing_to_refine,
    put_under,
    under,
)

_N_STEPS, _LEARNING_RATE, _N_DRAWS = 400, 3e-2, 8
_MARGIN = 0.01  # of a scale's range, that its start keeps from the bounds
_SCALES = {"log_epsilon": 2, "log_sigma": 1, "log_kappa": 0}  # hierarchy of what each spreads


def mean_field_schedule() -> Schedule:
    """One stage: reverse KL of all factors."""
    stage = Stage("posterior", "reverse-kl", _N_STEPS, _LEARNING_RATE, ("factors",), _N_DRAWS)
    return Schedule((stage,))


@dataclass(frozen=True, eq=False)
class MeanFieldNetworks(TrainedNetworks):
    """Mean-field factors of a training cohort.

    Parameters
    ----------
    posterior : AmortizedPosterior
        Of an :class:`~neuroparcel.models.mshbm.MSHBM`; its family is a
        :class:`~neuroparcel.families.mean_field.MeanField`.
    n_steps : int
        Of the fit to another cohort.
    """

    posterior: AmortizedPosterior
    n_steps: int
    name = "mean-field"

    @property
    def model(self) -> MSHBM:
        """The model of the networks."""
        return cast(MSHBM, self.posterior.template.model)

    @property
    def family(self) -> MeanField:
        """The factors of the training cohort."""
        return cast(MeanField, self.posterior.family)

    def __call__(
        self, data: Observation, strength: Tensor | None = None, *, new_population: bool = False
    ) -> DrawnNetworks:
        """Networks of the training cohort, or of another, which is fitted first.

        All vertices count alike. Factors of the population are the training cohort's, or
        start there.
        """
        if new_population:
            return DrawnNetworks(self.repopulated(data).posterior(data), self.model)
        is_known = data.digest() == int(self.family.fitted_to)
        posterior = self.posterior if is_known else self._fitted(data, keep_population=True)
        return DrawnNetworks(posterior(data), self.model)

    def repopulated(self, data: Observation, strength: Tensor | None = None) -> MeanFieldNetworks:
        """The same, with the factors of another cohort in place of the trained one's."""
        return replace(self, posterior=self._fitted(data, keep_population=False))

    def refined(self, n_steps: int, seed: int = 0) -> MeanFieldNetworks:
        """Refused: factors are fitted to each cohort."""
        raise nothing_to_refine(self.name)

    def settings(self) -> dict[str, Any]:
        """Of the family, and steps."""
        return {**self.family.settings(), "n_steps": self.n_steps}

    def to_tensors(self) -> dict[str, Tensor]:
        """All factors of the training cohort."""
        return put_under("family", self.family.state_dict())

    @classmethod
    def from_saved(
        cls,
        model: MSHBM,
        labels: LabelModel | None,
        settings: Mapping[str, Any],
        tensors: Mapping[str, Tensor],
        path: Path,
    ) -> Self:
        """See :class:`TrainedNetworks`; labels do not enter."""
        template = analyse(model)
        with seeded(0):  # initial factors, that the saved ones replace
            family = MeanField.from_settings(template, settings)
        load_weights(family, under("family", tensors), path)
        family = family.to(model.population_covariance.device)
        return cls(AmortizedPosterior(template, family.eval()), settings["n_steps"])

    def _fitted(self, data: Observation, *, keep_population: bool) -> AmortizedPosterior:
        """Factors of another cohort; those of the population are, or start at, the trained."""
        template, graph = self.posterior.template, self.posterior.template.graph
        family = start_factors(template, data, self._centres())
        top = [site.name for site in graph.latents if site.hierarchy == graph.n_plates]
        for name in top:
            family.factors[name].load_state_dict(self.family.factors[name].state_dict())
        kept = top if keep_population else []
        moving = [site.name for site in graph.latents if site.name not in kept]
        _fit(family, template, data, moving, self.n_steps)
        return AmortizedPosterior(template, family.eval())

    def _centres(self) -> dict[str, Tensor]:
        """Typical value of each site, of the event's shape."""
        graph = self.posterior.template.graph
        return {
            site.name: _factor(self.family, site.name)
            .centre()
            .detach()
            .flatten(0, graph.n_plates - site.hierarchy)
            .mean(0)
            for site in graph.latents
        }


def centres_of(moments: Moments, model: MSHBM) -> dict[str, Tensor]:
    """Moment estimates of the MS-HBM's networks and scales, by site; of the event's shape."""
    networks = {f"{level}_networks": moments.networks for level in model.levels}
    scales = {
        "log_epsilon": _inside(moments.epsilon.log(), model.log_scale_range),
        "log_sigma": _inside(moments.sigma.log(), model.log_scale_range),
        "log_kappa": _inside(moments.kappa.log(), model.log_kappa_range),
    }
    return {**networks, **scales}


def fit_mean_field(
    template: ModelTemplate, data: Observation, start: Moments, n_steps: int = _N_STEPS
) -> AmortizedPosterior:
    """Fit the factors of one cohort, from moment estimates.

    Parameters
    ----------
    template : ModelTemplate
        Of an :class:`~neuroparcel.models.mshbm.MSHBM`.
    data : Observation, (1, subject, session, vertex, component)
    start : Moments
    n_steps : int
    """
    family = start_factors(template, data, centres_of(start, cast(MSHBM, template.model)))
    _fit(family, template, data, [site.name for site in template.graph.latents], n_steps)
    return AmortizedPosterior(template, family.eval())


def start_factors(
    template: ModelTemplate, data: Observation, centres: Mapping[str, Tensor]
) -> MeanField:
    """Factors around given values, before any fit.

    Parameters
    ----------
    template : ModelTemplate
        Of an :class:`~neuroparcel.models.mshbm.MSHBM`.
    data : Observation, (1, subject, session, vertex, component)
        That they are to be fitted to.
    centres : mapping of site to Tensor, of the event's shape
        Others than latent sites are passed over.
    """
    graph, sizes = template.graph, data.plate_sizes
    values = {}
    for site in graph.latents:
        if site.name in centres:
            plates = sizes[: graph.n_plates - site.hierarchy]
            value = centres[site.name].expand((*plates, *site.event_shape))
            spread = (1, *plates, *(1,) * site.hierarchy, *site.event_shape)
            values[site.name] = value.reshape(spread)
    # The family starts where the model draws: at the given values, and with weights that are as
    # sure as all labels together.
    model = cast(MSHBM, template.model)
    sure = replace(model, concentration=float(data.n_observed) / model.n_networks)
    with seeded(0):
        family = MeanField(replace(template, model=poutine.condition(sure, values)), sizes)
    for name, hierarchy in _SCALES.items():
        if name in family.factors:
            _narrow(family, template, name, int(data.mask_at(hierarchy).sum()))
    family.bind(data)
    return family.to(data.values.device)


def _fit(
    family: MeanField,
    template: ModelTemplate,
    data: Observation,
    sites: list[str],
    n_steps: int,
) -> None:
    """Fit the factors of some sites; the others stay."""
    free = [p for name in sites for p in family.factors[name].parameters()]
    if not free:
        return
    descent = Descent(n_steps, _LEARNING_RATE, _N_DRAWS)
    found = descent(free, lambda: family.condition((), data), template, data)
    with torch.no_grad():
        for parameter, average in zip(free, found, strict=True):
            parameter.copy_(average)


def _narrow(family: MeanField, template: ModelTemplate, name: str, n_vectors: int) -> None:
    """Make the factor of a log scale as wide as so many vectors leave it.

    That of the spread of n numbers is known with the standard deviation (2 n)^(-1/2).
    """
    factor = cast(LinkNormal, family.factors[name])
    n_components = cast(MSHBM, template.model).prior_tril.shape[-1]
    width = -0.5 * math.log(2 * n_components * max(1, n_vectors))
    with torch.no_grad():
        _, log_slope = template.graph.site(name).link()(factor.loc)
        log_slope = log_slope.unsqueeze(-1) / factor.loc.shape[-1]
        factor.log_scale.copy_((width - log_slope).expand_as(factor.log_scale))


def _factor(family: MeanField, name: str) -> FreeFactor:
    return cast(FreeFactor, family.factors[name])


def _inside(value: Tensor, bounds: tuple[float, float]) -> Tensor:
    low, high = bounds
    margin = _MARGIN * (high - low)
    return value.clamp(low + margin, high - margin)
