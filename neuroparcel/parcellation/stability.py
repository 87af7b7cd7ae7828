"""How stable a parcellation is: the same posterior, asked about hundreds of sub-populations.

One trained posterior parcellates all of them (ADAVI, section 3.4: hundreds of sub-populations of
five subjects). Its weights, anchors and reduction have seen the whole cohort, so a study says how
much the choice of subjects moves a parcellation, not how much training would.

References
----------
Rouillard and Wassermann, ADAVI, ICLR 2022, section 3.4.
Kong et al., Cerebral Cortex 2019 (test-retest within and between subjects).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from typing import Protocol

import numpy as np
import torch

from neuroparcel.brain.connectome import Cohort
from neuroparcel.brain.designs import (
    ALL_SESSIONS,
    Design,
    SubPopulations,
    draw_sub_populations,
)
from neuroparcel.brain.identity import Identity
from neuroparcel.brain.parcellation import SoftParcellation
from neuroparcel.brain.reduction import Reduction
from neuroparcel.brain.stability import StabilityReport
from neuroparcel.errors import OptionError
from neuroparcel.graph.observation import Observation
from neuroparcel.models.mshbm import MSHBM
from neuroparcel.parcellation.label_model import LabelModel
from neuroparcel.parcellation.networks import TrainedNetworks
from neuroparcel.parcellation.observed_cohort import ObservedCohort, Part
from neuroparcel.parcellation.stability_blocks import (
    Block,
    BlockPlace,
    FullGroup,
    blocks_of,
    places_of,
)
from neuroparcel.parcellation.stability_measures import Maps, joined
from neuroparcel.parcellation.stability_report import Nulls, assemble
from neuroparcel.parcellation.subpopulation_labels import Labeller
from neuroparcel.parcellation.subpopulations import AMORTIZED, source_of
from neuroparcel.types import FloatArray, IntArray

_N_DRAWS = 64  # that the paper's labels are a mean over, as of a cohort
_N_FEW = 16  # that expected densities are means over, as of a cohort

Progress = Callable[[int, int, str], None]


class TrainedModel(Protocol):
    """What a fit leaves behind, such as :class:`neuroparcel.pipeline.SavedModel`."""

    @property
    def networks(self) -> TrainedNetworks:
        """Of the training cohort."""

    @property
    def labels(self) -> LabelModel | None:
        """How evidence becomes labels; None for the paper's."""

    @property
    def reduction(self) -> Reduction:
        """Between profiles and link coordinates."""

    @property
    def identity(self) -> Identity:
        """Names and colours of the networks."""

    @property
    def model(self) -> MSHBM:
        """The MS-HBM."""

    @property
    def anchors(self) -> FloatArray:
        """Where networks are anchored, (network, component)."""


@dataclass(frozen=True, eq=False)
class StabilityStudy:
    """Which sub-populations of a cohort are parcellated, and how.

    The study is done block by block: blocks can be made in any order, in several processes, and
    be kept on disk. The same study has the same blocks.

    Parameters
    ----------
    model : TrainedModel
    observed : ObservedCohort
    design : Design
    cells : tuple of SubPopulations
        Of each group and size.
    method : {"amortized", "refit:mean-field", "refit:reference"}
    prior : {"own", "trained"}
        Where a vertex-wise prior of labels is from.
    """

    model: TrainedModel
    observed: ObservedCohort
    design: Design
    cells: tuple[SubPopulations, ...]
    method: str = AMORTIZED
    prior: str = "own"

    def __post_init__(self) -> None:
        self._labeller(ALL_SESSIONS)  # which says what cannot be done

    @property
    def places(self) -> tuple[BlockPlace, ...]:
        """The blocks: at most 32 of each group and size."""
        return places_of(self.cells, batched=self.method == AMORTIZED)

    @property
    def n_samples(self) -> int:
        """Sub-populations of all groups and sizes."""
        return sum(len(cell) for cell in self.cells)

    def run(self, place: BlockPlace) -> Block:
        """Parcellate some sub-populations, as many at a time as memory is meant to hold."""
        cell = self.cells[place.cell]
        members = cell.members[place.start : place.stop]
        session = cell.session[place.start : place.stop]
        full, lacks = self.full_group(cell), cell.lacks[place.start : place.stop]
        if not _can_lack(cell):
            lacks = lacks[:, :0]
        found: list[Block] = []
        rows: list[IntArray] = []
        for column in np.unique(session):
            (own,) = np.nonzero(session == column)
            chunks = self._labeller(int(column)).chunks(members[own])
            found += blocks_of(chunks, full, self.model.reduction, lacks[own])
            rows.append(own)
        return reduce(Block.plus, found).in_order(np.concatenate(rows))

    def report(
        self,
        blocks: Callable[[BlockPlace], Block],
        *,
        n_permutations: int = 1000,
        spins: int = 0,
        progress: Progress | None = None,
    ) -> StabilityReport:
        """What all blocks say.

        Parameters
        ----------
        blocks : callable
            The block of a place; asked for one at a time.
        n_permutations : int
            Of the sessions of subjects, for the null of test-retest reliability.
        spins : int
            Rotations of the full group's map, for the null of the agreement with it.
        progress : callable, optional
            Called with the number of sub-populations done, that of all, and what was done last.

        Raises
        ------
        NeuroparcelError
            If a spin test is asked for where it cannot be made.
        """
        nulls = Nulls(n_permutations, spins, self.design.seed)
        return assemble(self, blocks, nulls, progress)

    def full_group(self, cell: SubPopulations) -> FullGroup:
        """The parcellation of a whole group, all sessions together, and of it less some."""
        known = self._full
        if cell.group not in known:
            labeller, reduction = self._labeller(ALL_SESSIONS), self.model.reduction
            found = labeller(cell.pool[None])
            soft = SoftParcellation(
                self.observed.cohort.axis,
                self.model.identity.networks,
                found.population[0],
                found.data[0],
                self.model.identity.colours,
            )
            others = [np.setdiff1d(cell.pool, part)[None] for part in cell.left_out]
            without = joined([Maps.of(labeller(rows), reduction) for rows in others])
            known[cell.group] = FullGroup(soft, Maps.of(found, reduction).at(0), without)
        return known[cell.group]

    @cached_property
    def whole(self) -> Part:
        """The cohort in link coordinates."""
        return self.observed.whole()

    @cached_property
    def _full(self) -> dict[str, FullGroup]:
        return {}

    @cached_property
    def _labellers(self) -> dict[int, Labeller]:
        return {}

    def _labeller(self, session: int) -> Labeller:
        """What labels sub-populations from one session, or all."""
        known = self._labellers
        if session not in known:
            model, data, strength = self.model, self.whole.data, self.whole.strength
            if session != ALL_SESSIONS:
                own = slice(session, session + 1)
                data = Observation(data.values[:, :, own], data.mask[:, :, own])
                strength = None if strength is None else strength[:, own]
            n_draws = _N_DRAWS if model.labels is None else _N_FEW
            anchors = torch.as_tensor(model.anchors).to(data.values)
            source = source_of(
                self.method,
                model.networks,
                anchors,
                data,
                strength,
                n_draws=n_draws,
                seed=self.design.seed,
            )
            known[session] = Labeller(source, model.labels, self.prior)
        return known[session]


def plan_study(
    model: TrainedModel,
    observed: ObservedCohort,
    design: Design,
    *,
    method: str = AMORTIZED,
    prior: str = "own",
    groups: Mapping[str, IntArray] | None = None,
    strata: IntArray | None = None,
    retest: tuple[int, int] | None = None,
) -> StabilityStudy:
    """Draw the sub-populations of a design.

    Parameters
    ----------
    model : TrainedModel
    observed : ObservedCohort
    design : Design
    method : {"amortized", "refit:mean-field", "refit:reference"}
        One posterior for all, or networks that are fitted to each sub-population.
    prior : {"own", "trained"}
        Whether each sub-population learns its own prior of the labels of a vertex.
    groups : mapping of str to array of int, optional
        Rows of the cohort in each group; everyone by default.
    strata : (subject,) array of int, optional
        Codes of strata that each sub-population has in the proportions of its group.
    retest : pair of int, optional
        Columns of the two sessions of a test-retest design.

    Raises
    ------
    OptionError
        If the design, the method or the prior cannot be had of this cohort.
    """
    cells = draw_sub_populations(
        design, observed.cohort.n_subjects, groups=groups, strata=strata, retest=retest
    )
    if retest is not None:
        _check_retest(observed.cohort, cells, retest)
    return StabilityStudy(model, observed, design, cells, method, prior)


def stability(
    posterior: TrainedModel,
    cohort: Cohort,
    design: Design,
    *,
    method: str = AMORTIZED,
    prior: str = "own",
    groups: Mapping[str, IntArray] | None = None,
    strata: IntArray | None = None,
    retest: tuple[int, int] | None = None,
    n_permutations: int = 1000,
    spins: int = 0,
    progress: Progress | None = None,
) -> StabilityReport:
    """Parcellate the sub-populations of a design, and say how stable labels are.

    All in memory; ``neuroparcel stability`` keeps its blocks on disk.

    Parameters
    ----------
    posterior : TrainedModel
        Of :func:`neuroparcel.pipeline.load_model`.
    cohort : Cohort
        Profiles that the model can read.
    design : Design
    method, prior, groups, strata, retest
        See :func:`plan_study`.
    n_permutations, spins, progress
        See :meth:`StabilityStudy.report`.

    Returns
    -------
    StabilityReport
    """
    device = posterior.model.population_covariance.device
    observed = ObservedCohort(cohort, posterior.reduction, device)
    study = plan_study(
        posterior,
        observed,
        design,
        method=method,
        prior=prior,
        groups=groups,
        strata=strata,
        retest=retest,
    )
    return study.report(study.run, n_permutations=n_permutations, spins=spins, progress=progress)


def _can_lack(cell: SubPopulations) -> bool:
    """Whether a group without some subjects has more than one sub-population of the size.

    Where it has not, sub-populations without a subject are the group without it, and nothing is
    known of how they would vary.
    """
    return cell.size < len(cell.pool) - max(map(len, cell.left_out))


def _check_retest(cohort: Cohort, cells: Sequence[SubPopulations], retest: tuple[int, int]) -> None:
    """Raise OptionError if someone who may be drawn lacks one of two sessions."""
    has_both = np.all(cohort.present[:, list(retest)], axis=1)
    for cell in cells:
        lacking = [cohort.subjects[row] for row in cell.pool if not has_both[row]]
        if lacking:
            raise OptionError(
                f"a test-retest needs both sessions of a subject; {lacking[0]} lacks one.",
                "Draw from those that have both: give them as groups.",
            )
