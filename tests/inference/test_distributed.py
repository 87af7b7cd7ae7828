"""Training in parallel as under torchrun, two processes on the CPU."""

import os
import runpy
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from neuroparcel.errors import OptionError
from neuroparcel.inference.distributed import (
    average_gradients,
    backend,
    local_device,
    process_group,
    rank,
)

TRAIN = """
import torch
from safetensors.torch import save_file
from neuroparcel.graph import analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.inference import Schedule, Stage, TrainingLimits, fit
from neuroparcel.families.mean_field import MeanField
from neuroparcel.inference.data import Batch, TrainingStream
from neuroparcel.inference.distributed import process_group, rank
from neuroparcel.inference.trainer import train
from neuroparcel.models.toys import gaussian_random_effects

class Failing(TrainingStream):
    # The second process fails at about half of its steps, while the first has a loss.

    def __init__(self, data):
        self.data = data

    def draw(self):
        if rank() == 1 and float(torch.rand(())) < 0.5:
            raise torch.linalg.LinAlgError("linalg.cholesky: not positive-definite")
        return Batch(self.data)

def main(folder, label):
    torch.set_num_threads(1)
    template = analyse(gaussian_random_effects)
    stages = Schedule((
        Stage("shift", "map", 4, 1e-3, ("encoder", "shift"), 2),
        Stage("posterior", "reverse-kl", 6, 1e-3, ("encoder", "shift", "scale", "flow"), 2),
    ))
    with seeded(3):
        data = template.simulate((3, 20), 1)[1]
    with process_group():
        sizes = {"group": 3, "point": 20}
        amortized = fit(template, plate_sizes=sizes, schedule=stages, seed=0, device="cpu")
        # The point has no noise: every process computes the gradient of one alone.
        point = Schedule((Stage("point", "map", 8, 1e-2, ("factors",)),))
        single = fit(template, "mean-field", data=data, schedule=point, device="cpu")
        number = rank()
        with seeded(rank()):  # other weights in each process, until they are shared
            rough = MeanField(template, data.plate_sizes, data.batch_size)
            for parameter in rough.parameters():
                torch.nn.init.normal_(parameter, std=0.1)
        history = train(rough, template, Failing(data), point, seed=1)
        with open(f"{folder}/{label}-{number}-steps.txt", "w") as file:
            file.write(str(len(history.loss)))
    name = f"{folder}/{label}-{number}"
    save_file(amortized.family.state_dict(), f"{name}-adavi.safetensors")
    save_file(single.family.state_dict(), f"{name}-point.safetensors")
    save_file(rough.state_dict(), f"{name}-rough.safetensors")
"""

# What torchrun --standalone --nproc-per-node=2 does, but for its two workers, which are forked:
# three imports of torch take longer than the training.
LAUNCH = """
import sys
import train
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

config = LaunchConfig(
    min_nodes=1,
    max_nodes=1,
    nproc_per_node=2,
    start_method="fork",
    rdzv_backend="c10d",
    rdzv_endpoint="localhost:0",
)
elastic_launch(config, train.main)(*sys.argv[1:])
"""


def run_alone(folder, label, monkeypatch):
    """In this process, which saves starting one."""
    for name in ("RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)
    script = folder / "train.py"
    script.write_text(TRAIN)
    runpy.run_path(str(script))["main"](folder, label)


def run_two(folder, label):
    (folder / "train.py").write_text(TRAIN)
    (folder / "launch.py").write_text(LAUNCH)
    command = [sys.executable, "launch.py", str(folder), label]
    environment = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")}
    environment["OMP_NUM_THREADS"] = "1"
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr[-2000:]


def weights(folder, name):
    return load_file(folder / f"{name}.safetensors")


def test_two_processes_hold_the_same_weights(tmp_path, monkeypatch):
    run_two(tmp_path, "two")
    run_alone(tmp_path, "one", monkeypatch)
    first, second = (weights(tmp_path, f"two-{number}-adavi") for number in (0, 1))
    alone = weights(tmp_path, "one-0-adavi")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], alone[name]) for name in first)
    # The average of two equal gradients is that gradient.
    shared, single = (weights(tmp_path, f"{label}-0-point") for label in ("two", "one"))
    for name, value in single.items():
        torch.testing.assert_close(shared[name], value)
    # Where one process fails, both skip the batch, and neither waits for the other.
    taken = [int((tmp_path / f"two-{number}-steps.txt").read_text()) for number in (0, 1)]
    assert taken[0] == taken[1]
    assert 0 < taken[0] < 8
    assert int((tmp_path / "one-0-steps.txt").read_text()) == 8
    first, second = (weights(tmp_path, f"two-{number}-rough") for number in (0, 1))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_backend_fits_the_device(monkeypatch):
    """The CPU of a machine with a GPU talks over gloo."""
    for has_gpu in (False, True):
        monkeypatch.setattr(torch.cuda, "is_available", lambda has_gpu=has_gpu: has_gpu)
        assert backend(torch.device("cpu")) == "gloo"
        assert backend(torch.device("cuda", 1)) == "nccl"
        assert backend(None) == ("cpu:gloo,cuda:nccl" if has_gpu else "gloo")


def test_a_process_of_torchrun_has_its_own_gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("LOCAL_RANK", raising=False)
    gpu, cpu = torch.device("cuda"), torch.device("cpu")
    assert local_device(gpu) == gpu
    monkeypatch.setenv("LOCAL_RANK", "1")
    assert local_device(gpu) == torch.device("cuda", 1)
    assert local_device(cpu) == cpu
    assert local_device(torch.device("cuda", 0)) == torch.device("cuda", 0)
    monkeypatch.setenv("LOCAL_RANK", "2")
    with pytest.raises(OptionError, match=r"started a process 2.*2 are visible.*--nproc-per-node"):
        local_device(gpu)


def test_alone_nothing_is_joined_or_averaged(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with process_group(torch.device("cpu")):
        assert rank() == 0
        assert not torch.distributed.is_initialized()
    weight = torch.nn.Parameter(torch.zeros(2))
    weight.grad = torch.ones(2)
    assert average_gradients([weight])
    assert not average_gradients([weight], usable=False)
    assert torch.equal(weight.grad, torch.ones(2))
