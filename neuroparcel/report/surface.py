"""The surface that the reader can turn, with a choice of what is shown on it."""

from __future__ import annotations

from neuroparcel.report.run import ReportedRun
from neuroparcel.report.section import Section
from neuroparcel.report.surface_data import (
    MOST_NETWORKS,
    packed_library,
    packed_map,
    surface_data,
)


def surface(run: ReportedRun) -> Section | None:
    """The surface view; None where the region does not lie on the fs_LR 32k cortex."""
    if not run.is_drawable or run.parcellations.n_networks > MOST_NETWORKS:
        return None
    maps = {"Population": packed_map(run.population)}
    maps |= {view.name: view.packed for view in run.subjects if view.packed is not None}
    n_subjects = len(run.subjects)
    note = ""
    if len(maps) - 1 < n_subjects:
        note = (
            f"Only the first {len(maps) - 1} of {n_subjects} subjects can be chosen, so that this "
            "page stays below 15 MB."
        )
    data = {**surface_data(run.population), "maps": list(maps)}
    content = {
        "data": data,
        "maps": maps,
        "library": packed_library(),
        "networks": run.population.networks,
        "note": note,
    }
    return Section("surface", "Surface", "surface.html", content)
