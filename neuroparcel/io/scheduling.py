"""Where the work of a cohort is done: in this process, in others, or on a cluster."""

from __future__ import annotations

import math
import os
import pickle
import shutil
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any, Literal, TypeAlias

from neuroparcel.atomic import atomic_path
from neuroparcel.errors import NeuroparcelError, OptionError, OutputError

MAX_DEATHS = 3
"""A task whose worker has died so often is given up."""

OnOutcome: TypeAlias = Callable[["Outcome"], None]
Task: TypeAlias = tuple[int, Any]

_FORMS = "Use local, dask:tcp://host:port, or slurm:queue=normal,memory=8GB,walltime=02:00:00."
_DASK_TIMEOUT = 60  # seconds without an answer of a Dask scheduler, or without any worker
_DASK_POLL = 5
_SLURM_DEFAULTS = {"cores": "1", "memory": "8GB"}
_SLURM_OPTIONS = ("account", "cores", "memory", "processes", "queue", "walltime")
_SLURM_COUNTS = ("cores", "processes")
_NEVER = 10**6


@dataclass(frozen=True)
class Scheduler:
    """Who does the work.

    Parameters
    ----------
    kind : {"local", "dask", "slurm"}
        Processes of this machine, the workers of a Dask cluster that runs already, or jobs
        of SLURM.
    address : str, default ""
        Of the Dask scheduler, such as ``"tcp://login1:8786"``.
    options : mapping of str to str
        For SLURM: ``queue``, ``account``, ``memory``, ``cores``, ``processes``, ``walltime``.
    """

    kind: Literal["local", "dask", "slurm"] = "local"
    address: str = ""
    options: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def parse(cls, text: str) -> Scheduler:
        """Understand ``local``, ``dask:tcp://host:port`` or ``slurm[:name=value,...]``.

        Raises
        ------
        OptionError
            If it is none of these, or an option of SLURM is unknown.
        """
        kind, _, rest = text.partition(":")
        if kind == "local" and not rest:
            return cls()
        if kind == "dask" and "://" in rest:
            return cls("dask", address=rest)
        if kind == "slurm":
            return cls("slurm", options=MappingProxyType(_slurm_options(rest)))
        raise OptionError(f"Unknown scheduler {text!r}.", _FORMS)


@dataclass(frozen=True)
class Outcome:
    """What became of a task.

    Parameters
    ----------
    number : int
        Position of the task in the list.
    value : object
        What the function returned; None if it failed.
    error : Exception, optional
        Why it failed.
    n_attempts : int, default 1
        How often it was begun; more than once after a worker died.
    """

    number: int
    value: Any = None
    error: Exception | None = None
    n_attempts: int = 1

    @property
    def error_line(self) -> str:
        """The error in one line; a foreign one begins with the name of its type."""
        if self.error is None:
            return ""
        foreign = not isinstance(self.error, NeuroparcelError)
        name = f"{type(self.error).__name__}: " if foreign else ""
        return " ".join(f"{name}{self.error}".split())


class WorkerDiedError(NeuroparcelError, RuntimeError):
    """A task that its worker process did not survive."""


def run_tasks(
    function: Callable[[Any], Any],
    tasks: Sequence[Any],
    scheduler: Scheduler | str = "local",
    *,
    n_jobs: int = 1,
    folder: Path | None = None,
    on_outcome: OnOutcome | None = None,
) -> list[Outcome]:
    """Call a function for each task, and go on whatever happens to one of them.

    A task that raises is an outcome with its error. A task whose worker dies (killed, or out of
    memory) is begun again, up to three times in all. In a pool of local processes the death of
    one ends the others too; tasks that were cut off twice are therefore run alone, so that the
    culprit is known.

    Each worker computes with one thread, so that results do not depend on the scheduler.

    Parameters
    ----------
    function : callable
        Takes a task. Whatever cloudpickle can send to another process.
    tasks : sequence
    scheduler : Scheduler or str, default "local"
        See :meth:`Scheduler.parse`.
    n_jobs : int, default 1
        Local processes (1: this one; -1: one a core), or jobs of SLURM. A Dask cluster uses the
        workers that it has; start these with one thread each.
    folder : pathlib.Path, optional
        An empty folder for the notes of the workers. A cluster needs one that all its machines
        see under this path.
    on_outcome : callable, optional
        Called in this process with each outcome as it comes; what it raises ends the work.

    Returns
    -------
    list of Outcome
        In the order of the tasks.

    Raises
    ------
    OutputError
        If a task raises it: where one cannot write, no other can.
    OptionError
        If the cluster does not answer, or a library is missing.
    WorkerDiedError
        If local workers die before they begin with anything.
    """
    who = Scheduler.parse(scheduler) if isinstance(scheduler, str) else scheduler
    numbered = list(enumerate(tasks))
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(TemporaryDirectory(prefix="neuroparcel-")))
        call = _Call(function, folder, on_outcome)
        if who.kind != "local":
            client = stack.enter_context(_client(who, n_jobs))
            stack.enter_context(_patient(client))
            patience = _DASK_TIMEOUT if who.kind == "dask" else math.inf  # a queue may be long
            with client.as_current():
                _run_on_cluster(call, numbered, client, patience)
        elif n_jobs == 1:
            for number, task in numbered:
                call.take(_guarded(function, number, task, 1))
        else:
            _run_in_processes(call, numbered, n_jobs)
    return [call.outcomes[number] for number, _ in numbered]


@dataclass(eq=False)
class _Call:
    """One call of :func:`run_tasks`: what the workers need, and the outcomes so far."""

    function: Callable[[Any], Any]
    folder: Path
    on_outcome: OnOutcome | None
    outcomes: dict[int, Outcome] = field(default_factory=dict)

    def take(self, outcome: Outcome) -> None:
        if isinstance(outcome.error, OutputError):
            raise outcome.error
        self.outcomes[outcome.number] = outcome
        if self.on_outcome:
            self.on_outcome(outcome)

    def run(self, numbered: Sequence[Task], n_jobs: int) -> None:
        """Send tasks to processes of this machine and take outcomes as they come."""
        from joblib import Parallel, delayed, parallel_config

        function = self.written()
        with parallel_config("loky", n_jobs=n_jobs):
            parallel = Parallel(return_as="generator_unordered", batch_size=1, max_nbytes=None)
            results = parallel(delayed(_attempt)(function, n, task) for n, task in numbered)
        with warnings.catch_warnings(), closing(results):  # closed first, which warns
            warnings.filterwarnings("ignore", "[0-9]+ tasks ")
            # Workers that were idle for long stop, and others take over.
            warnings.filterwarnings("ignore", "A worker stopped while some jobs were given")
            for outcome in results:
                self.take(outcome)

    def n_deaths(self, number: int) -> int:
        """Workers that have begun a task and not ended it."""
        return len(list(self.folder.glob(f"{number}.begun-*")))

    def read(self, number: int) -> Outcome:
        """Take an outcome that :func:`_attempt_noted` has left.

        Its file is emptied, so that outcomes do not pile up. It stays, so that a task that Dask
        begins once more is not done again.
        """
        file = _outcome_file(self.folder, number)
        try:
            content = file.read_bytes()
            os.truncate(file, 0)
        except OSError as error:
            raise OutputError(
                f"The workers of the cluster do not share the folder {self.folder} ({error}).",
                "Use a folder on a disk that all machines of the cluster see under this path.",
            ) from error
        return pickle.loads(content)

    def written(self) -> Path:
        """The function in a file: sent with each task, a region of a whole cortex adds up."""
        import cloudpickle

        path = self.folder / "function"
        if not path.exists():
            path.write_bytes(cloudpickle.dumps(self.function))
        return path


def _run_in_processes(call: _Call, numbered: Sequence[Task], n_jobs: int) -> None:
    """Fresh pools until all tasks are done; those that were cut off twice run alone."""
    n_fruitless = 0
    while left := [(n, task) for n, task in numbered if n not in call.outcomes]:
        before = _progress(call, left)
        suspects = [pair for pair in left if call.n_deaths(pair[0]) >= MAX_DEATHS - 1]
        for suspect in suspects:
            with suppress(BrokenProcessPool):
                call.run([suspect], 2)  # with 1 joblib would stay in this process
        if not suspects:
            with suppress(BrokenProcessPool):
                call.run(left, n_jobs)
        n_fruitless = n_fruitless + 1 if _progress(call, left) == before else 0
        if n_fruitless == MAX_DEATHS:
            raise WorkerDiedError(
                "The worker processes die before they begin, perhaps out of memory.",
                "Use fewer --jobs.",
            )


def _run_on_cluster(call: _Call, numbered: Sequence[Task], client: Any, patience: float) -> None:
    """Send tasks to Dask and take outcomes as they come.

    Outcomes come through the folder, not through Dask: fetching a result from a worker that
    has just died takes 30 s until it is given up. joblib's own Dask backend is not used: in
    several runs in which a worker was killed it never returned (joblib 1.6, distributed 2026.8).
    """
    from distributed import wait

    function = call.written()
    numbers = {
        client.submit(_attempt_noted, function, number, task, pure=False): number
        for number, task in numbered
    }
    last_sign = time.monotonic()
    while numbers:
        try:
            done = wait(list(numbers), timeout=_DASK_POLL, return_when="FIRST_COMPLETED").done
        except TimeoutError:
            done = set()
        for future in done:
            number = numbers.pop(future)
            error = future.exception()
            call.take(Outcome(number, error=error) if error else call.read(number))
        if done or client.nthreads():
            last_sign = time.monotonic()
        elif time.monotonic() - last_sign > patience:
            raise OptionError(
                f"The Dask scheduler has had no workers for {patience:.0f} s; {len(numbers)} "
                "tasks are left.",
                "Start workers and run again.",
            )


def _progress(call: _Call, tasks: Sequence[Task]) -> int:
    """A number that grows with every outcome and with every task that was begun in vain."""
    return len(call.outcomes) + sum(call.n_deaths(number) for number, _ in tasks)


def _attempt(function: Path, number: int, task: Any) -> Outcome:
    """Do a task in a worker, unless it has killed too many workers."""
    try:
        note, n_deaths = _note_beginning(function.parent, number)
        call = _load(function)
    except OSError as error:
        reason = error.strerror or error
        return Outcome(number, error=OutputError(f"{function.parent} cannot be used ({reason})."))
    if n_deaths >= MAX_DEATHS:
        message = f"The worker process died {n_deaths} times, perhaps out of memory."
        outcome = Outcome(number, error=WorkerDiedError(message), n_attempts=n_deaths)
    else:
        outcome = _guarded(call, number, task, n_deaths + 1)
    with suppress(OSError):
        note.replace(_ended(note))
    return outcome


def _attempt_noted(function: Path, number: int, task: Any) -> None:
    """Do a task in a worker and leave its outcome in the folder; only once."""
    file = _outcome_file(function.parent, number)
    if not file.exists():
        outcome = _attempt(function, number, task)
        with atomic_path(file) as aside:
            aside.write_bytes(pickle.dumps(outcome))


def _outcome_file(folder: Path, number: int) -> Path:
    return folder / f"{number}.outcome"


def _note_beginning(folder: Path, number: int) -> tuple[Path, int]:
    """Leave a note that a task is begun; gives it, and how many workers died of the task.

    A Dask worker may also die with results that nobody has fetched; those tasks are begun
    again though they were ended.
    """
    n_deaths = 0
    for attempt in count(1):
        note = folder / f"{number}.begun-{attempt}"
        if _ended(note).exists():
            continue
        try:
            note.touch(exist_ok=False)  # decided by the file server, whatever is cached here
        except FileExistsError:
            n_deaths += 1
        else:
            return note, n_deaths
    raise AssertionError("count() does not end")


def _ended(note: Path) -> Path:
    return note.with_name(note.name.replace("begun", "ended"))


def _guarded(function: Callable[[Any], Any], number: int, task: Any, n_attempts: int) -> Outcome:
    from threadpoolctl import threadpool_limits

    try:
        with threadpool_limits(1):
            return Outcome(number, value=function(task), n_attempts=n_attempts)
    except Exception as error:  # one bad task never stops the others
        if not isinstance(error, NeuroparcelError):
            error.add_note(traceback.format_exc())  # the traceback itself cannot travel
        error.__traceback__ = None  # and would hold on to the arrays
        return Outcome(number, error=_portable(error), n_attempts=n_attempts)


def _portable(error: Exception) -> Exception:
    """An error that survives the way from a worker, as some with own constructors do not."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


@lru_cache(maxsize=1)
def _load(function: Path) -> Callable[[Any], Any]:
    return pickle.loads(function.read_bytes())


@contextmanager
def _client(scheduler: Scheduler, n_jobs: int) -> Iterator[Any]:
    """A client of a Dask cluster, whose workers have begun to answer."""
    try:
        from distributed import Client
    except ImportError as error:
        raise _missing("Dask", "distributed", "dask") from error
    if scheduler.kind == "slurm":
        with closing(slurm_cluster(scheduler)) as cluster, Client(cluster) as client:
            cluster.scale(jobs=max(1, n_jobs))
            client.wait_for_workers(1)  # as long as the queue takes
            yield client
        return
    try:
        client = Client(scheduler.address, timeout=_DASK_TIMEOUT, set_as_default=False)
    except (OSError, ValueError) as error:
        raise OptionError(
            f"No Dask scheduler answers at {scheduler.address} ({error}).",
            "Start one with dask scheduler, and workers with dask worker, then give its address.",
        ) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=_DASK_TIMEOUT)
        except TimeoutError as error:
            raise OptionError(
                f"The Dask scheduler at {scheduler.address} has no workers.",
                f"Start some: dask worker {scheduler.address} --nthreads 1.",
            ) from error
        yield client


def slurm_cluster(scheduler: Scheduler) -> Any:
    """A ``dask_jobqueue.SLURMCluster`` without jobs yet.

    Raises
    ------
    OptionError
        If dask-jobqueue is not installed.
    """
    try:
        from dask_jobqueue import SLURMCluster
    except ImportError as error:
        raise _missing("SLURM", "dask-jobqueue", "slurm") from error
    if shutil.which("sbatch") is None:
        raise OptionError(
            "There is no SLURM on this machine (no command sbatch).",
            "Run on a login node of the cluster, or use another --scheduler.",
        )
    named: dict[str, Any] = {**_SLURM_DEFAULTS, **scheduler.options}
    named.update({name: int(named[name]) for name in _SLURM_COUNTS if name in named})
    named.setdefault("processes", named["cores"])  # one thread a worker
    return SLURMCluster(**named, scheduler_options={"dashboard": False})


def _slurm_options(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",") if part]
    options = {name.strip(): value.strip() for name, _, value in pairs}
    for name, value in options.items():
        if name not in _SLURM_OPTIONS or not value:
            raise OptionError(
                f"Unknown option of SLURM: {name}={value}.", f"Use {', '.join(_SLURM_OPTIONS)}."
            )
        if name in _SLURM_COUNTS and not value.isdecimal():
            raise OptionError(f"SLURM needs a number of {name}, not {value!r}.", _FORMS)
    return options


def _missing(what: str, library: str, extra: str) -> OptionError:
    return OptionError(
        f"{what} needs the library {library}, which is not installed.",
        f"pip install neuroparcel[{extra}]",
    )


@contextmanager
def _patient(client: Any) -> Iterator[None]:
    """Let Dask never give a task up: it is us who count, and only those that began a task."""
    before = client.run_on_scheduler(_set_allowed_failures, value=_NEVER)
    try:
        yield
    finally:
        with suppress(OSError):  # a scheduler that is gone
            client.run_on_scheduler(_set_allowed_failures, value=before)


def _set_allowed_failures(value: int, dask_scheduler: Any) -> int:
    before, dask_scheduler.allowed_failures = dask_scheduler.allowed_failures, value
    return before
