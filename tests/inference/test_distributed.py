"""Training in parallel under torchrun, two processes on the CPU."""

import os
import subprocess
import sys

import torch
from safetensors.torch import load_file

SCRIPT = """
import sys
import torch
from safetensors.torch import save_file
from neuroparcel.graph import analyse
from neuroparcel.graph.trace import seeded
from neuroparcel.inference import Schedule, Stage, TrainingLimits, fit
from neuroparcel.inference.distributed import process_group, rank
from neuroparcel.models.toys import gaussian_random_effects

torch.set_num_threads(1)
folder = sys.argv[1]
template = analyse(gaussian_random_effects)
stages = Schedule((
    Stage("shift", "map", 4, 1e-3, ("encoder", "shift"), 2),
    Stage("posterior", "reverse-kl", 6, 1e-3, ("encoder", "shift", "scale", "flow"), 2),
))
with seeded(3):
    data = template.simulate((3, 20), 1)[1]
with process_group():
    amortized = fit(template, schedule=stages, seed=0, device="cpu")
    # The point has no noise: every process computes the gradient of one alone.
    point = Schedule((Stage("point", "map", 8, 1e-2, ("factors",)),))
    single = fit(template, "mean-field", data=data, schedule=point, device="cpu")
    number = rank()
name = f"{folder}/{sys.argv[2]}-{number}"
save_file(amortized.family.state_dict(), f"{name}-adavi.safetensors")
save_file(single.family.state_dict(), f"{name}-point.safetensors")
"""


def run(folder, label, *launcher):
    script = folder / "train.py"
    script.write_text(SCRIPT)
    command = [sys.executable, *launcher, str(script), str(folder), label]
    environment = {k: v for k, v in os.environ.items() if k not in ("RANK", "WORLD_SIZE")}
    environment["OMP_NUM_THREADS"] = "1"
    done = subprocess.run(
        command, env=environment, cwd=folder, capture_output=True, text=True, timeout=180
    )
    assert done.returncode == 0, done.stderr[-2000:]


def weights(folder, name):
    return load_file(folder / f"{name}.safetensors")


def test_two_processes_hold_the_same_weights(tmp_path):
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2")
    run(tmp_path, "two", *launcher)
    run(tmp_path, "one")
    first, second = (weights(tmp_path, f"two-{rank}-adavi") for rank in (0, 1))
    alone = weights(tmp_path, "one-0-adavi")
    assert all(torch.equal(first[name], second[name]) for name in first)
    assert any(not torch.equal(first[name], alone[name]) for name in first)
    # The average of two equal gradients is that gradient.
    shared, single = (weights(tmp_path, f"{label}-0-point") for label in ("two", "one"))
    for name, value in single.items():
        torch.testing.assert_close(shared[name], value)
