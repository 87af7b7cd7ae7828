"""Profiles of D0 targets to D1 - 1 link coordinates and back (ADAVI, appendix E.4)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
from scipy import linalg
from sklearn.covariance import ledoit_wolf

from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.links import (
    LINKS,
    link_forward,
    link_inverse,
    link_of_logits,
    link_transposed,
    logits_of,
)
from neuroparcel.errors import ConnectomeError, OptionError
from neuroparcel.types import FloatArray

__all__ = ["SCALINGS", "Reduction", "fit_reduction", "link_forward", "link_inverse"]

_LEAST_VARIANCE = 1e-12  # of log-ratios; what rounding leaves of equal profiles is below

_BLOCK = 4096  # vertices whose coordinates are held in float64 at a time

SCALINGS: tuple[str, ...] = ("single", "component")


@dataclass(frozen=True, eq=False)
class Reduction:
    r"""A link, a principal component analysis in its coordinates, and a scale.

    .. math:: y = (L^{-1}(p) - m) C^T / s, \qquad p = L(s y C + m)

    What lies outside the kept components is lost on the way; :attr:`residual_variance` is
    its share of the variance.

    Parameters
    ----------
    link : {"ilr", "softmax-centered"}
        See :mod:`neuroparcel.brain.links`.
    mean : (target - 1,) array of float
        Mean link coordinates m of the training profiles.
    components : (component, target - 1) array of float
        Orthonormal rows C, by falling variance.
    scale : (component,) array of float
        Divisor s of each component: one number for all, or each its standard deviation.
    explained_variance_ratio : (component,) array of float
        Share of the variance that each component carries.
    prior_covariance : (component, component) array of float
        Ledoit-Wolf covariance of the reduced training profiles.

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
        if self.link not in LINKS:
            raise OptionError(f"Unknown link {self.link!r}.", f"Use one of {', '.join(LINKS)}.")
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
        return len(self.mean) + 1

    @property
    def n_components(self) -> int:
        """Number of link coordinates kept, D1 - 1."""
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
            Entries > 0.

        Returns
        -------
        (..., component) array of float32

        Raises
        ------
        ConnectomeError
            If the number of targets is another, or an entry is not positive.
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
            reduced[block] = logits_of(rows[block]) @ self._loadings - self._offset
        return reduced.reshape(*profiles.shape[:-1], self.n_components)

    @cached_property
    def _loadings(self) -> FloatArray:
        """Components over the logarithms of a profile, (target, component): link and all."""
        return (link_transposed(self.components, self.link) / self.scale[:, None]).T

    @cached_property
    def _offset(self) -> FloatArray:
        return self.components @ self.mean / self.scale

    def inverse(self, coordinates: FloatArray) -> FloatArray:
        """Reduced coordinates to profiles.

        Parameters
        ----------
        coordinates : (..., component) array of float

        Returns
        -------
        (..., target) array of float64
            Positive entries, unit norm.
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
    link: str = "ilr",
    scaling: str = "single",
    max_components: int | None = None,
) -> Reduction:
    """Learn a reduction from the valid profiles of a cohort.

    Memory stays at one session, one (target, target) matrix and the reduced coordinates,
    whatever the cohort's size.

    Parameters
    ----------
    cohort : Cohort
        Training profiles.
    variance : float, default 0.8
        Share of the variance that the kept components must carry, in (0, 1].
    link : {"ilr", "softmax-centered"}, default "ilr"
        The paper uses the second, which singles out the last target; see
        ``docs/decisions/0001-link-and-scaling.md``.
    scaling : {"single", "component"}, default "single"
        One scale for all components (their root mean variance), or each component's
        standard deviation, as in the paper.
    max_components : int, optional
        Upper bound on the number of components.

    Returns
    -------
    Reduction

    Raises
    ------
    OptionError
        If an option is out of its range.
    ConnectomeError
        If the profiles do not vary.
    """
    _check_options(variance, scaling, max_components)
    mean, covariance = _moments(cohort, link)
    eigenvalues, eigenvectors = linalg.eigh(covariance)
    eigenvalues, eigenvectors = np.maximum(eigenvalues[::-1], 0), eigenvectors[:, ::-1]
    if not eigenvalues[0] > _LEAST_VARIANCE:
        raise ConnectomeError("The profiles of the cohort do not vary; there is nothing to reduce.")
    ratio = eigenvalues / eigenvalues.sum()
    n = _n_components(ratio, variance, max_components)
    components = _fix_signs(eigenvectors[:, :n].T)
    spread = np.sqrt(eigenvalues[:n])
    scale = spread if scaling == "component" else np.full(n, np.sqrt(np.mean(spread**2)))
    share = ratio[:n]
    # The covariance of the reduced profiles is needed to build a reduction, and the other way.
    start = Reduction(link, mean, components, scale, share, np.eye(n))
    reduced = [start.transform(profiles) for _, _, profiles in cohort.cells()]
    prior_covariance, _ = ledoit_wolf(np.concatenate(reduced))
    return replace(start, prior_covariance=prior_covariance)


def _moments(cohort: Cohort, link: str) -> tuple[FloatArray, FloatArray]:
    """Mean and covariance of the link coordinates, in one pass over the sessions.

    Both are taken of the logarithms, of which the link is linear, about the mean of the first
    block, so that nothing cancels.
    """
    shift = next(_logits(cohort)).mean(axis=0)
    total, scatter = np.zeros_like(shift), np.zeros((len(shift), len(shift)))
    for block in _logits(cohort):
        block -= shift
        total += block.sum(axis=0)
        scatter += block.T @ block
    n_rows = int(cohort.valid.sum())
    mean = total / n_rows
    covariance = scatter / n_rows - np.outer(mean, mean)
    half = link_of_logits(covariance, link)
    return link_of_logits(shift + mean, link), link_of_logits(half.T, link)


def _logits(cohort: Cohort) -> Iterator[FloatArray]:
    """Logarithms of the valid profiles, (vertex, target), at most 4,096 at a time."""
    for _, _, profiles in cohort.cells():
        for start in range(0, len(profiles), _BLOCK):
            yield logits_of(profiles[start : start + _BLOCK])


def _n_components(ratio: FloatArray, variance: float, max_components: int | None) -> int:
    """Fewest components that carry the asked share, none of them without variance."""
    rank = int((ratio > np.finfo(np.float64).eps).sum())
    needed = int(np.searchsorted(np.cumsum(ratio), variance - 1e-12)) + 1
    return min(needed, rank, max_components or rank)


def _fix_signs(components: FloatArray) -> FloatArray:
    """Make the largest loading of each component positive, so that fits can be compared."""
    largest = np.abs(components).argmax(axis=1)
    signs = np.sign(components[np.arange(len(components)), largest])
    return components * signs[:, None]


def _check_options(variance: float, scaling: str, max_components: int | None) -> None:
    if not 0 < variance <= 1:
        raise OptionError(f"The kept variance is {variance}; it must lie in (0, 1].")
    if scaling not in SCALINGS:
        raise OptionError(f"Unknown scaling {scaling!r}.", f"Use one of {', '.join(SCALINGS)}.")
    if max_components is not None and max_components < 1:
        raise OptionError(f"At most {max_components} components leave nothing to model.")
