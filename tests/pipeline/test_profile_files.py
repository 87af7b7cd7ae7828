"""Which levels get files of profiles, and whose."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.reduction import Reduction
from neuroparcel.io.writers import ParcellationWriter
from neuroparcel.io.writers.profiles import ProfileWriter
from neuroparcel.io.writers.tables import read_tsv
from neuroparcel.parcellation.site_summaries import SiteSummary
from neuroparcel.pipeline.profile_files import NetworkProfiles

FEATURES = ("rest", "words", "faces")
IDENTITY = Reduction("identity", np.zeros(3), np.eye(3), np.ones(3), np.ones(3), np.eye(3))


@pytest.fixture
def profiles(tmp_path):
    region = BrainAxis.from_nodes(["p", "q", "r"])
    names = (("A", "B"), ("01", "02"), ("x", "y"))
    writer = ParcellationWriter(tmp_path, region, *names, sources={})
    return NetworkProfiles(ProfileWriter(writer, FEATURES, None), IDENTITY)


def summary(*shape: int) -> SiteSummary:
    mean = np.random.default_rng(0).normal(size=(*shape, 2, 3))
    return SiteSummary((), mean, mean)


def test_missing_sessions_have_none(profiles, tmp_path):
    part = SimpleNamespace(subjects=("02",))
    sessions = summary(1, 2)
    sessions.mean[0, 0] = np.nan
    subject = summary(1)
    profiles.add(part, ("x", "y"), {"subject_networks": subject, "session_networks": sessions})
    tables = [path for path in profiles.files if path.suffix == ".tsv"]
    name = "seg-neuroparcel_desc-networks_boldmap.tsv"
    assert [path.relative_to(tmp_path).as_posix() for path in tables] == [
        f"sub-02/func/sub-02_{name}",
        f"sub-02/ses-y/func/sub-02_ses-y_{name}",
    ]
    for path, mean in zip(tables, (subject.mean[0], sessions.mean[0, 1]), strict=True):
        _, rows = read_tsv(path)
        found = np.array([row[1:] for row in rows], dtype=float).T
        expected = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_levels_without_networks_have_none(profiles, tmp_path):
    """And the population's table is ``desc-population_networks.tsv``, which the run writes."""
    part = SimpleNamespace(subjects=("01", "02"))
    profiles.add(part, ("x", "y"), {"population_networks": summary()})
    profiles.add_topmost(summary().mean)
    assert profiles.files == []
    assert list(tmp_path.iterdir()) == []
