"""The observed site's data, with a mask for what is missing."""

from __future__ import annotations

import hashlib
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

    @classmethod
    def single(cls, values: Tensor, event_dim: int = 1) -> Observation:
        """One data set (*plates, *event); an element with any NaN is missing."""
        values = values.unsqueeze(0)
        missing = values.isnan()
        mask = ~(missing.flatten(values.dim() - event_dim).any(-1) if event_dim else missing)
        return cls(torch.where(missing, torch.zeros_like(values), values), mask)

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

    def sum_present(self, log_prob: Tensor, hierarchy: int) -> Tensor:
        """Sum (..., batch, *plates) over the plates of a hierarchy, where there is data."""
        return sum_where(self.mask_at(hierarchy), log_prob)

    def digest(self) -> int:
        """A number that another data set has not (63 bits of SHA-256 of values and mask)."""
        sha = hashlib.sha256(repr(self.values.shape).encode())
        for tensor in (self.values, self.mask):
            sha.update(tensor.detach().cpu().contiguous().numpy().tobytes())
        return int.from_bytes(sha.digest()[:8], "big") >> 1

    def to(self, device: torch.device | str) -> Observation:
        """The same observation on another device."""
        return Observation(self.values.to(device), self.mask.to(device))

    def take_sets(self, index: Tensor) -> Observation:
        """Some of the data sets, by their numbers."""
        return Observation(self.values[index], self.mask[index])

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


def sum_where(mask: Tensor, log_prob: Tensor) -> Tensor:
    """Sum (..., batch, *plates) over the plates where ``mask`` (batch, *plates) is true."""
    masked = torch.where(mask, log_prob, torch.zeros_like(log_prob))
    n_plates = mask.dim() - 1
    return masked.flatten(-n_plates).sum(-1) if n_plates else masked
