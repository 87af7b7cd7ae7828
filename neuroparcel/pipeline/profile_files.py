"""The networks of every level as files of profiles over the targets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from neuroparcel.brain.reduction import Reduction
from neuroparcel.io.writers.profiles import ProfileWriter
from neuroparcel.parcellation.observed_cohort import Part
from neuroparcel.parcellation.site_summaries import SiteSummary
from neuroparcel.types import FloatArray


class NetworkProfiles:
    """Brings networks back from link coordinates to the targets, and writes them.

    Parameters
    ----------
    writer : ProfileWriter
    reduction : Reduction
        That the networks are in the coordinates of.
    """

    def __init__(self, writer: ProfileWriter, reduction: Reduction) -> None:
        self._writer, self._reduction = writer, reduction
        self.files: list[Path] = []

    def add(
        self, part: Part, sessions: Sequence[str], summaries: Mapping[str, SiteSummary]
    ) -> None:
        """Write the networks of some subjects, and of their sessions, where the model has them.

        Parameters
        ----------
        part : Part
        sessions : sequence of str
            Of the cohort.
        summaries : mapping of str to SiteSummary
            By site, of these subjects.
        """
        for row, subject in enumerate(part.subjects):
            if "subject_networks" in summaries:
                self._write(summaries["subject_networks"].mean[row], subject)
            if "session_networks" in summaries:
                for session, mean in zip(
                    sessions, summaries["session_networks"].mean[row], strict=True
                ):
                    self._write(mean, subject, session)

    def add_topmost(self, mean: FloatArray) -> None:
        """Write the population's networks, or the mean of the level that stands for them.

        As a table they are in every run anyway (``desc-population_networks.tsv``).
        """
        if self._writer.has_places:
            self._write(mean)

    def _write(
        self, mean: FloatArray, subject: str | None = None, session: str | None = None
    ) -> None:
        """Write the profiles of networks, (network, component), unless the session is missing."""
        if np.isfinite(mean).all():
            self.files += self._writer.write(self._reduction.inverse(mean), subject, session)
