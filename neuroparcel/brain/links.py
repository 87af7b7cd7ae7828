"""Links between unbounded coordinates and the positive part of the unit sphere, in numpy.

Both are of the form L(y) = sqrt(softmax(g(y))) with a linear g; the squares of a profile of
unit norm are a point of the simplex. :mod:`neuroparcel.distributions.sphere` has the torch
twin of this module, and a test holds the two equal.
"""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from scipy.special import log_softmax

from neuroparcel.errors import ConnectomeError, OptionError
from neuroparcel.types import FloatArray

LinkName = Literal["ilr", "softmax-centered"]

LINKS: tuple[str, ...] = get_args(LinkName)


def link_forward(coordinates: FloatArray, link: str = "ilr") -> FloatArray:
    """Coordinates to the positive part of the unit sphere.

    ``"ilr"`` (isometric log-ratio): L(y) = sqrt(softmax(B y)), where the columns of B are the
    Helmert basis of the vectors with sum zero: column j (j = 1 ... D - 1) is
    (1, ..., 1 [j ones], -j, 0, ..., 0) / sqrt(j (j + 1)).

    ``"softmax-centered"``: L(y) = sqrt(softmax(y_1, ..., y_{D-1}, 0)), the last target being
    the reference.

    Parameters
    ----------
    coordinates : (..., target - 1) array of float
        Unbounded coordinates y.
    link : {"ilr", "softmax-centered"}, default "ilr"
        Which link.

    Returns
    -------
    (..., target) array of float64
        Positive entries, unit norm.

    References
    ----------
    J. J. Egozcue et al. (2003), Isometric logratio transformations for compositional data
    analysis, Mathematical Geology 35, 279-300.
    L. Rouillard and D. Wassermann (2022), ADAVI, ICLR; appendices E.2 and E.4.

    Examples
    --------
    >>> link_forward(np.zeros(3))
    array([0.5, 0.5, 0.5, 0.5])
    """
    y = np.asarray(coordinates, dtype=np.float64)
    logits = _helmert(y) if _checked(link) == "ilr" else _append_zero(y)
    return np.exp(log_softmax(logits, axis=-1) / 2)


def link_inverse(profiles: FloatArray, link: str = "ilr") -> FloatArray:
    """Positive vectors to coordinates: the inverse of :func:`link_forward`.

    ``"ilr"``: L^-1(p) = B^T log p^2. ``"softmax-centered"``: log p_i^2 - log p_D^2. Both
    depend on the ratios of the entries only, so the norm of p does not matter.

    Parameters
    ----------
    profiles : (..., target) array of float
        Entries > 0.
    link : {"ilr", "softmax-centered"}, default "ilr"
        Which link.

    Returns
    -------
    (..., target - 1) array of float64

    Raises
    ------
    ConnectomeError
        If an entry is not positive.
    """
    return link_of_logits(logits_of(profiles), link)


def logits_of(profiles: FloatArray) -> FloatArray:
    """Logarithms of the squares of positive vectors, of which the inverse link is linear.

    Parameters
    ----------
    profiles : (..., target) array of float
        Entries > 0.

    Returns
    -------
    (..., target) array of float64

    Raises
    ------
    ConnectomeError
        If an entry is not positive.
    """
    p = np.asarray(profiles, dtype=np.float64)
    if not (p > 0).all():
        raise ConnectomeError("The inverse link needs positive entries.")
    return 2 * np.log(p)


def link_of_logits(logits: FloatArray, link: str = "ilr") -> FloatArray:
    """The linear part of the inverse link, (..., target) to (..., target - 1)."""
    if _checked(link) == "ilr":
        return _helmert_transposed(logits)
    return logits[..., :-1] - logits[..., -1:]


def link_transposed(coordinates: FloatArray, link: str = "ilr") -> FloatArray:
    """The transpose of :func:`link_of_logits`, (..., target - 1) to (..., target)."""
    y = np.asarray(coordinates, dtype=np.float64)
    if _checked(link) == "ilr":
        return _helmert(y)
    return np.concatenate([y, -y.sum(axis=-1, keepdims=True)], axis=-1)


def _helmert(y: FloatArray) -> FloatArray:
    """B y, through one cumulative sum instead of a D x (D - 1) matrix."""
    j = np.arange(1, y.shape[-1] + 1)
    scaled = y / np.sqrt(j * (j + 1))
    from_the_end = np.cumsum(scaled[..., ::-1], axis=-1)[..., ::-1]
    ones = np.concatenate([from_the_end, np.zeros_like(y[..., :1])], axis=-1)
    below = np.concatenate([np.zeros_like(y[..., :1]), j * scaled], axis=-1)
    return ones - below


def _helmert_transposed(x: FloatArray) -> FloatArray:
    """B^T x, through one cumulative sum."""
    j = np.arange(1, x.shape[-1])
    return (np.cumsum(x, axis=-1)[..., :-1] - j * x[..., 1:]) / np.sqrt(j * (j + 1))


def _append_zero(y: FloatArray) -> FloatArray:
    return np.concatenate([y, np.zeros_like(y[..., :1])], axis=-1)


def _checked(link: str) -> str:
    if link not in LINKS:
        raise OptionError(f"Unknown link {link!r}.", f"Use one of {', '.join(LINKS)}.")
    return link
