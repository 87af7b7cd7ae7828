"""Posteriors of many sub-populations of one data set, whose members are encoded once.

What a data set says of a member of its outermost plate does not depend on the other members. So
hundreds of sub-populations share the encodings of their members, and only the top of the encoder
runs for each.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neuroparcel.errors import OptionError
from neuroparcel.families.adavi import Adavi, MeanFieldPosterior
from neuroparcel.graph.observation import Observation
from neuroparcel.inference.posterior import AmortizedPosterior
from neuroparcel.nets.hierarchical_encoder import EncodedMembers


@dataclass(frozen=True, eq=False)
class EncodedCohort:
    """A data set whose members are encoded.

    Attributes
    ----------
    family : Adavi
    data : Observation
        Batch of one.
    members : EncodedMembers
    """

    family: Adavi
    data: Observation
    members: EncodedMembers

    @classmethod
    @torch.no_grad()
    def of(cls, posterior: AmortizedPosterior, data: Observation) -> EncodedCohort:
        """Encode the members of a data set.

        Raises
        ------
        OptionError
            If the family answers only for the data that it was fitted to.
        """
        family = posterior.family
        if not isinstance(family, Adavi):
            raise OptionError(
                f"{family.name} is not amortized: it has no encoder that sub-populations share.",
                "Fit the family 'adavi'.",
            )
        return cls(family, data, family.encoder.members(data))

    @torch.no_grad()
    def condition(self, index: Tensor) -> MeanFieldPosterior:
        """The posteriors of sub-populations, as a batch.

        Parameters
        ----------
        index : Tensor of int, shape (sub-population, size)
            Numbers of the members.
        """
        encodings = self.family.encoder.together(self.members.take(index))
        return self.family.condition(encodings, self.take(index))

    def take(self, index: Tensor) -> Observation:
        """The data of sub-populations, (sub-population, size, ...)."""
        return Observation(self.data.values[0][index], self.data.mask[0][index])
