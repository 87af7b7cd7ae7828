"""Smooth random fields over places in the brain."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from neuroparcel.types import FloatArray

N_FEATURES = 256
"""Random features of a field. The covariance is met up to about ``1 / sqrt(N_FEATURES)``."""


def smooth_fields(
    coordinates: FloatArray, n_fields: int, scale: float, rng: np.random.Generator
) -> npt.NDArray[np.float32]:
    r"""Gaussian random fields with covariance :math:`\exp(-d^2 / 2 s^2)` at distance d.

    Parameters
    ----------
    coordinates : (row, 3) array of float32
        Places in millimetres.
    n_fields : int
        Number of independent fields.
    scale : float
        The length s in millimetres.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    (row, field) array of float32
        Mean 0, variance about 1.

    References
    ----------
    A. Rahimi and B. Recht (2007), Random features for large-scale kernel machines, NIPS;
    algorithm 1.
    """
    frequency = rng.standard_normal((3, N_FEATURES), dtype=np.float32) / np.float32(scale)
    phase = rng.random(N_FEATURES, dtype=np.float32) * np.float32(2 * np.pi)
    features = np.cos(coordinates @ frequency + phase)
    weights = rng.standard_normal((N_FEATURES, n_fields), dtype=np.float32)
    return np.asarray(features @ (weights * np.float32(np.sqrt(2 / N_FEATURES))))
