"""Adjusted Rand index of the hard labels of sessions: within a subject and between subjects.

Subjects are compared with those of their block. Blocks have at most 17 subjects, so that the cost
grows with subjects and not with their pairs, and up to 17 all are compared with all.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from neuroparcel.brain.label_maps import adjusted_rands, contingencies_of_pairs
from neuroparcel.types import FloatArray, IntArray

_LARGEST_BLOCK = 17  # 16 others each, as where a fit compares the sessions of its cohort


def blocks_of(n_subjects: int) -> IntArray:
    """Number of each subject's block, (subject,).

    Neighbours go to different blocks: they are often of one site or family.
    """
    n_blocks = -(-n_subjects // _LARGEST_BLOCK)
    return np.arange(n_subjects) % n_blocks


def session_pairs(n_sessions: int) -> IntArray:
    """Each pair of sessions once, (session pair, 2)."""
    return np.stack(np.triu_indices(n_sessions, 1), axis=1)


def hard_labels(soft: FloatArray) -> IntArray:
    """Most probable network from 1, of soft labels (..., network); 0 where there is no data."""
    n_networks = soft.shape[-1]
    best = soft.argmax(axis=-1) + 1  # of NaN the first, see below
    kind = np.uint8 if n_networks < 256 else np.uint16
    return np.where(np.isnan(soft[..., 0]), 0, best).astype(kind)


def session_agreements(labels: IntArray, blocks: IntArray, n_networks: int) -> FloatArray:
    """Adjusted Rand index of each subject's session with those of another session.

    Parameters
    ----------
    labels : (subject, session, vertex) array of int
        From 1; 0 where there is no data.
    blocks : (subject,) array of int
    n_networks : int

    Returns
    -------
    (session pair, subject of the first, subject of the second) array of float
        NaN of subjects in different blocks, and where neither map is divided.
    """
    n_subjects, n_sessions, n_vertices = labels.shape
    maps = labels.reshape(-1, n_vertices)
    i, j = np.nonzero(blocks[:, None] == blocks)
    pairs = session_pairs(n_sessions)
    found = np.full((len(pairs), n_subjects, n_subjects), np.nan)
    for number, (one, other) in enumerate(pairs):
        rows = np.stack([i * n_sessions + one, j * n_sessions + other], axis=1)
        found[number, i, j] = adjusted_rands(contingencies_of_pairs(maps, rows, n_networks))
    return found


def within_and_between(agreements: FloatArray) -> FloatArray:
    """Mean within subjects, mean between them, and their difference.

    Parameters
    ----------
    agreements : (session pair, subject, subject) array of float

    Returns
    -------
    (1 + subject, 3) array of float
        Of everyone, and without each subject; NaN of what has no pair.
    """
    known = ~np.isnan(agreements)
    sums = np.asarray(np.where(known, agreements, 0).sum(axis=0))
    counts = np.asarray(known.sum(axis=0))
    within, n_within = (_without_each(one * np.eye(len(one))) for one in (sums, counts))
    every, n_every = _without_each(sums), _without_each(counts)
    inside = ratio(within, n_within)
    outside = ratio(every - within, n_every - n_within)
    return np.stack([inside, outside, inside - outside], axis=1)


def ratio(sums: npt.ArrayLike, counts: npt.ArrayLike) -> FloatArray:
    """Means from sums and counts; NaN of none."""
    n = np.asarray(counts)
    return np.asarray(sums / np.where(n > 0, n, np.nan))


def _without_each(table: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Sum of a table (subject, subject), and without each one's row and column, (1 + subject,)."""
    of_each = table.sum(axis=0) + table.sum(axis=1) - np.diag(table)
    return table.sum() - np.concatenate([[0], of_each])
