"""The demo: simulate a cohort, fit it as a user would, compare with the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from neuroparcel.brain.model_cohort import ModelSettings
from neuroparcel.brain.recovery import parcellation_accuracies, reference_accuracies
from neuroparcel.brain.simulation import SimulationSettings
from neuroparcel.errors import OptionError, OutputError
from neuroparcel.io.regions import load_region
from neuroparcel.io.simulated import SimulatedCohort, read_truth, write_simulated_cohort
from neuroparcel.io.simulated_maps import write_model_cohort
from neuroparcel.models.mshbm_simulation import draw_model_cohort
from neuroparcel.pipeline.fitting import find_inputs, fit, reduce
from neuroparcel.pipeline.options import DemoOptions, FitOptions
from neuroparcel.pipeline.progress import progress_bar, say
from neuroparcel.pipeline.reading import read_cohort
from neuroparcel.pipeline.results import FitResult

COHORT, RESULTS = "cohort", "results"


@dataclass(frozen=True, eq=False)
class DemoResult:
    """A fit of a simulated cohort, and how well it recovered the truth.

    Attributes
    ----------
    cohort : SimulatedCohort
    fit : FitResult
    accuracy : mapping of str to float
        Share of vertices labelled right: ``population`` and ``subject`` of the
        fit; ``kmeans`` and ``oracle`` for subjects (see
        :func:`neuroparcel.brain.recovery.reference_accuracies`).
    """

    cohort: SimulatedCohort
    fit: FitResult
    accuracy: Mapping[str, float]

    def summary(self) -> str:
        """A few lines for the terminal."""
        found = self.accuracy
        return "\n".join(
            [
                self.fit.summary(),
                f"simulated cohort: {self.cohort.folder}",
                "share of vertices labelled as in the truth:",
                f"  population            {found['population']:.3f}",
                f"  subjects              {found['subject']:.3f}",
                f"  subjects, k-means     {found['kmeans']:.3f}",
                f"  subjects, oracle      {found['oracle']:.3f}",
            ]
        )


def simulate(
    folder: Path,
    settings: SimulationSettings | ModelSettings | None = None,
    *,
    overwrite: bool = False,
    quiet: bool = False,
) -> SimulatedCohort:
    """Write a simulated cohort.

    Parameters
    ----------
    folder : Path
    settings : SimulationSettings or ModelSettings, optional
        Recordings in the HCP layout (:mod:`neuroparcel.brain.simulation`), or maps that the
        model itself draws (:mod:`neuroparcel.brain.model_cohort`).
    overwrite, quiet : bool
    """
    with progress_bar("simulating", quiet=quiet) as advance:
        if isinstance(settings, ModelSettings):
            region = load_region(settings.roi)
            drawn = draw_model_cohort(settings, region.n_vertices)
            return write_model_cohort(folder, drawn, region, overwrite=overwrite, progress=advance)
        return write_simulated_cohort(
            folder, settings or SimulationSettings(), progress=advance, overwrite=overwrite
        )


def simulation_settings(
    difficulty: str | None = None, **given: Any
) -> SimulationSettings | ModelSettings:
    """Settings of a cohort from the model if there is a difficulty, else of recordings.

    Parameters
    ----------
    difficulty : {"easy", "realistic", "hard"}, optional
    **given
        Fields of the settings; None for their defaults.

    Raises
    ------
    OptionError
        If something is given that only the other kind of cohort has.
    """
    chosen = {name: value for name, value in given.items() if value is not None}
    kind = SimulationSettings if difficulty is None else ModelSettings
    foreign = [name for name in chosen if name not in {field.name for field in fields(kind)}]
    if foreign:
        option = f"--{foreign[0].replace('_', '-')}"
        if difficulty is None:
            raise OptionError(f"{option} is of cohorts from the model.", "Give a --difficulty too.")
        raise OptionError(
            f"{option} is of recordings, and --difficulty asks for maps.", "Leave one of them away."
        )
    if difficulty is None:
        return SimulationSettings(**chosen)
    return ModelSettings(difficulty, **chosen)


def fit_command(cohort: SimulatedCohort, settings: SimulationSettings | ModelSettings) -> str:
    """The command that fits a simulated cohort, on one line."""
    words = f"--roi {settings.roi} --networks {settings.n_networks}"
    if isinstance(settings, SimulationSettings):
        return (
            f"neuroparcel fit --subjects {cohort.subject_list} --data-dir {cohort.data_dir} {words}"
        )
    # Link coordinates stand in the files as positive unit vectors.
    positive = " --positive clip" if settings.emission == "l-normal" else ""
    return (
        f"neuroparcel fit --subjects {cohort.table} --features maps{positive} {words} "
        f"--emission {settings.emission} --variance 1 --family reference"
    )


def demo(options: DemoOptions) -> DemoResult:
    """Simulate, fit and compare.

    Raises
    ------
    OutputError
        If the output folder is in use and is not to be overwritten.
    """
    if options.output.exists() and any(options.output.iterdir()) and not options.overwrite:
        raise OutputError(
            f"{options.output} is not empty.", "Give another --output, or --overwrite."
        )
    settings = SimulationSettings(seed=options.seed)
    cohort = simulate(
        options.output / COHORT, settings, overwrite=options.overwrite, quiet=options.quiet
    )
    fit_options = demo_fit_options(cohort, options)
    say(f"{fit_command(cohort, settings)} --output {fit_options.output}", quiet=options.quiet)
    result = fit(fit_options)
    return DemoResult(cohort, result, accuracies(cohort, result, fit_options))


def demo_fit_options(cohort: SimulatedCohort, options: DemoOptions) -> FitOptions:
    """The options that a user would fit the simulated cohort with."""
    return FitOptions(
        subjects=cohort.subject_list,
        data_dir=cohort.data_dir,
        output=options.output / RESULTS,
        seed=options.seed,
        steps=options.steps,
        overwrite=options.overwrite,
        figures=options.figures,
        quiet=options.quiet,
    )


def accuracies(cohort: SimulatedCohort, result: FitResult, options: FitOptions) -> dict[str, float]:
    """Accuracy of the fit, of k-means and of the oracle on a simulated cohort."""
    truth = read_truth(cohort.folder)
    profiles, _ = read_cohort(find_inputs(options), replace(options, quiet=True))
    reference = reference_accuracies(profiles, reduce(profiles, options), truth, options.seed)
    return {**parcellation_accuracies(result.parcellation, truth), **reference}
