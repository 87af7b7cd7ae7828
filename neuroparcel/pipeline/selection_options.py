"""Options of a comparison of numbers of networks."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path

from neuroparcel.errors import OptionError
from neuroparcel.pipeline.options import FitOptions, ProfileOptions


@dataclass(frozen=True, kw_only=True)
class SelectOptions(ProfileOptions):
    """Options of :func:`neuroparcel.pipeline.select`, beside those of :class:`ProfileOptions`.

    Attributes
    ----------
    output : Path
        Folder for the tables and the figure.
    networks : str
        Numbers of networks: ``a:b`` (both ends count), ``a:b:step``, or several with commas.
    folds : int
        Parts that the subjects are held out in; leave-one-out with fewer subjects.
    jobs : int
        Processes that read, and then learn, at the same time.
    connectome, skip_bad, link, scaling, variance, levels, emission, kappa, label_prior, smoothness
        As in :class:`FitOptions`, and so the others.
    """

    output: Path
    connectome: Path | None = None
    skip_bad: bool = False
    networks: str = "2:12"
    folds: int = 5
    link: str | None = None
    scaling: str = "single"
    variance: float = 0.8
    levels: str = "population,subject,session"
    emission: str = "l-normal"
    kappa: str = "shared"
    label_prior: str = "global"
    smoothness: str = "0"
    calibrate: bool = False
    family: str = "reference"
    seed: int = 0
    device: str = "auto"
    threads: int = 1
    steps: int | None = None
    overwrite: bool = False
    figures: bool = True

    def __post_init__(self) -> None:
        if self.folds < 2:
            raise OptionError(f"--folds is {self.folds}.", "Give at least 2.")
        self.fit_options(self.numbers[0])
        super().__post_init__()

    @property
    def numbers(self) -> tuple[int, ...]:
        """Numbers of networks, rising.

        Raises
        ------
        OptionError
            If there are fewer than two, one is below 2, or the text is no such list.
        """
        found = {n for part in str(self.networks).split(",") for n in _range_of(part)}
        if len(found) < 2 or min(found) < 2:
            raise OptionError(
                f"--networks {self.networks} leaves nothing to choose between.",
                "Give at least two numbers, from 2 on, such as 2:12.",
            )
        return tuple(sorted(found))

    def fit_options(self, n_networks: int) -> FitOptions:
        """The options of a fit with one of the numbers, without progress bars."""
        shared = {f.name for f in fields(FitOptions)} & {f.name for f in fields(self)}
        given = {name: getattr(self, name) for name in shared}
        return FitOptions(**{**given, "networks": n_networks, "quiet": True})


def _range_of(text: str) -> range:
    """``7`` is one number, ``2:5`` goes up to 5, ``2:12:5`` in steps of 5."""
    try:
        numbers = [int(part) for part in text.split(":")]
        if len(numbers) == 1:
            return range(numbers[0], numbers[0] + 1)
        first, last, step = (*numbers, 1)[:3]
        if len(numbers) > 3 or step < 1 or last < first:
            raise ValueError
    except ValueError:
        raise OptionError(
            f"--networks has the range '{text}'.",
            "Give first:last such as 2:12, first:last:step, or numbers with commas.",
        ) from None
    return range(first, last + 1, step)
