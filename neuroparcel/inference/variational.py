"""From a model to a trained posterior in one call."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

import torch
from torch import Tensor

from neuroparcel.errors import OptionError
from neuroparcel.families.adavi import Adavi
from neuroparcel.families.auto_normal import PyroAutoNormal
from neuroparcel.families.base import NonAmortizedFamily, VariationalFamily
from neuroparcel.families.mean_field import MeanField
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.template import ModelTemplate
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.data import Batch, Fixed, PlateRanges, Simulations, TrainingStream
from neuroparcel.inference.device import choose_device
from neuroparcel.inference.distributed import local_device, process_group
from neuroparcel.inference.observing import Data, observe
from neuroparcel.inference.posterior import AmortizedPosterior
from neuroparcel.inference.stages import Schedule, Stage
from neuroparcel.inference.trainer import Progress, TrainingLimits, train

_N_STARTS = 40  # simulated batches that the affine blocks are regressed on

PlateSizes = Mapping[str, int | Sequence[int]]


def fit(
    template: ModelTemplate,
    family: str | VariationalFamily = "adavi",
    *,
    data: Data | None = None,
    plate_sizes: PlateSizes | None = None,
    schedule: Schedule | None = None,
    seed: int = 0,
    device: str | torch.device = "auto",
    limits: TrainingLimits | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> AmortizedPosterior:
    """Train a variational family of a model; alone, or in parallel under ``torchrun``.

    Parameters
    ----------
    template : ModelTemplate
        From :func:`neuroparcel.graph.analyse`.
    family : str or VariationalFamily, default="adavi"
        ``adavi``: amortized, trained on simulated data. ``mean-field`` (factors of the
        priors' parametric forms) and ``auto-normal`` (Pyro's guide): fitted to ``data``
        alone. Or a family that you made, with sizes of your choice.
    data : Tensor or ndarray, shape (*plates, *event), or Observation, optional
        For the families that are not amortized, and only for them.
    plate_sizes : mapping of plate name to int or (int, int), optional
        Sizes to train an amortized family on; a pair is a range that each batch draws
        from. By default from half to twice the size in the model, so that the posterior
        serves others too; plates whose size no argument sets keep it.
    schedule : Schedule, optional
        Stages of training; by default :func:`default_schedule`.
    seed : int, default=0
        Sets initial weights, data and noise.
    device : str or torch.device, default="auto"
        ``auto`` is the GPU where there is one.
    limits : TrainingLimits, optional
        Time budget and checkpoints.
    resume : bool, default=False
        Go on from ``limits.checkpoint``, to the weights of an unbroken run.
    progress : callable, optional
        Called with (steps done, steps in all, what is being done).

    Returns
    -------
    AmortizedPosterior

    Raises
    ------
    OptionError
        If family, data and plate sizes do not go together.
    TrainingError
        If the loss stays not finite.

    Examples
    --------
    >>> from neuroparcel.graph import analyse
    >>> from neuroparcel.models.toys import gaussian_random_effects
    >>> template = analyse(gaussian_random_effects)
    >>> stage = Stage("posterior", "reverse-kl", 5, 1e-3, ("encoder", "shift", "scale"))
    >>> posterior = fit(template, schedule=Schedule((stage,)), device="cpu")
    >>> posterior(torch.randn(30, 20, 2)).mean("group_mean").shape
    torch.Size([30, 2])
    """
    if not isinstance(template, ModelTemplate):
        raise OptionError(
            "fit wants the template of a model, not the model.", "Give analyse(model)."
        )
    device = local_device(choose_device(str(device)))
    with process_group(device):
        with seeded(seed):
            like = _probe(template, device)
            observation = None if data is None else observe(template, data, like)
            built = _build(template, family, observation).to(like)
            stream, validation = _training_data(template, built, observation, plate_sizes, device)
        history = train(
            built,
            template,
            stream,
            schedule or default_schedule(built),
            seed=seed,
            validation=validation,
            limits=limits,
            resume=resume,
            progress=progress,
        )
    return AmortizedPosterior(template, built.eval(), history)


def default_schedule(family: VariationalFamily) -> Schedule:
    """Reverse KL of everything the family has.

    An amortized family starts at a regression, so the stages that bring the affine
    blocks near (:func:`neuroparcel.inference.stages.staged_schedule`) are not needed
    where data can be simulated from the priors.
    """
    if family.amortized:
        return Schedule((Stage("posterior", "reverse-kl", 2000, 2e-3, _groups(family), 8),))
    return Schedule((Stage("posterior", "reverse-kl", 4000, 2e-2, _groups(family), 16),))


def build_family(
    name: str, template: ModelTemplate, settings: Mapping[str, Any]
) -> VariationalFamily:
    """A family by its name and saved settings; its weights are still to be loaded."""
    if name == Adavi.name:
        return Adavi.from_settings(template.graph, settings)
    if name == MeanField.name:
        return MeanField.from_settings(template, settings)
    if name == PyroAutoNormal.name:
        return PyroAutoNormal.from_settings(template, settings)
    raise _unknown_family(name)


def _build(
    template: ModelTemplate, family: str | VariationalFamily, data: Observation | None
) -> VariationalFamily:
    if isinstance(family, VariationalFamily):
        return deepcopy(family)
    if family == Adavi.name:
        return Adavi(template.graph)
    if family not in (MeanField.name, PyroAutoNormal.name):
        raise _unknown_family(family)
    if data is None:
        raise OptionError(
            f"the family '{family}' is fitted to one data set, and none was given.",
            "Give data=..., or use the family 'adavi'.",
        )
    if family == MeanField.name:
        return MeanField(template, data.plate_sizes, data.batch_size)
    return PyroAutoNormal(template, data.plate_sizes, data.batch_size)


def _training_data(
    template: ModelTemplate,
    family: VariationalFamily,
    data: Observation | None,
    plate_sizes: PlateSizes | None,
    device: torch.device,
) -> tuple[TrainingStream, Observation | Batch]:
    """What the family trains on, and what its loss is followed on."""
    if isinstance(family, NonAmortizedFamily):
        if data is None or plate_sizes is not None:
            raise OptionError(
                f"the family '{family.name}' is fitted to one data set, of its own plate sizes.",
                "Give data=... and no plate_sizes.",
            )
        family.bind(data)
        return Fixed(data), data
    if data is not None:
        raise OptionError(
            f"the family '{family.name}' is amortized: it trains on simulated data.",
            "Leave data out, and call the posterior that fit returns with it.",
        )
    ranges = PlateRanges(_bounds(template, plate_sizes or {}), max_batch=32)
    simulations = Simulations(template, ranges, device=device)
    if not bool(family.has_started):
        starts = [simulations.draw() for _ in range(_N_STARTS)]
        family.start([(batch.latents or {}, batch.data) for batch in starts])
    largest = PlateRanges(tuple((high, high) for _, high in ranges.bounds), max_batch=64)
    return simulations, Simulations(template, largest, device=device).draw()


def _bounds(template: ModelTemplate, plate_sizes: PlateSizes) -> tuple[tuple[int, int], ...]:
    """(smallest, largest) size of each plate, outermost first."""
    plates = {plate.name: plate for plate in reversed(template.graph.plates)}
    unknown = [name for name in plate_sizes if name not in plates]
    if unknown:
        raise OptionError(
            f"the model has no plate '{unknown[0]}'.", f"Its plates are {', '.join(plates)}."
        )
    bounds = []
    for name, plate in plates.items():
        varied = (max(1, plate.size // 2), 2 * plate.size) if plate.argument else plate.size
        size = plate_sizes.get(name, varied)
        pair = (size, size) if isinstance(size, int) else tuple(size)
        whole = len(pair) == 2 and all(isinstance(one, int) for one in pair)
        if not (whole and 1 <= pair[0] <= pair[1]):
            raise OptionError(
                f"plate '{name}' cannot have {' to '.join(map(str, pair))} members.",
                "Give a size of at least 1, or a pair (smallest, largest).",
            )
        low, high = pair
        bounds.append((low, high))
    template.arguments(tuple(high for _, high in bounds))
    return tuple(bounds)


def _probe(template: ModelTemplate, device: torch.device) -> Tensor:
    """A value of the observed site: it has the dtype that the model computes in."""
    sizes = tuple(plate.size for plate in reversed(template.graph.plates))
    return template.simulate(sizes, 1, device=device)[1].values


def _groups(family: VariationalFamily) -> tuple[str, ...]:
    return tuple(family.groups())


def _unknown_family(name: str) -> OptionError:
    names = ", ".join((Adavi.name, MeanField.name, PyroAutoNormal.name))
    return OptionError(f"no variational family '{name}'.", f"Choose one of {names}.")
