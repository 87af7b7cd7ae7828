"""Mean and standard deviation of every site of a posterior, with the names of its dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuroparcel.models.choices import BY_NETWORK, BY_SESSION, LEVELS
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.parcellation.networks import CohortNetworks
from neuroparcel.types import FloatArray

N_DRAWS = 256
"""Draws that means and deviations are taken over; a deviation then has an error of 4 %."""

_PLATES = ("subject", "session")


@dataclass(frozen=True, eq=False)
class SiteSummary:
    """One site's posterior.

    Attributes
    ----------
    dims : tuple of str
        Names of the dimensions: ``subject``, ``session``, ``network``, ``component``.
    mean, sd : ndarray
        NaN where a session, or a subject, is missing.
    """

    dims: tuple[str, ...]
    mean: FloatArray
    sd: FloatArray


def site_summaries(networks: CohortNetworks, model: MSHBM, seed: int = 0) -> dict[str, SiteSummary]:
    """Summaries of all sites, by name.

    Parameters
    ----------
    networks : CohortNetworks
    model : MSHBM
        That they are the networks of.
    seed : int
        Of the draws.
    """
    present = networks.data.mask[0].any(-1)
    there = {1: present.any(-1).cpu().numpy(), 2: present.cpu().numpy()}
    found = {}
    for site, draws in networks.sample(N_DRAWS, seed).items():
        dims = site_dims(site, model)
        mean, sd = (one.cpu().numpy() for one in (draws.mean(0), draws.std(0)))
        n_plates = sum(name in _PLATES for name in dims)
        if n_plates:
            mean[~there[n_plates]] = sd[~there[n_plates]] = np.nan
        found[site] = SiteSummary(dims, mean, sd)
    return found


def site_dims(site: str, model: MSHBM) -> tuple[str, ...]:
    """Names of the dimensions of a site of the model."""
    level = site.removesuffix("_networks")
    if level in LEVELS:
        return (*_PLATES[: LEVELS.index(level)], "network", "component")
    if site == "log_kappa":
        return {BY_NETWORK: ("network",), BY_SESSION: _PLATES}.get(model.kappa, ())
    return ("network",)
