"""Which device to compute on."""

from __future__ import annotations

import torch

from neuroparcel.errors import OptionError


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
            f"the device '{name}' cannot be used here.", "Give --device cpu, or auto."
        ) from error
    return device
