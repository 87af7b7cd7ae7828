r"""What credible intervals of an exact mean-field posterior cover, and why it is too little.

On a Gaussian tree the mean field has the right means, and for each variable the variance
given all others, which is smaller than its own: the intervals of nominal coverage c cover

.. math:: 2 \Phi(z_c \, \mathrm{sd}_{mf} / \mathrm{sd}) - 1 .

Both variances are closed forms if labels and scales are known. So the number is what is left
of the nominal coverage by the factorisation alone, whatever the algorithm.

References
----------
Turner and Sahani, Two problems with variational expectation maximisation for time series
models, in Bayesian Time Series Models, 2011.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True)
class NetworkTree:
    """One coordinate of one network in a cohort, labels and scales being known.

    Parameters
    ----------
    n_subjects, n_sessions : int
    prior : float
        Variance of the population's coordinate.
    epsilon, sigma : float
        Standard deviations of a subject's around the population's, and of a session's around
        the subject's.
    precision : float
        That the profiles of a session give.
    """

    n_subjects: int
    n_sessions: int
    prior: float
    epsilon: float
    sigma: float
    precision: float

    def coverage(self, level: str, nominal: float = 0.9) -> float:
        """Coverage of mean-field intervals at ``"population"``, ``"subject"`` or ``"session"``.

        Examples
        --------
        >>> tree = NetworkTree(8, 2, 1.0, epsilon=0.3, sigma=0.2, precision=1e3)
        >>> round(tree.coverage("population"), 2)
        0.86
        """
        normal = NormalDist()
        ratio = (self.mean_field(level) / self.exact(level)) ** 0.5
        return 2 * normal.cdf(normal.inv_cdf(0.5 + nominal / 2) * ratio) - 1

    def mean_field(self, level: str) -> float:
        """Variance given all other networks."""
        near, close = self.epsilon**-2, self.sigma**-2
        precision = {
            "population": 1 / self.prior + self.n_subjects * near,
            "subject": near + self.n_sessions * close,
            "session": close + self.precision,
        }
        return 1 / precision[level]

    def exact(self, level: str) -> float:
        """Variance given the data."""
        if level == "population":
            return 1 / (1 / self.prior + self.n_subjects * self._of_subject)
        others = 1 / (1 / self.prior + (self.n_subjects - 1) * self._of_subject)
        above = 1 / (self.epsilon**2 + others)
        if level == "subject":
            return 1 / (above + self.n_sessions * self._of_session)
        siblings = 1 / (above + (self.n_sessions - 1) * self._of_session)
        return 1 / (1 / (self.sigma**2 + siblings) + self.precision)

    @property
    def _of_session(self) -> float:
        """Precision that a session gives its subject's network."""
        return 1 / (self.sigma**2 + 1 / self.precision)

    @property
    def _of_subject(self) -> float:
        """Precision that a subject gives the population's network."""
        return 1 / (self.epsilon**2 + 1 / (self.n_sessions * self._of_session))
