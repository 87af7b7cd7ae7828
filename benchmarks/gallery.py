"""Pictures of real cortex for the documentation: population, subjects and uncertainty.

Networks are named after those of Yeo et al. 2011 that they overlap most with, one to one; the
Dice coefficient stands beside the name, and says how far the name can be trusted.
"""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.metrics import adjusted_rand_score

from benchmarks.mdtb import folder_of, write_list
from benchmarks.record import Recorder
from neuroparcel.brain.atlas import Atlas
from neuroparcel.brain.contingency import contingency, dice_of
from neuroparcel.brain.matching import best_pairs
from neuroparcel.brain.parcellation import CohortParcellation
from neuroparcel.io.atlases import load_atlas
from neuroparcel.parcellation.labels import parcellate
from neuroparcel.pipeline.fitting import find_inputs, learn
from neuroparcel.pipeline.options import FitOptions
from neuroparcel.pipeline.reading import read_cohort

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_IMAGES = Path(__file__).parent.parent / "docs" / "images"
_DPI = 120
_NAMED = 0.2  # Dice from which a name is worth more than a number
_N_SUBJECTS = 6  # drawn beside the population
_OPTIONS: dict[str, Any] = {
    "roi": "cortex",
    "features": "maps",
    "emission": "von-mises-fisher",
    "levels": "population",
    "variance": 1.0,
    "label_prior": "vertex",
    "family": "reference",
}


def run(recorder: Recorder, seed: int, data: Path | None) -> None:
    """Parcellate the cohort into 7 and 17 networks, draw it, and note the overlap with Yeo's."""
    from neuroparcel.plotting.panel import draw_cohort_panel
    from neuroparcel.plotting.uncertainty import draw_uncertainty

    maps = folder_of(data)
    for networks in (7,) if recorder.quick else (7, 17):
        atlas = load_atlas(f"yeo{networks}")
        found, dice = named_after(_parcellate(maps, networks, seed), atlas)
        case = f"cortex, {networks} networks"
        same = adjusted_rand_score(atlas.keys, found.of_population().labels)
        recorder.add(case, f"population map, ARI with {atlas.name}", float(same), seed=seed)
        recorder.add(case, f"mean Dice with {atlas.name}", float(dice.mean()), seed=seed)
        for label, value in zip(atlas.labels, dice, strict=True):
            recorder.add(case, f"Dice with {label.name}", float(value), seed=seed)
        entropy = float(np.nanmean(found.of_population().entropy))
        recorder.add(case, "mean entropy of the population map", entropy, seed=seed)
        name = f"cortex_{networks}"
        title = f"{networks} networks of task maps, and Yeo's"
        both = beside(found, atlas)
        some = both.subjects[: _N_SUBJECTS + 1]
        shown = draw_cohort_panel(both, subjects=some, title=title)
        _, below_title, *_ = shown.texts  # which counts Yeo's map as a subject
        below_title.set_text(f"the population, Yeo et al. 2011, and {_N_SUBJECTS} of 10 subjects")
        _save(shown, name)
        title = f"Uncertainty of the population's {networks} networks"
        _save(draw_uncertainty(found.of_population(), title), f"{name}_uncertainty")


def named_after(found: CohortParcellation, atlas: Atlas) -> tuple[CohortParcellation, np.ndarray]:
    """The networks in order and colours of an atlas, and their Dice coefficients with it."""
    n_labels = len(atlas.labels)
    counts = contingency(found.of_population().labels, atlas.keys, found.n_networks, n_labels)
    dice = dice_of(counts)
    rows, columns = best_pairs(dice)
    order = rows[np.argsort(columns)]
    dice = dice[order, np.sort(columns)]
    names = [
        f"{label.name} ({value:.2f})" if value >= _NAMED else f"Network{number}"
        for number, (label, value) in enumerate(zip(atlas.labels, dice, strict=True), 1)
    ]
    return replace(
        found,
        networks=tuple(names),
        colours=tuple(label.rgba for label in atlas.labels),
        population=found.population[:, order],
        subject=found.subject[..., order],
        session=found.session[..., order],
    ), dice


def beside(found: CohortParcellation, atlas: Atlas) -> CohortParcellation:
    """The atlas before the subjects, with labels that are certain."""
    theirs = (atlas.keys[:, None] == [label.key for label in atlas.labels]).astype(np.float32)
    theirs[atlas.keys == 0] = np.nan
    session = np.repeat(theirs[None, None], len(found.sessions), 1)
    known = None
    if found.data is not None:
        known = np.concatenate([np.isfinite(session).all(-1), found.data])
    return replace(
        found,
        subjects=("Yeo et al. 2011", *(f"sub-{name}" for name in found.subjects)),
        subject=np.concatenate([theirs[None], found.subject]),
        session=np.concatenate([session, found.session]),
        data=known,
    )


def _parcellate(maps: Path, networks: int, seed: int) -> CohortParcellation:
    with tempfile.TemporaryDirectory() as folder:
        table = write_list(maps, Path(folder) / "all.tsv")
        options = FitOptions(
            subjects=table,
            output=Path(folder) / "none",
            networks=networks,
            seed=seed,
            quiet=True,
            **_OPTIONS,
        )
        cohort, _ = read_cohort(find_inputs(options), options)
    learnt = learn(cohort, options)
    trained = learnt.trained
    return parcellate(
        trained.networks(learnt.start.data, learnt.start.strength),
        trained.networks.model,
        cohort.axis,
        cohort.subjects,
        cohort.sessions,
        trained.labels,
        strength=learnt.start.strength,
    )


def _save(figure: Figure, name: str) -> None:
    _IMAGES.mkdir(exist_ok=True)
    figure.savefig(_IMAGES / f"{name}.png", dpi=_DPI)
