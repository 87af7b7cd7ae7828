"""What a stability analysis is called in words, by its design: for terminal, page and figures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neuroparcel.brain.designs import EVERYONE
from neuroparcel.brain.stability import StabilityReport


@dataclass(frozen=True)
class DesignWords:
    """The words for one design.

    Attributes
    ----------
    noun : str
        What is counted, in the singular.
    n_maps : int
        Maps of each of them.
    drawn : str
        How, after the subjects that they are drawn from; begins with a comma if not empty.
    from_whom : str
        A sentence's part, with ``{whom}``.
    between : str
        The two that a pair is made of.
    beside : str
        The same, short.
    overlap : str
        Why pairs, or sub-populations and the full group, agree too, with ``{size}``,
        ``{shared}`` and ``{whole}``.
    """

    noun: str = "sub-population"
    n_maps: int = 1
    drawn: str = ""
    from_whom: str = "drawn at random from {whom}"
    between: str = "between two sub-populations"
    beside: str = "between sub-populations"
    overlap: str = (
        "Sub-populations overlap: two of size {size} have {shared} subjects in common on average, "
        "and all of them are among {whole}. They agree for that reason too."
    )

    @property
    def is_paired(self) -> bool:
        """Whether certain pairs are compared, and not any two."""
        return self.n_maps > 1

    @property
    def nouns(self) -> str:
        """The plural of what is counted."""
        first, *rest = self.noun.split(" ", 1)
        return " ".join([f"{first}s", *rest])

    @property
    def maps(self) -> str:
        """What single maps are of."""
        return _MAPS[self.noun] if self.is_paired else "sub-populations"

    def counted(self, n_maps: int) -> str:
        """How many were drawn, of which there are so many maps.

        Examples
        --------
        >>> words_of("test-retest").counted(80), words_of("split-half").counted(2)
        ('40 sub-populations', '1 pair of sub-populations')
        """
        return self.counted_among([n_maps])

    def counted_among(self, numbers: Sequence[int]) -> str:
        """The same where groups or sizes may have different numbers."""
        found = sorted({n // self.n_maps for n in numbers})
        noun = self.noun if found == [1] else self.nouns
        return f"{' or '.join(f'{n:,}' for n in found)} {noun}"


_PAIR = "pair of sub-populations"
_MAPS = {_PAIR: "halves", "sub-population": "maps of sub-populations"}
_WORDS = {
    "without-replacement": DesignWords(),
    "bootstrap": DesignWords(
        drawn=", drawn with replacement",
        from_whom="drawn at random and with replacement from {whom}",
    ),
    "jackknife": DesignWords(drawn=", one left out at a time", from_whom="each {whom} but one"),
    "split-half": DesignWords(
        noun=_PAIR,
        n_maps=2,
        drawn=", without a common subject",
        from_whom="drawn without a common subject from {whom}",
        between="between the two halves of a pair",
        beside="between the halves",
        overlap=(
            "The two halves of a pair share no subject, but both are among {whole}, and agree "
            "with its map for that reason too."
        ),
    ),
    "test-retest": DesignWords(
        n_maps=2,
        drawn=", each from one session and from another",
        from_whom="drawn at random from {whom}, each once with one session and once with another",
        between="between the two sessions of the same sub-population",
        beside="between the sessions",
        overlap=(
            "The two maps of a pair are of the same subjects, and differ by session only: they "
            "do not tell how other subjects would differ. All are among {whole}, and agree with "
            "its map for that reason too."
        ),
    ),
}


def words_of(kind: str) -> DesignWords:
    """The words for a design."""
    return _WORDS[kind]


def whole_of(group: str) -> str:
    """What all subjects of a group are called together."""
    return "full population" if group == EVERYONE else "full group"


def whole_in(report: StabilityReport) -> str:
    """The same of whatever groups an analysis has."""
    return whole_of(next(iter(report.full), EVERYONE))
