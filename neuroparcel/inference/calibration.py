"""Simulation-based calibration: whether the truth is an ordinary draw of the posterior."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neuroparcel.errors import OptionError, TrainingError
from neuroparcel.families.base import ConditionedFamily, Latents
from neuroparcel.graph.template import ModelTemplate
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.diagnostics import Condition, chunk_sizes
from neuroparcel.inference.uniformity import central_cover, chi_square_p_values, holm
from neuroparcel.types import BoolArray, FloatArray, IntArray

LEVELS = (0.5, 0.8, 0.9, 0.95)
"""Credible levels that coverage is told at, unless others are asked for."""

_CHUNK = 2**22  # latent numbers, times draws, that are ranked at once
_MIN_EXPECTED = 5  # a bin; below, the chi-square law is poor (Cochran 1954)


@dataclass(frozen=True, eq=False)
class Coverage:
    """How often credible intervals hold the truth.

    Attributes
    ----------
    level : ndarray, shape (level,)
        Share that they should hold.
    share : ndarray, shape (level,)
        Share that they held.
    standard_error : ndarray, shape (level,)
        Of ``share``, from its spread over simulations: ground variables of one
        simulation share parents and data, and are not counted as independent.
    """

    level: FloatArray
    share: FloatArray
    standard_error: FloatArray


@dataclass(frozen=True, eq=False)
class Calibration:
    """Ranks of simulated truths among the draws of their posteriors.

    Attributes
    ----------
    ranks : mapping of site name to ndarray of int, shape (simulation, *plates, *event)
        Number of draws below the truth, from 0 to ``n_draws``; uniform if the
        posterior is exact. Draws that equal the truth are ordered at random.
    varies : mapping of site name to ndarray of bool, shape (*event)
        False for coordinates that are the same in every truth and draw, as zeros
        above the diagonal of a triangular matrix are; they are left out everywhere.
    hierarchy : mapping of site name to int
    n_draws : int
    n_bins : int
        Of the chi-square test; a divisor of ``n_draws + 1``.
    """

    ranks: Mapping[str, IntArray]
    varies: Mapping[str, BoolArray]
    hierarchy: Mapping[str, int]
    n_draws: int
    n_bins: int = 20

    def __post_init__(self) -> None:
        _check_bins(self.n_simulations, self.n_draws, self.n_bins)
        for site, ranks in self.ranks.items():
            if ranks.min() < 0 or ranks.max() > self.n_draws:
                raise ValueError(f"ranks of site '{site}' are not between 0 and {self.n_draws}")

    @property
    def n_simulations(self) -> int:
        """Number of simulated data sets."""
        return len(next(iter(self.ranks.values())))

    def first_ranks(self, site: str) -> IntArray:
        """Ranks of the first ground variable of each plate, shape (simulation, *event).

        Ground variables of one simulation depend on each other, those of different
        simulations do not.
        """
        event_shape = self.varies[site].shape
        return self.ranks[site].reshape(self.n_simulations, -1, *event_shape)[:, 0]

    def p_values(self) -> dict[str, FloatArray]:
        """Chi-square test of uniform ranks for each site and coordinate, shape (*event).

        It takes the first ground variable of each plate, as the test wants
        independent ranks. NaN where a coordinate does not vary.
        """
        return {
            site: np.where(
                varies,
                chi_square_p_values(self.first_ranks(site), self.n_draws + 1, self.n_bins),
                np.nan,
            )
            for site, varies in self.varies.items()
        }

    def holm(self) -> dict[str, FloatArray]:
        """P values corrected for the number of coordinates of all sites (Holm 1979).

        With an exact posterior, the smallest of them all is below 0.01 in at most
        one calibration of a hundred.
        """
        raw = self.p_values()
        corrected = holm(np.concatenate([p.ravel() for p in raw.values()]))
        ends = np.cumsum([p.size for p in raw.values()])
        parts = np.split(corrected, ends[:-1])
        return {site: parts[i].reshape(raw[site].shape) for i, site in enumerate(raw)}

    def worst(self) -> tuple[str, tuple[int, ...], float]:
        """Site and coordinate with the smallest p value, and its value after Holm."""
        raw = {site: np.where(np.isnan(p), np.inf, p) for site, p in self.p_values().items()}
        site = min(raw, key=lambda name: float(raw[name].min()))
        index = np.unravel_index(int(raw[site].argmin()), raw[site].shape)
        return site, tuple(int(i) for i in index), float(self.holm()[site][index])

    def coverage(self, levels: Sequence[float] = LEVELS) -> dict[str, Coverage]:
        """Coverage of each site's central credible intervals.

        It counts every ground variable and every coordinate that varies.
        """
        return {site: self._coverage([site], levels) for site in self.ranks}

    def coverage_by_hierarchy(self, levels: Sequence[float] = LEVELS) -> dict[int, Coverage]:
        """Coverage over all sites of one hierarchy, the lowest first."""
        return {
            rank: self._coverage([s for s, h in self.hierarchy.items() if h == rank], levels)
            for rank in sorted(set(self.hierarchy.values()))
        }

    def _coverage(self, sites: Iterable[str], levels: Sequence[float]) -> Coverage:
        flat = [self.ranks[s][..., self.varies[s]].reshape(self.n_simulations, -1) for s in sites]
        ranks = np.concatenate(flat, axis=1)
        covers = [central_cover(ranks, self.n_draws + 1, level).mean(axis=1) for level in levels]
        by_level = np.stack(covers)
        error = by_level.std(axis=1, ddof=1) / np.sqrt(self.n_simulations)
        return Coverage(np.asarray(levels, dtype=float), by_level.mean(axis=1), error)

    def __str__(self) -> str:
        holm, coverage = self.holm(), self.coverage()
        head = ["site", "hierarchy", "coordinates", "least p (Holm)", *(f"{c:.0%}" for c in LEVELS)]
        rows = [head]
        for site, found in coverage.items():
            cells = [
                f"{100 * share:.1f} ± {100 * error:.1f}"
                for share, error in zip(found.share, found.standard_error, strict=True)
            ]
            least = f"{np.nanmin(holm[site]):.2g}"
            number = str(int(self.varies[site].sum()))
            rows.append([site, str(self.hierarchy[site]), number, least, *cells])
        widths = [max(len(row[i]) for row in rows) for i in range(len(head))]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in rows
        ]
        title = f"{self.n_simulations} simulations x {self.n_draws} draws; coverage in per cent"
        return "\n".join([title, *lines])


def simulation_based_calibration(
    template: ModelTemplate,
    condition: Condition,
    plate_sizes: tuple[int, ...],
    *,
    n_simulations: int = 500,
    n_draws: int = 199,
    n_bins: int = 20,
    seed: int = 0,
    batch_size: int = 50,
    device: torch.device | str = "cpu",
) -> Calibration:
    """Rank simulated truths among the draws of their posteriors.

    The truths come from the model's own prior, and there is no argument to draw
    them from elsewhere: only averaged over the prior that a posterior was made
    with are its ranks uniform. If that prior almost never gives plausible data,
    calibrate a model with a narrower one.

    Calibration is necessary, not sufficient: a posterior that ignores the data and
    repeats the prior has uniform ranks too. The evidence bound tells them apart.

    Parameters
    ----------
    template : ModelTemplate
    condition : callable
        Turns data sets into posteriors; a variational family is one.
    plate_sizes : tuple of int
        Of the simulated data sets, outermost plate first.
    n_simulations : int, default=500
        At least 5 a bin.
    n_draws : int, default=199
        Posterior draws a data set; ``n_draws + 1`` is divisible by ``n_bins``, so
        that each bin holds as many ranks.
    n_bins : int, default=20
        Of the chi-square test.
    seed : int, default=0
    batch_size : int, default=50
        Data sets that are simulated and conditioned on at once.
    device : torch.device or str
        Where the model and ``condition`` are.

    Returns
    -------
    Calibration

    Raises
    ------
    OptionError
        If draws, bins and simulations do not go together.
    TrainingError
        If a truth or a posterior draw is NaN.

    References
    ----------
    Talts, Betancourt, Simpson, Vehtari and Gelman, Validating Bayesian inference
    algorithms with simulation-based calibration, arXiv:1804.06788, 2018, algorithm 1.

    Examples
    --------
    >>> found = simulation_based_calibration(template, family, (3, 50))  # doctest: +SKIP
    >>> print(found)  # doctest: +SKIP
    """
    _check_bins(n_simulations, n_draws, n_bins)
    below: list[dict[str, Tensor]] = []
    equal: list[dict[str, Tensor]] = []
    with seeded(seed), torch.no_grad():
        for start in range(0, n_simulations, batch_size):
            size = min(batch_size, n_simulations - start)
            truths, data = template.simulate(plate_sizes, size, device=device)
            counts = _compare(truths, condition(data), n_draws)
            below.append(counts[0])
            equal.append(counts[1])
        sites = template.graph.latents
        ties = {site.name: torch.cat([part[site.name] for part in equal]) for site in sites}
        ranks = {
            site.name: break_ties(torch.cat([part[site.name] for part in below]), ties[site.name])
            for site in sites
        }
    varies = {
        site.name: (ties[site.name].reshape(-1, *site.event_shape) < n_draws).any(0).numpy()
        for site in sites
    }
    hierarchy = {site.name: site.hierarchy for site in sites}
    arrays = {name: rank.numpy() for name, rank in ranks.items()}
    return Calibration(arrays, varies, hierarchy, n_draws, n_bins)


def break_ties(below: Tensor, equal: Tensor) -> Tensor:
    """Ranks, if ``equal`` draws stand before or after the truth in any order alike."""
    return below + (torch.rand(equal.shape, dtype=torch.float64) * (equal + 1)).long()


def _compare(
    truths: Latents, conditioned: ConditionedFamily, n_draws: int
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """How many draws lie below each truth, and how many equal it; on the CPU."""
    below = {name: torch.zeros(truth.shape, dtype=torch.long) for name, truth in truths.items()}
    equal = {name: count.clone() for name, count in below.items()}
    n_numbers = sum(truth.numel() for truth in truths.values())
    for n in chunk_sizes(n_draws, n_numbers, _CHUNK):
        values = conditioned.rsample(n).values
        for name, truth in truths.items():
            if bool(values[name].isnan().any() | truth.isnan().any()):
                raise TrainingError(
                    f"the model or its posterior gives NaN for site '{name}'.",
                    "Train the posterior on data sets like those that the prior gives, "
                    "or narrow the prior.",
                )
            below[name] += (values[name] < truth).sum(0).cpu()
            equal[name] += (values[name] == truth).sum(0).cpu()
    return below, equal


def _check_bins(n_simulations: int, n_draws: int, n_bins: int) -> None:
    if n_bins < 2 or (n_draws + 1) % n_bins:
        raise OptionError(
            f"{n_draws} draws give {n_draws + 1} ranks, which {n_bins} bins do not divide evenly.",
            f"Take {n_bins * max(1, round((n_draws + 1) / max(n_bins, 1))) - 1} draws, "
            "or another number of bins of at least 2.",
        )
    if n_simulations < _MIN_EXPECTED * n_bins:
        raise OptionError(
            f"{n_simulations} simulations are too few to test uniformity in {n_bins} bins.",
            f"Take at least {_MIN_EXPECTED * n_bins}, or fewer bins.",
        )
