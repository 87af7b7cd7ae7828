"""The one training loop: stages, clipping, recovery, early stopping, resume.

Under ``torchrun`` every process draws its own data and the gradients are averaged.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from neuroparcel.errors import TrainingError
from neuroparcel.families.base import VariationalFamily
from neuroparcel.graph.observation import Observation
from neuroparcel.graph.template import ModelTemplate
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.checkpoints import (
    load_tensors,
    load_weights,
    optimiser_tensors,
    restore_optimiser,
    save_tensors,
)
from neuroparcel.inference.data import Batch, TrainingStream
from neuroparcel.inference.distributed import (
    agreed,
    average,
    average_gradients,
    rank,
    share_weights,
)
from neuroparcel.inference.fingerprint import fingerprint, refuse_others
from neuroparcel.inference.limits import TrainingLimits, check_options
from neuroparcel.inference.objectives import OBJECTIVES
from neuroparcel.inference.recovery import Recovery, Weights, below, copy_weights
from neuroparcel.inference.stages import Schedule, Stage, TrainingHistory

__all__ = ["Progress", "TrainingLimits", "train"]

logger = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]
"""Called with (steps done, steps in all, what is being done)."""

_MAX_GRADIENT_NORM = 5.0
_N_CHECKS = 20  # of the validation loss, a stage
_N_CHECK_DRAWS = 8


@dataclass
class _Progress:
    """Where training stands; what a checkpoint holds beside the tensors."""

    stage: int = 0
    step: int = 0
    elapsed: float = 0.0
    losses: list[float] = field(default_factory=list)
    stages: list[int] = field(default_factory=list)
    checks: list[tuple[int, float]] = field(default_factory=list)
    best: float = math.inf  # validation loss of this stage, where it may stop early
    since_best: int = 0


def train(
    family: VariationalFamily,
    template: ModelTemplate,
    stream: TrainingStream,
    schedule: Schedule,
    *,
    seed: int,
    validation: Observation | Batch | None = None,
    limits: TrainingLimits | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> TrainingHistory:
    """Train the weights of a family in place.

    Every step draws its data and its noise from a state set by ``seed`` and the
    step's number, so a run that was killed and resumed ends with the weights of
    an unbroken one.

    A batch whose loss or gradient is not finite is skipped; after several in a row
    training goes back to the last good weights, at half the rate for the rest of the
    stage (:class:`neuroparcel.inference.recovery.Recovery`).

    Parameters
    ----------
    family : VariationalFamily
    template : ModelTemplate
    stream : TrainingStream
    schedule : Schedule
    seed : int
        0 or more.
    validation : Observation or Batch, optional
        Data whose loss is followed, with the same noise at every check: the reverse KL,
        to judge convergence, or the stage's own objective if it has ``patience``. A stage
        that stops early by a forward or symmetric KL needs a batch with latents.
    limits : TrainingLimits, optional
    resume : bool, default=False
        Go on from ``limits.checkpoint``; start at the beginning if there is no such file.
    progress : callable, optional

    Raises
    ------
    OptionError
        If the seed is negative, or ``resume`` comes without ``limits.checkpoint``.
    CheckpointError
        If the checkpoint is damaged, or of a run with another schedule, seed, model,
        stream or validation data.
    TrainingError
        If a stage cannot be trained or validated with what was given, or its loss stays
        not finite.
    """
    limits = limits or TrainingLimits()
    watched = Batch(validation) if isinstance(validation, Observation) else validation
    check_options(schedule, seed, watched, limits, resume=resume)
    share_weights(family)
    loop = _Loop(family, template, stream, schedule, seed, watched, limits, progress)
    if resume:
        loop.restore()
    return loop.run()


class _Loop:
    def __init__(
        self,
        family: VariationalFamily,
        template: ModelTemplate,
        stream: TrainingStream,
        schedule: Schedule,
        seed: int,
        validation: Batch | None,
        limits: TrainingLimits,
        progress: Progress | None,
    ) -> None:
        self.family, self.template, self.stream = family, template, stream
        self.schedule, self.seed, self.limits, self.progress = schedule, seed, limits, progress
        self.validation = validation
        self.state = _Progress()
        self.recovery = Recovery.start(family)
        self.saved_optimiser: Weights | None = None
        self.best_weights: Weights = {}
        self.device = next(family.parameters()).device
        self.last_save = time.monotonic()
        self.cause: Exception | None = None  # of the last failure, if it raised one

    def run(self) -> TrainingHistory:
        for index in range(self.state.stage, len(self.schedule.stages)):
            if index > self.state.stage:
                self.state.stage, self.state.step, self.state.elapsed = index, 0, 0.0
                self.state.best, self.state.since_best, self.best_weights = math.inf, 0, {}
                self.recovery = Recovery.start(self.family)
            self._run_stage(self.schedule.stages[index])
        if not self.state.losses:
            raise self._not_finite("in all steps")
        return self._history()

    def _run_stage(self, stage: Stage) -> None:
        with _only_trained(self.family, stage.trains):
            optimiser = self._optimiser(stage)
            started = time.monotonic() - self.state.elapsed
            done = self._done(stage)
            while done < 1 and not self._has_no_patience(stage):
                self.recovery.before_step(self.family)
                rate = stage.learning_rate * self.recovery.rate_factor * _warm_cosine(done)
                loss = self._step(stage, optimiser, rate)
                if math.isfinite(loss):
                    self._record(loss)
                    self.recovery.succeeded()
                elif self.recovery.failed():
                    self._go_back(stage)
                    optimiser = self._optimiser(stage)
                self.state.step += 1
                self.state.elapsed = time.monotonic() - started
                before, done = done, self._done(stage)
                if int(_N_CHECKS * done) > int(_N_CHECKS * before):
                    self._check(stage)
                self._report(stage, done)
                self._maybe_save(optimiser)
        self._tell_skipped(stage)
        if self.best_weights:
            self.family.load_state_dict(self.best_weights)

    def _step(self, stage: Stage, optimiser: torch.optim.Optimizer, rate: float) -> float:
        """The loss, or NaN: then no weight was moved."""
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        with seeded(_step_seed(self.seed, self.state.stage, self.state.step)):
            loss = self._backward(stage)
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        if not average_gradients(parameters, usable=loss is not None) or loss is None:
            return math.nan
        norm = nn.utils.clip_grad_norm_(parameters, _MAX_GRADIENT_NORM)
        loss = average(loss)
        if torch.isfinite(norm) and torch.isfinite(loss):
            optimiser.step()
            return float(loss)
        return math.nan

    def _backward(self, stage: Stage) -> Tensor | None:
        """The loss of a new batch, its gradient left in the parameters; None if it failed."""
        self.cause = None
        try:
            batch = self.stream.draw()
            loss = self._loss(stage, stage.objective, batch, stage.n_draws)
            loss.backward()
        except torch.linalg.LinAlgError as error:  # a covariance is not positive definite
            self.cause = error
            return None
        return loss.detach()

    def _loss(self, stage: Stage, objective: str, batch: Batch, n_draws: int) -> Tensor:
        posterior = self.family(batch.data, affine_only="flow" not in stage.trains)
        return OBJECTIVES[objective](posterior, self.template, batch, n_draws)

    def _has_no_patience(self, stage: Stage) -> bool:
        return stage.patience is not None and self.state.since_best >= stage.patience

    def _optimiser(self, stage: Stage) -> torch.optim.Optimizer:
        groups = self.family.groups()
        parameters = [p for name in stage.trains for p in groups[name]]
        optimiser = torch.optim.Adam(parameters, lr=stage.learning_rate)
        if self.saved_optimiser is not None:
            restore_optimiser(optimiser, self.saved_optimiser)
            self.saved_optimiser = None
        return optimiser

    def _go_back(self, stage: Stage) -> None:
        if self.recovery.exhausted:
            raise self._not_finite("after several returns to the last good weights")
        logger.warning(
            "stage '%s', step %d: losses not finite; back to good weights, rate times %.3g",
            stage.name,
            self.state.step,
            self.recovery.rate_factor,
        )
        self.recovery.go_back(self.family)

    def _not_finite(self, when: str) -> TrainingError:
        stage = self.schedule.stages[self.state.stage]
        reason = f" ({str(self.cause).splitlines()[0]})" if self.cause is not None else ""
        error = TrainingError(
            f"the loss of stage '{stage.name}' or its gradient is not finite at step "
            f"{self.state.step}, {when}{reason}.",
            "Look for extreme values in the data; where data are simulated, for priors so "
            "vague that they draw such values. Or try a lower learning rate.",
        )
        error.__cause__ = self.cause
        return error

    def _tell_skipped(self, stage: Stage) -> None:
        if self.recovery.skipped:
            logger.warning(
                "stage '%s': %d of %d steps were skipped, as their loss or its gradient was "
                "not finite",
                stage.name,
                self.recovery.skipped,
                self.state.step,
            )

    def _check(self, stage: Stage) -> None:
        if self.validation is None:
            return
        value = agreed(self._validate(stage, self.validation), self.device)
        self.state.checks.append((max(0, len(self.state.losses) - 1), value))
        if stage.patience is None:
            return
        self.state.since_best += 1
        if value < self.state.best:
            self.state.best, self.state.since_best = value, 0
            self.best_weights = copy_weights(self.family)

    @torch.no_grad()
    def _validate(self, stage: Stage, batch: Batch) -> float:
        objective = "reverse-kl" if stage.patience is None else stage.objective
        try:
            with seeded(self.seed):
                return float(self._loss(stage, objective, batch, _N_CHECK_DRAWS))
        except torch.linalg.LinAlgError:
            return math.nan

    def _record(self, loss: float) -> None:
        self.state.losses.append(loss)
        self.state.stages.append(self.state.stage)

    def _done(self, stage: Stage) -> float:
        if self.limits.time_budget is None:
            return self.state.step / stage.n_steps
        share = self.limits.time_budget * stage.n_steps / self.schedule.n_steps
        return agreed(self.state.elapsed / max(share, 1e-9), self.device)

    def _report(self, stage: Stage, done: float) -> None:
        if self.progress is None or rank() > 0:
            return
        before = sum(s.n_steps for s in self.schedule.stages[: self.state.stage])
        current = before + round(min(done, 1.0) * stage.n_steps)
        self.progress(current, self.schedule.n_steps, f"{stage.name} ({stage.objective})")

    def _maybe_save(self, optimiser: torch.optim.Optimizer) -> None:
        now = time.monotonic()
        if rank() > 0 or self.limits.checkpoint is None:
            return
        if now - self.last_save < self.limits.checkpoint_every:
            return
        self.last_save = now
        self._save(self.limits.checkpoint, optimiser)

    def _save(self, path: Path, optimiser: torch.optim.Optimizer) -> None:
        tensors = {f"weights/{k}": v for k, v in self.family.state_dict().items()}
        tensors |= {f"best/{k}": v for k, v in self.best_weights.items()}
        tensors |= {f"adam/{k}": v for k, v in optimiser_tensors(optimiser).items()}
        tensors |= self.recovery.tensors()
        meta = {"progress": vars(self.state), "recovery": self.recovery.counters()}
        meta |= self._identity()
        save_tensors(path, tensors, meta)

    def restore(self) -> None:
        path = self.limits.checkpoint
        if path is None or not path.is_file():
            logger.warning("no checkpoint at %s, starting from the beginning", path)
            return
        tensors, meta = load_tensors(path)
        refuse_others(path, meta, self._identity())
        load_weights(self.family, below("weights/", tensors), path)
        self.saved_optimiser = below("adam/", tensors)
        self.best_weights = below("best/", tensors)
        self.recovery = Recovery.restore(tensors, meta["recovery"])
        self.state = _Progress(**meta["progress"])

    def _identity(self) -> dict[str, Any]:
        """What a run that resumes this one must share with it."""
        watches = any(stage.patience is not None for stage in self.schedule.stages)
        watched = self.validation if watches else None
        return {
            "schedule": repr(self.schedule),
            "seed": self.seed,
            "run": fingerprint(self.template, self.stream, watched),
        }

    def _history(self) -> TrainingHistory:
        stages = [self.schedule.stages[i] for i in self.state.stages]
        return TrainingHistory(
            step=np.arange(len(stages)),
            stage=tuple(stage.name for stage in stages),
            objective=tuple(stage.objective for stage in stages),
            loss=np.asarray(self.state.losses),
            validation_step=np.asarray([step for step, _ in self.state.checks], dtype=int),
            validation_loss=np.asarray([loss for _, loss in self.state.checks]),
        )


@contextmanager
def _only_trained(family: VariationalFamily, groups: Sequence[str]) -> Iterator[None]:
    """Only these parameter groups take gradients inside; all do outside."""
    known = family.groups()
    unknown = [name for name in groups if name not in known]
    if unknown:
        raise TrainingError(
            f"the family '{family.name}' has no parameters {', '.join(unknown)} to train.",
            f"Its groups are {', '.join(known)}.",
        )
    trained = {id(p) for name in groups for p in known[name]}
    for parameter in family.parameters():
        parameter.requires_grad_(id(parameter) in trained)
    try:
        yield
    finally:
        family.requires_grad_(True)


def _warm_cosine(done: float) -> float:
    """Factor of the learning rate at the share ``done`` of a stage."""
    warm = min(1.0, (done + 1e-3) / 0.05)
    return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


def _step_seed(seed: int, stage: int, step: int) -> int:
    """One seed a step and process, the same in a resumed run."""
    process = [rank()] if rank() else []
    return int(np.random.SeedSequence([seed, stage, step, *process]).generate_state(1)[0])
