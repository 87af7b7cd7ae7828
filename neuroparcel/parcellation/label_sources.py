"""Where labels take their evidence from: networks that are known, or learnt along with them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neuroparcel.graph.observation import Observation
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_reference import improve_reference
from neuroparcel.models.mshbm_start import Moments
from neuroparcel.models.reference_labels import LabelEvidence
from neuroparcel.models.reference_posterior import ReferencePosterior
from neuroparcel.parcellation.label_learning import NetworkSource, effective_share
from neuroparcel.parcellation.networks import ClosedNetworks


@dataclass(frozen=True, eq=False)
class KnownEvidence(NetworkSource):
    """Evidence of networks that labels do not change.

    Parameters
    ----------
    densities : Tensor, shape (subject, session, vertex, network)
        Expected log density of each profile under each network, zeros without data.
    """

    densities: Tensor

    def evidence(self, labels: LabelEvidence) -> Tensor:
        """The same, whatever the labels."""
        return self.densities


class ReferenceAscent(NetworkSource):
    """Networks of the reference, which take one step of coordinate ascent each time.

    Parameters
    ----------
    model : MSHBM
    data : Observation, (1, subject, session, vertex, component)
    start : Moments or ReferencePosterior

    Attributes
    ----------
    posterior : ReferencePosterior or Moments
        Where the ascent is; a posterior after the first step.
    """

    def __init__(
        self, model: MSHBM, data: Observation, start: Moments | ReferencePosterior
    ) -> None:
        self.model, self.data = model, data
        self.posterior: Moments | ReferencePosterior = start

    def evidence(self, labels: LabelEvidence) -> Tensor:
        """Evidence of the networks after one more step."""
        fitted = improve_reference(self.model, self.data, self.posterior, labels)
        self.posterior = fitted
        return ClosedNetworks(fitted).evidence()


def residual_share(data: Observation, anchors: Tensor) -> float:
    """Effective share of the coordinates: of the residuals from the nearest anchors.

    Parameters
    ----------
    data : Observation, (1, subject, session, vertex, component)
    anchors : Tensor, shape (network, component)
    """
    n_components = anchors.shape[-1]
    scatter = torch.zeros(n_components, n_components, dtype=torch.float64)
    anchors = anchors.to(data.values)
    for subject, session in data.mask_at(1)[0].nonzero().tolist():
        values = data.values[0, subject, session][data.mask[0, subject, session]]
        residual = values - anchors[torch.cdist(values, anchors).argmin(-1)]
        scatter += (residual.T @ residual).double().cpu()
    return effective_share(scatter)
