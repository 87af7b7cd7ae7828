"""When training stops and what it saves; what it cannot be asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from neuroparcel.errors import OptionError, TrainingError
from neuroparcel.inference.data import Batch
from neuroparcel.inference.objectives import NEED_LATENTS
from neuroparcel.inference.stages import Schedule, Stage


@dataclass(frozen=True)
class TrainingLimits:
    """When to stop and when to save.

    Attributes
    ----------
    time_budget : float, optional
        Seconds for all stages, resumed or not; each gets its share of steps. The
        result then depends on the machine's speed.
    checkpoint : Path, optional
        File to resume from.
    checkpoint_every : float
        Seconds between saves; 0 saves after each step.

    Raises
    ------
    OptionError
        If a number of seconds is out of range.
    """

    time_budget: float | None = None
    checkpoint: Path | None = None
    checkpoint_every: float = 20.0

    def of_another_training(self) -> TrainingLimits:
        """The same of a second training in one run, with a checkpoint of its own."""
        if self.checkpoint is None:
            return self
        return replace(self, checkpoint=self.checkpoint.with_stem(f"{self.checkpoint.stem}-again"))

    def __post_init__(self) -> None:
        if self.time_budget is not None and not self.time_budget > 0:
            raise OptionError(
                f"the time budget is {self.time_budget} seconds.",
                "Give seconds above 0, or None for no limit.",
            )
        if not self.checkpoint_every >= 0:
            raise OptionError(
                f"checkpoints are to be saved every {self.checkpoint_every} seconds.",
                "Give 0 or more.",
            )


def check_options(
    schedule: Schedule,
    seed: int,
    validation: Batch | None,
    limits: TrainingLimits,
    *,
    resume: bool,
) -> None:
    """Raise OptionError or TrainingError, before anything is computed in vain."""
    if seed < 0:
        raise OptionError(f"the seed is {seed}.", "Give a whole number of 0 or more.")
    if resume and limits.checkpoint is None:
        raise OptionError(
            "there is no checkpoint to resume from.",
            "Give limits=TrainingLimits(checkpoint=...), the same as in the run to go on with.",
        )
    for stage in schedule.stages:
        if stage.patience is not None:
            _check_validation(stage, validation)


def _check_validation(stage: Stage, validation: Batch | None) -> None:
    if validation is None:
        raise TrainingError(
            f"stage '{stage.name}' has patience, and there is no validation data to watch.",
            "Give validation=..., or leave the patience out.",
        )
    if stage.objective in NEED_LATENTS and validation.latents is None:
        raise TrainingError(
            f"stage '{stage.name}' is to stop early by its objective '{stage.objective}', "
            "which needs latents, and the validation data have none.",
            "Give validation=Batch(data, latents) as simulated, or leave the patience out.",
        )
