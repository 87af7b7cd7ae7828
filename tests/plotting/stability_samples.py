"""Stability analyses with numbers that are made up, but hang together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neuroparcel.brain.designs import EVERYONE, Design
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.brain.stability import (
    RetestReliability,
    SizeStability,
    StabilityReport,
    Statistic,
    VertexEstimate,
)
from neuroparcel.types import FloatArray

N_SHOWN = 24


def report_of(
    soft: SoftParcellation,
    sizes: Sequence[int] = (5,),
    groups: Sequence[str] = (EVERYONE,),
    *,
    n_subjects: int = 10,
    kind: str = "without-replacement",
    retest: bool = True,
) -> StabilityReport:
    """An analysis of some labels: stable where they are certain, and the more so the larger."""
    rng = np.random.default_rng(0)
    subjects = tuple(f"sub-{number + 2:02}" for number in range(n_subjects))
    found = [(group, size) for group in groups for size in sizes]
    parts = tuple(_size_of(soft, group, size, n_subjects, rng) for group, size in found)
    statistics = [row for one in parts for row in _statistics_of(one, soft.networks)]
    reliability = _retest_of(soft, subjects, rng) if retest else None
    if reliability is not None:
        statistics += _of_the_cohort()
    return StabilityReport(
        axis=soft.axis,
        networks=soft.networks,
        colours=soft.colours,
        subjects=subjects,
        sessions=("1", "2"),
        design=Design(kind, tuple(sizes), 60, 0),
        method="amortized",
        prior="",
        full=dict.fromkeys(groups, soft),
        sizes=parts,
        reliability=reliability,
        statistics=tuple(statistics),
        notes=("sub-10 has one session.",),
    )


def _size_of(
    soft: SoftParcellation, group: str, size: int, n_subjects: int, rng: np.random.Generator
) -> SizeStability:
    known = soft.has_data
    doubt = _doubt(soft)
    value = np.where(known, np.clip(1 - doubt * (0.2 + 1 / size), 0.05, 1), np.nan)
    half = 0.3 * np.sqrt(value * (1 - value)) + 0.005
    stable = VertexEstimate(value, np.clip(value - half, 0, 1), np.clip(value + half, 0, 1))
    spread = {"population": 0.1 / size, "subject": 0.3, "session": 0.12}
    parts = {name: np.where(known, share * doubt, np.nan) for name, share in spread.items()}
    members = np.array(
        [np.sort(rng.choice(n_subjects, size, replace=False)) for _ in range(N_SHOWN)]
    )
    shared = (members[:, None, :, None] == members[None, :, None, :]).any(-1).sum(-1)
    noise = 0.03 * rng.normal(size=shared.shape)
    similarity = (
        0.9 - 0.3 / size - 0.3 * (1 - shared / size) + np.triu(noise, 1) + np.triu(noise, 1).T
    )
    np.fill_diagonal(similarity, 1)
    ari_full = 0.95 - 0.5 / size + 0.02 * rng.normal(size=N_SHOWN)
    dice = np.clip(ari_full[:, None] + 0.02 * rng.normal(size=(N_SHOWN, soft.n_networks)), 0, 1)
    return SizeStability(
        group=group,
        size=size,
        n_samples=N_SHOWN,
        stable=stable,
        parts=parts,
        members=members,
        session=np.full(N_SHOWN, -1),
        ari_full=ari_full.astype(np.float32),
        dice_full=dice.astype(np.float32),
        profile_full=dice.astype(np.float32),
        similarity=similarity.astype(np.float32),
        shown=np.arange(N_SHOWN),
    )


def _doubt(soft: SoftParcellation) -> FloatArray:
    """Of each row, in [0, 1]: where labels are undecided, and the more the later the row."""
    return np.nan_to_num(0.05 + 0.75 * soft.entropy) + np.linspace(0, 0.2, len(soft.axis))


def _statistics_of(one: SizeStability, networks: Sequence[str]) -> list[Statistic]:
    def row(
        name: str, value: float, values: FloatArray | None = None, network: str = ""
    ) -> Statistic:
        low, high = (np.nan, np.nan) if values is None else np.percentile(values, (5, 95))
        half = 0.04 if not name.startswith("share") else 0.02
        return Statistic(
            one.group,
            one.size,
            name,
            network,
            value,
            value - half,
            value + half,
            "subjects",
            float(low),
            float(high),
            one.n_samples,
        )

    pairs = one.similarity[np.triu_indices(len(one.similarity), 1)]
    parts = {name: float(np.nanmean(values)) for name, values in one.parts.items()}
    total = sum(parts.values())
    rows = [
        row("stable", float(np.nanmean(one.stable.value))),
        row("ari_full", float(one.ari_full.mean()), one.ari_full),
        row("dice_full", float(one.dice_full.mean()), one.dice_full.mean(axis=1)),
        row("ari_between", float(pairs.mean()), pairs),
        *(row(f"part_{name}", value) for name, value in parts.items()),
        *(row(f"share_{name}", value / total) for name, value in parts.items()),
        row("identification", 0.9),
    ]
    if one.size < 6:
        rows.append(row("ari_disjoint", float(pairs.mean()) - 0.1, pairs - 0.1))
    for name, values in zip(networks, one.dice_full.T, strict=True):
        rows.append(row("dice_full", float(values.mean()), values, name))
    return rows


def _retest_of(
    soft: SoftParcellation, subjects: tuple[str, ...], rng: np.random.Generator
) -> RetestReliability:
    value = np.where(soft.has_data, 0.7 - 0.8 * (1 - _doubt(soft)) ** 2, np.nan)
    icc = VertexEstimate(value, value - 0.2, value + 0.2)
    lower = VertexEstimate(value - 0.05, value - 0.25, value + 0.15)
    distances = 0.3 + 0.05 * rng.normal(size=(len(subjects), len(subjects)))
    np.fill_diagonal(distances, 0.15)
    distances[1, 1] = 0.5
    return RetestReliability(("1", "2"), subjects, lower, icc, distances.astype(np.float32))


def _of_the_cohort() -> list[Statistic]:
    def row(name: str, value: float, null: float = np.nan, p: float = np.nan) -> Statistic:
        return Statistic(
            EVERYONE,
            None,
            name,
            "",
            value,
            value - 0.1,
            min(value + 0.1, 1.0),
            "subjects",
            n=10,
            null=null,
            p=p,
        )

    return [
        row("icc2", 0.55),
        row("icc3", 0.6),
        row("ari_within_subject", 0.56),
        row("ari_between_subjects", 0.22),
        row("within_minus_between", 0.34, 0.0, 0.001),
        row("identification", 0.9, 0.1, 0.001),
    ]
