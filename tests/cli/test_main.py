"""What becomes of errors, and what the commands print."""

from __future__ import annotations

import errno
import os
import signal
import sys

import pytest
from neuroparcel_cli.main import main

from neuroparcel import pipeline
from neuroparcel.atomic import atomic_path
from neuroparcel.errors import LayoutError, OutputError
from neuroparcel.io.writers.cifti_writer import CiftiWriter
from neuroparcel.pipeline import Check

FIT = ("fit", "--subjects", "list.txt", "--output", "out")


def raising(error: BaseException):
    def run(_options):
        raise error

    return run


@pytest.mark.parametrize("kind", [LayoutError, OutputError])
def test_a_known_error_is_a_line_and_a_tip(invoke, monkeypatch, kind):
    monkeypatch.setattr(pipeline, "fit", raising(kind("The list is empty.", "Name a subject.")))
    result = invoke(*FIT)
    assert result.exit_code == 2
    assert result.stderr == "Error: The list is empty.\nTip: Name a subject.\n"
    assert result.stdout == ""


def test_a_known_error_may_lack_a_tip(invoke, monkeypatch):
    monkeypatch.setattr(pipeline, "fit", raising(LayoutError("The list is empty.")))
    assert invoke(*FIT).stderr == "Error: The list is empty.\n"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "a.tsv"), "a.tsv cannot be read or"),
        (PermissionError(errno.EACCES, "Permission denied", b"a.tsv"), "a.tsv cannot be read or"),
        (OSError(errno.EROFS, "Read-only file system", "a.tsv"), r"(Read-only file system)."),
        (OSError(errno.ENOSPC, "No space left on device"), "A file cannot be read or written (No"),
    ],
    ids=["rights", "bytes", "read-only", "full"],
)
def test_what_the_machine_refuses_is_a_line_and_a_tip(invoke, monkeypatch, error, said):
    monkeypatch.setattr(pipeline, "fit", raising(error))
    result = invoke(*FIT)
    assert result.exit_code == 2
    line, tip = result.stderr.splitlines()
    assert line.startswith("Error: ")
    assert said in line
    assert tip.startswith("Tip: See whether you may use this place")


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EISDIR, errno.EBADF, None])
def test_other_refusals_may_be_bugs_and_keep_their_traceback(invoke, monkeypatch, number):
    error = OSError(number, "no", "a.tsv")
    monkeypatch.setattr(pipeline, "fit", raising(error))
    assert invoke(*FIT).exception is error


def test_an_unknown_error_keeps_its_traceback(invoke, monkeypatch):
    monkeypatch.setattr(pipeline, "fit", raising(ZeroDivisionError("a bug")))
    result = invoke(*FIT)
    assert isinstance(result.exception, ZeroDivisionError)
    assert result.exit_code == 1


def test_an_interrupt_is_a_line(invoke, monkeypatch):
    monkeypatch.setattr(pipeline, "fit", raising(KeyboardInterrupt()))
    result = invoke(*FIT)
    assert result.exit_code == 130
    assert result.stderr.strip() == "Interrupted. No half-written file was left behind."


def test_a_real_mistake(invoke, tmp_path):
    result = invoke("fit", "--subjects", tmp_path / "none.txt", "--output", tmp_path / "out")
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ")
    assert "none.txt" in result.stderr
    assert not (tmp_path / "out").exists()


def test_a_request_to_terminate_leaves_no_partial_file(tmp_path, monkeypatch):
    """The simulation is stopped while it writes its first recording."""

    def stopped(_writer, path, *_arguments):
        with atomic_path(path) as aside:
            aside.write_bytes(b"half")
            assert signal.getsignal(signal.SIGTERM) != signal.SIG_DFL
            os.kill(os.getpid(), signal.SIGTERM)
            pytest.fail("the signal was ignored")

    arguments = ["simulate", "--n-subjects", "1", "--n-frames", "4", "--output", str(tmp_path)]
    monkeypatch.setattr(CiftiWriter, "_write", stopped)
    monkeypatch.setattr(sys, "argv", ["neuroparcel", *arguments])
    before = signal.getsignal(signal.SIGTERM)
    try:
        with pytest.raises(SystemExit) as ended:
            main()
    finally:
        signal.signal(signal.SIGTERM, before)
    assert ended.value.code == 128 + signal.SIGTERM
    assert list(tmp_path.iterdir())  # it had begun
    assert not [path for path in tmp_path.rglob("*dtseries*") if path.is_file()]


def test_plot_passes_its_options_on_and_names_the_figures(invoke, monkeypatch, tmp_path):
    asked = []

    def plot(results, **options):
        asked.append(options)
        return [results / "a.png", results / "b.png"]

    monkeypatch.setattr(pipeline, "plot", plot)
    result = invoke("plot", tmp_path, "--only", "a,b", "--format", "svg,pdf", "--dpi", 150)
    assert result.stdout.splitlines() == [str(tmp_path / "a.png"), str(tmp_path / "b.png")]
    invoke("plot", tmp_path, "--subjects", "s1, s2", "--quiet")
    by_default = {"only": (), "formats": ("png",), "dpi": 300, "subjects": (), "quiet": False}
    assert asked == [
        {**by_default, "only": ("a", "b"), "formats": ("svg", "pdf"), "dpi": 150},
        {**by_default, "subjects": ("s1", "s2"), "quiet": True},
    ]


def test_doctor_lists_its_checks(invoke, monkeypatch):
    checks = [Check("python", True, "3.11"), Check("memory", False, "0.1 GB")]
    monkeypatch.setattr(pipeline, "doctor", lambda: checks)
    result = invoke("doctor")
    assert result.exit_code == 1
    assert result.stdout.splitlines() == ["ok    python  3.11", "FAIL  memory  0.1 GB"]
    monkeypatch.setattr(pipeline, "doctor", lambda: checks[:1])
    assert invoke("doctor").exit_code == 0


def test_simulate_says_how_to_go_on(invoke, tmp_path):
    given = ("--n-subjects", 1, "--n-sessions", 1, "--n-runs", 1, "--n-frames", 4, "--quiet")
    result = invoke("simulate", *given, "--output", tmp_path / "cohort")
    assert result.exit_code == 0
    assert f"--subjects {tmp_path / 'cohort' / 'hcp_list.txt'}" in result.stdout
    assert result.stderr == ""
    again = invoke("simulate", *given, "--output", tmp_path / "cohort")
    assert again.exit_code == 2
    assert "already holds a simulated cohort" in again.stderr


def test_simulate_draws_from_the_model(invoke, tmp_path):
    given = ("--difficulty", "easy", "--n-subjects", 1, "--n-sessions", 1, "--quiet")
    result = invoke("simulate", *given, "--output", tmp_path / "cohort")
    assert result.exit_code == 0
    assert f"--subjects {tmp_path / 'cohort' / 'cohort.tsv'} --features maps" in result.stdout
    refused = invoke("simulate", *given, "--n-frames", 4, "--output", tmp_path / "other")
    assert refused.exit_code == 2
    assert "--n-frames is of recordings, and --difficulty asks for maps." in refused.stderr
