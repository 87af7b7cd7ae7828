"""Where each family computes."""

from __future__ import annotations

import torch

from neuroparcel.errors import OptionError
from neuroparcel.inference.device import choose_device
from neuroparcel.pipeline.families import FAMILIES


def device_for(family: str, device: str) -> torch.device:
    """The device that a family uses; some are for CPUs alone.

    Parameters
    ----------
    family : str
        One of :data:`~neuroparcel.pipeline.families.FAMILIES`.
    device : str
        ``auto`` or the name of a device.

    Raises
    ------
    OptionError
        If there is no such device, or a family for CPUs is asked to use a GPU.
    """
    if FAMILIES[family].on_gpu:
        return choose_device(device)
    if device not in ("auto", "cpu"):
        raise OptionError(
            f"--family {family} runs on the CPU, not on '{device}'.",
            "Leave --device away, or give --family adavi.",
        )
    return torch.device("cpu")
