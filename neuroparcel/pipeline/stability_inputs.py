"""What a stability analysis starts from: finished results, their model, and the same cohort."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from neuroparcel.brain.connectome import Cohort
from neuroparcel.errors import LayoutError, OutputError
from neuroparcel.io.files import parsing
from neuroparcel.io.writers import open_parcellations
from neuroparcel.io.writers.stored import StoredParcellations
from neuroparcel.pipeline.model_file import find_model
from neuroparcel.pipeline.options import InferOptions
from neuroparcel.pipeline.planning import Plan, find_files
from neuroparcel.pipeline.reading import read_cohort
from neuroparcel.pipeline.run_folder import RUN_FILE, read_finished_run
from neuroparcel.pipeline.saved_model import SavedModel, load_model

_COMMANDS = ("fit", "infer")
_AGAIN = "Run again with --overwrite."
_RESULTS = "Give the --output folder of neuroparcel fit or infer."
_WHERE = "If the cohort has moved, say where it is: --subjects, --data-dir or --connectome."
_SAME = "Give the recordings that it was made from: --subjects, --data-dir or --connectome."
_READING = ("sessions", "task", "space", "max_dead", "skip_bad")


@dataclass(frozen=True, eq=False)
class FinishedRun:
    """Results of ``fit`` or ``infer``, with the model that made them.

    Attributes
    ----------
    path : Path
    record : mapping
        Of ``run.json``.
    model : Path
        Folder of the model.
    parcellations : StoredParcellations
    """

    path: Path
    record: Mapping[str, Any]
    model: Path
    parcellations: StoredParcellations

    @property
    def subjects(self) -> tuple[str, ...]:
        """Of the cohort, in order."""
        return self.parcellations.subjects

    @property
    def sessions(self) -> tuple[str, ...]:
        """Of the cohort, in order."""
        return self.parcellations.sessions


@dataclass(frozen=True)
class CohortPlace:
    """Where a cohort is; where the record of its results says, if nothing is given.

    Attributes
    ----------
    subjects, data_dir, connectome : Path, optional
        As for ``neuroparcel fit``. If one is given, the others are not taken from the record.
    """

    subjects: Path | None = None
    data_dir: Path | None = None
    connectome: Path | None = None

    @property
    def is_given(self) -> bool:
        """Whether anything is given."""
        return any((self.subjects, self.data_dir, self.connectome))


def open_results(path: Path) -> FinishedRun:
    """Open the results of a finished ``fit`` or ``infer``; no map is read.

    Raises
    ------
    OutputError
        If it is a file, there are none, they are unfinished or of another command, or their
        model is gone.
    FileFormatError
        If a file is damaged.
    """
    if path.is_file():
        raise OutputError(f"{path} is a file, and no folder of results.", _RESULTS)
    record = read_finished_run(path)
    command = record.get("command")
    if command not in _COMMANDS:
        raise OutputError(
            f"{path} holds a run of neuroparcel {command}, which has no model.",
            _RESULTS,
        )
    with parsing(path / RUN_FILE, _AGAIN, OutputError):
        model = find_model(path, record["options"])
        for about in record["inputs"].values():
            _recording(about)
    if model is None:
        raise OutputError(
            f"The model that made {path} is gone.",
            f"Put its folder {path / 'model'} back, or fit again.",
        )
    return FinishedRun(path, record, model, open_parcellations(path))


def find_inputs(run: FinishedRun, model: SavedModel, options: InferOptions, *, moved: bool) -> Plan:
    """The recordings that results were made from, wherever they are now; none is read.

    Parameters
    ----------
    run : FinishedRun
    model : SavedModel
    options : InferOptions
        See :func:`reading_options`.
    moved : bool
        Whether the user has said where they are.

    Raises
    ------
    OutputError
        If they are of another cohort.
    NeuroparcelError
        If they cannot be found.
    """
    files = None
    if options.subjects is not None or options.data_dir is not None:
        sessions = options.sessions or model.settings["sessions"]
        try:
            files = find_files(options, sessions, model.recipe.cleaning, lenient=options.skip_bad)
        except LayoutError as error:
            if moved:
                raise
            raise LayoutError(error.message, _WHERE) from error
    recipe = replace(model.recipe, max_dead=options.max_dead)
    planned = Plan(files, recipe, model.n_networks, run.path, options.connectome)
    _check_recordings(run, planned.input_record())
    return planned


def reading_options(
    run: FinishedRun, place: CohortPlace, *, jobs: int = 1, quiet: bool
) -> InferOptions:
    """How to read the cohort of some results again, as they recorded it: on this machine."""
    options = run.record["options"]
    if not place.is_given:
        place = _recorded_place(run)
    return InferOptions(
        model=run.model,
        output=run.path,
        subjects=place.subjects,
        data_dir=place.data_dir,
        connectome=place.connectome,
        jobs=jobs,
        quiet=quiet,
        **{name: options[name] for name in _READING if name in options},
    )


def read_same_cohort(
    run: FinishedRun, planned: Plan, options: InferOptions
) -> tuple[Cohort, tuple[str, ...]]:
    """The cohort of some results, and warnings about what is missing or was masked.

    Raises
    ------
    OutputError
        If subjects or sessions differ from those of the results.
    """
    cohort, warnings = read_cohort(planned, options)
    then = {(s, d) for s in run.subjects for d in run.parcellations.present[s]}
    now = {
        (subject, session)
        for row, subject in enumerate(cohort.subjects)
        for column, session in enumerate(cohort.sessions)
        if cohort.present[row, column]
    }
    _check_same(run, then, now)
    if (cohort.subjects, cohort.sessions) != (run.subjects, run.sessions):  # another order
        cohort = cohort.select(run.subjects, run.sessions)
    return cohort, warnings


def load_cohort_of(
    results: Path,
    *,
    subjects: Path | None = None,
    data_dir: Path | None = None,
    connectome: Path | None = None,
    jobs: int = 1,
    quiet: bool = False,
) -> Cohort:
    """The cohort that finished results were made from, read again.

    Parameters
    ----------
    results : Path
        Output folder of ``fit`` or ``infer``.
    subjects, data_dir, connectome : Path, optional
        Where the cohort is, if it has moved; as for ``neuroparcel fit``.
    jobs : int
        Processes that read at the same time.
    quiet : bool
        Show no progress bar.

    Returns
    -------
    Cohort

    Raises
    ------
    NeuroparcelError
        If the results are no finished ones, or the recordings are gone or others.
    """
    run = open_results(Path(results))
    place = CohortPlace(subjects, data_dir, connectome)
    options = reading_options(run, place, jobs=jobs, quiet=quiet)
    planned = find_inputs(run, load_model(run.model), options, moved=place.is_given)
    return read_same_cohort(run, planned, options)[0]


def _recorded_place(run: FinishedRun) -> CohortPlace:
    """A store is recorded among the inputs, where it alone gave the cohort."""
    options = run.record["options"]
    paths = {
        name: Path(options[name])
        for name in ("subjects", "data_dir")
        if options.get(name) is not None
    }
    if paths:
        return CohortPlace(**paths)
    stores = [path for path, about in run.record["inputs"].items() if about.get("connectome")]
    if not stores:
        raise OutputError(f"{run.path / RUN_FILE} does not say what it was made from.", _SAME)
    return CohortPlace(connectome=Path(stores[0]))


def _check_recordings(run: FinishedRun, inputs: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse recordings of other names or sizes; those of a store are told apart when read."""
    recorded = run.record["inputs"]
    both = (*recorded.values(), *inputs.values())
    if any(about.get("connectome") for about in both):
        return
    then, now = _sizes(recorded), _sizes(inputs)
    _check_same(run, set(then), set(now))
    changed = next((cell for cell in then if then[cell] != now[cell]), None)
    if changed is not None:
        raise OutputError(
            f"{run.path} is a result folder of another cohort: the recording of subject "
            f"{changed[0]}, session {changed[1]} had another size.",
            _SAME,
        )


def _check_same(run: FinishedRun, then: set[tuple[str, str]], now: set[tuple[str, str]]) -> None:
    if then == now:
        return
    subject, session = min(then ^ now)
    has, lack = ("has", "lack") if (subject, session) in then else ("lacks", "have")
    raise OutputError(
        f"{run.path} is a result folder of another cohort: it {has} subject {subject}, session "
        f"{session}, which these recordings {lack}.",
        _SAME,
    )


def _sizes(inputs: Mapping[str, Mapping[str, Any]]) -> dict[tuple[str, str], list[int]]:
    """Sizes of the files of each subject's session, wherever they lie."""
    found: dict[tuple[str, str], list[int]] = {}
    for about in inputs.values():
        subject, session, size = _recording(about)
        found.setdefault((subject, session), []).append(size)
    return {cell: sorted(sizes) for cell, sizes in found.items()}


def _recording(about: Mapping[str, Any]) -> tuple[str, str, int]:
    if about.get("connectome"):
        return "", "", 0
    return str(about["subject"]), str(about["session"]), int(about["bytes"])
