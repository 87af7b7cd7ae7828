"""Every bad input ends in one clear line and its exit code; nothing is lost or half written."""

from __future__ import annotations

import os
import re
from pathlib import Path

import numpy as np
import pytest

from neuroparcel.atomic import ASIDE
from neuroparcel.errors import FileFormatError, OutputError
from neuroparcel.io.store import open_store

from . import (
    bad_atlases,
    bad_cohorts,
    bad_comparisons,
    bad_figures,
    bad_lists,
    bad_recordings,
    bad_reports,
    bad_signals,
    bad_stability,
    bad_stores,
)
from .bad_files import Folder
from .bad_inputs import PARTLY_DONE, REFUSED, Case, Printed, Section, document

DOCUMENT = Path(__file__).parents[2] / "docs" / "bad_inputs.md"
MENDED = re.compile(r"\. \S")  # a second sentence
WRITING = "NEUROPARCEL_WRITE_DOCS" in os.environ

HEAD = """# Bad inputs

What `neuroparcel` prints for inputs that are bad or look so, and its exit code: 2 if it refused
and wrote nothing, 3 if a part could not be done and the rest was, 0 if the input can be used after
all. A recording that cannot be read never stops `neuroparcel connectome build`: the others are
kept. `neuroparcel fit` reads all first and stops before anything is written; `--skip-bad` leaves
bad recordings out. Paths are shortened to names of files.

This file is what the tests print. After a message has changed, write it again with
`NEUROPARCEL_WRITE_DOCS=1 pytest tests/integration/test_bad_inputs.py`."""

SECTIONS: tuple[Section, ...] = (
    bad_lists.lists,
    bad_recordings.files,
    bad_recordings.surfaces,
    bad_recordings.volumes,
    bad_recordings.arrays,
    bad_signals.signals,
    bad_signals.cleaning,
    bad_cohorts.regions,
    bad_atlases.atlases,
    bad_cohorts.cohorts,
    bad_cohorts.networks,
    bad_stores.stores,
    bad_stores.machines,
    bad_figures.figures,
    bad_comparisons.comparisons,
    bad_reports.reports,
    bad_stability.stabilities,
    bad_lists.options,
)
CASES = [case for section in SECTIONS for case in section.cases]


@pytest.fixture(scope="module")
def printed() -> dict[str, Printed]:
    """What the cases have printed so far, by their titles."""
    return {}


def contents(folder: Path) -> dict[str, bytes]:
    """Every file and folder, but for a store; numpy opens what a case has locked."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if name != "store" and not name.startswith("store/"):
            found[name] = np.fromfile(path, np.uint8).tobytes() if path.is_file() else b""
    return found


def stored(store: Path) -> tuple[str, ...]:
    """Subjects whose sessions are in a store; none where it cannot be opened."""
    try:
        opened = open_store(store)
    except (OutputError, FileFormatError):
        return ()
    return tuple(who for (who, _), entry in opened.index.entries.items() if entry.key)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.title)
def test_it_ends_in_one_line(case: Case, printed: dict[str, Printed], tmp_path: Path):
    with pytest.MonkeyPatch.context() as patch:
        folder = Folder(tmp_path, patch)
        arguments = case.make(folder)
        before = contents(tmp_path)
        result = folder.run(arguments)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    shown = Printed.of(arguments, result.output, result.exit_code, tmp_path)
    printed[case.title] = shown
    assert (shown.code, "Traceback" in shown.text) == (case.code, False), shown.text
    assert case.names in shown.text
    if case.code == REFUSED:
        error, *tips = shown.text.split("\nTip: ")
        assert error.startswith("Error: ")
        assert len(tips) == 1, "how to mend it"
        assert "\n" not in tips[0]
        assert all(line.startswith("  subject ") for line in error.split("\n")[1:])
    if case.code == PARTLY_DONE:
        errors = [line for line in shown.text.splitlines() if " failed: " in line]
        assert all(MENDED.search(error) for error in errors), "how to mend it"
    assert contents(tmp_path) == before
    assert not list(tmp_path.rglob(f"{ASIDE}*"))
    assert stored(tmp_path / "store") == case.done
    if not WRITING:
        assert shown.row(case.title) in DOCUMENT.read_text(encoding="utf-8").splitlines()


def test_titles_are_distinct():
    assert len({case.title for case in CASES}) == len(CASES)


def test_the_document_is_what_was_printed(printed: dict[str, Printed]):
    if len(printed) < len(CASES):
        pytest.skip("not all cases were run")
    text = document(
        HEAD,
        {
            section.title: [printed[case.title].row(case.title) for case in section.cases]
            for section in SECTIONS
        },
    )
    if WRITING:
        DOCUMENT.write_text(text, encoding="utf-8")
    assert DOCUMENT.read_text(encoding="utf-8") == text
