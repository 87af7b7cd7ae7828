"""How long figures of the whole cortex take, the first of a process and those after it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from benchmarks.record import Recorder
from neuroparcel.brain.parcellation import CohortParcellation, SoftParcellation

_N_NETWORKS = 17
_FIRST = """
import time
start = time.perf_counter()
from benchmarks.figures import cortex, panel
soft = cortex(seed={seed})
made = time.perf_counter()
panel(soft)
first = time.perf_counter()
panel(cortex(seed={seed} + 1))
print(first - start, made - start, time.perf_counter() - first)
"""


def run(recorder: Recorder, seed: int) -> None:
    """Time a four-view panel in a new process, and a gallery of thirty subjects."""
    case = f"four views of 59,412 vertices, {_N_NETWORKS} networks, PNG of 200 dpi"
    printed = subprocess.run(
        [sys.executable, "-c", _FIRST.format(seed=seed)], check=True, capture_output=True, text=True
    ).stdout
    first, before, second = (float(word) for word in printed.split())
    recorder.add(case, "first panel, with imports", first, unit="s", goal="<= 8", seed=seed)
    recorder.add(case, "imports and a map, of these", before, unit="s", seed=seed)
    recorder.add(case, "second panel", second, unit="s", seed=seed)
    for n_subjects in (10, 30):
        gallery = f"gallery of {n_subjects} subjects"
        everybody = _cohort(n_subjects, seed)
        with recorder.timed() as clock:
            _gallery(everybody)
        recorder.add(gallery, "seconds", clock.seconds, unit="s", seed=seed)
        recorder.add(gallery, "seconds a subject", clock.seconds / n_subjects, unit="s", seed=seed)


def cortex(seed: int) -> SoftParcellation:
    """A smooth map of the cortex: probabilities fall with the distance from random centres."""
    from neuroparcel.io.meshes import Hemisphere, load_cortex_axis, load_mesh

    axis, random = load_cortex_axis(), np.random.default_rng(seed)
    sides: tuple[Hemisphere, ...] = ("left", "right")
    points = np.concatenate(
        [
            load_mesh("inflated", side)[0][axis.vertex[axis.rows_in(f"CORTEX_{side.upper()}")]]
            for side in sides
        ]
    )
    centres = points[random.choice(len(points), _N_NETWORKS, replace=False)]
    distance = np.linalg.norm(points[:, None] - centres, axis=-1)
    odds = np.exp(-(distance - distance.min(axis=1, keepdims=True)) / 8)
    shares = (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32)
    return SoftParcellation(axis, tuple(f"Network{k + 1}" for k in range(_N_NETWORKS)), shares)


def panel(soft: SoftParcellation) -> None:
    """Draw and save a panel; the file is forgotten."""
    from io import BytesIO

    from neuroparcel.plotting.panel import draw_panel

    draw_panel(soft, "Population").savefig(BytesIO(), format="png", dpi=200)


def _cohort(n_subjects: int, seed: int) -> CohortParcellation:
    one = cortex(seed)
    maps = np.stack([cortex(seed + number).probabilities for number in range(n_subjects)])
    names = tuple(f"sub-{number:02d}" for number in range(n_subjects))
    sessions = maps[:, None]
    return CohortParcellation(one.axis, one.networks, names, ("1",), maps[0], maps, sessions)


def _gallery(everybody: CohortParcellation) -> None:
    from io import BytesIO

    from neuroparcel.plotting.panel import draw_cohort_panel

    figure = draw_cohort_panel(everybody, subjects=everybody.subjects)
    figure.savefig(BytesIO(), format="png", dpi=200)
