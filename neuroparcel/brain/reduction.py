"""Profiles to a few coordinates and back: a link, then principal components (ADAVI, E.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
from scipy import linalg

from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.links import (
    POSITIVE_LINKS,
    Link,
    find_link,
    link_forward,
    link_inverse,
    unit_rows,
)
from neuroparcel.errors import ConnectomeError, OptionError
from neuroparcel.types import FloatArray

__all__ = ["SCALINGS", "Reduction", "check_link", "fit_reduction", "link_forward", "link_inverse"]

_LEAST_VARIANCE = 1e-12  # of log-ratios; what rounding leaves of equal profiles is below

_BLOCK = 4096  # vertices whose coordinates are held at a time

_LEAST_DIRECTIONS = 3  # on a circle or a line a von Mises-Fisher law has another normaliser

SCALINGS: tuple[str, ...] = ("single", "component")


@dataclass(frozen=True, eq=False)
class Reduction:
    r"""A link, a principal component analysis in its coordinates, and a scale.

    .. math:: y = (L^{-1}(p) - m) C^T / s, \qquad p = L(s y C + m)

    What lies outside the kept components is lost on the way; :attr:`residual_variance` is
    its share of the variance.

    With the link ``"direction"`` m is 0, s is 1, and the coordinates are brought to unit norm,
    as the von Mises-Fisher law takes them: :math:`y = C p / |C p|`. A profile without anything
    in the kept components says nothing; its coordinates are zeros.

    Parameters
    ----------
    link : {"ilr", "softmax-centered", "identity", "direction"}
        See :mod:`neuroparcel.brain.links`.
    mean : (coordinate,) array of float
        Mean link coordinates m of the training profiles; there are as many as targets, or one
        fewer for the first two links.
    components : (component, coordinate) array of float
        Orthonormal rows C, by falling variance (``"direction"``: by falling second moment).
    scale : (component,) array of float
        Divisor s of each component: one number for all, or each its standard deviation.
    explained_variance_ratio : (component,) array of float
        Share of the variance that each component carries.
    prior_covariance : (component, component) array of float
        Ledoit-Wolf covariance of the reduced training profiles. With ``"direction"``, their
        second moment, whose trace is 1: networks of N(0, prior_covariance) are of about unit
        length, and only their direction matters.

    References
    ----------
    L. Rouillard and D. Wassermann (2022), ADAVI, ICLR; appendix E.4.
    O. Ledoit and M. Wolf (2004), A well-conditioned estimator for large-dimensional
    covariance matrices, Journal of Multivariate Analysis 88, 365-411.
    """

    link: str
    mean: FloatArray
    components: FloatArray
    scale: FloatArray
    explained_variance_ratio: FloatArray
    prior_covariance: FloatArray

    def __post_init__(self) -> None:
        find_link(self.link)
        n = len(self.components)
        expected = {
            "mean": self.components.shape[1:],
            "scale": (n,),
            "explained_variance_ratio": (n,),
            "prior_covariance": (n, n),
        }
        for name, shape in expected.items():
            if getattr(self, name).shape != shape:
                raise ConnectomeError(
                    f"A reduction's {name} has shape {getattr(self, name).shape}, not {shape}."
                )
        if n == 0 or not (self.scale > 0).all():
            raise ConnectomeError("A reduction needs components, each of positive scale.")

    @property
    def n_targets(self) -> int:
        """Number of targets, D0."""
        return len(self.mean) + self._link.n_lost

    @property
    def n_components(self) -> int:
        """Number of coordinates kept."""
        return len(self.components)

    @property
    def residual_variance(self) -> float:
        """Share of the training profiles' variance that the reduction loses."""
        return float(1 - self.explained_variance_ratio.sum())

    def transform(self, profiles: FloatArray) -> FloatArray:
        """Profiles to reduced coordinates.

        Parameters
        ----------
        profiles : (..., target) array of float
            Entries > 0 for the links that take logarithms, unit norm for the others.

        Returns
        -------
        (..., component) array of float32

        Raises
        ------
        ConnectomeError
            If the number of targets is another, an entry is not positive, or a norm is not 1.
        """
        if profiles.shape[-1] != self.n_targets:
            raise ConnectomeError(
                f"Profiles of {profiles.shape[-1]} targets do not fit a reduction of "
                f"{self.n_targets}.",
                "Use the targets that the model was trained with.",
            )
        rows = profiles.reshape(-1, self.n_targets)
        reduced = np.empty((len(rows), self.n_components), np.float32)
        for start in range(0, len(rows), _BLOCK):
            block = slice(start, start + _BLOCK)
            reduced[block] = self._transform(rows[block])
        return reduced.reshape(*profiles.shape[:-1], self.n_components)

    def _transform(self, rows: FloatArray) -> FloatArray:
        """In the precision of the rows: the centre is taken off first, so little cancels."""
        entries = self._link.entries(rows)
        if self._link.is_direction:
            return unit_rows(entries @ self._loadings.astype(entries.dtype))
        centred = entries - self._centre.astype(entries.dtype)
        return np.asarray(centred @ self._loadings.astype(entries.dtype))

    @cached_property
    def _link(self) -> Link:
        return find_link(self.link)

    @cached_property
    def _loadings(self) -> FloatArray:
        """Components over the entries of a profile, (target, component): link and all."""
        return (self._link.transposed(self.components) / self.scale[:, None]).T

    @cached_property
    def _centre(self) -> FloatArray:
        """Entries whose link coordinates are the mean, (target,)."""
        lifted = self._link.lifted(self.mean)
        if not self._link.is_positive:
            return lifted
        # Of all entries with these coordinates, those of a unit vector are near the profiles'.
        return self._link.entries(self._link.to_sphere(lifted))

    def inverse(self, coordinates: FloatArray) -> FloatArray:
        """Reduced coordinates to profiles.

        Parameters
        ----------
        coordinates : (..., component) array of float

        Returns
        -------
        (..., target) array of float64
            Unit norm; positive entries for the links that take logarithms.
        """
        kept = np.asarray(coordinates, dtype=np.float64) * self.scale
        return link_forward(kept @ self.components + self.mean, self.link)

    def to_arrays(self) -> dict[str, FloatArray]:
        """Every array by name, for storage; the link is a string and stored apart."""
        return {name: getattr(self, name) for name in _ARRAYS}

    @classmethod
    def from_arrays(cls, link: str, arrays: Mapping[str, FloatArray]) -> Reduction:
        """The inverse of :meth:`to_arrays`.

        Raises
        ------
        ConnectomeError
            If an array is missing.
        """
        missing = [name for name in _ARRAYS if name not in arrays]
        if missing:
            raise ConnectomeError(f"A stored reduction lacks {', '.join(missing)}.")
        return cls(link, **{name: np.asarray(arrays[name]) for name in _ARRAYS})


_ARRAYS = tuple(field.name for field in fields(Reduction) if field.name != "link")


def fit_reduction(
    cohort: Cohort,
    *,
    variance: float = 0.8,
    link: str | None = None,
    scaling: str = "single",
    max_components: int | None = None,
) -> Reduction:
    """Learn a reduction from the valid profiles of a cohort.

    One pass over the sessions. Of a cohort of more than 50,000 profiles it takes a sample of
    that many, see :attr:`~neuroparcel.brain.connectome.Cohort.sample`: a variance is then known
    to 0.6 %, while a cohort of ten subjects tells that of its population to tens of percent.
    Memory stays at one session, the sample and one (target, target) matrix.

    Parameters
    ----------
    cohort : Cohort
        Training profiles.
    variance : float, default 0.8
        Share of the variance that the kept components must carry, in (0, 1]. Variance is
        about the mean, for ``"direction"`` too: there the mean alone makes up most of the
        second moment of positive profiles, and tells vertices apart in nothing.
    link : {"ilr", "softmax-centered", "identity", "direction"}, optional
        ``"ilr"`` if not given, ``"identity"`` for signed profiles. The paper uses the second,
        which singles out the last target; see ``docs/decisions/0001-link-and-scaling.md``.
        ``"direction"`` keeps at least 3 components.
    scaling : {"single", "component"}, default "single"
        One scale for all components (their root mean variance), or each component's
        standard deviation, as in the paper. Directions are not scaled.
    max_components : int, optional
        Upper bound on the number of components.

    Returns
    -------
    Reduction

    Raises
    ------
    OptionError
        If an option is out of its range, or the link takes logarithms of signed profiles.
    ConnectomeError
        If the profiles do not vary.
    """
    from sklearn.covariance import ledoit_wolf

    chosen = find_link(link or ("identity" if cohort.signed else "ilr"))
    check_link(chosen.name, signed=cohort.signed, scaling=scaling)
    least = _LEAST_DIRECTIONS if chosen.is_direction else 1
    _check_options(variance, scaling, max_components, least)
    mean, covariance = _moments(cohort, chosen)
    second = covariance + np.outer(mean, mean) if chosen.is_direction else covariance
    eigenvalues, eigenvectors = linalg.eigh(second)
    eigenvalues, axes = np.maximum(eigenvalues[::-1], 0), eigenvectors[:, ::-1].T
    variances = np.einsum("ij,ij->i", axes @ covariance, axes) if least > 1 else eigenvalues
    if not variances.max() > _LEAST_VARIANCE:
        raise ConnectomeError(
            "The profiles of the cohort do not vary; there is nothing to reduce.",
            "Give recordings or maps in which vertices differ, or a larger --roi.",
        )
    rank = int((eigenvalues > np.finfo(np.float64).eps * eigenvalues.sum()).sum())
    ratio = variances / variances.sum()
    n = min(max(_n_components(ratio, variance), least), rank, max_components or rank)
    start = Reduction(
        chosen.name,
        np.zeros_like(mean) if chosen.is_direction else mean,
        _fix_signs(axes[:n]),
        np.ones(n) if chosen.is_direction else _scale(eigenvalues[:n], scaling),
        ratio[:n],
        np.eye(n),
    )
    # The covariance of the reduced profiles is needed to build a reduction, and the other way.
    reduced = start.transform(cohort.sample.profiles)
    prior_covariance, _ = ledoit_wolf(reduced, assume_centered=chosen.is_direction)
    return replace(start, prior_covariance=prior_covariance)


def check_link(link: str, *, signed: bool, scaling: str = "single") -> None:
    """Refuse a link that does not go with the profiles, or with the scaling.

    Raises
    ------
    OptionError
    """
    if signed and link in POSITIVE_LINKS:
        raise OptionError(
            f"The link {link} takes logarithms, and the profiles have negative entries.",
            "Use identity or direction, or make the profiles positive: --positive shift.",
        )
    if link == "direction" and scaling == "component":
        raise OptionError(
            "The link direction has no scales, so its components cannot have one each.",
            "Use the scaling single, or another link.",
        )


def _moments(cohort: Cohort, link: Link) -> tuple[FloatArray, FloatArray]:
    """Mean and covariance of the link coordinates of the sample.

    Both are taken of the entries, of which the link is linear, about the mean of the first
    block, so that nothing cancels.
    """
    shift = next(_entries(cohort, link)).mean(axis=0)
    total, scatter = np.zeros_like(shift), np.zeros((len(shift), len(shift)))
    for block in _entries(cohort, link):
        centred = block - shift
        total += centred.sum(axis=0)
        scatter += centred.T @ centred
    n_rows = len(cohort.sample.profiles)
    mean = total / n_rows
    covariance = scatter / n_rows - np.outer(mean, mean)
    half = link.linear(covariance)
    return link.linear(shift + mean), link.linear(half.T)


def _entries(cohort: Cohort, link: Link) -> Iterator[FloatArray]:
    """Entries of the sample in float64, (vertex, target), at most 4,096 rows at a time."""
    profiles = cohort.sample.profiles
    for start in range(0, len(profiles), _BLOCK):
        yield link.entries(profiles[start : start + _BLOCK].astype(np.float64))


def _n_components(ratio: FloatArray, variance: float) -> int:
    """Fewest components that carry the asked share."""
    return int(np.searchsorted(np.cumsum(ratio), variance - 1e-12)) + 1


def _scale(eigenvalues: FloatArray, scaling: str) -> FloatArray:
    """Divisor of each component."""
    if scaling == "component":
        return np.sqrt(eigenvalues)
    return np.full(len(eigenvalues), np.sqrt(np.mean(eigenvalues)))


def _fix_signs(components: FloatArray) -> FloatArray:
    """Make the largest loading of each component positive, so that fits can be compared."""
    largest = np.abs(components).argmax(axis=1)
    signs = np.sign(components[np.arange(len(components)), largest])
    return components * signs[:, None]


def _check_options(variance: float, scaling: str, max_components: int | None, least: int) -> None:
    if not 0 < variance <= 1:
        raise OptionError(f"The kept variance is {variance}; it must lie in (0, 1].")
    if scaling not in SCALINGS:
        raise OptionError(f"Unknown scaling {scaling!r}.", f"Use one of {', '.join(SCALINGS)}.")
    if max_components is not None and max_components < 1:
        raise OptionError(f"At most {max_components} components leave nothing to model.")
    if max_components is not None and max_components < least:
        raise OptionError(f"Directions need at least {least} components.")
