"""Which clusters networks start from."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from neuroparcel.graph.observation import Observation
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.models.mshbm_reference import fit_reference
from neuroparcel.models.mshbm_start import estimate_moments

_N_PASSES = 15  # of coordinate ascent, after which starts of different worth are far apart
_MOST_PROFILES = 200_000  # that starts are compared on
_WORTH_IT = 1e-3  # nats a vertex, below which the first candidate stays


def best_start(data: Observation, model: MSHBM, candidates: Sequence[Tensor]) -> Tensor:
    """The anchors from which a short coordinate ascent of the model climbs highest.

    Spherical k-means of positive profiles and k-means of their link coordinates cut a cohort
    in different ways, and neither is always the better start.

    Parameters
    ----------
    data : Observation, (1, subject, session, vertex, component)
        Of more than 200,000 profiles, evenly spaced vertices are taken.
    model : MSHBM
        Under the paper's labels, which all starts share.
    candidates : sequence of Tensor, shape (network, component)
        The first stays unless another gains a thousandth of a nat a vertex.

    Returns
    -------
    Tensor, shape (network, component)
    """
    if len(candidates) == 1:
        return candidates[0]
    stride = -(-int(data.n_observed) // _MOST_PROFILES)
    some = Observation(data.values[:, :, :, ::stride], data.mask[:, :, :, ::stride]).to("cpu")
    model = model.to(torch.device("cpu"))
    best, highest = candidates[0], -torch.inf
    for anchors in candidates:
        start = estimate_moments(some, anchors.to(some.values), model)
        fitted = fit_reference(model, some, start, n_iterations=_N_PASSES)
        bound = float(fitted.elbo[-1]) / int(some.n_observed)
        if bound > highest + _WORTH_IT:
            best, highest = anchors, bound
    return best
