"""Batches and weights whose loss is not finite, alone and in a resumed run."""

import logging
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

from neuroparcel.errors import TrainingError
from neuroparcel.families.adavi import Adavi
from neuroparcel.graph import Observation, analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.inference import recovery, trainer
from neuroparcel.inference.data import Batch, PlateRanges, Simulations
from neuroparcel.inference.recovery import Recovery, copy_weights
from neuroparcel.inference.stages import Schedule, Stage
from neuroparcel.inference.trainer import TrainingLimits, train
from neuroparcel.models.toys import gaussian_random_effects

EVERYTHING = ("encoder", "shift", "scale", "flow")
SKIPPING, RETURNING = 8, 7  # seeds with failures two and, for the other, three in a row


@pytest.fixture(scope="module")
def template():
    return analyse(gaussian_random_effects)


@pytest.fixture(scope="module")
def ranges():
    return PlateRanges(((1, 4), (5, 20)), 200, 4)


def new_family(template, ranges):
    with seeded(0):
        family = Adavi(template.graph)
        stream = Simulations(template, ranges)
        family.start([(b.latents, b.data) for b in (stream.draw() for _ in range(5))])
    return family


def one_stage(n_steps, rate=1e-3):
    return Schedule((Stage("posterior", "reverse-kl", n_steps, rate, EVERYTHING, 2),))


@dataclass(frozen=True, eq=False)
class Poisoned(Simulations):
    """A stream some of whose batches hold an infinite value."""

    share: float = 0.1

    def draw(self):
        batch = super().draw()
        if float(torch.rand(())) < self.share:
            batch.data.values[:] = torch.inf
        return batch


@dataclass(frozen=True, eq=False)
class Singular(Simulations):
    """A stream some of whose batches fail as a decomposition does, forward or backward."""

    share: float = 0.3
    backward: bool = False

    def draw(self):
        batch = super().draw()
        if float(torch.rand(())) >= self.share:
            return batch
        if not self.backward:
            raise torch.linalg.LinAlgError("linalg.cholesky: not positive-definite")
        values = _FailsBackward.apply(batch.data.values.requires_grad_())
        return Batch(Observation(values, batch.data.mask), batch.latents)


class _FailsBackward(torch.autograd.Function):
    @staticmethod
    def forward(ctx, values):
        return values.clone()

    @staticmethod
    def backward(ctx, gradient):
        raise torch.linalg.LinAlgError("linalg.cholesky: not positive-definite")


@pytest.mark.parametrize(
    ("stream_type", "options"),
    [(Poisoned, {}), (Singular, {"backward": False}), (Singular, {"backward": True})],
)
def test_bad_batches_are_skipped_at_the_full_rate(
    template, ranges, stream_type, options, caplog, monkeypatch
):
    """The step is not taken, the rate stays, and the stage says so once."""
    rates = []
    step = trainer._Loop._step

    def watched(loop, stage, optimiser, rate):
        before = copy_weights(loop.family)
        loss = step(loop, stage, optimiser, rate)
        moved = any(not torch.equal(v, before[n]) for n, v in loop.family.state_dict().items())
        assert moved == np.isfinite(loss)
        rates.append(loop.recovery.rate_factor)
        return loss

    monkeypatch.setattr(trainer._Loop, "_step", watched)
    stream = stream_type(template, ranges, share=0.2, **options)
    family = new_family(template, ranges)
    with caplog.at_level(logging.WARNING):
        history = train(family, template, stream, one_stage(20), seed=SKIPPING)
    n_skipped = 20 - len(history.loss)
    assert n_skipped > 0
    assert rates == [1.0] * 20
    messages = [record.message for record in caplog.records]
    assert len(messages) == 1
    assert f"'posterior': {n_skipped} of 20 steps were skipped" in messages[0]
    assert all(bool(torch.isfinite(p).all()) for p in family.parameters())


@pytest.mark.parametrize("n_steps", [1, 5, 100])
def test_training_gives_up_when_the_loss_stays_infinite(template, ranges, n_steps):
    stream = Poisoned(template, ranges, share=1.0)
    with pytest.raises(TrainingError, match=r"not finite at step.*where data are simulated"):
        train(new_family(template, ranges), template, stream, one_stage(n_steps), seed=0)


@pytest.mark.parametrize("backward", [False, True])
def test_training_that_always_fails_says_why(template, ranges, backward):
    stream = Singular(template, ranges, share=1.0, backward=backward)
    with pytest.raises(TrainingError, match=r"returns.*linalg\.cholesky: not positive") as caught:
        train(new_family(template, ranges), template, stream, one_stage(30), seed=0)
    assert isinstance(caught.value.__cause__, torch.linalg.LinAlgError)


def test_each_stage_starts_at_its_full_rate(template, ranges, monkeypatch, caplog):
    """The first stage fails three times in a row; the second begins anew."""
    factors = {}
    step = trainer._Loop._step

    def failing(loop, stage, optimiser, rate):
        factors[stage.name] = loop.recovery.rate_factor
        if stage.name == "first" and loop.state.step in (1, 2, 3):
            return float("nan")
        return step(loop, stage, optimiser, rate)

    monkeypatch.setattr(trainer._Loop, "_step", failing)
    stages = [Stage(name, "map", 6, 1e-3, EVERYTHING) for name in ("first", "second")]
    stream = Simulations(template, ranges)
    with caplog.at_level(logging.WARNING):
        train(new_family(template, ranges), template, stream, Schedule(tuple(stages)), seed=0)
    assert factors == {"first": 0.5, "second": 1.0}
    assert "back to good weights, rate times 0.5" in caplog.text


def test_a_validation_that_fails_is_recorded_as_nan(template, ranges, monkeypatch):
    def fail(*args):
        raise torch.linalg.LinAlgError("linalg.cholesky: not positive-definite")

    loss = trainer._Loop._loss
    monkeypatch.setattr(
        trainer._Loop, "_loss", lambda loop, *args: (fail if args[-1] == 8 else loss)(loop, *args)
    )
    stream = Simulations(template, ranges)
    family = new_family(template, ranges)
    data = stream.draw().data
    history = train(family, template, stream, one_stage(3), seed=0, validation=data)
    assert len(history.loss) == 3
    assert np.isnan(history.validation_loss).all()


def test_a_resumed_run_goes_on_as_an_unbroken_one(template, ranges, tmp_path, monkeypatch, caplog):
    """Killed between skips, after two returns, and with a candidate that is not proven."""
    monkeypatch.setattr(recovery, "_SNAPSHOT_EVERY", 3)
    stream, schedule = Poisoned(template, ranges, share=0.45), one_stage(24, 1e-2)
    limits = TrainingLimits(checkpoint=tmp_path / "training.safetensors", checkpoint_every=0)
    unbroken = new_family(template, ranges)
    with caplog.at_level(logging.WARNING):
        whole = train(unbroken, template, stream, schedule, seed=RETURNING)
    assert caplog.text.count("back to good weights") >= 2

    def killed_at(step):
        def stop(done, total, what):
            if done == step:
                raise KeyboardInterrupt

        return stop

    for step in (5, 10, 17):
        fresh = new_family(template, ranges)
        with pytest.raises(KeyboardInterrupt):
            train(
                fresh,
                template,
                stream,
                schedule,
                seed=RETURNING,
                limits=limits,
                progress=killed_at(step),
            )
        again = new_family(template, ranges)
        rarely = replace(limits, checkpoint_every=1e9)
        history = train(
            again, template, stream, schedule, seed=RETURNING, limits=rarely, resume=True
        )
        np.testing.assert_array_equal(history.loss, whole.loss)
        for name, tensor in unbroken.state_dict().items():
            torch.testing.assert_close(again.state_dict()[name], tensor, rtol=0, atol=0)
        limits.checkpoint.unlink()


@pytest.fixture
def module():
    """One weight, which a test moves by hand."""
    module = nn.Linear(1, 1, bias=False)
    _set(module, 0.0)
    return module


def _set(module, value):
    with torch.no_grad():
        module.weight.fill_(value)


def _run(state, module, outcomes):
    """Steps that succeed (a new weight), fail (False); how often the weights went back."""
    n_returns = 0
    for outcome in outcomes:
        state.before_step(module)
        if outcome is not False:
            state.succeeded()
            _set(module, outcome)
        elif state.failed():
            n_returns += 1
            state.go_back(module)
    return n_returns


def test_two_failures_are_skipped_and_three_go_back(module):
    state = Recovery.start(module)
    assert _run(state, module, [1.0, False, False, 2.0, False, False]) == 0
    assert module.weight.item() == 2.0
    assert state.rate_factor == 1.0
    assert _run(state, module, [False]) == 1
    assert module.weight.item() == 0.0
    assert (state.rate_factor, state.skipped, state.returns) == (0.5, 5, 1)


def test_weights_that_never_gave_a_finite_loss_are_not_gone_back_to(module):
    """The candidate taken before the failures is bad: later returns do not take it up."""
    state = Recovery.start(module)
    _run(state, module, [float(i) for i in range(1, 26)])
    assert _run(state, module, [False, False, False]) == 1
    assert module.weight.item() == 0.0
    assert _run(state, module, [7.0, False, False, False]) == 1
    assert module.weight.item() == 0.0
    assert state.returns == 2


def test_progress_is_a_later_good_snapshot(module):
    state = Recovery.start(module)
    _run(state, module, [False] * 15)
    assert (state.returns, state.exhausted) == (5, False)
    _run(state, module, [1.0] * 25)
    assert state.returns == 5
    _run(state, module, [2.0])  # the weights after 25 finite steps are good
    assert state.returns == 0
    assert float(state.good["weight"]) == 1.0


def test_six_returns_without_progress_are_too_many(module):
    state = Recovery.start(module)
    _run(state, module, [False] * 17)
    assert not state.exhausted
    state.failed()
    assert state.exhausted


@pytest.mark.parametrize("outcomes", [[1.0], [False, False], [1.0] * 26, [1.0] * 25 + [False]])
def test_a_recovery_is_saved_and_restored(module, outcomes):
    state = Recovery.start(module)
    _run(state, module, outcomes)
    again = Recovery.restore(state.tensors(), state.counters())
    assert again.counters() == state.counters()
    assert (again.candidate is again.good) == (state.candidate is state.good)
    assert torch.equal(again.good["weight"], state.good["weight"])
    assert torch.equal(again.candidate["weight"], state.candidate["weight"])
