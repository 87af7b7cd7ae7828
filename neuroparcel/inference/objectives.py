r"""Training objectives, in nats per observed element.

With :math:`q` the variational posterior of data :math:`x` and latents
:math:`\theta`:

========================  =====================================================
``map``                   :math:`-\log p(x, \hat\theta)` at the family's point
``unregularised-elbo``    :math:`-E_q \log p(x, \theta)` (ADAVI, appendix C.4)
``reverse-kl``            :math:`E_q [\log q(\theta) - \log p(x, \theta)]` (eq. 5)
``forward-kl``            :math:`-\log q(\theta)` at simulated pairs
``symmetric-kl``          the sum of the last two (Weilbach et al. 2020, section 4)
========================  =====================================================
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from torch import Tensor

from neuroparcel.errors import TrainingError
from neuroparcel.families.base import ConditionedFamily
from neuroparcel.graph.template import ModelTemplate
from neuroparcel.inference.data import Batch

Objective = Callable[[ConditionedFamily, ModelTemplate, Batch, int], Tensor]
"""(posterior of the batch's data, model, batch, number of draws) to a scalar."""


def _map(q: ConditionedFamily, template: ModelTemplate, batch: Batch, n_draws: int) -> Tensor:
    return -_per_element(template.log_prob(q.point(), batch.data), batch)


def _unregularised_elbo(
    q: ConditionedFamily, template: ModelTemplate, batch: Batch, n_draws: int
) -> Tensor:
    return -_per_element(template.log_prob(q.rsample(n_draws).values, batch.data), batch)


def _reverse_kl(
    q: ConditionedFamily, template: ModelTemplate, batch: Batch, n_draws: int
) -> Tensor:
    draws = q.rsample(n_draws)
    log_joint = template.log_prob(draws.values, batch.data)
    return _per_element(draws.log_prob, batch) - _per_element(log_joint, batch)


def _forward_kl(
    q: ConditionedFamily, template: ModelTemplate, batch: Batch, n_draws: int
) -> Tensor:
    if batch.latents is None:
        raise TrainingError(
            "forward KL needs simulated latents, but this batch was observed.",
            "Train this stage on simulations only.",
        )
    latents = {name: value.unsqueeze(0) for name, value in batch.latents.items()}
    return -_per_element(q.log_prob(latents), batch)


def _symmetric_kl(
    q: ConditionedFamily, template: ModelTemplate, batch: Batch, n_draws: int
) -> Tensor:
    return _reverse_kl(q, template, batch, n_draws) + _forward_kl(q, template, batch, n_draws)


OBJECTIVES: dict[str, Objective] = {
    "map": _map,
    "unregularised-elbo": _unregularised_elbo,
    "reverse-kl": _reverse_kl,
    "forward-kl": _forward_kl,
    "symmetric-kl": _symmetric_kl,
}
NEED_LATENTS = ("forward-kl", "symmetric-kl")


def _per_element(log_prob: Mapping[str, Tensor], batch: Batch) -> Tensor:
    """Sum over sites, divide by each data set's observed elements, average."""
    total = sum(value for value in log_prob.values())
    assert isinstance(total, Tensor)
    return (total / batch.data.n_observed).mean()
