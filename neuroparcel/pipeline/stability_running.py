"""How stable labels are over sub-populations of the cohort of finished results."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

from neuroparcel.brain.comparison import NetworkMap
from neuroparcel.brain.designs import SubPopulations
from neuroparcel.brain.stability import StabilityReport
from neuroparcel.errors import OptionError
from neuroparcel.inference.device import cpu_threads
from neuroparcel.io.scheduling import Outcome, Scheduler, run_tasks
from neuroparcel.io.writers.stability import write_stability
from neuroparcel.parcellation.observed_cohort import ObservedCohort
from neuroparcel.parcellation.spins import load_spheres, spin_agreement
from neuroparcel.parcellation.stability import StabilityStudy, plan_study
from neuroparcel.parcellation.stability_blocks import BlockPlace
from neuroparcel.pipeline.devices import device_for
from neuroparcel.pipeline.figure_files import Printing
from neuroparcel.pipeline.model_file import family_name, model_digests
from neuroparcel.pipeline.options import InferOptions
from neuroparcel.pipeline.planning import Plan
from neuroparcel.pipeline.progress import Advance, progress_bar, say
from neuroparcel.pipeline.saved_model import SavedModel, load_model
from neuroparcel.pipeline.stability_blocks import BlockFolder, share
from neuroparcel.pipeline.stability_folder import StabilityFolder, open_folder
from neuroparcel.pipeline.stability_groups import Drawing, find_drawing
from neuroparcel.pipeline.stability_inputs import (
    CohortPlace,
    FinishedRun,
    find_inputs,
    open_results,
    read_same_cohort,
    reading_options,
)
from neuroparcel.pipeline.stability_options import StabilityOptions
from neuroparcel.pipeline.stability_result import (
    StabilityPlan,
    StabilityResult,
    StabilityTask,
)

_AMORTIZED, _TRAINED_ONCE = "amortized", "adavi"
_PATHS = ("results", "table", "subjects", "data_dir", "connectome", "output")


@dataclass(frozen=True, eq=False)
class _Prepared:
    """Everything but the cohort's profiles, which take long to read."""

    run: FinishedRun
    model: SavedModel
    planned: Plan
    drawing: Drawing
    cells: tuple[SubPopulations, ...]

    def record(self, options: StabilityOptions) -> dict[str, Any]:
        """What ``stability.json`` holds from the beginning."""
        inputs = self.planned.input_record()
        return {
            "options": options.record(),
            "results": str(self.run.path.resolve()),
            "model": {
                "path": str(self.run.model.resolve()),
                "files": model_digests(self.run.model),
            },
            "inputs": inputs,
            "study": self._digest(options),
            "warnings": list(self.drawing.notes),
        }

    def _digest(self, options: StabilityOptions) -> str:
        """Of all that blocks depend on, wherever it lies: options, model, inputs and samples."""
        content = {
            "options": {**options.of_blocks(), "table": None},
            "model": model_digests(self.run.model),
            "inputs": sorted(json.dumps(v) for v in self.planned.input_record().values()),
            "cohort": [self.run.subjects, self.run.sessions],
        }
        digest = hashlib.sha256(json.dumps(content).encode())
        for cell in self.cells:
            digest.update(json.dumps([cell.group, cell.size]).encode())
            for rows in (cell.pool, cell.members, cell.session, cell.pairs):
                digest.update(rows.astype("<i8").tobytes())
        return digest.hexdigest()


def plan_stability(options: StabilityOptions) -> StabilityPlan:
    """Check the options, the results and the folder; read no recordings, write nothing."""
    run = open_results(options.results)
    open_folder(options)
    prepared = _prepare(run, options)
    return StabilityPlan(options, prepared.planned, prepared.cells, prepared.drawing.notes)


def stability(options: StabilityOptions) -> StabilityResult | StabilityTask:
    """Parcellate sub-populations of a cohort again, and measure how stable labels are.

    Parameters
    ----------
    options : StabilityOptions

    Returns
    -------
    StabilityResult or StabilityTask
        The latter of one task of several, which leaves its part to be put together.

    Raises
    ------
    NeuroparcelError
        On bad input; nothing has been written then.
    """
    with cpu_threads(options.threads):
        return _stability(options)


def _stability(options: StabilityOptions) -> StabilityResult | StabilityTask:
    run = open_results(options.results)
    folder = open_folder(options)
    prepared = _prepare(run, options)
    study, warnings = _study(prepared, options)
    record = prepared.record(options)
    record["warnings"] += warnings
    blocks = folder.begin(record)
    places = study.places
    if options.task_id is not None and options.n_tasks is not None:
        places = tuple(share(places, options.task_id, options.n_tasks))
    _make(study, blocks, places, options)
    if options.is_task:
        return StabilityTask(folder.path, len(places), len(blocks.lacks(study.places)))
    report = _report(study, blocks, options, prepared.drawing.notes)
    return _write(folder, report, record, options)


def _prepare(run: FinishedRun, options: StabilityOptions) -> _Prepared:
    _check_method(run, options)
    drawing = find_drawing(run, options)
    cells = drawing.draw(options, len(run.subjects))
    _rehearse_spins(run, options)
    model = load_model(run.model, options.device)
    _check_prior(run, model, options)
    place = CohortPlace(options.subjects, options.data_dir, options.connectome)
    reading = _reading(run, place, options)
    planned = find_inputs(run, model, reading, moved=place.is_given)
    return _Prepared(run, model, planned, drawing, cells)


def _reading(run: FinishedRun, place: CohortPlace, options: StabilityOptions) -> InferOptions:
    jobs = options.jobs if options.scheduler == "local" else 1  # of a cluster, not of this machine
    return reading_options(run, place, jobs=jobs, quiet=options.quiet)


def _study(
    prepared: _Prepared, options: StabilityOptions
) -> tuple[StabilityStudy, tuple[str, ...]]:
    """The study, with the profiles in memory, and warnings of the recordings."""
    run, model, drawing = prepared.run, prepared.model, prepared.drawing
    place = CohortPlace(options.subjects, options.data_dir, options.connectome)
    reading = _reading(run, place, options)
    cohort, warnings = read_same_cohort(run, prepared.planned, reading)
    device = device_for(model.networks.name, options.device)
    study = plan_study(
        model,
        ObservedCohort(cohort, model.reduction, device),
        options.sampling,
        method=options.method,
        prior=options.prior_or_own,
        groups=drawing.groups,
        strata=drawing.strata,
        retest=drawing.retest,
    )
    return study, warnings


def _check_method(run: FinishedRun, options: StabilityOptions) -> None:
    """Refuse to ask a model for a posterior that it has not; only its name is read."""
    family = family_name(run.model)
    if options.method == _AMORTIZED and family != _TRAINED_ONCE:
        raise OptionError(
            f"The model of {run.path} was learnt with --family {family}, and has no posterior "
            "that was trained for other cohorts.",
            f"Give --method refit:{family}, or fit with --family adavi.",
        )


def _check_prior(run: FinishedRun, model: SavedModel, options: StabilityOptions) -> None:
    """Refuse to say where a prior is from that no label has."""
    if options.prior is not None and model.labels is None:
        raise OptionError(
            f"--prior is of labels with a prior at each vertex, and those of {run.path} have none.",
            "Leave --prior away, or fit with --label-prior vertex.",
        )


def _rehearse_spins(run: FinishedRun, options: StabilityOptions) -> None:
    """Rotate once, before anything long runs: a region cannot be, and a library may be missing."""
    if options.spins:
        name = str(run.path)
        population = NetworkMap.of_parcellation(name, run.parcellations.of_population())
        spheres = load_spheres(population, population)
        spin_agreement(population.labels[None], population, spheres, n_spins=1, seed=0)


def _make(
    study: StabilityStudy,
    blocks: BlockFolder,
    places: Sequence[BlockPlace],
    options: StabilityOptions,
) -> None:
    """Make the blocks that are not there yet; those that are done stay if it is interrupted."""
    left = blocks.lacks(places)
    if len(left) < len(places):
        say(f"{len(places) - len(left)} of {len(places)} parts are there", quiet=options.quiet)
    n_samples = sum(place.stop - place.start for place in left)
    with progress_bar("sub-populations", quiet=options.quiet) as advance:
        tell = partial(_tell, study, advance, n_samples)
        advance(0, n_samples)
        if options.jobs == 1 and options.scheduler == "local":
            for number, place in enumerate(left):
                blocks.write(place, study.run(place))
                tell(left[: number + 1])
        else:
            _make_elsewhere(blocks, left, options, tell)


def _tell(
    study: StabilityStudy, advance: Advance, n_samples: int, done: Sequence[BlockPlace]
) -> None:
    """Show how many sub-populations are done, and of which group and size the last ones are."""
    cell = study.cells[done[-1].cell]
    n_done = sum(place.stop - place.start for place in done)
    advance(n_done, n_samples, f"{cell.group}, size {cell.size}")


def _make_elsewhere(
    blocks: BlockFolder,
    left: Sequence[BlockPlace],
    options: StabilityOptions,
    tell: Callable[[Sequence[BlockPlace]], None],
) -> None:
    """Make blocks in other processes, perhaps of other machines, which see the same disk."""
    done: list[BlockPlace] = []

    def take(outcome: Outcome) -> None:
        if outcome.error is not None:
            raise outcome.error
        done.append(left[outcome.number])
        tell(done)

    blocks.path.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="workers-", dir=blocks.path) as notes:
        run_tasks(
            _BlockMaker(_from_anywhere(options), replace(blocks, path=blocks.path.resolve())),
            left,
            Scheduler.parse(options.scheduler),
            n_jobs=options.jobs,
            folder=Path(notes),
            on_outcome=take,
        )


@dataclass(frozen=True)
class _BlockMaker:
    """Makes a block and writes it; runs in the workers."""

    options: StabilityOptions
    blocks: BlockFolder

    def __call__(self, place: BlockPlace) -> None:
        with cpu_threads(1):
            self.blocks.write(place, _study_of(self.options).run(place))


@lru_cache(maxsize=1)
def _study_of(options: StabilityOptions) -> StabilityStudy:
    """Model and cohort, once in each process."""
    return _study(_prepare(open_results(options.results), options), options)[0]


def _from_anywhere(options: StabilityOptions) -> StabilityOptions:
    """Options that mean the same in another process: whole paths, one reader, no bars."""
    paths = {name: getattr(options, name) for name in _PATHS}
    whole = {name: path and path.resolve() for name, path in paths.items()}
    return replace(options, **whole, jobs=1, scheduler="local", spins=0, quiet=True)


def _report(
    study: StabilityStudy, blocks: BlockFolder, options: StabilityOptions, notes: Sequence[str]
) -> StabilityReport:
    """What all blocks say together."""
    with progress_bar("statistics", quiet=options.quiet) as advance:
        report = study.report(
            blocks.read,
            n_permutations=options.permutations,
            spins=options.spins,
            progress=advance,
        )
    return replace(report, notes=(*report.notes, *notes))


def _write(
    folder: StabilityFolder,
    report: StabilityReport,
    record: dict[str, Any],
    options: StabilityOptions,
) -> StabilityResult:
    recordings = [path for path, about in record["inputs"].items() if not about.get("connectome")]
    files = write_stability(folder.path, report, sources=recordings)
    figures: list[Path] = []
    if options.figures:
        from neuroparcel.pipeline.stability_figures import draw_stability

        printing = Printing(options.formats, options.dpi)
        with progress_bar("drawing", quiet=options.quiet) as advance:
            figures = draw_stability(folder.path, report, printing, advance)
    last = folder.finish(report, record, [*files, *figures])
    warnings = tuple(record["warnings"])
    return StabilityResult(folder.path, (*files, last), tuple(figures), report, warnings)
