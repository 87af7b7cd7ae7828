"""What is trained, under which objective, for how long; and what came of it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from neuroparcel.errors import OptionError
from neuroparcel.types import FloatArray, IntArray

OBJECTIVE_NAMES = ("map", "unregularised-elbo", "reverse-kl", "forward-kl", "symmetric-kl")
"""Keys of :data:`neuroparcel.inference.objectives.OBJECTIVES`, which is heavy to import."""

_MIN_STEPS = 200  # of a last stage that convergence is judged on


@dataclass(frozen=True)
class Stage:
    """One stretch of training.

    Attributes
    ----------
    name : str
    objective : str
        A key of :data:`neuroparcel.inference.objectives.OBJECTIVES`.
    n_steps : int
    learning_rate : float
        Peak; it warms up over the first 5 % and falls to 1 % along a cosine.
    trains : tuple of str
        Parameter groups that move; the couplings are left out unless ``flow`` is in.
    n_draws : int
        Draws of the posterior a data set.
    patience : int, optional
        Checks of the stage's own objective on validation data (20 a stage) without a new
        best, after which the stage ends early; it then ends with its best weights.

    Raises
    ------
    OptionError
        If the objective is unknown, nothing is trained, or a number is out of range.
    """

    name: str
    objective: str
    n_steps: int
    learning_rate: float
    trains: tuple[str, ...]
    n_draws: int = 4
    patience: int | None = None

    def __post_init__(self) -> None:
        if self.n_steps < 1 or self.n_draws < 1:
            raise OptionError(
                f"stage '{self.name}' has {self.n_steps} steps and {self.n_draws} draws.",
                "Give at least one of each.",
            )
        if self.objective not in OBJECTIVE_NAMES:
            raise OptionError(
                f"stage '{self.name}' has the unknown objective '{self.objective}'.",
                f"Choose one of {', '.join(OBJECTIVE_NAMES)}.",
            )
        if not isinstance(self.trains, tuple) or not self.trains:
            raise OptionError(
                f"stage '{self.name}' trains {self.trains!r}, which is no tuple of group names.",
                'Give at least one, as in trains=("encoder", "shift").',
            )
        if not 0 < self.learning_rate < math.inf:
            raise OptionError(
                f"stage '{self.name}' has the learning rate {self.learning_rate}.",
                "Give a number above 0, such as 2e-3.",
            )
        if self.patience is not None and self.patience < 1:
            raise OptionError(
                f"stage '{self.name}' has a patience of {self.patience} checks.",
                "Give at least 1, or None for a stage that does not stop early.",
            )


@dataclass(frozen=True)
class Schedule:
    """Stages, one after the other; at least one.

    Raises
    ------
    OptionError
        If there is none.
    """

    stages: tuple[Stage, ...]

    def __post_init__(self) -> None:
        if not self.stages:
            raise OptionError("a schedule has no stage.", "Give at least one.")

    @property
    def n_steps(self) -> int:
        """Steps of all stages."""
        return sum(stage.n_steps for stage in self.stages)

    def scaled(self, n_steps: int) -> Schedule:
        """The same proportions in about ``n_steps`` steps, at least one a stage."""
        if n_steps < len(self.stages):
            raise OptionError(
                f"{n_steps} training steps are fewer than the {len(self.stages)} stages.",
                "Give --steps at least that many.",
            )
        share = n_steps / self.n_steps
        return Schedule(
            tuple(replace(s, n_steps=max(1, round(s.n_steps * share))) for s in self.stages)
        )


def staged_schedule() -> Schedule:
    """Shift by MAP, then scale by the unregularised ELBO, then all by reverse KL.

    The first two stages only bring the affine blocks near: they have no entropy
    term and would collapse the scales if they ran long.

    References
    ----------
    Rouillard and Wassermann, ADAVI, ICLR 2022, appendix E.4.
    """
    return Schedule(
        (
            Stage("shift", "map", 80, 3e-4, ("encoder", "shift")),
            Stage("scale", "unregularised-elbo", 40, 3e-4, ("encoder", "shift", "scale")),
            Stage("posterior", "reverse-kl", 780, 2e-3, ("encoder", "shift", "scale", "flow")),
        )
    )


@dataclass(frozen=True, eq=False)
class TrainingHistory:
    """The loss of every step.

    Attributes
    ----------
    step : (step,) int
    stage : tuple of str
        Name of each step's stage.
    objective : tuple of str
    loss : (step,) float
        Nats per observed element, of the batch.
    validation_step : (check,) int
    validation_loss : (check,) float
        Of the validation data, with the same noise at every check: reverse KL, or the
        stage's own objective where it has patience. NaN where it cannot be computed.
    """

    step: IntArray
    stage: tuple[str, ...]
    objective: tuple[str, ...]
    loss: FloatArray
    validation_step: IntArray
    validation_loss: FloatArray

    def __post_init__(self) -> None:
        lengths = {len(self.step), len(self.stage), len(self.objective), len(self.loss)}
        if len(lengths) != 1:
            raise ValueError(f"the columns of a history differ in length: {sorted(lengths)}")

    def __repr__(self) -> str:
        """Its length, its stages and where it ended, not thousands of entries."""
        stages = ", ".join(dict.fromkeys(self.stage)) or "none"
        last = f"{self.loss[-1]:.4g}" if len(self.loss) else "none"
        return f"TrainingHistory({len(self.loss)} steps; stages: {stages}; last loss: {last})"

    def last_gain(self) -> float:
        """Nats by which the validation loss fell over the last half of the last stage.

        The learning rate is still high in the middle of a stage, so that a loss which
        does not fall from there on has reached its level, and was not merely frozen.
        NaN if the stage was too short to tell.
        """
        n_steps = self.stage.count(self.stage[-1]) if self.stage else 0
        last_stage = self.validation_loss[self.validation_step >= len(self.stage) - n_steps]
        if n_steps < _MIN_STEPS or len(last_stage) < 4:
            return float("nan")
        return float(last_stage[len(last_stage) // 2] - last_stage[-1])
