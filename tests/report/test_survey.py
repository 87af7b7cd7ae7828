"""Each subject is looked at once, and many subjects become smaller and then fewer pictures."""

from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.report import survey as surveying
from neuroparcel.report.surface_data import packed_map
from neuroparcel.report.survey import gallery_size, mean_certainty, survey

from .samples import SESSIONS, SUBJECTS, broca, cohort

PRESENT = {SUBJECTS[0]: SESSIONS, SUBJECTS[1]: SESSIONS[:1]}


@pytest.fixture(scope="module")
def maps() -> CohortParcellation:
    return cohort(broca())


def look(maps, **changed):
    steps = []
    given = {"drawable": True, "advance": lambda *step: steps.append(step)} | changed
    return survey(maps, maps.of_population(), PRESENT, **given), steps


def test_the_numbers_of_a_subject(maps):
    (first, second), steps = look(maps)
    certainty = 1 + (0.25 * np.log2(0.25) + 0.75 * np.log2(0.75))
    assert first.certainty == pytest.approx(certainty, abs=1e-6)
    assert mean_certainty(maps.of_population()) == pytest.approx(certainty, abs=1e-6)
    assert (first.sessions, first.missing, first.n_prior_only) == (SESSIONS, (), 0)
    assert first.overlap == pytest.approx(1)
    assert (second.sessions, second.missing, second.n_prior_only) == (("1",), ("2",), 1)
    assert second.certainty == pytest.approx(0, abs=1e-6)
    assert second.overlap == pytest.approx(0.75)
    assert steps == [(0, 2, SUBJECTS[0]), (1, 2, SUBJECTS[1]), (2, 2, "")]


def test_without_a_place_on_the_surface_there_are_numbers_only(maps):
    views, _ = look(maps, drawable=False)
    assert all(view.picture is None and view.packed is None for view in views)
    assert [round(view.overlap, 3) for view in views] == [1, 0.75]


def test_many_subjects_have_smaller_pictures(maps, monkeypatch):
    soft = maps.of_subject(SUBJECTS[0])
    assert gallery_size(soft, 2) == 320
    n_bytes = {size: surveying._picture(soft, "", size).n_bytes for size in (320, 240, 120)}
    assert n_bytes[320] > n_bytes[240] > n_bytes[120]
    monkeypatch.setattr(surveying, "PICTURES_MAY_TAKE", 3 * n_bytes[240] / 0.8 + 1)
    assert gallery_size(soft, 3) == 240
    assert gallery_size(soft, 1000) == 90


def test_pictures_end_where_there_is_no_more_room(maps, monkeypatch):
    (first, second), _ = look(maps)
    assert first.picture is not None
    assert second.picture is not None
    monkeypatch.setattr(surveying, "PICTURES_MAY_TAKE", first.picture.n_bytes)
    monkeypatch.setattr(surveying, "_SIZES", (320,))
    views, _ = look(maps)
    assert [view.picture is None for view in views] == [False, True]


def test_maps_of_the_surface_view_end_where_there_is_no_more_room(maps, monkeypatch):
    (first, second), _ = look(maps)
    everything = len(packed_map(maps.of_population())) + len(first.packed) + len(second.packed)
    monkeypatch.setattr(surveying, "MAPS_MAY_TAKE", everything)
    assert all(view.packed for view in look(maps)[0])
    monkeypatch.setattr(surveying, "MAPS_MAY_TAKE", everything - 1)
    assert [view.packed is None for view in look(maps)[0]] == [False, True]
