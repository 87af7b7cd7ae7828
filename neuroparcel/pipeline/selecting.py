"""How many networks: the same folds of subjects for each number, judged on unseen subjects."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.homogeneity import random_parcels
from neuroparcel.brain.reduction import Reduction
from neuroparcel.errors import NeuroparcelError, OptionError, OutputError
from neuroparcel.inference.device import choose_device, cpu_threads
from neuroparcel.io.neighbours import load_neighbours
from neuroparcel.io.scheduling import Outcome, Scheduler, run_tasks
from neuroparcel.io.store import open_store
from neuroparcel.parcellation.agreement import adjusted_rand, hard_labels
from neuroparcel.parcellation.labels import soft_labels
from neuroparcel.parcellation.observations import observe, observed_strength
from neuroparcel.parcellation.selection import (
    BY_SPLIT,
    MEASURES,
    HeldOut,
    Selection,
)
from neuroparcel.parcellation.selection_scores import Judge
from neuroparcel.pipeline.fitting import Learnt, find_inputs, learn, reduce
from neuroparcel.pipeline.options import FitOptions
from neuroparcel.pipeline.planning import Plan
from neuroparcel.pipeline.progress import progress_bar
from neuroparcel.pipeline.reading import read_cohort
from neuroparcel.pipeline.run_folder import RUN_FILE, RunFolder, open_run, read_run
from neuroparcel.pipeline.selection_files import SelectionResult, write_selection
from neuroparcel.pipeline.selection_options import SelectOptions
from neuroparcel.types import FloatArray, IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

_N_PARCELLATIONS = 10  # random ones, for each number
_N_SPLITS = 3  # of the cohort into halves
_LEAST_SPLIT = 4  # subjects, for halves of two

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, eq=False)
class SelectionPlan:
    """What ``neuroparcel select`` would read and do.

    Attributes
    ----------
    inputs : Plan
        Of the fit with most networks.
    options : SelectOptions
    n_subjects : int
    """

    inputs: Plan
    options: SelectOptions
    n_subjects: int

    def summary(self) -> str:
        """A few lines for the terminal."""
        numbers = self.options.numbers
        n_folds = len(subject_folds(list(map(str, range(self.n_subjects))), self.options.folds, 0))
        n_splits = _N_SPLITS if self.n_subjects >= _LEAST_SPLIT else 0
        return (
            f"{len(numbers)} numbers of networks from {numbers[0]} to {numbers[-1]}, {n_folds} "
            f"folds of {self.n_subjects} subjects, {n_splits} splits into halves: "
            f"{len(numbers) * (n_folds + 2 * n_splits)} fits; of the largest number:\n"
            f"{self.inputs.summary()}"
        )


def plan_select(options: SelectOptions) -> SelectionPlan:
    """Check the options, the list and the output folder; read no data, write nothing."""
    _open(options)
    choose_device(options.device)
    inputs = find_inputs(options.fit_options(options.numbers[-1]))
    if inputs.files is not None:
        subjects: Sequence[str] = inputs.files.subjects
    else:
        assert inputs.connectome is not None  # the one or the other
        subjects = open_store(inputs.connectome).subjects
    subject_folds(subjects, options.folds, options.seed)
    return SelectionPlan(inputs, options, len(subjects))


def select(options: SelectOptions) -> SelectionResult:
    """Score numbers of networks on subjects that were held out, recommend one, and write.

    Parameters
    ----------
    options : SelectOptions

    Returns
    -------
    SelectionResult

    Raises
    ------
    NeuroparcelError
        On bad input; nothing has been written then.
    """
    planned = plan_select(options)
    largest = replace(options.fit_options(options.numbers[-1]), quiet=options.quiet)
    cohort, warnings = read_cohort(planned.inputs, largest)
    subject_folds(cohort.subjects, options.folds, options.seed)  # without those left out
    folder = _open(options)
    with (
        _taken_back_if_bad(folder, planned.inputs.input_record()),
        progress_bar("learning", quiet=options.quiet) as advance,
    ):
        selection = score_numbers(cohort, options, advance)
    return write_selection(
        folder, planned.inputs, selection, options, (*warnings, *selection.notes)
    )


def score_numbers(
    cohort: Cohort, options: SelectOptions, progress: Progress | None = None
) -> Selection:
    """Score numbers of networks by cross-validation over the subjects of a cohort.

    Parameters
    ----------
    cohort : Cohort
    options : SelectOptions
        Of the model, its training, the folds and the numbers.
    progress : callable, optional
        Called with the number of tasks done, that of all, and what was done last.

    Returns
    -------
    Selection

    Raises
    ------
    OptionError
        If there are not two subjects.
    NeuroparcelError
        If fewer than two numbers of networks could be learnt.
    """
    folds = subject_folds(cohort.subjects, options.folds, options.seed)
    heldout = _held_out(cohort)
    tasks = [*_fold_tasks(folds, options), *_split_tasks(cohort.subjects, options)]
    work = _Work(cohort, options, load_neighbours(cohort.axis), heldout)
    done: list[Outcome] = []

    def note(outcome: Outcome) -> None:
        done.append(outcome)
        if progress is not None:
            task = tasks[outcome.number]
            progress(len(done), len(tasks), f"{task.n_networks} networks, {task.what}")

    outcomes = run_tasks(
        work,
        tasks,
        Scheduler.parse(options.scheduler),
        n_jobs=options.jobs,
        on_outcome=note,
    )
    failed = _failures(tasks, outcomes, options.numbers)
    numbers = tuple(n for n in options.numbers if n not in failed)
    found = [(t, o.value) for t, o in zip(tasks, outcomes, strict=True) if t.n_networks in numbers]
    notes = (*_gaps(cohort, heldout), *(f"{n} networks: {why}" for n, why in failed.items()))
    scores = {name: _scores_of(name, numbers, cohort.subjects, found) for name in MEASURES}
    return Selection(numbers, cohort.subjects, scores, heldout, notes)


def subject_folds(subjects: Sequence[str], n_folds: int, seed: int) -> list[tuple[str, ...]]:
    """Subjects to hold out together, in parts as equal as can be; each alone if they are few.

    Raises
    ------
    OptionError
        If there are not two subjects.
    """
    if len(subjects) < 2:
        raise OptionError(
            f"{len(subjects)} subject does not tell how many networks to take: numbers are judged "
            "on subjects that were held out.",
            "Give at least 2 subjects; 10 or more for a clear answer.",
        )
    order = np.random.default_rng(seed).permutation(len(subjects))
    parts = np.array_split(order, min(n_folds, len(subjects)))
    return [tuple(subjects[i] for i in sorted(part.tolist())) for part in parts]


@dataclass(frozen=True)
class _Task:
    """One number of networks: on a fold of held-out subjects, or on two halves of all."""

    n_networks: int
    place: int
    first: tuple[str, ...]
    second: tuple[str, ...]
    is_split: bool

    @property
    def what(self) -> str:
        """In words, for a progress bar."""
        return f"{'split' if self.is_split else 'fold'} {self.place + 1}"


@dataclass(frozen=True, eq=False)
class _Work:
    """What all tasks share; calling it does one, in whatever process.

    Each process finds the reduction of some subjects once.
    """

    cohort: Cohort
    options: SelectOptions
    neighbours: csr_array | None
    heldout: HeldOut
    reductions: dict[tuple[str, ...], Reduction] = field(default_factory=dict)

    def __call__(self, task: _Task) -> dict[str, dict[str, float]]:
        with cpu_threads(self.options.threads):
            return self._halves(task) if task.is_split else self._fold(task)

    def _fold(self, task: _Task) -> dict[str, dict[str, float]]:
        """Subject -> its scores, learnt from the first and judged on the second subjects."""
        learnt = self._learn(task.first, task.n_networks)
        judge = Judge(
            learnt.trained.networks,
            learnt.trained.labels,
            self._random_parcels(task.n_networks),
            self._map(learnt) if self.heldout == "vertices" else None,
            self.options.seed,
        )
        by = judge.by_sessions if self.heldout == "sessions" else judge.by_vertices
        found = {}
        for name in task.second:
            own = self.cohort.select(subjects=[name])
            device = learnt.start.data.values.device
            data = observe(own, learnt.reduction, device)
            found[name] = by(own, data, observed_strength(own, device))
        return found

    def _halves(self, task: _Task) -> dict[str, dict[str, float]]:
        """Agreement of the maps of two halves of the cohort."""
        halves = (task.first, task.second)
        maps = [self._map(self._learn(half, task.n_networks)) for half in halves]
        index = adjusted_rand(*maps)
        return {task.what: {} if index is None else {"split_half": index}}

    def _learn(self, subjects: tuple[str, ...], n_networks: int) -> Learnt:
        """What some subjects teach; their reduction is the same for all numbers of networks."""
        chosen, options = (
            self.cohort.select(subjects=subjects),
            self.options.fit_options(n_networks),
        )
        if subjects not in self.reductions:
            self.reductions[subjects] = reduce(chosen, options)
        return learn(chosen, options, reduction=self.reductions[subjects])

    def _map(self, learnt: Learnt) -> IntArray:
        """The group's map of the subjects that were learnt from, (vertex,) from 1."""
        trained, start = learnt.trained, learnt.start
        population, _, _ = soft_labels(
            trained.networks(start.data, start.strength),
            trained.networks.model,
            trained.labels,
            strength=start.strength,
            seed=self.options.seed,
        )
        return hard_labels(population)

    def _random_parcels(self, n_networks: int) -> list[IntArray]:
        """The same for all folds."""
        rng = np.random.default_rng([self.options.seed, n_networks])
        n_vertices = self.cohort.n_vertices
        return [
            random_parcels(n_networks, n_vertices, self.neighbours, rng)
            for _ in range(_N_PARCELLATIONS)
        ]


def _fold_tasks(folds: Sequence[tuple[str, ...]], options: SelectOptions) -> Iterator[_Task]:
    """The largest numbers, which take longest, come first."""
    for n_networks in reversed(options.numbers):
        for place, held_out in enumerate(folds):
            training = tuple(n for fold in folds if fold != held_out for n in fold)
            yield _Task(n_networks, place, training, held_out, is_split=False)


def _split_tasks(subjects: Sequence[str], options: SelectOptions) -> Iterator[_Task]:
    """Random halves of the cohort; none with few subjects."""
    if len(subjects) < _LEAST_SPLIT:
        return
    rng = np.random.default_rng([options.seed, len(subjects)])
    orders = [rng.permutation(len(subjects)) for _ in range(_N_SPLITS)]
    for n_networks in reversed(options.numbers):
        for place, order in enumerate(orders):
            first, second = (tuple(subjects[i] for i in half) for half in np.array_split(order, 2))
            yield _Task(n_networks, place, first, second, is_split=True)


def _held_out(cohort: Cohort) -> HeldOut:
    """Sessions can be held out if two subjects have a second one."""
    return "sessions" if (cohort.present.sum(1) > 1).sum() > 1 else "vertices"


def _gaps(cohort: Cohort, heldout: HeldOut) -> tuple[str, ...]:
    """What could not be measured, and what is measured in its place."""
    notes = []
    single = [n for n, row in zip(cohort.subjects, cohort.present, strict=True) if row.sum() < 2]
    if heldout == "vertices":
        notes.append(
            "sessions are not repeated: the density is that of held-out vertices, homogeneity "
            "that of the group's map in unseen subjects, and agreement across sessions cannot "
            "be measured"
        )
    elif single:
        notes.append(
            f"{len(single)} of {cohort.n_subjects} subjects have one session (first: "
            f"{single[0]}): networks are learnt from them, but not judged on them"
        )
    if cohort.n_subjects < _LEAST_SPLIT:
        notes.append(
            f"{cohort.n_subjects} subjects have no halves of two: the agreement of group maps "
            "cannot be measured"
        )
    return tuple(notes)


def _failures(
    tasks: Sequence[_Task], outcomes: Sequence[Outcome], numbers: Sequence[int]
) -> dict[int, str]:
    """Numbers that could not be learnt, and why; an error if too few are left.

    An error that nobody raised on purpose is a bug, and is not passed over.
    """
    failed: dict[int, str] = {}
    errors = [(t, o.error) for t, o in zip(tasks, outcomes, strict=True) if o.error is not None]
    for task, error in errors:
        if not isinstance(error, NeuroparcelError):
            raise error
        failed.setdefault(task.n_networks, f"{error.message} ({task.what})")
    if len(numbers) - len(failed) < 2:
        task, error = errors[-1]
        raise error
    return dict(sorted(failed.items()))


def _scores_of(
    measure: str,
    numbers: Sequence[int],
    subjects: Sequence[str],
    found: Sequence[tuple[_Task, Mapping[str, Mapping[str, float]]]],
) -> FloatArray:
    """One measure, (number, subject or split); NaN where it was not measured."""
    is_split = measure in BY_SPLIT
    splits = dict.fromkeys(t.what for t, _ in found if t.is_split)
    units = {name: column for column, name in enumerate(splits if is_split else subjects)}
    scores = np.full((len(numbers), len(units)), np.nan)
    for task, by_unit in found:
        if task.is_split == is_split:
            for name, own in by_unit.items():
                scores[numbers.index(task.n_networks), units[name]] = own.get(measure, np.nan)
    return scores


@contextmanager
def _taken_back_if_bad(folder: RunFolder, inputs: Mapping[str, Any]) -> Iterator[None]:
    """Begin a run; without results it leaves nothing behind, as it cannot be resumed."""
    is_new = not folder.path.exists()
    folder.begin(inputs)
    try:
        yield
    except NeuroparcelError:
        (folder.path / RUN_FILE).unlink(missing_ok=True)
        if is_new:
            with suppress(OSError):  # somebody else has put something there
                folder.path.rmdir()
        raise


def _open(options: SelectOptions) -> RunFolder:
    """Check that the output folder may be written to; there is no resuming."""
    path = options.output
    if (path / RUN_FILE).is_file() and not options.overwrite:
        state = "a finished" if read_run(path).get("status") == "complete" else "an unfinished"
        raise OutputError(f"{path} holds {state} run.", "Give a new --output, or --overwrite.")
    fit_options: FitOptions = options.fit_options(options.numbers[-1])
    return replace(open_run(fit_options, "select"), options=options.fingerprint())
