"""Look at recordings, and keep, check and export their profiles."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from neuroparcel.brain.cleaning import Cleaning
from neuroparcel.errors import OptionError, OutputError
from neuroparcel.io.files import write_text
from neuroparcel.io.scheduling import Scheduler
from neuroparcel.io.store import BuildReport, ConnectomeStore, VerifyReport, build_store, open_store
from neuroparcel.io.store import export as export_store
from neuroparcel.io.store import verify as verify_store
from neuroparcel.io.store.exporting import ExportFormat
from neuroparcel.io.survey import Survey, survey
from neuroparcel.pipeline.options import BuildOptions, InspectOptions
from neuroparcel.pipeline.planning import find_files, plan_recipe
from neuroparcel.pipeline.progress import progress_bar


def inspect(options: InspectOptions) -> Survey | ConnectomeStore:
    """Look at the headers of the recordings that the options name, or into a store.

    Parameters
    ----------
    options : InspectOptions

    Returns
    -------
    Survey or ConnectomeStore
        Has ``summary()`` and ``ok``.

    Raises
    ------
    OutputError
        If there is a file where the table shall go.
    NeuroparcelError
        If the list or the folder is none; a file that cannot be read is part of the findings.
    """
    if options.store is not None:
        return open_store(options.store)
    if options.output is not None and options.output.exists():
        raise OutputError(f"{options.output} exists already.", "Give another --output.")
    if options.subjects is None and options.data_dir is None:
        raise OptionError("Nothing to look at.", "Give --subjects, --data-dir, or a store.")
    everything = Cleaning(confounds="all", censor=True)  # so that their files are looked at too
    files = find_files(options, options.sessions or "day", everything, lenient=True)
    with progress_bar("looking", quiet=options.quiet) as advance:
        found = survey(files, n_jobs=options.jobs, progress=advance)
    if options.output is not None:
        write_text(options.output, found.to_tsv())
    return found


def build(options: BuildOptions) -> BuildReport:
    """Make the profiles of a cohort and keep them in a store.

    Parameters
    ----------
    options : BuildOptions

    Returns
    -------
    BuildReport
        What was built, kept, and could not be read. Its warnings begin with what the list
        lacks and which maps are not shared.

    Raises
    ------
    NeuroparcelError
        If the options, the list or the store cannot be used.
    """
    files = find_files(options, options.sessions or "day", options.cleaning, lenient=True)
    # A recording that cannot be opened never stops the others here, the first one included.
    recipe, notes = plan_recipe(files, options, skip_bad=True)
    with progress_bar("building", quiet=options.quiet) as advance:
        report = build_store(
            options.output,
            files,
            recipe,
            dtype=options.dtype,
            scheduler=Scheduler.parse(options.scheduler),
            n_jobs=options.jobs,
            progress=advance,
            only_listed=options.only_listed,
        )
    return replace(report, warnings=(*files.notes, *notes, *report.warnings))


def verify(store: Path) -> VerifyReport:
    """Check every block of a store, and whether its inputs are what they were."""
    return verify_store(store)


def export(store: Path, output: Path, format: ExportFormat = "zarr") -> Path:
    """Write a store as one array with the names of its axes; returns the path."""
    return export_store(open_store(store), output, format)
