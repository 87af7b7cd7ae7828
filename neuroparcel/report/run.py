"""A finished run, as a report sees it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from neuroparcel.brain.atlas import Region
from neuroparcel.brain.parcellation import Parcellations, SoftParcellation
from neuroparcel.brain.stability import StabilityReport
from neuroparcel.inference.stages import TrainingHistory
from neuroparcel.parcellation.reliability import ReliabilityTable
from neuroparcel.report.survey import SubjectView, survey
from neuroparcel.types import FloatArray


@dataclass(frozen=True, eq=False)
class NetworkProfiles:
    """The population's networks over the targets.

    Attributes
    ----------
    targets : tuple of str
    values : (target, network) array of float
    """

    targets: tuple[str, ...]
    values: FloatArray


@dataclass(frozen=True, eq=False)
class ReportedRun:
    """What is known of a finished run.

    Attributes
    ----------
    name : str
        Of its folder.
    record : mapping
        Its ``run.json``.
    settings : mapping
        What its model is made of: the options of the fit, for ``infer`` those that the model tells.
    command : str
        The command line that makes the same results again.
    parcellations : Parcellations
    present : mapping of str to tuple of str
        Sessions of each subject.
    region : Region
    figures : mapping of str to Path
        Pictures that the run has drawn, by their names; those of its stability analysis begin
        with ``stability/``.
    undrawn : str, optional
        Why there are no maps, in one line; None if the region lies on the fs_LR 32k cortex.
    profiles : NetworkProfiles, optional
    history : TrainingHistory, optional
    reliability : ReliabilityTable, optional
    similarity : (node, node) array of float, optional
    stability : StabilityReport, optional
    advance : callable
        Called with the number done, the number in all, and what comes next.
    """

    name: str
    record: Mapping[str, Any]
    settings: Mapping[str, Any]
    command: str
    parcellations: Parcellations
    present: Mapping[str, tuple[str, ...]]
    region: Region
    figures: Mapping[str, Path]
    undrawn: str | None = None
    profiles: NetworkProfiles | None = None
    history: TrainingHistory | None = None
    reliability: ReliabilityTable | None = None
    similarity: FloatArray | None = None
    stability: StabilityReport | None = None
    advance: Callable[[int, int, str], None] = lambda done, total, what: None

    @cached_property
    def population(self) -> SoftParcellation:
        """The population's parcellation; read once."""
        return self.parcellations.of_population()

    @cached_property
    def subjects(self) -> tuple[SubjectView, ...]:
        """What there is to say of each subject; each map is read once."""
        return survey(
            self.parcellations,
            self.population,
            self.present,
            drawable=self.is_drawable,
            advance=self.advance,
        )

    @property
    def is_drawable(self) -> bool:
        """Whether the region lies on the fs_LR 32k cortex."""
        return self.undrawn is None

    @property
    def rows_are(self) -> str:
        """What the rows of the region are: vertices, voxels, nodes."""
        return self.population.axis.rows_are

    @property
    def n_sessions(self) -> int:
        """Sessions of all subjects together."""
        return sum(map(len, self.present.values()))
