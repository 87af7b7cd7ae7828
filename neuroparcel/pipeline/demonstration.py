"""The demo: simulate a cohort, fit it as a user would, compare with the truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from neuroparcel.brain.recovery import parcellation_accuracies, reference_accuracies
from neuroparcel.brain.simulation import SimulationSettings
from neuroparcel.errors import OutputError
from neuroparcel.io.simulated import SimulatedCohort, read_truth, write_simulated_cohort
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
    settings: SimulationSettings | None = None,
    *,
    overwrite: bool = False,
    quiet: bool = False,
) -> SimulatedCohort:
    """Write a simulated cohort in the HCP layout; see :mod:`neuroparcel.brain.simulation`."""
    with progress_bar("simulating", quiet=quiet) as advance:
        return write_simulated_cohort(
            folder, settings or SimulationSettings(), progress=advance, overwrite=overwrite
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
    say(
        f"neuroparcel fit --subjects {cohort.subject_list} --data-dir {cohort.data_dir} "
        f"--roi {settings.roi} --networks {settings.n_networks} --output {fit_options.output}",
        quiet=options.quiet,
    )
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
