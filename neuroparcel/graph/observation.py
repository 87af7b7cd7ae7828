"""The observed site's data, with a mask for what is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Observation:
    """A batch of data sets for the observed site of a pyramid.

    Attributes
    ----------
    values : Tensor, shape (batch, plate_P, ..., plate_0, *event)
        Outermost plate first; zeros where masked.
    mask : Tensor of bool, shape (batch, plate_P, ..., plate_0)
        False where nothing was observed (a missing session, a dead vertex).
    """

    values: Tensor
    mask: Tensor

    def __post_init__(self) -> None:
        if self.mask.dtype != torch.bool:
            raise TypeError(f"mask must be bool, not {self.mask.dtype}")
        if self.values.shape[: self.mask.dim()] != self.mask.shape:
            raise ValueError(
                f"mask {tuple(self.mask.shape)} does not lead values {tuple(self.values.shape)}"
            )

    @classmethod
    def complete(cls, values: Tensor, event_dim: int = 1) -> Observation:
        """Nothing missing; ``values`` (batch, *plates, *event)."""
        shape = values.shape[: values.dim() - event_dim]
        return cls(values, torch.ones(shape, dtype=torch.bool, device=values.device))

    @property
    def batch_size(self) -> int:
        """Number of data sets."""
        return self.mask.shape[0]

    @property
    def plate_sizes(self) -> tuple[int, ...]:
        """Plate sizes, outermost first."""
        return tuple(self.mask.shape[1:])

    @property
    def n_observed(self) -> Tensor:
        """Number of observed elements of each data set, at least 1; shape (batch,)."""
        return self.mask.flatten(1).sum(1).clamp_min(1)

    def mask_at(self, hierarchy: int) -> Tensor:
        """Which ground variables of a hierarchy have any data below them."""
        mask = self.mask
        for _ in range(hierarchy):
            mask = mask.any(-1)
        return mask

    def to(self, device: torch.device | str) -> Observation:
        """The same observation on another device."""
        return Observation(self.values.to(device), self.mask.to(device))

    def take(self, index: Sequence[Tensor]) -> Observation:
        """Sub-pyramids: one index array (new_batch, new_size) per plate, outermost first.

        Row ``b`` of the result is the data set 0 of ``self`` restricted to
        ``index[0][b]`` x ``index[1][b]`` x ...
        """
        n = len(index)
        grids = [
            i.reshape(i.shape[0], *(1,) * p, -1, *(1,) * (n - p - 1)) for p, i in enumerate(index)
        ]
        return Observation(self.values[0][tuple(grids)], self.mask[0][tuple(grids)])
