"""One look at each subject's map: its numbers, its picture, and its part of the surface view.

A map is read once and let go, so that hundreds of subjects need no more memory than one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from neuroparcel.brain.parcellation import Parcellations, SoftParcellation
from neuroparcel.plotting.report_maps import paint_small
from neuroparcel.report.pictures import from_pixels
from neuroparcel.report.section import Picture
from neuroparcel.report.surface_data import packed_map

PICTURES_MAY_TAKE = 4_000_000
"""Bytes of all pictures of subjects together."""

MAPS_MAY_TAKE = 5_500_000
"""Bytes of all maps in the surface view together, the population's included."""

_SHARE_PLANNED = 0.8  # of it; some subjects take more than the one that was tried
_SIZES = (320, 240, 170, 120, 90)  # pixels of a map's longer side; the largest that fits is taken


@dataclass(frozen=True)
class SubjectView:
    """What the report says of a subject.

    Attributes
    ----------
    name : str
    sessions, missing : tuple of str
        That it has, and that others have and it has not.
    n_prior_only : int
        Vertices without data, whose labels are the prior's.
    certainty : float
        Mean over the vertices with data of 1 - entropy; NaN without any.
    overlap : float
        Mean of the shared probability with the population: sum over the networks of the lesser.
    picture : Picture, optional
        None where maps cannot be drawn, or there are too many.
    is_small : bool
        Whether the picture was made smaller, so that there is room for all.
    packed : str, optional
        Its map for the surface view; None as for the picture.
    """

    name: str
    sessions: tuple[str, ...]
    missing: tuple[str, ...]
    n_prior_only: int
    certainty: float
    overlap: float
    picture: Picture | None = None
    is_small: bool = False
    packed: str | None = None


def survey(
    parcellations: Parcellations,
    population: SoftParcellation,
    present: Mapping[str, tuple[str, ...]],
    *,
    drawable: bool,
    advance: Callable[[int, int, str], None],
) -> tuple[SubjectView, ...]:
    """Look at every subject.

    Parameters
    ----------
    parcellations : Parcellations
    population : SoftParcellation
    present : mapping of str to tuple of str
        Sessions of each subject.
    drawable : bool
        Whether the region lies on the fs_LR 32k cortex.
    advance : callable
        Called with the number done, the number in all, and the subject.
    """
    subjects = parcellations.subjects
    pictures, maps = _Room(PICTURES_MAY_TAKE), _Room(MAPS_MAY_TAKE)
    size = 0
    if drawable:
        size = gallery_size(parcellations.of_subject(subjects[0]), len(subjects))
        maps.take(packed_map(population))
    views: list[SubjectView] = []
    for number, name in enumerate(subjects):
        advance(number, len(subjects), name)
        soft = parcellations.of_subject(name)
        picture = packed = None
        if drawable and not pictures.is_full:
            drawn = _picture(soft, name, size)
            picture = drawn if pictures.take(drawn.source) else None
        if drawable and not maps.is_full:
            content = packed_map(soft)
            packed = content if maps.take(content) else None
        plain = _view(name, soft, population, parcellations.sessions, present[name])
        shrunk = picture is not None and size < _SIZES[0]
        views.append(replace(plain, picture=picture, is_small=shrunk, packed=packed))
    advance(len(subjects), len(subjects), "")
    return tuple(views)


def gallery_size(soft: SoftParcellation, n_subjects: int) -> int:
    """Pixels of each map in the gallery, so that there is room for all subjects if there can be.

    One subject's picture at each size tells how large those of the others will be.
    """
    for size in _SIZES:
        if _picture(soft, "", size).n_bytes * n_subjects <= _SHARE_PLANNED * PICTURES_MAY_TAKE:
            return size
    return _SIZES[-1]


@dataclass
class _Room:
    """Bytes that are left; full once something did not fit."""

    n_bytes: int
    is_full: bool = False

    def take(self, content: str) -> bool:
        """Whether it fits; if it does, it is in."""
        self.is_full = self.is_full or len(content) > self.n_bytes
        if not self.is_full:
            self.n_bytes -= len(content)
        return not self.is_full


def mean_certainty(soft: SoftParcellation) -> float:
    """Mean over the vertices with data of 1 - entropy; NaN without any."""
    entropy = soft.entropy[soft.has_data]
    return float(1 - entropy.mean()) if len(entropy) else float("nan")


def _view(
    name: str,
    soft: SoftParcellation,
    population: SoftParcellation,
    every_session: tuple[str, ...],
    sessions: tuple[str, ...],
) -> SubjectView:
    """The numbers of a subject."""
    return SubjectView(
        name,
        sessions,
        tuple(session for session in every_session if session not in sessions),
        soft.n_prior_only,
        mean_certainty(soft),
        _overlap(soft, population),
    )


def _overlap(soft: SoftParcellation, population: SoftParcellation) -> float:
    both = soft.has_data & population.is_known
    shared = np.minimum(soft.probabilities[both], population.probabilities[both]).sum(axis=-1)
    return float(shared.mean()) if both.any() else float("nan")


def _picture(soft: SoftParcellation, name: str, size: int) -> Picture:
    alt = f"Map of {name}: the most probable of {soft.n_networks} networks at each vertex"
    return from_pixels(paint_small(soft, size), alt, name)
