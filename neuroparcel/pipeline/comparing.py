"""Two fits, a fit and an atlas, or two atlases: how far they agree, and where they differ."""

from __future__ import annotations

from collections.abc import Mapping, Set
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from neuroparcel.brain.comparison import (
    Agreement,
    NetworkAgreement,
    NetworkMap,
    Pairs,
    align,
    measure,
    network_agreement,
)
from neuroparcel.errors import OptionError
from neuroparcel.parcellation.spins import SpinTest, load_spheres, spin_test
from neuroparcel.pipeline.compared import Source, match_sources, open_source
from neuroparcel.pipeline.comparison_files import Comparison, check_output, write_comparison
from neuroparcel.pipeline.figure_files import Printing
from neuroparcel.pipeline.figures import is_drawable
from neuroparcel.pipeline.progress import progress_bar, say

MATCHES = ("overlap", "profiles", "names")

_NOT_PART_OF_THE_RESULT = {"output", "figures", "formats", "dpi", "overwrite", "quiet"}


@dataclass(frozen=True, kw_only=True)
class CompareOptions:
    """Options of :func:`neuroparcel.pipeline.compare`.

    Attributes
    ----------
    first, second : str
        Results folder of ``fit`` or ``infer``, name of an atlas, or label file.
    output : Path, optional
        Folder for tables, maps and figure; nothing is written without it.
    match : {"overlap", "profiles", "names"}
        How networks are paired one to one: by the Dice coefficients of the maps, by the
        correlations of the profiles of two fits, or by name.
    subjects : bool
        Compare the subjects that two fits have in common too.
    spins : int
        Rotations of a spin test; 0 for none.
    seed : int
        Of the rotations.
    formats : tuple of {"png", "svg", "pdf"}
        A file of the figure for each.
    dpi : int
        Dots an inch of the figure, which is 180 mm wide.
    figures, overwrite, quiet : bool
        As in ``neuroparcel compare --help``.
    """

    first: str
    second: str
    output: Path | None = None
    match: str = "overlap"
    subjects: bool = True
    spins: int = 0
    seed: int = 0
    figures: bool = True
    formats: tuple[str, ...] = ("png",)
    dpi: int = 300
    overwrite: bool = False
    quiet: bool = False

    def __post_init__(self) -> None:
        if self.match not in MATCHES:
            raise OptionError(f"--match is '{self.match}'.", f"Choose one of {', '.join(MATCHES)}.")
        if self.spins < 0:
            raise OptionError(f"--spins is {self.spins}.", "Give a number of rotations, or 0.")
        Printing(self.formats, self.dpi)  # checks them

    def record(self) -> dict[str, Any]:
        """The options that the result depends on, as plain JSON values."""
        given = asdict(self).items()
        return {name: value for name, value in given if name not in _NOT_PART_OF_THE_RESULT}


def compare(options: CompareOptions) -> Comparison:
    """Match the networks of two maps one to one, and measure how far the maps agree.

    Parameters
    ----------
    options : CompareOptions

    Returns
    -------
    Comparison

    Raises
    ------
    NeuroparcelError
        On bad input; nothing has been written then.

    Examples
    --------
    >>> found = compare(CompareOptions(first="yeo7", second="yeo17"))
    >>> found.agreement.n_vertices
    58666
    """
    if options.output is not None:
        check_output(options.output, overwrite=options.overwrite)
    first, second = open_source(options.first), open_source(options.second)
    maps = align(first.map, second.map)
    pairs = match_sources(first, second, maps, options.match)
    rows = network_agreement(*maps, pairs)
    elsewhere = (first.not_dead, second.not_dead)
    found = Comparison(
        first=first,
        second=second,
        match=options.match,
        pairs=pairs,
        maps=maps,
        agreement=measure(*maps, pairs),
        networks=tuple(row for row in rows if not _is_elsewhere(row, elsewhere)),
        subjects=_compare_subjects(first, second, maps, pairs, options),
        spins=_spin(first, second, pairs, options),
    )
    if options.output is None:
        return found
    drawable = is_drawable(maps[0].axis)
    if options.figures and not drawable:
        say("No figure: only maps of the fs_LR 32k cortex are drawn.", quiet=options.quiet)
    printing = Printing(options.formats, options.dpi) if options.figures and drawable else None
    files = write_comparison(options.output, found, options.record(), printing=printing)
    return replace(found, files=tuple(files))


def _compare_subjects(
    first: Source,
    second: Source,
    aligned: tuple[NetworkMap, NetworkMap],
    pairs: Pairs,
    options: CompareOptions,
) -> Mapping[str, Agreement]:
    """Agreement of each subject that both have, on the rows of the aligned maps."""
    names = [name for name in first.subjects if name in second.subjects] if options.subjects else []
    if not names:
        return {}
    ours = first.map.axis.rows_of(aligned[0].axis)
    theirs = second.map.axis.rows_of(aligned[1].axis)
    found = {}
    with progress_bar("subjects", quiet=options.quiet) as advance:
        for done, name in enumerate(names):
            advance(done, len(names), name)
            maps = first.of_subject(name).restrict(ours), second.of_subject(name).restrict(theirs)
            found[name] = measure(*maps, pairs)
        advance(len(names), len(names))
    return found


def _spin(first: Source, second: Source, pairs: Pairs, options: CompareOptions) -> SpinTest | None:
    if options.spins == 0:
        return None
    spheres = load_spheres(first.map, second.map)
    with progress_bar("spinning", quiet=options.quiet) as advance:
        return spin_test(
            first.map,
            second.map,
            pairs,
            spheres,
            n_spins=options.spins,
            seed=options.seed,
            rematch=options.match == "overlap",
            progress=advance,
        )


def _is_elsewhere(row: NetworkAgreement, elsewhere: tuple[Set[str], Set[str]]) -> bool:
    """Whether a row is a network that only lies where the maps are not compared."""
    if row.first is None:
        return row.n_second == 0 and row.second in elsewhere[1]
    return row.second is None and row.n_first == 0 and row.first in elsewhere[0]
