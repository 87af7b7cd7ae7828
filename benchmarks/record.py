"""Figures of a benchmark, one a row, with what they were measured on."""

from __future__ import annotations

import csv
import datetime
import operator
import os
import platform
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from statistics import median

from neuroparcel.atomic import atomic_path
from neuroparcel.versions import versions

_COMPARISONS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}


@dataclass(frozen=True)
class Row:
    """One figure."""

    benchmark: str
    case: str
    measure: str
    value: float
    unit: str
    goal: str
    seed: int | str
    seconds: float
    peak_mb: float
    machine: str
    versions: str
    date: str

    @property
    def verdict(self) -> str:
        """Whether the goal is met; empty without one."""
        if not self.goal:
            return ""
        sign, bound = self.goal.split()
        return "met" if _COMPARISONS[sign](self.value, float(bound)) else "MISSED"


@dataclass
class Recorder:
    """Collects rows; seconds and peak memory are those of the enclosing :meth:`timed`."""

    benchmark: str
    quick: bool = False
    rows: list[Row] = field(default_factory=list)

    @contextmanager
    def timed(self) -> Iterator[Clock]:
        """A clock to hand to :meth:`add`."""
        yield Clock(time.monotonic())

    def add(
        self,
        case: str,
        measure: str,
        value: float,
        *,
        unit: str = "",
        goal: str = "",
        seed: int | str = "",
        clock: Clock | None = None,
    ) -> None:
        """Note one figure and print it."""
        seconds = round(clock.seconds, 1) if clock else float("nan")
        named = f"{case} (quick)" if self.quick else case
        self._append(named, measure, float(value), unit, goal, seed, seconds)

    def _append(
        self,
        case: str,
        measure: str,
        value: float,
        unit: str,
        goal: str,
        seed: int | str,
        seconds: float,
    ) -> None:
        row = Row(
            benchmark=self.benchmark,
            case=case,
            measure=measure,
            value=value,
            unit=unit,
            goal=goal,
            seed=seed,
            seconds=seconds,
            peak_mb=round(peak_mb()),
            machine=machine(),
            versions=" ".join(f"{k}={v}" for k, v in versions().items()),
            date=datetime.date.today().isoformat(),
        )
        self.rows.append(row)
        print(
            f"{row.case:28} seed {row.seed!s:6} {measure:44} {row.value:9.4g} {unit:6} "
            f"{goal:10} {row.verdict}",
            flush=True,
        )

    def add_medians(self) -> None:
        """The median over seeds of every figure that was measured more than once."""
        groups: dict[tuple[str, str], list[Row]] = {}
        for row in self.rows:
            groups.setdefault((row.case, row.measure), []).append(row)
        for (case, measure), rows in groups.items():
            if len({row.seed for row in rows}) > 1:
                values = [row.value for row in rows]
                seeds = f"median of {len(rows)}"
                goal, unit = rows[0].goal, rows[0].unit
                self._append(case, measure, median(values), unit, goal, seeds, float("nan"))

    def table(self) -> str:
        """Goals met and missed."""
        judged = [row for row in self.rows if row.goal]
        missed = [row for row in judged if row.verdict == "MISSED"]
        lines = [f"{len(judged) - len(missed)} of {len(judged)} goals met"]
        lines += [
            f"MISSED {r.case} seed {r.seed} {r.measure}: {r.value:.4g}, goal {r.goal}"
            for r in missed
        ]
        return "\n".join(lines)

    def write(self, folder: Path) -> None:
        """Write the rows as ``NAME.csv``."""
        if not self.rows:
            return
        with atomic_path(folder / f"{self.benchmark}.csv") as aside, aside.open("w") as file:
            writer = csv.DictWriter(file, [f.name for f in fields(Row)], lineterminator="\n")
            writer.writeheader()
            writer.writerows(asdict(row) for row in self.rows)


@dataclass(frozen=True)
class Clock:
    """Wall time since it was made."""

    started: float

    @property
    def seconds(self) -> float:
        """Seconds so far."""
        return time.monotonic() - self.started


def peak_mb() -> float:
    """Peak resident memory of this process and of the largest finished child, in MB."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return max(_own_peak(), children) / 1024


def _own_peak() -> int:
    """In kB: of /proc, as ``getrusage`` of a process has the peak of the one that started it."""
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def machine() -> str:
    """Processor architecture and number of cores."""
    return f"{platform.machine()} {os.cpu_count()} cores"
