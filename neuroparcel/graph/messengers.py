"""Pyro handlers that say where the values of sample sites come from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from pyro.distributions import TorchDistribution
from pyro.poutine.messenger import Messenger
from torch import Tensor


class Given(Messenger):
    """Every sample site takes the given value; their distributions are kept."""

    def __init__(self, values: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._values = values
        self._distributions: dict[str, TorchDistribution] = {}

    def _pyro_sample(self, msg: dict[str, Any]) -> None:
        if msg["name"] in self._values:
            msg["value"] = self._values[msg["name"]]
            msg["done"] = True

    def _pyro_post_sample(self, msg: dict[str, Any]) -> None:
        if msg["name"] in self._values:
            self._distributions[msg["name"]] = msg["fn"]

    def log_prob(self, name: str) -> Tensor:
        """Log density of a site at the value it was given."""
        return self._distributions[name].log_prob(self._values[name])


class Filled(Messenger):
    """Latents keep their value where there is data, and are drawn elsewhere."""

    def __init__(self, given: Mapping[str, Tensor], present: Mapping[str, Tensor]) -> None:
        super().__init__()
        self._given, self._present = given, present
        self.values: dict[str, Tensor] = {}

    def _pyro_sample(self, msg: dict[str, Any]) -> None:
        name = msg["name"]
        if name not in self._given:
            return
        given, fn = self._given[name], msg["fn"]
        batch = given.shape[: given.dim() - len(fn.event_shape)]
        # A site without parents has no dimensions of draws yet: each needs one of its own.
        drawn = fn.expand(torch.broadcast_shapes(fn.batch_shape, batch)).sample()
        msg["value"] = torch.where(self._present[name], given, drawn)
        msg["done"] = True
        self.values[name] = msg["value"]


class Proposed(Messenger):
    """Named sample sites draw from a proposal instead of their own distribution."""

    def __init__(self, proposals: Mapping[str, TorchDistribution]) -> None:
        super().__init__()
        self._proposals = proposals

    def _pyro_sample(self, msg: dict[str, Any]) -> None:
        if msg["name"] in self._proposals:
            # The model's own plates have already broadcast the distribution it replaces.
            msg["fn"] = self._proposals[msg["name"]].expand(msg["fn"].batch_shape)
