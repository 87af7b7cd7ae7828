"""The one training loop: stages, clipping, recovery from NaN, early stopping, resume.

Under ``torchrun`` every process draws its own data and the gradients are averaged.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from neuroparcel.errors import CheckpointError, TrainingError
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
from neuroparcel.inference.distributed import agreed, average, parallel, rank
from neuroparcel.inference.objectives import OBJECTIVES
from neuroparcel.inference.stages import Schedule, Stage, TrainingHistory

logger = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]
"""Called with (steps done, steps in all, what is being done)."""

_SNAPSHOT_EVERY = 25
_MAX_RECOVERIES = 5
_MAX_GRADIENT_NORM = 5.0
_N_CHECKS = 20  # of the validation loss, a stage
_N_CHECK_DRAWS = 8


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
        Seconds between saves.
    """

    time_budget: float | None = None
    checkpoint: Path | None = None
    checkpoint_every: float = 20.0


@dataclass
class _Progress:
    """Where training stands; what a checkpoint holds beside the tensors."""

    stage: int = 0
    step: int = 0
    elapsed: float = 0.0
    rate_factor: float = 1.0
    recoveries: int = 0
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
    validation: Observation | None = None,
    limits: TrainingLimits | None = None,
    resume: bool = False,
    progress: Progress | None = None,
) -> TrainingHistory:
    """Train the weights of a family in place.

    Every step draws its data and its noise from a state set by ``seed`` and the
    step's number, so a run that was killed and resumed ends with the weights of
    an unbroken one.

    ``validation`` is a data set whose loss is followed, with the same noise at every
    check, to judge convergence.

    Raises
    ------
    TrainingError
        If the loss stays not finite after several recoveries.
    """
    loop = _Loop(
        family, template, stream, schedule, seed, validation, limits or TrainingLimits(), progress
    )
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
        validation: Observation | None,
        limits: TrainingLimits,
        progress: Progress | None,
    ) -> None:
        self.family, self.template, self.stream = family, template, stream
        self.schedule, self.seed, self.limits, self.progress = schedule, seed, limits, progress
        self.validation = validation
        self.state = _Progress()
        self.saved_optimiser: dict[str, Tensor] | None = None
        self.best_weights: dict[str, Tensor] = {}
        self.device = next(family.parameters()).device
        self.last_save = time.monotonic()

    def run(self) -> TrainingHistory:
        for index in range(self.state.stage, len(self.schedule.stages)):
            if index > self.state.stage:
                self.state.stage, self.state.step, self.state.elapsed = index, 0, 0.0
                self.state.best, self.state.since_best, self.best_weights = math.inf, 0, {}
            self._run_stage(self.schedule.stages[index])
        return self._history()

    def _run_stage(self, stage: Stage) -> None:
        with _only_trained(self.family, stage.trains):
            objective = parallel(_Loss(self.family, self.template, stage))
            optimiser = self._optimiser(stage)
            snapshot = candidate = self._snapshot()
            started = time.monotonic() - self.state.elapsed
            done = self._done(stage)
            while done < 1 and not self._has_no_patience(stage):
                if self.state.step % _SNAPSHOT_EVERY == 0:
                    candidate = self._snapshot()
                rate = stage.learning_rate * self.state.rate_factor * _warm_cosine(done)
                loss = self._step(objective, optimiser, rate)
                if math.isfinite(loss):
                    self._record(loss)
                    snapshot = candidate  # these weights gave a finite loss and gradient
                else:
                    self._recover(stage, snapshot)
                    optimiser = self._optimiser(stage)
                self.state.step += 1
                self.state.elapsed = time.monotonic() - started
                before, done = done, self._done(stage)
                if int(_N_CHECKS * done) > int(_N_CHECKS * before):
                    self._check(stage)
                self._report(stage, done)
                self._maybe_save(optimiser)
        if self.best_weights:
            self.family.load_state_dict(self.best_weights)

    def _step(self, objective: nn.Module, optimiser: torch.optim.Optimizer, rate: float) -> float:
        for group in optimiser.param_groups:
            group["lr"] = rate
        optimiser.zero_grad(set_to_none=True)
        with seeded(_step_seed(self.seed, self.state.stage, self.state.step)):
            loss = objective(self.stream.draw())
            loss.backward()
        parameters = [p for group in optimiser.param_groups for p in group["params"]]
        norm = nn.utils.clip_grad_norm_(parameters, _MAX_GRADIENT_NORM)
        loss = average(loss.detach())
        if torch.isfinite(norm) and torch.isfinite(loss):
            optimiser.step()
            return float(loss)
        return math.nan

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

    def _recover(self, stage: Stage, snapshot: dict[str, Tensor]) -> None:
        self.state.recoveries += 1
        self.state.rate_factor *= 0.5
        if self.state.recoveries > _MAX_RECOVERIES:
            raise TrainingError(
                f"the loss of stage '{stage.name}' is not finite at step {self.state.step}, "
                f"after {_MAX_RECOVERIES} returns to the last good weights.",
                "Check the data for extreme values, or try another seed.",
            )
        logger.warning(
            "stage '%s', step %d: loss not finite; back to good weights, rate times %.3g",
            stage.name,
            self.state.step,
            self.state.rate_factor,
        )
        self.family.load_state_dict(snapshot)

    @torch.no_grad()
    def _check(self, stage: Stage) -> None:
        if self.validation is None:
            return
        affine = "flow" not in stage.trains
        with seeded(self.seed):
            posterior = self.family(self.validation, affine_only=affine)
            loss = OBJECTIVES["reverse-kl"](
                posterior, self.template, Batch(self.validation), _N_CHECK_DRAWS
            )
        value = agreed(float(loss), self.device)
        self.state.checks.append((len(self.state.losses) - 1, value))
        if stage.patience is None:
            return
        self.state.since_best += 1
        if value < self.state.best:
            self.state.best, self.state.since_best = value, 0
            self.best_weights = self._snapshot()

    def _snapshot(self) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in self.family.state_dict().items()}

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
        meta = {"progress": vars(self.state), "schedule": repr(self.schedule), "seed": self.seed}
        save_tensors(path, tensors, meta)

    def restore(self) -> None:
        path = self.limits.checkpoint
        if path is None or not path.is_file():
            return
        tensors, meta = load_tensors(path)
        if meta.get("schedule") != repr(self.schedule) or meta.get("seed") != self.seed:
            raise CheckpointError(
                f"{path} was written by a run with another schedule or seed.",
                "Resume with the options of that run, or start over with --overwrite.",
            )
        load_weights(self.family, _below("weights/", tensors), path)
        self.saved_optimiser = _below("adam/", tensors)
        self.best_weights = _below("best/", tensors)
        self.state = _Progress(**meta["progress"])

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


class _Loss(nn.Module):
    """One stage's objective of a batch, as a module so that it can be run in parallel."""

    def __init__(self, family: VariationalFamily, template: ModelTemplate, stage: Stage) -> None:
        super().__init__()
        self.family, self._template, self._stage = family, template, stage

    def forward(self, batch: Batch) -> Tensor:
        affine = "flow" not in self._stage.trains
        posterior = self.family(batch.data, affine_only=affine)
        objective = OBJECTIVES[self._stage.objective]
        return objective(posterior, self._template, batch, self._stage.n_draws)


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


def _below(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def _warm_cosine(done: float) -> float:
    """Factor of the learning rate at the share ``done`` of a stage."""
    warm = min(1.0, (done + 1e-3) / 0.05)
    return warm * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(done, 1.0))))


def _step_seed(seed: int, stage: int, step: int) -> int:
    """One seed a step and process, the same in a resumed run."""
    process = [rank()] if rank() else []
    return int(np.random.SeedSequence([seed, stage, step, *process]).generate_state(1)[0])
