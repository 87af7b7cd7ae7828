"""The families that networks can be learnt with: what tells one from another, in one place.

Options look at it before anything heavy is loaded, so what is heavy is named by its module, and
imported when it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

from neuroparcel.errors import CheckpointError

if TYPE_CHECKING:
    from neuroparcel.inference.limits import TrainingLimits
    from neuroparcel.inference.stages import Schedule
    from neuroparcel.parcellation.networks import TrainedNetworks
    from neuroparcel.pipeline.options import FitOptions
    from neuroparcel.pipeline.trainers import Start, Trained


class Trainer(Protocol):
    """A way to learn networks and labels from a training cohort."""

    def __call__(
        self,
        start: Start,
        options: FitOptions,
        limits: TrainingLimits | None = None,
        *,
        resume: bool = False,
    ) -> Trained:
        """What was learnt."""


@dataclass(frozen=True, kw_only=True)
class Family:
    """One way to learn networks.

    Attributes
    ----------
    name : str
        What users and saved models call it.
    trainer_at, networks_at, stages_at : str
        ``module:name`` of its trainer, of its :class:`TrainedNetworks`, and of the function
        that gives its stages of training; no stages if it has no training steps.
    on_gpu : bool
        Whether it computes on other devices than the CPU.
    """

    name: str
    trainer_at: str
    networks_at: str
    stages_at: str | None = None
    on_gpu: bool = True

    @property
    def has_steps(self) -> bool:
        """Whether there are training steps to count."""
        return self.stages_at is not None

    @property
    def train(self) -> Trainer:
        """Its trainer."""
        trainer: Trainer = _found(self.trainer_at)
        return trainer

    @property
    def networks(self) -> type[TrainedNetworks]:
        """Its networks, which know how they are saved."""
        networks: type[TrainedNetworks] = _found(self.networks_at)
        return networks

    def schedule(self, n_steps: int | None) -> Schedule:
        """Its stages, in some number of steps or its own; of a family with steps.

        Raises
        ------
        OptionError
            If there are fewer steps than stages.
        """
        assert self.stages_at is not None  # the caller has asked has_steps
        stages: Schedule = _found(self.stages_at)()
        return stages if n_steps is None else stages.scaled(n_steps)


_ADAVI = Family(
    name="adavi",
    trainer_at="neuroparcel.pipeline.trainers:train_adavi",
    networks_at="neuroparcel.parcellation.networks:AmortizedNetworks",
    stages_at="neuroparcel.inference.stages:staged_schedule",
)
_MEAN_FIELD = Family(
    name="mean-field",
    trainer_at="neuroparcel.pipeline.trainers:train_mean_field",
    networks_at="neuroparcel.parcellation.mean_field_networks:MeanFieldNetworks",
    stages_at="neuroparcel.parcellation.mean_field_networks:mean_field_schedule",
)
_REFERENCE = Family(
    name="reference",
    trainer_at="neuroparcel.pipeline.trainers:train_reference",
    networks_at="neuroparcel.parcellation.networks:ReferenceNetworks",
    on_gpu=False,
)
FAMILIES = {family.name: family for family in (_ADAVI, _MEAN_FIELD, _REFERENCE)}


def saved_family(name: str) -> Family:
    """The family of a saved model.

    Raises
    ------
    CheckpointError
        If this version has no such family.
    """
    if name not in FAMILIES:
        raise CheckpointError(
            f"the model was learnt with the family '{name}', which this version does not have.",
            f"It has {', '.join(FAMILIES)}: use the version of neuroparcel that wrote the model.",
        )
    return FAMILIES[name]


def _found(place: str) -> Any:
    module, name = place.split(":")
    return getattr(import_module(module), name)
