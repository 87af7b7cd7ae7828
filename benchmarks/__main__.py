"""Run one benchmark, print its table, write ``benchmarks/results/NAME.csv``."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path

from benchmarks.record import Recorder
from neuroparcel.errors import OptionError

OF_REAL_DATA = ("demo", "cortex", "gallery", "stability")
NAMES = ("exact", "loading", "simulated", "cost", "figures", *OF_REAL_DATA)


def main() -> None:
    """Parse the command line and run."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--quick", action="store_true", help="under 5 minutes on 2 cores")
    parser.add_argument("--seed", type=int, default=0, help="first seed (default 0)")
    parser.add_argument(
        "--data", type=Path, help="folder of real data (default: NEUROPARCEL_TEST_DATA)"
    )
    arguments = parser.parse_args()
    recorder = Recorder(arguments.name, quick=arguments.quick)
    try:
        run(arguments.name, recorder, arguments.seed, arguments.data)
    except OptionError as error:
        parser.error(str(error))
    finally:
        recorder.write(Path(__file__).parent / "results")
    print(recorder.table())


def run(name: str, recorder: Recorder, seed: int, data: Path | None) -> None:
    """Run one benchmark by its name."""
    benchmark = import_module(f"benchmarks.{name}")
    if name in OF_REAL_DATA:
        benchmark.run(recorder, seed, data)
    else:
        benchmark.run(recorder, seed)


if __name__ == "__main__":
    main()
