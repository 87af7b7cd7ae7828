r"""Links between vectors on the unit sphere and unbounded coordinates, in numpy.

A link takes a profile p to coordinates in two steps, of which the second is linear:
:math:`y = G f(p)`; back it goes by :math:`p = L(H y)`, where H is a right inverse of G.

=================== ========================= ============================ =================
link                f(p), entry by entry      G                            L(x)
=================== ========================= ============================ =================
"ilr"               log p^2                   transposed Helmert basis     sqrt(softmax(x))
"softmax-centered"  log p^2                   difference to the last entry sqrt(softmax(x))
"identity"          p                         identity                     x / \|x\|
"direction"         p                         identity                     x / \|x\|
=================== ========================= ============================ =================

The first two need positive entries; the squares of a profile of unit norm are a point of the
simplex. The others take any sign. ``"direction"`` is not centred and its coordinates are brought
back to the sphere, see :class:`~neuroparcel.brain.reduction.Reduction`.
:mod:`neuroparcel.distributions.sphere` has the torch twin of the first two, and a test holds the
two equal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

import numpy as np
from scipy.special import log_softmax

from neuroparcel.errors import ConnectomeError, OptionError
from neuroparcel.types import FloatArray

LinkName = Literal["ilr", "softmax-centered", "identity", "direction"]
LINKS: tuple[str, ...] = get_args(LinkName)
POSITIVE_LINKS: tuple[str, ...] = ("ilr", "softmax-centered")
"""Those that take logarithms."""

_Map: TypeAlias = Callable[[FloatArray], FloatArray]

_NORM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Link:
    """What is linear in a link, and which functions stand before and behind it.

    Parameters
    ----------
    name : str
    linear : callable
        G: (..., target) to (..., coordinate).
    transposed : callable
        The transpose of G: (..., coordinate) to (..., target).
    lifted : callable
        H: (..., coordinate) to (..., target), ``linear(lifted(y)) = y``.
    n_lost : int
        Targets less coordinates: 1 where a profile is known up to a factor.
    is_positive : bool
        Whether f takes logarithms and L is the root of the softmax; else f does nothing
        and L takes unit norm.
    is_direction : bool, default False
        Whether coordinates are not centred, and are of unit norm.
    """

    name: str
    linear: _Map
    transposed: _Map
    lifted: _Map
    n_lost: int
    is_positive: bool
    is_direction: bool = False

    def entries(self, profiles: FloatArray) -> FloatArray:
        """f: profiles entry by entry, as the linear part takes them.

        Parameters
        ----------
        profiles : (..., target) array of float

        Returns
        -------
        (..., target) array of float, of the precision of the profiles

        Raises
        ------
        ConnectomeError
            If an entry is not positive, or for the other links a norm is not 1.
        """
        p = np.asarray(profiles, dtype=np.result_type(profiles, np.float32))
        if not self.is_positive:
            return _checked_norm(p, self.name)
        if not (p > 0).all():
            raise ConnectomeError("The inverse link needs positive entries.")
        logarithms = np.log(p)
        logarithms *= 2
        return logarithms

    def to_sphere(self, entries: FloatArray) -> FloatArray:
        """L: (..., target) to vectors of unit norm, of float64."""
        x = np.asarray(entries, dtype=np.float64)
        return np.exp(log_softmax(x, axis=-1) / 2) if self.is_positive else unit_rows(x)


def find_link(name: str) -> Link:
    """The link of a name.

    Raises
    ------
    OptionError
        If there is none.
    """
    if name not in _KNOWN:
        raise OptionError(f"Unknown link {name!r}.", f"Use one of {', '.join(LINKS)}.")
    return _KNOWN[name]


def link_forward(coordinates: FloatArray, link: str = "ilr") -> FloatArray:
    """Coordinates to the unit sphere.

    ``"ilr"`` (isometric log-ratio): L(y) = sqrt(softmax(B y)), where the columns of B are the
    Helmert basis of the vectors with sum zero: column j (j = 1 ... D - 1) is
    (1, ..., 1 [j ones], -j, 0, ..., 0) / sqrt(j (j + 1)).

    ``"softmax-centered"``: L(y) = sqrt(softmax(y_1, ..., y_{D-1}, 0)), the last target being
    the reference.

    ``"identity"``, ``"direction"``: L(y) = y / |y|.

    Parameters
    ----------
    coordinates : (..., coordinate) array of float
        Unbounded coordinates y; one fewer than targets for the first two.
    link : {"ilr", "softmax-centered", "identity", "direction"}, default "ilr"
        Which link.

    Returns
    -------
    (..., target) array of float64
        Unit norm; positive entries for the first two.

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
    chosen = find_link(link)
    return chosen.to_sphere(chosen.lifted(np.asarray(coordinates, dtype=np.float64)))


def link_inverse(profiles: FloatArray, link: str = "ilr") -> FloatArray:
    """Unit vectors to coordinates: the inverse of :func:`link_forward`.

    ``"ilr"``: L^-1(p) = B^T log p^2. ``"softmax-centered"``: log p_i^2 - log p_D^2. Both
    depend on the ratios of the entries only, so the norm of p does not matter. The others
    leave p as it is.

    Parameters
    ----------
    profiles : (..., target) array of float
        Entries > 0 for the first two, unit norm for the others.
    link : {"ilr", "softmax-centered", "identity", "direction"}, default "ilr"
        Which link.

    Returns
    -------
    (..., coordinate) array of float64

    Raises
    ------
    ConnectomeError
        If an entry is not positive, or a norm is not 1.
    """
    chosen = find_link(link)
    return chosen.linear(chosen.entries(np.asarray(profiles, dtype=np.float64)))


def unit_rows(rows: FloatArray) -> FloatArray:
    """Rows over their norms, (..., entry); a row of zeros has no direction and stays so."""
    norm = np.linalg.norm(rows, axis=-1, keepdims=True)
    return rows / np.where(norm > 0, norm, 1).astype(rows.dtype)


def _checked_norm(p: FloatArray, link: str) -> FloatArray:
    """The profiles, if they are unit vectors; NaN is not."""
    if not (np.abs(np.einsum("...i,...i->...", p, p) - 1) < 2 * _NORM_TOLERANCE).all():
        raise ConnectomeError(
            f"The link {link!r} needs profiles of unit norm.",
            "Make them with neuroparcel.brain.features.to_sphere.",
        )
    return p


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


def _append_minus_sum(y: FloatArray) -> FloatArray:
    return np.concatenate([y, -y.sum(axis=-1, keepdims=True)], axis=-1)


def _minus_last(x: FloatArray) -> FloatArray:
    return x[..., :-1] - x[..., -1:]


def _same(x: FloatArray) -> FloatArray:
    return x


_KNOWN = {
    link.name: link
    for link in (
        Link("ilr", _helmert_transposed, _helmert, _helmert, 1, is_positive=True),
        Link("softmax-centered", _minus_last, _append_minus_sum, _append_zero, 1, is_positive=True),
        Link("identity", _same, _same, _same, 0, is_positive=False),
        Link("direction", _same, _same, _same, 0, is_positive=False, is_direction=True),
    )
}
