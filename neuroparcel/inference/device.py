"""Which device to compute on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from neuroparcel.errors import OptionError


@contextmanager
def cpu_threads(n: int) -> Iterator[None]:
    """Torch computes with ``n`` CPU threads inside, and with as many as before outside.

    The tensors of a region are small: a second thread gains little on an idle
    machine, and where another program keeps a core busy the threads wait for each
    other (measured on 2 cores: 0.06 s a step with one thread, 1.7 s with two).
    """
    before = torch.get_num_threads()
    torch.set_num_threads(n)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def choose_device(name: str) -> torch.device:
    """``auto`` is the GPU where there is one, else the CPU; other names as torch knows them.

    Raises
    ------
    OptionError
        If there is no such device here.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.zeros(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise OptionError(
            f"the device '{name}' cannot be used here.", "Choose cpu, or auto."
        ) from error
    return device
