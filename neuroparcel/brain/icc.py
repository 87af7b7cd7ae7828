r"""Intraclass correlation of repeated images: at each vertex, of each network, and of the whole.

Of the measurements of n subjects in k sessions, the mean squares of subjects, sessions and
residuals of a two-way analysis of variance give three variances,

.. math:: \sigma_r^2 = \frac{MS_R - MS_E}{k}, \quad
          \sigma_c^2 = \frac{MS_C - MS_E}{n}, \quad \sigma_e^2 = MS_E,

and from them absolute agreement, to which a shift of all subjects between sessions counts as an
error, and consistency, to which it does not:

.. math:: ICC(2, 1) = \frac{\sigma_r^2}{\sigma_r^2 + \sigma_c^2 + \sigma_e^2}, \qquad
          ICC(3, 1) = \frac{\sigma_r^2}{\sigma_r^2 + \sigma_e^2}.

Variances add up: over the networks of a vertex, and over the vertices of an image, which is the
trace of their covariance matrices. Variances can be estimated below 0, and are left there.

Intervals are a delete-one jackknife over subjects on Fisher's scale of a correlation within
classes of k. In simulations of 5 to 25 subjects, of soft labels and of normal images, 95 %
intervals held the truth in 88 to 96 % of cohorts at a single vertex, and in 91 to 96 % of a whole
image; without the scale in 84 to 94 % and in 89 to 95 %. They are over subjects: that two
sessions are few to tell the variance between sessions from is not in them.

References
----------
P. E. Shrout and J. L. Fleiss (1979), Intraclass correlations: uses in assessing rater
reliability, Psychological Bulletin 86, 420-428.
K. O. McGraw and S. P. Wong (1996), Forming inferences about some intraclass correlation
coefficients, Psychological Methods 1, 30-46: ICC(A,1) and ICC(C,1).
H. Shou et al. (2013), Quantifying the reliability of image replication studies: the image
intraclass correlation coefficient (I2C2), Cognitive, Affective, & Behavioral Neuroscience 13.
R. A. Fisher (1925), Statistical Methods for Research Workers, section 39: the scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from neuroparcel.brain.stability import VertexEstimate
from neuroparcel.types import BoolArray, FloatArray, IntArray

_AT_ONCE = 1 << 19  # values of a chunk of vertices: 4 MB, and some ten arrays as large
_NO_VARIANCE = 1e-12  # of soft labels; float32 rounds a probability by 3e-8
_SURE = 1e-6  # from 1 and from the least: an end of Fisher's scale is infinitely far


@dataclass(frozen=True, eq=False)
class Reliability:
    """Both intraclass correlations of something.

    Attributes
    ----------
    icc2, icc3 : VertexEstimate
        ICC(2,1) and ICC(3,1); NaN where there is no variance, and without bounds where fewer
        than three subjects have data.
    """

    icc2: VertexEstimate
    icc3: VertexEstimate


@dataclass(frozen=True, eq=False)
class ImageReliability:
    """Intraclass correlations of soft labels.

    Attributes
    ----------
    vertices : Reliability, of shape (vertex,)
        All networks of a vertex together.
    networks : Reliability, of shape (network,)
        All vertices of a network together.
    image : Reliability, of shape ()
        All together.
    """

    vertices: Reliability
    networks: Reliability
    image: Reliability


def image_reliability(
    labels: FloatArray, subjects: IntArray, sessions: IntArray
) -> ImageReliability:
    """Intraclass correlations of some subjects and sessions of a cohort.

    At each vertex over the subjects that have data in all the sessions there.

    Parameters
    ----------
    labels : (subject, session, vertex, network) array of float
        Soft labels, each of a single session; NaN where there is no data.
    subjects, sessions : array of int
        Rows and columns of the cohort to compare.

    Returns
    -------
    ImageReliability
    """
    n_sessions = len(sessions)
    of_networks = np.zeros((3, 1 + len(subjects), labels.shape[-1]))
    pieces = []
    for values in _chunks(labels, subjects, sessions):
        has_data = np.asarray(~np.isnan(values).any(axis=(1, 3)))
        parts = _variances(np.where(has_data[:, None, :, None], values, np.nan))
        of_networks += parts.sum(axis=2)
        pieces.append(_reliability(parts.sum(axis=-1), has_data, n_sessions))
    everyone = np.ones((len(subjects), 1), bool)
    return ImageReliability(
        _join(pieces),
        _reliability(of_networks, everyone, n_sessions),
        _reliability(of_networks.sum(axis=-1), everyone[:, 0], n_sessions),
    )


def _chunks(labels: FloatArray, subjects: IntArray, sessions: IntArray) -> Iterator[FloatArray]:
    """The chosen labels, some vertices at a time, float64."""
    n_vertices, n_networks = labels.shape[2:]
    step = max(1, _AT_ONCE // (len(subjects) * len(sessions) * n_networks))
    for start in range(0, n_vertices, step):
        some = labels[:, :, start : start + step]
        yield some[np.ix_(subjects, sessions)].astype(np.float64)


def _variances(values: FloatArray) -> FloatArray:
    """Variances of subjects, sessions and residuals, of everyone and without each subject.

    Parameters
    ----------
    values : (subject, session, ...) array of float
        NaN in all sessions of a subject that does not count.

    Returns
    -------
    (part, 1 + subject, ...) array of float
        0 where fewer than two subjects are left.
    """
    n_sessions = values.shape[1]
    counts = ~np.isnan(values[:, 0])
    n_all = counts.sum(axis=0)
    centre = np.nansum(values, axis=(0, 1)) / np.maximum(n_all * n_sessions, 1)
    deviations = np.nan_to_num(values - centre)
    left_out = np.concatenate([np.zeros_like(deviations[:1]), deviations])  # nobody, then each
    sums = left_out.sum(axis=1)
    n = n_all - np.concatenate([np.zeros_like(counts[:1]), counts])
    enough = n > 1
    n = np.where(enough, n, 2)  # divides what is then put to 0

    squares = np.square(deviations).sum(axis=(0, 1)) - np.square(left_out).sum(axis=1)
    rows = (np.square(sums).sum(axis=0) - np.square(sums)) / n_sessions
    columns = np.square(deviations.sum(axis=0) - left_out).sum(axis=1) / n
    mean = np.square(sums.sum(axis=0) - sums) / (n * n_sessions)

    ms_rows = (rows - mean) / (n - 1)
    ms_columns = (columns - mean) / (n_sessions - 1)
    ms_error = (squares - rows - columns + mean) / ((n - 1) * (n_sessions - 1))
    parts = np.stack([(ms_rows - ms_error) / n_sessions, (ms_columns - ms_error) / n, ms_error])
    return np.where(enough, parts, 0)


def _reliability(parts: FloatArray, has_data: BoolArray, n_sessions: int) -> Reliability:
    """Of variances (part, 1 + subject, ...) and the subjects (subject, ...) that count there."""
    subject, session, residual = parts
    return Reliability(
        _estimate(_ratio(subject, subject + session + residual), has_data, n_sessions),
        _estimate(_ratio(subject, subject + residual), has_data, n_sessions),
    )


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    varies = whole > _NO_VARIANCE
    return np.where(varies, part / np.where(varies, whole, 1), np.nan)


def _estimate(found: FloatArray, has_data: BoolArray, n_sessions: int) -> VertexEstimate:
    """A correlation (1 + subject, ...), of everyone and without each, with its interval."""
    least = -1 / (n_sessions - 1)
    scaled = _to_fisher(np.clip(found, least + _SURE, 1 - _SURE), n_sessions)
    centre, half = jackknife(scaled, has_data)
    low, high = (_from_fisher(centre + side * half, n_sessions) for side in (-1, 1))
    value, low, high = (np.asarray(one, np.float32) for one in (found[0], low, high))
    return VertexEstimate(value, np.clip(low, -1, 1), np.clip(high, -1, 1))


def jackknife(found: FloatArray, counts: BoolArray | None = None) -> tuple[FloatArray, FloatArray]:
    """Estimate of everyone, and half the width of its 95 % interval.

    Parameters
    ----------
    found : (1 + subject, ...) array of float
        Of everyone, and without each subject.
    counts : (subject, ...) array of bool, optional
        Subjects that it is an estimate from; all, if not given.

    Returns
    -------
    value, half : (...) array of float
        The half is NaN with fewer than three subjects.

    References
    ----------
    B. Efron and C. Stein (1981), The jackknife estimate of variance, Annals of Statistics 9;
    t with n - 1 degrees of freedom after J. W. Tukey (1958), Annals of Mathematical Statistics
    29, 614.
    """
    from scipy.special import stdtrit

    counts = np.ones(found[1:].shape, bool) if counts is None else counts
    n = np.maximum(counts.sum(axis=0), 1)
    mean = np.where(counts, found[1:], 0).sum(axis=0) / n
    spread = np.square(np.where(counts, found[1:] - mean, 0)).sum(axis=0)
    quantile = stdtrit(np.where(n > 2, n - 1, np.nan), 0.975)
    return found[0], np.asarray(quantile * np.sqrt(spread * (n - 1) / n))


def _to_fisher(correlation: FloatArray, n_sessions: int) -> FloatArray:
    return np.log((1 + (n_sessions - 1) * correlation) / (1 - correlation)) / 2


def _from_fisher(scaled: FloatArray, n_sessions: int) -> FloatArray:
    power = np.exp(np.clip(2 * scaled, -50, 50))  # beyond, 1 in any float32
    return np.asarray((power - 1) / (power + n_sessions - 1))


def _join(pieces: list[Reliability]) -> Reliability:
    return Reliability(_joined(pieces, lambda one: one.icc2), _joined(pieces, lambda one: one.icc3))


def _joined(
    pieces: list[Reliability], of: Callable[[Reliability], VertexEstimate]
) -> VertexEstimate:
    estimates = [of(piece) for piece in pieces]
    return VertexEstimate(
        *(
            np.concatenate([getattr(one, name) for one in estimates])
            for name in ("value", "low", "high")
        )
    )
