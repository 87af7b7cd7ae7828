"""Where each family computes."""

from __future__ import annotations

import torch

from neuroparcel.errors import OptionError
from neuroparcel.inference.device import choose_device


def device_for(family: str, device: str) -> torch.device:
    """The device that a family uses; the reference is for CPUs alone.

    Parameters
    ----------
    family : {"adavi", "reference"}
    device : str
        ``auto`` or the name of a device.

    Raises
    ------
    OptionError
        If there is no such device, or the reference is asked to use a GPU.
    """
    if family != "reference":
        return choose_device(device)
    if device not in ("auto", "cpu"):
        raise OptionError(
            f"--family reference runs on the CPU, not on '{device}'.",
            "Leave --device away, or give --family adavi.",
        )
    return torch.device("cpu")
