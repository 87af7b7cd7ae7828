"""Names of files in BIDS derivatives: what a file is, and of which run."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, TypeAlias

Form: TypeAlias = Literal["CIFTI", "surface", "volume", "parcels"]

# Entities that tell runs apart; everything else tells renditions of one run apart.
_RUN_ENTITIES = ("acq", "ce", "rec", "dir", "run", "echo")
_SOURCE_ENTITIES = ("sub", "ses", "task", *_RUN_ENTITIES)
# Spaces in which subjects cannot be compared, vertex by vertex or voxel by voxel.
_OWN_SPACES = ("", "T1w", "T2w", "fsnative", "func", "boldref", "native", "individual")
# What fMRIPrep ("preproc", or none for CIFTI) and XCP-D ("denoised") call the time series; their
# smoothed and otherwise altered versions are read only if asked for.
_USUAL_DESCRIPTIONS = ("denoised", "preproc", "")
_HEMISPHERES = ("L", "R")

_FORMS: dict[str, Form] = {
    "bold.dtseries.nii": "CIFTI",
    "bold.func.gii": "surface",
    "bold.nii.gz": "volume",
    "bold.nii": "volume",
    "timeseries.ptseries.nii": "parcels",
    "timeseries.tsv": "parcels",
}
_MASK = "mask.nii.gz"
_CENSOR = "outliers.tsv"
_CONFOUNDS = ("timeseries.tsv", "regressors.tsv")  # the second until fMRIPrep 20.2


@dataclass(frozen=True)
class BidsName:
    """A file of BIDS derivatives, by its name.

    Parameters
    ----------
    folder : str
        Where it lies.
    name : str
        Its name.
    entities : dict of str to str
        Keys and labels, in the order of the name.
    ending : str
        Suffix and extension, such as ``"bold.dtseries.nii"``.

    Examples
    --------
    >>> parse_name("", "sub-1_task-rest_run-2_space-fsLR_den-91k_bold.dtseries.nii").rendition
    'fsLR_den-91k'
    """

    folder: str
    name: str
    entities: dict[str, str]
    ending: str

    @property
    def path(self) -> Path:
        """The file."""
        return Path(self.folder, self.name)

    @cached_property
    def form(self) -> Form | None:
        """What kind of time series it holds, if any."""
        form = _FORMS.get(self.ending)
        if form == "parcels" and not ({"atlas", "seg"} & self.entities.keys()):
            return None  # a table of confounds, of motion, and the like
        if form == "surface" and self.entities.get("hemi") not in _HEMISPHERES:
            return None
        return form

    @cached_property
    def task(self) -> str:
        """Its task; empty if the name tells none."""
        return self.entities.get("task", "")

    @cached_property
    def source(self) -> tuple[tuple[str, str], ...]:
        """Subject, session, task and run: the entities of the raw file."""
        return tuple((key, self.entities[key]) for key in _SOURCE_ENTITIES if key in self.entities)

    @property
    def run(self) -> str:
        """Name of the run, such as ``dir-LR_run-1``; ``"1"`` if the session has but one."""
        named = (f"{key}-{self.entities[key]}" for key in _RUN_ENTITIES if key in self.entities)
        return "_".join(named) or "1"

    @cached_property
    def rendition(self) -> str:
        """Space, density, resolution, atlas: what tells the renditions of a run apart."""
        apart = {*_SOURCE_ENTITIES, "hemi", "space", "desc", "stat"}
        words = [f"{key}-{label}" for key, label in self.entities.items() if key not in apart]
        return "_".join([self.entities.get("space", ""), *words]).strip("_")

    @property
    def is_usual(self) -> bool:
        """Whether it lies in a common space and is described as fMRIPrep and XCP-D do."""
        common = self.form == "parcels" or self.entities.get("space", "") not in _OWN_SPACES
        return common and self.entities.get("desc", "") in _USUAL_DESCRIPTIONS

    @property
    def rank(self) -> int:
        """0 for grayordinates of fs_LR with 91,282 rows, 1 for other spaces, 2 for parcels."""
        if self.form == "parcels":
            return 2
        fs_lr = self.form == "CIFTI" and self.entities.get("space", "fsLR") == "fsLR"
        return 0 if fs_lr and self.entities.get("den", "91k") == "91k" else 1

    @property
    def preference(self) -> tuple[int, int]:
        """Which of two files of one run and rendition to read: the smaller."""
        description = self.entities.get("desc", "")
        usual = description in _USUAL_DESCRIPTIONS
        return (
            _USUAL_DESCRIPTIONS.index(description) if usual else len(_USUAL_DESCRIPTIONS),
            list(_FORMS).index(self.ending),  # a ptseries before its tsv, as it knows its TR
        )

    def answers(self, choice: str) -> bool:
        """Whether each word of ``--space``, such as ``fsLR_den-91k``, is its space or entity."""
        own = {f"{key}-{label}" for key, label in self.entities.items()}
        own.add(self.entities.get("space", ""))
        return all(word in own for word in choice.split("_"))


def parse_name(folder: str, name: str) -> BidsName | None:
    """Take a name apart; None if it is not made of entities."""
    *pairs, ending = name.split("_")
    entities = {}
    for pair in pairs:
        key, dash, label = pair.partition("-")
        if not dash:
            return None
        entities[key] = label
    return BidsName(folder, name, entities, ending)


def is_wanted(name: str) -> bool:
    """Whether a file may hold a time series or something that belongs to one; cheap."""
    return name.startswith("sub-") and name.endswith(
        (*_FORMS, _MASK, _CENSOR, "desc-confounds_regressors.tsv")
    )


def mask_of(data: BidsName, beside: Iterable[BidsName]) -> Path | None:
    """Brain mask of a volume, among the files of its folder."""
    fits = [
        other
        for other in beside
        if other.ending == _MASK
        and other.entities.get("desc") == "brain"
        and other.source == data.source
        and other.rendition == data.rendition
    ]
    return fits[0].path if fits else None


def censor_of(data: BidsName, beside: Iterable[BidsName]) -> Path | None:
    """XCP-D's outliers of a run, else fMRIPrep's confounds, whose outlier columns serve too."""
    return _nearest(data, (o for o in beside if o.ending == _CENSOR)) or confounds_of(data, beside)


def confounds_of(data: BidsName, beside: Iterable[BidsName]) -> Path | None:
    """The table of confounds that fMRIPrep made of a run."""
    return _nearest(data, (other for other in beside if is_confounds(other)))


def is_confounds(name: BidsName) -> bool:
    """Whether a file is fMRIPrep's table of confounds."""
    return name.entities.get("desc") == "confounds" and name.ending in _CONFOUNDS


def find_confounds(path: Path) -> Path | None:
    """The table of confounds that lies beside a time series, by the names of both.

    Parameters
    ----------
    path : pathlib.Path
        A time series with a BIDS name.
    """
    data = parse_name(str(path.parent), path.name)
    if data is None:
        return None
    names = sorted(other.name for other in path.parent.glob("*_desc-confounds_*.tsv"))
    parsed = (parse_name(str(path.parent), name) for name in names)
    return confounds_of(data, [other for other in parsed if other is not None])


def _nearest(data: BidsName, others: Iterable[BidsName]) -> Path | None:
    """The file that shares most entities with a run and contradicts none of them.

    An echo has the confounds of its run, so the table may have fewer entities.
    """
    own = set(data.source)
    fits = [other for other in others if set(other.source) <= own]
    return max(fits, key=lambda other: len(other.source)).path if fits else None
