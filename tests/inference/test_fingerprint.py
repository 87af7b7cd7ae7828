"""Only the run that wrote a checkpoint may go on from it."""

import json
import logging
from dataclasses import dataclass

import pyro
import pytest
import torch
from pyro import distributions as dist

from neuroparcel.errors import CheckpointError, OptionError
from neuroparcel.families.adavi import Adavi
from neuroparcel.graph import Observation, analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.inference.checkpoints import load_tensors, save_tensors
from neuroparcel.inference.data import (
    Batch,
    Fixed,
    Mixed,
    PlateRanges,
    Simulations,
    SubPyramids,
    TrainingStream,
    WithGaps,
)
from neuroparcel.inference.fingerprint import describe, fingerprint, refuse_others
from neuroparcel.inference.stages import Schedule, Stage
from neuroparcel.inference.trainer import TrainingLimits, train
from neuroparcel.models.toys import gaussian_random_effects

EVERYTHING = ("encoder", "shift", "scale", "flow")
RANGES = PlateRanges(((1, 3), (4, 8)), 100, 2)


def other_model(x=None, n_groups=3, n_points=50):
    """As the toy, except that the groups' means are positive."""
    population = pyro.sample("population_mean", dist.Normal(torch.zeros(2), 1.0).to_event(1))
    with pyro.plate("group", n_groups, dim=-2):
        means = pyro.sample("group_mean", dist.LogNormal(population, 1.0).to_event(1))
        with pyro.plate("point", n_points, dim=-1):
            pyro.sample("x", dist.Normal(means, 1.0).to_event(1), obs=x)


@pytest.fixture(scope="module")
def template():
    return analyse(gaussian_random_effects)


def data(value=0.0):
    return Observation.complete(torch.full((1, 2, 3, 2), value))


def new_family(template):
    with seeded(0):
        return Adavi(template.graph)


def schedule(**options):
    return Schedule((Stage("posterior", "reverse-kl", 2, 1e-3, EVERYTHING, 2, **options),))


@dataclass(frozen=True, eq=False)
class Doubled(Simulations):
    """Another stream with the same fields."""


def test_equal_streams_are_described_alike_and_others_are_not(template):
    """Among all streams, one for each thing that can differ."""
    again = analyse(gaussian_random_effects)

    def streams(template):
        simulated = Simulations(template, RANGES)
        narrow = dist.Normal(torch.zeros(2), 0.1).to_event(1)
        wide = dist.Normal(torch.zeros(2), 0.2).to_event(1)
        correlated = dist.MultivariateNormal(torch.zeros(2), torch.eye(2) + 0.5)
        positive = dist.TransformedDistribution(wide, [dist.transforms.AffineTransform(1.0, 2.0)])
        steeper = dist.TransformedDistribution(wide, [dist.transforms.AffineTransform(1.0, 3.0)])
        proposals = (narrow, wide, correlated, positive, steeper)
        return [
            simulated,
            Doubled(template, RANGES),
            Simulations(template, PlateRanges(((1, 3), (4, 9)), 100, 2)),
            Simulations(template, PlateRanges(((1, 3), (4, 8)), 99, 2)),
            *(Simulations(template, RANGES, {"population_mean": p}) for p in proposals),
            Simulations(template, RANGES, {"group_mean": narrow}),
            SubPyramids(data(), RANGES),
            SubPyramids(data(1.0), RANGES),
            Fixed(data()),
            Mixed((simulated, Fixed(data())), (0.5, 0.5)),
            Mixed((simulated, Fixed(data())), (0.4, 0.6)),
            Mixed((Fixed(data()), simulated), (0.5, 0.5)),
            WithGaps(simulated, 0.5),
            WithGaps(simulated, 0.4),
            Simulations(analyse(other_model), RANGES),
        ]

    first, second = (
        [json.dumps(describe(stream)) for stream in streams(t)] for t in (template, again)
    )
    assert first == second
    assert len(set(first)) == len(first)


def test_device_and_cached_parameters_do_not_count(template):
    assert describe(Simulations(template, RANGES, device="cpu")) == describe(
        Simulations(template, RANGES, device="cuda")
    )
    normal = dist.MultivariateNormal(torch.zeros(2), torch.eye(2) + 0.5)
    before = describe(normal)
    assert normal.precision_matrix.shape == (2, 2)  # torch keeps it from now on
    assert describe(normal) == before


def test_a_stream_that_is_no_dataclass_counts_by_its_class():
    class Own(TrainingStream):
        n_drawn = 0

        def draw(self):
            return Batch(data())

    own = Own()
    before = describe(own)
    own.n_drawn = 7
    assert describe(own) == before
    assert "Own" in before["class"]


def saved_run(template, tmp_path, stream, **options):
    limits = TrainingLimits(checkpoint=tmp_path / "training.safetensors", checkpoint_every=0)
    train(new_family(template), template, stream, schedule(), seed=1, limits=limits, **options)
    return limits


def test_another_stream_is_refused(template, tmp_path):
    limits = saved_run(template, tmp_path, Simulations(template, RANGES))
    written = limits.checkpoint.read_bytes()
    wider = PlateRanges(((1, 3), (4, 9)), 100, 2)
    refusals = {
        r"stream\.ranges\.bounds changed from \[\[1, 3\], \[4, 8\]\] to \[\[1, 3\], \[4, 9\]\]": (
            Simulations(template, wider)
        ),
        "stream.class changed from Simulations to Fixed": Fixed(data()),
    }
    for message, stream in refusals.items():
        with pytest.raises(CheckpointError, match=f"other training data: .*{message}"):
            train(
                new_family(template),
                template,
                stream,
                schedule(),
                seed=1,
                limits=limits,
                resume=True,
            )
    assert limits.checkpoint.read_bytes() == written


def test_other_data_are_refused(template, tmp_path):
    limits = saved_run(template, tmp_path, Fixed(data()))
    options = {"seed": 1, "limits": limits, "resume": True}
    train(new_family(template), template, Fixed(data()), schedule(), **options)
    with pytest.raises(CheckpointError, match=r"stream\.data changed from \d+ to \d+"):
        train(new_family(template), template, Fixed(data(1.0)), schedule(), **options)


def test_another_model_is_refused(template, tmp_path):
    limits = saved_run(template, tmp_path, Fixed(data()))
    other = analyse(other_model)
    with pytest.raises(CheckpointError, match=r"another model.*site 'group_mean': support changed"):
        train(
            new_family(other),
            other,
            Fixed(data()),
            schedule(),
            seed=1,
            limits=limits,
            resume=True,
        )


def test_another_seed_or_schedule_is_refused(template, tmp_path):
    stream = Simulations(template, RANGES)
    limits = saved_run(template, tmp_path, stream)
    with pytest.raises(CheckpointError, match="another schedule or seed"):
        train(
            new_family(template),
            template,
            stream,
            schedule(),
            seed=2,
            limits=limits,
            resume=True,
        )


def test_validation_data_count_where_they_can_end_a_stage(template, tmp_path):
    stream = Simulations(template, RANGES)
    limits = TrainingLimits(checkpoint=tmp_path / "training.safetensors", checkpoint_every=0)

    def run(stages, value, resume):
        train(
            new_family(template),
            template,
            stream,
            stages,
            seed=1,
            validation=data(value),
            limits=limits,
            resume=resume,
        )

    run(schedule(), 0.0, resume=False)
    run(schedule(), 1.0, resume=True)
    run(schedule(patience=2), 0.0, resume=False)
    with pytest.raises(CheckpointError, match=r"validation\.data changed"):
        run(schedule(patience=2), 1.0, resume=True)


def test_a_checkpoint_without_a_fingerprint_is_refused(template, tmp_path):
    stream = Simulations(template, RANGES)
    limits = saved_run(template, tmp_path, stream)
    tensors, meta = load_tensors(limits.checkpoint)
    del meta["run"]
    save_tensors(limits.checkpoint, tensors, meta)
    with pytest.raises(CheckpointError, match="earlier version"):
        train(
            new_family(template),
            template,
            stream,
            schedule(),
            seed=1,
            limits=limits,
            resume=True,
        )


def test_the_message_shows_the_first_differences(template, tmp_path):
    def run(stream):
        return {"schedule": "s", "seed": 0, "run": fingerprint(template, stream, None)}

    same = run(Simulations(template, RANGES))
    refuse_others(tmp_path / "x", same, json.loads(json.dumps(same)))
    other = run(Simulations(template, PlateRanges(((2, 2), (2, 2)), 1, 1)))
    with pytest.raises(CheckpointError) as caught:
        refuse_others(tmp_path / "x", same, other)
    assert caught.value.message.count(" changed from ") == 3


def test_resuming_without_a_file_is_told(template, tmp_path, caplog):
    stream = Simulations(template, RANGES)
    with pytest.raises(OptionError, match=r"limits=TrainingLimits\(checkpoint="):
        train(new_family(template), template, stream, schedule(), seed=1, resume=True)
    limits = TrainingLimits(checkpoint=tmp_path / "none.safetensors")
    with caplog.at_level(logging.WARNING):
        history = train(
            new_family(template),
            template,
            stream,
            schedule(),
            seed=1,
            limits=limits,
            resume=True,
        )
    assert len(history.loss) == 2
    assert f"no checkpoint at {limits.checkpoint}, starting from the beginning" in caplog.text
