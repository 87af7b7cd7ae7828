"""The options of each command, with the defaults that the command line shows."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from neuroparcel.brain.profiles import Positive
from neuroparcel.errors import OptionError

_NOT_PART_OF_THE_RESULT = {"output", "resume", "overwrite", "figures", "quiet"}
_CHOICES = {
    "positive": ("shift", "clip"),
    "link": ("ilr", "softmax-centered"),
    "scaling": ("single", "component"),
    "evidence": ("mean", "product"),
}


@dataclass(frozen=True)
class FitOptions:
    """Options of :func:`neuroparcel.pipeline.fit`.

    Attributes
    ----------
    subjects : Path
        Subject list: plain IDs, or a table with columns subject, session, path.
    output : Path
        Folder for the results.
    data_dir : Path, optional
        HCP folder, for plain IDs.
    roi, targets, sessions, positive, link, scaling, variance, evidence
        As in ``neuroparcel fit --help``.
    networks : int
        Number of networks.
    seed : int
    device : str
        ``auto``, ``cpu``, ``cuda``, ...
    threads : int
        CPU threads; more than one pays only for large regions on an idle machine.
    steps : int, optional
        Training steps; default from the schedule.
    time_budget : float, optional
        Training time in seconds, instead of steps; then not reproducible.
    max_dead : float
        Largest share of dead vertices of a recording.
    """

    subjects: Path
    output: Path
    data_dir: Path | None = None
    roi: str = "broca-left"
    networks: int = 2
    targets: str = "seeds"
    sessions: str = "day"
    positive: Positive = "shift"
    link: str = "ilr"
    scaling: str = "single"
    variance: float = 0.8
    evidence: str = "mean"
    seed: int = 0
    device: str = "auto"
    threads: int = 1
    steps: int | None = None
    time_budget: float | None = None
    max_dead: float = 0.1
    resume: bool = False
    overwrite: bool = False
    figures: bool = True
    quiet: bool = False

    def __post_init__(self) -> None:
        if self.networks < 2:
            raise OptionError(
                f"{self.networks} networks do not divide a region.", "Give at least 2."
            )
        if self.steps is not None and self.time_budget is not None:
            raise OptionError("--steps and --time-budget exclude each other.", "Give one of them.")
        if self.steps is not None and self.steps < 1:
            raise OptionError(f"--steps is {self.steps}.", "Give a positive number.")
        if not 0 < self.variance <= 1:
            raise OptionError(f"--variance is {self.variance}.", "Give a share above 0, up to 1.")
        if self.time_budget is not None and not self.time_budget > 0:
            raise OptionError(f"--time-budget is {self.time_budget}.", "Give seconds above 0.")
        _check_shared(self)

    def fingerprint(self) -> dict[str, Any]:
        """The options that the result depends on, as plain JSON values."""
        return _fingerprint(self)


@dataclass(frozen=True)
class InferOptions:
    """Options of :func:`neuroparcel.pipeline.infer`.

    Attributes
    ----------
    model : Path
        Folder ``model`` of a fit's results, or the results folder itself.
    subjects, output, data_dir, sessions, evidence, seed, device, threads, max_dead
        As in :class:`FitOptions`; sessions default to the fit's.
    new_population : bool
        Infer the population from these subjects too, instead of keeping the fit's.
    """

    model: Path
    subjects: Path
    output: Path
    data_dir: Path | None = None
    sessions: str | None = None
    new_population: bool = False
    evidence: str = "mean"
    seed: int = 0
    device: str = "auto"
    threads: int = 1
    max_dead: float = 0.1
    resume: bool = False
    overwrite: bool = False
    figures: bool = True
    quiet: bool = False

    def __post_init__(self) -> None:
        _check_shared(self)

    def fingerprint(self) -> dict[str, Any]:
        """The options that the result depends on, as plain JSON values."""
        return _fingerprint(self)


@dataclass(frozen=True)
class DemoOptions:
    """Options of :func:`neuroparcel.pipeline.demo`."""

    output: Path = Path("neuroparcel-demo")
    seed: int = 0
    steps: int | None = None
    overwrite: bool = False
    figures: bool = True
    quiet: bool = False


def _check_shared(options: FitOptions | InferOptions) -> None:
    if not 0 <= options.max_dead <= 1:
        raise OptionError(f"--max-dead is {options.max_dead}.", "Give a share from 0 to 1.")
    if options.resume and options.overwrite:
        raise OptionError("--resume and --overwrite exclude each other.", "Give one of them.")
    if options.threads < 1:
        raise OptionError(f"--threads is {options.threads}.", "Give at least 1.")
    for name, choices in _CHOICES.items():
        value = getattr(options, name, choices[0])
        if value not in choices:
            raise OptionError(f"--{name} is '{value}'.", f"Choose one of {', '.join(choices)}.")


def _fingerprint(options: FitOptions | InferOptions) -> dict[str, Any]:
    plain = {
        name: str(value.resolve()) if isinstance(value, Path) else value
        for name, value in asdict(options).items()
        if name not in _NOT_PART_OF_THE_RESULT
    }
    return plain
