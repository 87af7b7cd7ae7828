"""Several processes, one device each, under ``torchrun``; alone otherwise."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import Tensor, nn

from neuroparcel.errors import OptionError


def local_device(device: torch.device) -> torch.device:
    """The own GPU of a process of ``torchrun``, where ``device`` is any GPU; else ``device``.

    Raises
    ------
    OptionError
        If there are more processes than GPUs.
    """
    if str(device) != "cuda" or "LOCAL_RANK" not in os.environ:
        return device
    number, n_devices = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if number >= n_devices:
        raise OptionError(
            f"torchrun started a process {number}, and there is no GPU {number}: "
            f"{n_devices} are visible.",
            "Give --nproc-per-node the number of GPUs, or choose the device cpu.",
        )
    return torch.device("cuda", number)


@contextmanager
def process_group(device: torch.device | None = None) -> Iterator[None]:
    """Join the processes that ``torchrun`` started, if it did and nobody has yet.

    Parameters
    ----------
    device : torch.device, optional
        What this process computes on, from :func:`local_device`. Without it, tensors of
        the CPU and of GPUs may both be shared.
    """
    joins = "RANK" in os.environ and "WORLD_SIZE" in os.environ and not dist.is_initialized()
    if not joins:
        yield
        return
    if device is not None and device.type == "cuda":
        torch.cuda.set_device(device)
    dist.init_process_group(backend(device))
    try:
        yield
    finally:
        dist.destroy_process_group()


def backend(device: torch.device | None) -> str:
    """Torch's name of what carries tensors of a device between processes."""
    if device is not None:
        return "nccl" if device.type == "cuda" else "gloo"
    return "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"


def rank() -> int:
    """Number of this process; 0 when alone."""
    return dist.get_rank() if dist.is_initialized() else 0


def share_weights(module: nn.Module) -> None:
    """Give all processes the first one's weights."""
    if not dist.is_initialized():
        return
    for tensor in module.state_dict().values():
        dist.broadcast(tensor, 0)


def average_gradients(parameters: Sequence[nn.Parameter], *, usable: bool = True) -> bool:
    """Average the gradients over all processes, unless one of them has none to give.

    One exchange carries the gradients and who has which, and every process makes it
    at every step: a process whose loss failed leaves no other waiting.

    Parameters
    ----------
    parameters : sequence of Parameter
    usable : bool
        False where this process's loss or gradient could not be computed.

    Returns
    -------
    bool
        Whether all were usable; if not, no gradient was changed.
    """
    if not dist.is_initialized():
        return usable
    own = [p.grad if usable else None for p in parameters]
    known = [float(usable), *(float(grad is not None) for grad in own)]
    pairs = zip(parameters, own, strict=True)
    values = [(torch.zeros_like(p) if g is None else g).reshape(-1) for p, g in pairs]
    shared = torch.cat([torch.tensor(known, device=parameters[0].device), *values])
    dist.all_reduce(shared)
    n_processes = dist.get_world_size()
    counts, rest = shared[: len(known)].tolist(), shared[len(known) :] / n_processes
    if counts[0] < n_processes:
        return False
    averages = rest.split([p.numel() for p in parameters])
    for parameter, count, mean in zip(parameters, counts[1:], averages, strict=True):
        if count:  # where no process has a gradient, as when alone, Adam leaves it out
            parameter.grad = mean.view_as(parameter).to(parameter.dtype)
    return True


def average(value: Tensor) -> Tensor:
    """The mean over all processes of a detached scalar."""
    if not dist.is_initialized():
        return value
    total = value.detach().clone()
    dist.all_reduce(total)
    return total / dist.get_world_size()


def agreed(value: float, device: torch.device) -> float:
    """The first process's value, so that all take the same turn."""
    if not dist.is_initialized():
        return value
    shared = torch.tensor(value, dtype=torch.float64, device=device)
    dist.broadcast(shared, 0)
    return float(shared)
