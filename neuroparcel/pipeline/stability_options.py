"""Options of a stability analysis."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuroparcel.brain.designs import Design
from neuroparcel.errors import OptionError
from neuroparcel.io.scheduling import Scheduler
from neuroparcel.pipeline.figure_files import Printing

METHODS = ("amortized", "refit:mean-field", "refit:reference")
PRIORS = ("own", "trained")
SIZES, SAMPLES, PRIOR = (5,), 300, "own"
"""What holds where nothing is given."""
FOLDER = "stability"
"""Where an analysis lies in the results folder, unless another is named."""

_OF_THE_BLOCKS = (
    "design",
    "sizes",
    "samples",
    "by",
    "stratify",
    "table",
    "retest",
    "method",
    "prior",
    "seed",
)
_OF_THE_REPORT = ("permutations", "spins")


@dataclass(frozen=True, kw_only=True)
class StabilityOptions:
    """Options of :func:`neuroparcel.pipeline.stability`.

    Attributes
    ----------
    results : Path
        Output folder of ``fit`` or ``infer``.
    design : {"without-replacement", "bootstrap", "jackknife", "split-half", "test-retest"}
    sizes : tuple of int, optional
        Subjects of a sub-population; 5 if not given. A jackknife takes none.
    samples : int, optional
        Sub-populations of each size and group; 300 if not given. A jackknife takes none.
    by, stratify : str, optional
        Columns of the table: of groups that are analysed one by one, and of strata that every
        sub-population has in proportion.
    table : Path, optional
        Participants, a line each.
    retest : pair of str, optional
        Sessions of a test-retest design; the first two if not given.
    method : {"amortized", "refit:mean-field", "refit:reference"}
        How sub-populations are parcellated.
    prior : {"own", "trained"}, optional
        Where a vertex-wise prior of labels is from, of models that have one; ``own`` if not given.
    permutations : int
        Of which subject a session belongs to.
    spins : int
        Rotations of a spin test; 0 for none.
    subjects, data_dir, connectome : Path, optional
        Where the cohort is, if it has moved since the results were made.
    output : Path, optional
        Folder for the analysis; ``stability`` in the results if not given.
    task_id, n_tasks : int, optional
        One task of a job array, from 0, and their number.
    jobs : int
        Processes that work at the same time.
    scheduler : str
        ``local``, ``dask:tcp://...`` or ``slurm``.
    formats : tuple of {"png", "svg", "pdf"}
        A file of each figure for each.
    dpi : int
        Dots an inch of figures, which are 180 mm wide.
    resume, overwrite, device, threads, figures, seed, quiet
        As in ``neuroparcel stability --help``.
    """

    results: Path
    design: str = "without-replacement"
    sizes: tuple[int, ...] | None = None
    samples: int | None = None
    by: str | None = None
    stratify: str | None = None
    table: Path | None = None
    retest: tuple[str, str] | None = None
    method: str = "amortized"
    prior: str | None = None
    permutations: int = 1000
    spins: int = 0
    subjects: Path | None = None
    data_dir: Path | None = None
    connectome: Path | None = None
    output: Path | None = None
    resume: bool = False
    overwrite: bool = False
    task_id: int | None = None
    n_tasks: int | None = None
    jobs: int = 1
    scheduler: str = "local"
    device: str = "auto"
    threads: int = 1
    figures: bool = True
    formats: tuple[str, ...] = ("png",)
    dpi: int = 300
    seed: int = 0
    quiet: bool = False

    def __post_init__(self) -> None:
        for name, choices in (("method", METHODS), ("prior", PRIORS)):
            value = getattr(self, name)
            if value is not None and value not in choices:
                raise OptionError(f"--{name} is '{value}'.", f"Choose one of {', '.join(choices)}.")
        for name, least in (("permutations", 1), ("spins", 0), ("jobs", 1), ("threads", 1)):
            value = getattr(self, name)
            if value < least:
                raise OptionError(f"--{name} is {value}.", f"Give at least {least}.")
        self._check_table()
        self._check_tasks()
        self._check_jackknife()
        if self.resume and self.overwrite:
            raise OptionError("--resume and --overwrite exclude each other.", "Give one of them.")
        if self.retest is not None and self.design != "test-retest":
            raise OptionError(
                f"--retest names sessions, and --design {self.design} compares none.",
                "Give --design test-retest, or leave --retest away.",
            )
        if self.retest is not None and len(set(self.retest)) != 2:
            raise OptionError(
                f"--retest is '{','.join(self.retest)}'.",
                "Give two sessions, separated by a comma.",
            )
        Scheduler.parse(self.scheduler)
        Printing(self.formats, self.dpi)  # checks them
        _ = self.sampling  # checks the kind

    @property
    def sampling(self) -> Design:
        """How sub-populations are drawn."""
        sizes = SIZES if self.sizes is None else self.sizes
        samples = SAMPLES if self.samples is None else self.samples
        return Design(self.design, sizes, samples, self.seed)

    @property
    def prior_or_own(self) -> str:
        """Where a vertex-wise prior is from."""
        return PRIOR if self.prior is None else self.prior

    @property
    def folder(self) -> Path:
        """Where the analysis goes."""
        return self.results / FOLDER if self.output is None else self.output

    @property
    def is_task(self) -> bool:
        """Whether this is one task of several."""
        return self.task_id is not None

    def of_blocks(self) -> dict[str, Any]:
        """The options that what is computed depends on, as plain JSON values."""
        drawn = self.sampling
        resolved = {"sizes": drawn.sizes, "samples": drawn.n_samples, "prior": self.prior_or_own}
        return {name: _plain(resolved.get(name, getattr(self, name))) for name in _OF_THE_BLOCKS}

    def record(self) -> dict[str, Any]:
        """The same, and those of what is made of it."""
        report = {name: getattr(self, name) for name in _OF_THE_REPORT}
        return self.of_blocks() | report

    def _check_table(self) -> None:
        asked = [f"--{name}" for name in ("by", "stratify") if getattr(self, name) is not None]
        if asked and self.table is None:
            raise OptionError(
                f"{' and '.join(asked)} names a column, and no table has it.",
                "Give --table participants.tsv.",
            )
        if self.table is not None and not asked:
            raise OptionError(
                f"--table {self.table} is given, and no column of it.",
                "Give --by COLUMN or --stratify COLUMN too.",
            )

    def _check_jackknife(self) -> None:
        given = [
            f"--{option}"
            for option, value in (("size", self.sizes), ("samples", self.samples))
            if value is not None
        ]
        if self.design == "jackknife" and given:
            raise OptionError(
                f"--design jackknife leaves out one subject at a time, and takes no "
                f"{' and no '.join(given)}.",
                f"Leave {' and '.join(given)} away, or choose another --design.",
            )

    def _check_tasks(self) -> None:
        if (self.task_id is None) != (self.n_tasks is None):
            raise OptionError(
                "--task-id and --n-tasks belong together.", "Give both, or neither of them."
            )
        if self.task_id is None or self.n_tasks is None:
            return
        if not 0 <= self.task_id < self.n_tasks:
            raise OptionError(
                f"--task-id is {self.task_id}, and --n-tasks {self.n_tasks}.",
                "Number the tasks from 0: of SLURM, --array=0-9 for 10 tasks.",
            )
        if self.overwrite:
            raise OptionError(
                "--overwrite would take away what other tasks have done.",
                "Give a new --output, or remove the old one before the tasks start.",
            )


def _plain(value: object) -> object:
    """What JSON gives back as it is; paths mean the same from any folder."""
    if isinstance(value, Path):
        return str(value.resolve())
    return list(value) if isinstance(value, tuple) else value
