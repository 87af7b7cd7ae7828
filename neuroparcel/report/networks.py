"""One row a network: its colour, its share, how certain it is, its namesake and its targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuroparcel.report.figures import drawn_figures
from neuroparcel.report.run import NetworkProfiles, ReportedRun
from neuroparcel.report.section import Section

_N_TOP = 5
_FIGURES = {
    "networks": "The population's networks as profiles: the value of each network at each target",
    "connections": "The strongest connections of each network on the whole cortex",
}


@dataclass(frozen=True)
class NetworkRow:
    """What the table says of a network.

    Attributes
    ----------
    name, colour : str
    n_vertices : int
        Where it is the most probable one in the population.
    share : float
        Of the vertices with data.
    certainty : float
        Mean of 1 - entropy there; NaN where it wins none.
    score : float, optional
        Of its match with the reference; None without a namesake.
    nearest : tuple of (str, float), optional
        What it is most like there, and how much.
    targets : tuple of str
        Where it stands out most from the mean network, from the first.
    """

    name: str
    colour: str
    n_vertices: int
    share: float
    certainty: float
    score: float | None
    nearest: tuple[str, float] | None
    targets: tuple[str, ...]


def networks(run: ReportedRun) -> Section:
    """The table of networks."""
    identity = run.record.get("identity") or {}
    content = {
        "rows": network_rows(run),
        "rows_are": run.rows_are,
        "reference": identity.get("reference"),
        "match": identity.get("match"),
        "has_targets": run.profiles is not None,
        "pictures": drawn_figures(run, _FIGURES),
    }
    return Section("networks", "Networks", "networks.html", content)


def network_rows(run: ReportedRun) -> list[NetworkRow]:
    """The rows of the table, in the order of the networks."""
    soft = run.population
    counted, entropy = soft.labels * soft.has_data, soft.entropy
    n_known = max(int(soft.has_data.sum()), 1)
    identity = run.record.get("identity") or {}
    scores = identity.get("scores") or [None] * soft.n_networks
    nearest = identity.get("nearest") or [None] * soft.n_networks
    targets = top_targets(run.profiles) if run.profiles is not None else [()] * soft.n_networks
    rows = []
    for number, name in enumerate(soft.networks):
        own = counted == number + 1
        certainty = float(1 - entropy[own].mean()) if own.any() else float("nan")
        n_vertices = int(own.sum())
        colour = "#" + "".join(f"{round(255 * part):02x}" for part in soft.colours[number][:3])
        share = n_vertices / n_known
        like = None if nearest[number] is None else (nearest[number][0], nearest[number][1])
        match = (scores[number], like)
        rows.append(NetworkRow(name, colour, n_vertices, share, certainty, *match, targets[number]))
    return rows


def top_targets(profiles: NetworkProfiles) -> list[tuple[str, ...]]:
    """Targets where each network lies furthest above the mean of all networks.

    What all networks share, such as the mean of positive profiles, says nothing of one.
    """
    apart = profiles.values - profiles.values.mean(axis=1, keepdims=True)
    order = np.argsort(-apart, axis=0, kind="stable")[:_N_TOP]
    return [tuple(profiles.targets[row] for row in column) for column in order.T]
