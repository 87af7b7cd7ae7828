"""Parcellate new subjects with a trained model: no training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from neuroparcel.inference.device import cpu_threads
from neuroparcel.parcellation.observations import nearest_anchor
from neuroparcel.parcellation.observed_cohort import ObservedCohort
from neuroparcel.pipeline.devices import device_for
from neuroparcel.pipeline.options import InferOptions
from neuroparcel.pipeline.outputs import write_run
from neuroparcel.pipeline.planning import Plan, find_files
from neuroparcel.pipeline.reading import read_cohort
from neuroparcel.pipeline.results import FitResult
from neuroparcel.pipeline.run_folder import open_run
from neuroparcel.pipeline.saved_model import SavedModel, load_model


def plan_inference(options: InferOptions) -> Plan:
    """Check the model, the list and the output folder; read no data, write nothing."""
    open_run(options, "infer")
    return _find_inputs(options)[0]


def _find_inputs(options: InferOptions) -> tuple[Plan, SavedModel]:
    model = load_model(Path(options.model), options.device)
    if options.refine:
        model = replace(model, networks=model.networks.refined(options.refine, options.seed))
    recipe = replace(model.recipe, max_dead=options.max_dead)
    files = None
    if options.subjects is not None or options.data_dir is not None:
        sessions = options.sessions or model.settings["sessions"]
        files = find_files(options, sessions, recipe.cleaning, lenient=options.skip_bad)
    notes = () if files is None else files.notes
    planned = Plan(files, recipe, model.n_networks, options.output, options.connectome, notes)
    return planned, model


def infer(options: InferOptions) -> FitResult:
    """Soft labels of new subjects under a trained model.

    Population networks, scales and weights keep the posterior of the training
    cohort, and so do the networks' numbers; ``new_population`` infers everything
    from the given cohort instead. ``refine`` moves the networks of the new subjects further up
    their evidence lower bound, wherever networks are inferred: for the verdict too.

    Parameters
    ----------
    options : InferOptions

    Returns
    -------
    FitResult

    Raises
    ------
    NeuroparcelError
        On bad input; nothing has been written then.
    """
    with cpu_threads(options.threads):
        return _infer(options)


def _infer(options: InferOptions) -> FitResult:
    folder = open_run(options, "infer")
    planned, model = _find_inputs(options)
    cohort, warnings = read_cohort(planned, options)
    device = device_for(model.networks.name, options.device)
    observed = ObservedCohort(cohort, model.reduction, device)
    if options.new_population:
        whole = observed.whole()
        networks = model.networks.repopulated(whole.data, whole.strength)
        model, observed = replace(model, networks=networks), replace(observed, data=whole.data)
    folder.begin(planned.input_record())
    return write_run(
        folder,
        model,
        observed,
        lambda part: nearest_anchor(part.data, model.anchors),
        options,
        planned,
        warnings=warnings,
    )
