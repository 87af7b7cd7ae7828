"""From a results folder to one HTML file."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from neuroparcel.atomic import atomic_path
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import Parcellations
from neuroparcel.brain.stability import StabilityReport
from neuroparcel.errors import OutputError
from neuroparcel.io.files import parsing, read_json
from neuroparcel.io.network_profiles import NETWORKS_FILE, read_network_profiles
from neuroparcel.io.writers import open_parcellations
from neuroparcel.io.writers.similarity import SIMILARITY_FILE, read_similarity
from neuroparcel.io.writers.stability import STABILITY_FILE, read_stability
from neuroparcel.pipeline.command_line import command_line
from neuroparcel.pipeline.figures import undrawn
from neuroparcel.pipeline.model_file import (
    CONFIG_FILE,
    MODEL_TIP,
    find_model,
    model_digests,
    read_config,
)
from neuroparcel.pipeline.output_place import check_writable
from neuroparcel.pipeline.progress import progress_bar, say
from neuroparcel.pipeline.reliability_file import RELIABILITY_FILE, read_reliability
from neuroparcel.pipeline.results import FIGURES, TRAINING_FILE, read_history
from neuroparcel.pipeline.run_folder import REPORT_FILE, RUN_FILE, read_finished_run, run_region
from neuroparcel.pipeline.stability_options import FOLDER as STABILITY_FOLDER
from neuroparcel.report.page import render
from neuroparcel.report.run import NetworkProfiles, ReportedRun

LARGEST = 15_000_000
"""Bytes of a report: what still passes as an attachment."""

_STABILITY_TIP = "Run neuroparcel stability again with --overwrite."
_NEEDED = ("_probseg.", "_desc-data_mask.")  # what a map is read from
_REDUCTION = {"n_targets", "n_components", "residual_variance"}
_TABLES = (NETWORKS_FILE, TRAINING_FILE, SIMILARITY_FILE, RELIABILITY_FILE)
_RECORDED: dict[str, set[str]] = {  # and what the page needs of it
    "options": set(),
    "versions": {"neuroparcel"},
    "inputs": set(),
    "warnings": set(),
    "verdict": {"good", "messages"},
    "heldout_nats_per_vertex": {"model", "kmeans"},
    "agreement": set(),
    "region": set(),
    "recipe": {"cleaning"},
}


def report(
    results: Path,
    output: Path | None = None,
    *,
    stability: Path | None = None,
    overwrite: bool = False,
    quiet: bool = False,
) -> Path:
    """Write a report of a finished run: one HTML file that needs nothing else.

    Parameters
    ----------
    results : Path
        Output folder of ``fit`` or ``infer``.
    output : Path, optional
        The file; ``report.html`` in the results folder if not given.
    stability : Path, optional
        Folder of a stability analysis of the run; ``stability`` in the results folder if not
        given and one that is finished lies there.
    overwrite : bool
        Replace a file that is there.
    quiet : bool
        Show no progress bar.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    OutputError
        If the folder holds no finished run, a file of the run is missing, the stability analysis
        is of another one, or the report cannot be written there.
    FileFormatError
        If a file of the run is damaged, or there is no stability analysis in the folder that is
        named.
    """
    path = Path(results) / REPORT_FILE if output is None else Path(output)
    _check_output(path, overwrite=overwrite)
    record = _read_record(Path(results))
    analysed = _stability_folder(Path(results), stability, record["options"], quiet=quiet)
    with progress_bar("reporting", quiet=quiet) as advance:
        page = render(_read_run(Path(results), record, analysed, advance)).encode("utf-8")
    if len(page) > LARGEST:
        raise OutputError(
            f"The report of {results} would take {len(page) / 1e6:.1f} MB, more than the "
            f"{LARGEST / 1e6:.0f} MB that a report may take.",
            "Fewer networks or larger parcels make it smaller.",
        )
    with atomic_path(path) as aside:
        aside.write_bytes(page)
    return path


def _check_output(path: Path, *, overwrite: bool) -> None:
    if path.is_dir():
        raise OutputError(f"{path} is a folder, not a file.", "Give --output FILE.html.")
    if path.exists() and not overwrite:
        raise OutputError(f"{path} exists.", "Give --overwrite, or another --output.")
    check_writable(path)


def _read_record(results: Path) -> dict[str, Any]:
    """The record of a run that is complete, with all that the report reads of it."""
    record = read_finished_run(results)
    lacking = [name for name in ("command", "files", *_RECORDED) if name not in record]
    if lacking:
        raise OutputError(
            f"{results / RUN_FILE} says nothing of {', '.join(lacking)}; it is no run of fit or "
            "infer, or of another version.",
            "Give the --output folder of neuroparcel fit or infer.",
        )
    wrong = [name for name, needed in _RECORDED.items() if needed.difference(record[name])]
    if record["command"] not in ("fit", "infer"):
        wrong.append("command")
    if not all(isinstance(about, dict) for about in record["inputs"].values()):
        wrong.append("inputs")
    if _REDUCTION.difference(record.get("reduction") or _REDUCTION):
        wrong.append("reduction")
    if wrong:
        raise OutputError(
            f"{results / RUN_FILE} is damaged ({', '.join(wrong)}).", "Run again with --overwrite."
        )
    written = [str(name) for name in record["files"] if _is_needed(str(name))]
    missing = [name for name in written if not (results / name).is_file()]
    if missing:
        more = f", and {len(missing) - 1} others are" if len(missing) > 1 else ""
        raise OutputError(
            f"{results / missing[0]} is missing{more}, which the run has written.",
            f"Put it back, or run neuroparcel {record['command']} again with --overwrite.",
        )
    return record


def _is_needed(name: str) -> bool:
    """Whether the report reads a file of the run: maps of sessions, figures and model are not."""
    is_map = any(part in name for part in _NEEDED) and "/ses-" not in name
    return name in _TABLES or (is_map and not name.endswith(".json"))


def _stability_folder(
    results: Path, named: Path | None, options: Mapping[str, Any], *, quiet: bool
) -> Path | None:
    """Where a stability analysis of the run lies, if there is one that is finished.

    The one in the results' own folder is left out where it cannot be shown.
    """
    folder = results / STABILITY_FOLDER if named is None else Path(named)
    if not (folder / STABILITY_FILE).is_file():
        return named  # of which reading says what is wrong
    record = read_json(folder / STABILITY_FILE, _STABILITY_TIP)
    if record.get("status") != "complete":
        if named is None:
            say(f"{folder} is unfinished, and left out of the report.", quiet=quiet)
        return named
    if not _is_of_another_fit(record, results, options):
        return folder
    if named is None:
        say(f"{folder} is of an earlier fit, and left out of the report.", quiet=quiet)
        return None
    raise OutputError(
        f"The stability analysis in {folder} was made from another fit than that in {results}.",
        _STABILITY_TIP,
    )


def _is_of_another_fit(
    record: Mapping[str, Any], results: Path, options: Mapping[str, Any]
) -> bool:
    """Whether an analysis tells of another model than the run has."""
    model, used = find_model(results, options), record.get("model")
    if model is None or not isinstance(used, dict):
        return False
    return bool(used.get("files") != model_digests(model))


def _read_run(
    results: Path,
    record: Mapping[str, Any],
    analysed: Path | None,
    advance: Callable[[int, int, str], None],
) -> ReportedRun:
    stored = open_parcellations(results)
    figures = {path.stem: path for path in sorted((results / FIGURES).glob("*.png"))}
    if analysed is not None:
        drawn = sorted((analysed / FIGURES).glob("*.png"))
        figures |= {f"stability/{path.stem}": path for path in drawn}
    return ReportedRun(
        name=results.resolve().name,
        record=record,
        settings=_settings(record, results),
        command=command_line(record, results.resolve()),
        parcellations=stored,
        present=stored.present,
        region=run_region(results, record, stored.axis),
        figures=figures,
        undrawn=_why_no_maps(stored.axis),
        profiles=_read_profiles(results),
        history=read_history(results) if (results / TRAINING_FILE).is_file() else None,
        reliability=read_reliability(results, record),
        similarity=read_similarity(results),
        stability=None if analysed is None else _read_stability(analysed, results, stored),
        advance=advance,
    )


def _read_stability(folder: Path, results: Path, stored: Parcellations) -> StabilityReport:
    """A stability analysis, which must be of these results."""
    found = read_stability(folder)
    mine = (stored.networks, stored.subjects)
    if (found.networks, found.subjects) != mine or found.axis != stored.axis:
        raise OutputError(
            f"The stability analysis in {folder} is not of {results}: its networks, subjects or "
            f"{stored.axis.rows_are} are others.",
            "Give --stability the folder of one that was made from these results.",
        )
    return found


def _why_no_maps(axis: BrainAxis) -> str | None:
    if axis.is_nodes:
        return "Nodes have no place on the surface, so there are no maps of them."
    return undrawn(axis)


def _read_profiles(results: Path) -> NetworkProfiles | None:
    if not (results / NETWORKS_FILE).is_file():
        return None
    targets, profiles = read_network_profiles(results)
    return NetworkProfiles(targets, profiles.T)


def _settings(record: Mapping[str, Any], results: Path) -> dict[str, Any]:
    """The options, completed by what the model's folder tells, if it is still there."""
    settings = dict(record["options"])
    folder = find_model(results, settings)
    if folder is None:
        return settings
    saved = read_config(folder)
    with parsing(folder / CONFIG_FILE, MODEL_TIP):
        return {
            **settings,
            "family": saved["family"]["name"],
            "link": saved["link"],
            "emission": saved["model"]["emission"],
            "levels": ",".join(saved["model"]["levels"]),
            "label_prior": "vertex" if saved.get("labels") else "global",
        }
