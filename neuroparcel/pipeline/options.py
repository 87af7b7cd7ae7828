"""The options of each command, with the defaults that the command line shows."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

from neuroparcel.brain.cleaning import Cleaning
from neuroparcel.brain.features import FeatureKind, Features, Signs
from neuroparcel.brain.links import LINKS
from neuroparcel.brain.reduction import check_link
from neuroparcel.errors import OptionError
from neuroparcel.io.atlases import is_atlas_name
from neuroparcel.io.scheduling import Scheduler
from neuroparcel.io.store.blocks import Dtype
from neuroparcel.models.choices import EMISSIONS, KAPPAS, VON_MISES_FISHER, check_levels
from neuroparcel.pipeline.families import FAMILIES

_MAYBE_PATHS = {"roi", "targets", "reference"}  # which may also be names of atlases
_NOT_PART_OF_THE_RESULT = {
    "output",
    "resume",
    "overwrite",
    "figures",
    "gifti",
    "quiet",
    "jobs",
    "scheduler",
    "connectome",
}
_CHOICES: dict[str, tuple[str, ...]] = {
    "features": get_args(FeatureKind),
    "positive": get_args(Signs),
    "dtype": get_args(Dtype),
    "link": LINKS,
    "scaling": ("single", "component"),
    "evidence": ("mean", "product"),
    "family": tuple(FAMILIES),
    "emission": EMISSIONS,
    "kappa": KAPPAS,
    "label_prior": ("global", "vertex"),
    "dead": ("keep", "drop", "reseed"),
}


@dataclass(frozen=True, kw_only=True)
class InputOptions:
    """Which recordings to read, and who reads them; shared by the commands that do.

    Attributes
    ----------
    subjects : Path, optional
        Subject list: plain IDs, a table with columns subject, session, path, or a folder of
        CBIG lists; every subject of the data folder if not given.
    data_dir : Path, optional
        HCP folder, or BIDS derivatives.
    sessions, task, space
        As in ``neuroparcel fit --help``.
    jobs : int
        Processes that read at the same time.
    quiet : bool
        Show no progress bars.
    """

    subjects: Path | None = None
    data_dir: Path | None = None
    sessions: str | None = "day"
    task: str | None = None
    space: str | None = None
    jobs: int = 1
    quiet: bool = False

    def __post_init__(self) -> None:
        if self.jobs < 1:
            raise OptionError(f"--jobs is {self.jobs}.", "Give at least 1.")
        for name, choices in _CHOICES.items():
            value = getattr(self, name, choices[0])
            if value is not None and value not in choices:
                option = name.replace("_", "-")
                raise OptionError(
                    f"--{option} is '{value}'.", f"Choose one of {', '.join(choices)}."
                )

    def fingerprint(self) -> dict[str, Any]:
        """The options that the result depends on, as plain JSON values."""
        return {
            name: _wherever_read(name, value)
            for name, value in asdict(self).items()
            if name not in _NOT_PART_OF_THE_RESULT
        }


def _wherever_read(name: str, value: Any) -> Any:
    """An option's value, with paths that mean the same from any folder."""
    if isinstance(value, Path):
        return str(value.resolve())
    if name not in _MAYBE_PATHS or not isinstance(value, str) or is_atlas_name(value):
        return value
    file, colon, labels = value.rpartition(":")
    if not Path(file).is_file():
        file, colon, labels = value, "", ""
    is_path = Path(file).is_file() or (name == "reference" and Path(file).is_dir())
    return f"{Path(file).resolve()}{colon}{labels}" if is_path else value


@dataclass(frozen=True, kw_only=True)
class ReadOptions(InputOptions):
    """How recordings are read; shared by ``fit``, ``infer`` and ``connectome build``.

    Attributes
    ----------
    max_dead : float
        Largest share of dead vertices of a recording.
    scheduler : str
        ``local``, ``dask:tcp://...`` or ``slurm``.
    """

    max_dead: float = 0.1
    scheduler: str = "local"

    def __post_init__(self) -> None:
        if not 0 <= self.max_dead <= 1:
            raise OptionError(f"--max-dead is {self.max_dead}.", "Give a share from 0 to 1.")
        Scheduler.parse(self.scheduler)
        super().__post_init__()


@dataclass(frozen=True, kw_only=True)
class ProfileOptions(ReadOptions):
    """How recordings become profiles; shared by ``fit`` and ``connectome build``.

    Attributes
    ----------
    roi : str, optional
        ``broca-left`` if not given; all nodes where the recordings have nodes.
    targets : str, optional
        ``seeds`` if not given; all nodes where the recordings have nodes.
    positive : {"shift", "clip", "signed"}, optional
        ``signed`` for maps if not given, else ``shift``.
    features, z_score, detrend, band_pass, confounds, censor, global_signal
        As in ``neuroparcel fit --help``.
    """

    roi: str | None = None
    targets: str | None = None
    features: FeatureKind = "correlation"
    positive: Signs | None = None
    z_score: bool = False
    detrend: bool = False
    band_pass: tuple[float, float] | None = None
    confounds: str | None = None
    censor: bool = False
    global_signal: bool = False

    @property
    def how(self) -> Features:
        """The features, as the loaders take them."""
        return Features(self.features, self.positive)

    @property
    def cleaning(self) -> Cleaning:
        """The cleaning, as the loaders take it.

        Raises
        ------
        OptionError
            If the band is empty.
        """
        return Cleaning(
            z_score=self.z_score,
            detrend=self.detrend,
            band_pass=self.band_pass,
            confounds=self.confounds,
            censor=self.censor,
            global_signal=self.global_signal,
        )


@dataclass(frozen=True, kw_only=True)
class FitOptions(ProfileOptions):
    """Options of :func:`neuroparcel.pipeline.fit`, beside those of :class:`ProfileOptions`.

    Attributes
    ----------
    output : Path
        Folder for the results.
    connectome : Path, optional
        Connectome store to keep the profiles in; without ``subjects`` and ``data_dir`` it
        gives the cohort.
    skip_bad : bool
        Leave out what cannot be read, instead of stopping.
    link : str, optional
        ``identity`` for signed profiles if not given, else ``ilr``.
    scaling, variance, evidence
        As in ``neuroparcel fit --help``.
    networks : int
        Number of networks.
    dead : {"keep", "drop", "reseed"}
        What becomes of networks that die: reported only; or the training is repeated without
        them, or with their anchors put where profiles vary most.
    reference : str, optional
        Atlas, label file or results folder that networks take names and colours from.
    match : {"overlap", "profiles"}
        How networks are matched with the reference's.
    seed : int
    device : str
        ``auto``, ``cpu``, ``cuda``, ...
    threads : int
        CPU threads; more than one pays only for large regions on an idle machine.
    steps : int, optional
        Training steps; default from the schedule.
    time_budget : float, optional
        Training time in seconds, instead of steps; then not reproducible.
    gifti : bool
        Write labels and probabilities of each hemisphere as GIFTI files too.
    """

    output: Path
    connectome: Path | None = None
    skip_bad: bool = False
    networks: int = 2
    link: str | None = None
    scaling: str = "single"
    variance: float = 0.8
    evidence: str = "mean"
    levels: str = "population,subject,session"
    emission: str = "l-normal"
    kappa: str = "shared"
    label_prior: str = "global"
    smoothness: str = "0"
    calibrate: bool = False
    dead: str = "keep"
    reference: str | None = None
    match: str = "overlap"
    family: str = "adavi"
    seed: int = 0
    device: str = "auto"
    threads: int = 1
    steps: int | None = None
    time_budget: float | None = None
    resume: bool = False
    overwrite: bool = False
    figures: bool = True
    gifti: bool = True

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
        if self.match != "overlap" and self.reference is None:
            raise OptionError(
                f"--match {self.match} matches nothing without a reference.", "Give --reference."
            )
        if self.time_budget is not None and not self.time_budget > 0:
            raise OptionError(f"--time-budget is {self.time_budget}.", "Give seconds above 0.")
        _check_run(self)
        super().__post_init__()
        self._check_model()

    @property
    def level_names(self) -> tuple[str, ...]:
        """The levels that have networks of their own, from the topmost."""
        return tuple(name.strip() for name in self.levels.split(","))

    @property
    def link_or_default(self) -> str | None:
        """The link; directions for the von Mises-Fisher emission, None if profiles decide."""
        if self.link is None and self.emission == VON_MISES_FISHER:
            return "direction"
        return self.link

    @property
    def smoothness_or_auto(self) -> float | None:
        """Smoothness of the labels along the mesh; None if held-out sessions choose it.

        Raises
        ------
        OptionError
            If it is neither a number from 0 nor ``auto``.
        """
        if self.smoothness == "auto":
            return None
        try:
            value = float(self.smoothness)
        except ValueError:
            value = -1.0
        if not 0 <= value < math.inf:
            raise OptionError(
                f"--smoothness is '{self.smoothness}'.", "Give a number from 0, or auto."
            )
        return value

    @property
    def needs_mesh(self) -> bool:
        """Whether labels know of neighbours."""
        return self.label_prior == "vertex"

    def _check_model(self) -> None:
        check_levels(self.level_names)
        link = self.link_or_default
        if link is not None:
            check_link(link, signed=self.how.signed, scaling=self.scaling)
            if (link == "direction") != (self.emission == VON_MISES_FISHER):
                raise OptionError(
                    f"--link {link} and --emission {self.emission} do not go together.",
                    "The link direction belongs to the von Mises-Fisher emission, and to no other.",
                )
        if self.smoothness_or_auto != 0 and self.label_prior == "global":
            raise OptionError(
                "--smoothness needs labels that know their vertex.", "Give --label-prior vertex."
            )
        if self.calibrate and self.label_prior == "global":
            raise OptionError(
                "--calibrate needs labels whose weights are learnt.", "Give --label-prior vertex."
            )
        if (self.steps or self.time_budget) and not FAMILIES[self.family].has_steps:
            raise OptionError(
                f"--family {self.family} has no training steps.",
                "Leave --steps and --time-budget away.",
            )


@dataclass(frozen=True, kw_only=True)
class InferOptions(ReadOptions):
    """Options of :func:`neuroparcel.pipeline.infer`, beside those of :class:`ReadOptions`.

    Attributes
    ----------
    model : Path
        Folder ``model`` of a fit's results, or the results folder itself.
    output, connectome, skip_bad, evidence, gifti, seed, device, threads
        As in :class:`FitOptions`; sessions default to the fit's.
    new_population : bool
        Infer the population from these subjects too, instead of keeping the fit's.
    refine : int
        Steps of refinement of the new subjects' networks, for amortized families.
    """

    model: Path
    output: Path
    sessions: str | None = None
    connectome: Path | None = None
    skip_bad: bool = False
    new_population: bool = False
    refine: int = 0
    evidence: str = "mean"
    seed: int = 0
    device: str = "auto"
    threads: int = 1
    resume: bool = False
    overwrite: bool = False
    figures: bool = True
    gifti: bool = True

    def __post_init__(self) -> None:
        if self.refine < 0:
            raise OptionError(f"--refine is {self.refine}.", "Give a number of steps, or 0.")
        _check_run(self)
        super().__post_init__()


@dataclass(frozen=True, kw_only=True)
class BuildOptions(ProfileOptions):
    """Options of :func:`neuroparcel.pipeline.build`, beside those of :class:`ProfileOptions`.

    Attributes
    ----------
    output : Path
        Folder of the store; completed and brought up to date if it is there.
    dtype : {"float32", "float16"}
        Numbers of the store; float16 takes half the space and rounds correlations by at most
        0.00025.
    only_listed : bool
        Take sessions that are not listed, or whose files are not found, out of the store.
    """

    output: Path
    dtype: Dtype = "float32"
    only_listed: bool = False


@dataclass(frozen=True, kw_only=True)
class InspectOptions(InputOptions):
    """Options of :func:`neuroparcel.pipeline.inspect`, beside those of :class:`InputOptions`.

    Attributes
    ----------
    store : Path, optional
        A connectome store to look at, instead of recordings.
    output : Path, optional
        Table of the findings, one line a recording.
    """

    store: Path | None = None
    output: Path | None = None


@dataclass(frozen=True)
class DemoOptions:
    """Options of :func:`neuroparcel.pipeline.demo`."""

    output: Path = Path("neuroparcel-demo")
    seed: int = 0
    steps: int | None = None
    overwrite: bool = False
    figures: bool = True
    quiet: bool = False


def _check_run(options: FitOptions | InferOptions) -> None:
    if options.subjects is None and options.data_dir is None and options.connectome is None:
        raise OptionError(
            "No recordings are named.", "Give --subjects, --data-dir or --connectome."
        )
    if options.resume and options.overwrite:
        raise OptionError("--resume and --overwrite exclude each other.", "Give one of them.")
    if options.threads < 1:
        raise OptionError(f"--threads is {options.threads}.", "Give at least 1.")
