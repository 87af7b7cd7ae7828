"""Cohorts that tell less than is asked of them: a result without NaN, and what it lacks is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from neuroparcel.io.writers import read_parcellations

from .bad_files import Folder

MAPS = ("rest", "faces", "tools", "music")
LONE = (
    "the cohort is one subject: how far subjects differ cannot be learnt from it, so the model is "
    "no guide to other subjects; give two or more, better ten"
)
ONCE = (
    "no subject has two sessions: what differs between sessions cannot be told from what differs "
    "between subjects, and shares are assumed; give repeated sessions, or --levels "
    "population,subject"
)


def two_networks(maps: np.ndarray) -> None:
    """Signal in one half of the maps in front, in the other in the back; (map, vertex)."""
    half = maps.shape[1] // 2
    maps *= 0.3
    maps[:2, :half] += 1
    maps[2:, half:] += 1


def fitted(
    tmp_path: Path, n_subjects: int, n_sessions: int, *options: str
) -> tuple[list[str], int]:
    """Warnings and number of networks of a fit whose labels are finite."""
    with pytest.MonkeyPatch.context() as patch:
        at = Folder(tmp_path, patch)
        cells = [(s, t) for s in range(n_subjects) for t in range(n_sessions)]
        names = {(s, t): at.maps(f"{s}-{t}.dscalar.nii", MAPS, two_networks) for s, t in cells}
        at.table(*(f"s{s} {t} {name}" for (s, t), name in names.items()))
        result = at.run(at.fit("--features", "maps", "--no-figures", *options))
    assert result.exit_code == 0, result.output
    warnings = json.loads((tmp_path / "results" / "run.json").read_text())["warnings"]
    assert all(f"warning: {warning}" in result.output for warning in warnings)
    found = read_parcellations(tmp_path / "results")
    assert np.isfinite(found.population).all()
    np.testing.assert_allclose(found.population.sum(-1), 1, atol=1e-4)
    return warnings, len(found.networks)


FAMILIES = [
    ("--family", "reference"),
    ("--family", "reference", "--emission", "von-mises-fisher", "--label-prior", "vertex"),
    ("--family", "adavi", "--steps", "3"),
]


@pytest.mark.parametrize("family", FAMILIES, ids=["l-normal", "von-mises-fisher", "adavi"])
@pytest.mark.parametrize(("n_subjects", "n_sessions", "said"), [(1, 2, LONE), (2, 1, ONCE)])
def test_what_is_not_repeated_is_said(tmp_path, family, n_subjects, n_sessions, said):
    warnings, _ = fitted(tmp_path, n_subjects, n_sessions, *family)
    assert said in warnings


@pytest.mark.parametrize("family", FAMILIES[:2], ids=["l-normal", "von-mises-fisher"])
def test_networks_that_nothing_belongs_to_are_named(tmp_path, family):
    """Twelve networks of two: some win no vertex."""
    warnings, _ = fitted(tmp_path, 2, 2, *family, "--networks", "12")
    (said,) = (w for w in warnings if "DEAD" in w)
    assert said.startswith("DEAD NETWORKS: Network")
    assert said.endswith("; ask for fewer --networks, or --dead drop")


def test_dead_networks_are_dropped_by_choice(tmp_path):
    warnings, n_networks = fitted(
        tmp_path, 2, 2, *FAMILIES[0], "--networks", "12", "--dead", "drop"
    )
    (said,) = (w for w in warnings if "of 12 networks died and were dropped" in w)
    assert n_networks == 12 - int(said.split()[0])
    assert n_networks >= 2


def test_dead_networks_are_started_elsewhere_by_choice(tmp_path):
    warnings, n_networks = fitted(
        tmp_path, 2, 2, *FAMILIES[1], "--networks", "12", "--dead", "reseed"
    )
    (said,) = (w for w in warnings if "of 12 networks died" in w)
    assert ("were started elsewhere" in said) != ("the first training is kept" in said)
    assert n_networks == 12
