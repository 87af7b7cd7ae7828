"""Sections to one page that needs nothing else, neither files nor a network."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from neuroparcel import __version__
from neuroparcel.report.maps import population_map, uncertainty
from neuroparcel.report.networks import networks
from neuroparcel.report.provenance import provenance, references
from neuroparcel.report.quality import RIVALS, calibration, data_quality, quality, training
from neuroparcel.report.run import ReportedRun
from neuroparcel.report.section import Section
from neuroparcel.report.stability import stability
from neuroparcel.report.subjects import subjects
from neuroparcel.report.summary import summary, title_of
from neuroparcel.report.surface import surface

if TYPE_CHECKING:
    from jinja2 import Environment

SECTIONS: tuple[Callable[[ReportedRun], Section | None], ...] = (
    summary,
    population_map,
    surface,
    networks,
    uncertainty,
    subjects,
    quality,
    calibration,
    stability,
    training,
    data_quality,
    provenance,
    references,
)
"""What the page holds, from the top; a function returns None where there is nothing to say."""

_MISSING = "n/a"


def render(run: ReportedRun, made: datetime | None = None) -> str:
    """The page.

    Parameters
    ----------
    run : ReportedRun
    made : datetime, optional
        When it was made; now if not given.

    Returns
    -------
    str
        HTML.
    """
    sections = [section for make in SECTIONS if (section := make(run)) is not None]
    return (
        _environment()
        .get_template("page.html")
        .render(
            title=title_of(run),
            run=run.name,
            verdict=run.record["verdict"],
            n_warnings=len(run.record["warnings"]),
            sections=sections,
            version=__version__,
            made=made or datetime.now(UTC),
            rivals=RIVALS,
        )
    )


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("neuroparcel.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    environment.filters["share"] = lambda value: _MISSING if _is_missing(value) else f"{value:.1%}"
    environment.filters["size"] = in_units
    return environment


def _number(value: float | None, digits: int = 2) -> str:
    """A number with so many digits; a dash where there is none."""
    return _MISSING if _is_missing(value) else f"{value:,.{digits}f}".replace("-", "−")  # noqa: RUF001


def _is_missing(value: float | None) -> bool:
    return value is None or math.isnan(value)


def in_units(n_bytes: int) -> str:
    """Bytes in a unit that can be read."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if n_bytes < 1000 or unit == "GB":
            break
        n_bytes = round(n_bytes / 1000)
    return f"{n_bytes:,} {unit}"
