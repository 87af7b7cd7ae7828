from __future__ import annotations

import os
import signal
import sys
import time

import pytest

from neuroparcel.errors import ConnectomeError, OptionError, OutputError
from neuroparcel.io import scheduling
from neuroparcel.io.scheduling import Outcome, Scheduler, WorkerDiedError, run_tasks, slurm_cluster


@pytest.mark.parametrize(
    ("text", "kind", "address", "options"),
    [
        ("local", "local", "", {}),
        ("dask:tcp://login1:8786", "dask", "tcp://login1:8786", {}),
        ("slurm", "slurm", "", {}),
        (
            "slurm:queue=long,walltime=02:00:00,cores=4",
            "slurm",
            "",
            {"queue": "long", "walltime": "02:00:00", "cores": "4"},
        ),
    ],
)
def test_schedulers_are_understood(text, kind, address, options):
    scheduler = Scheduler.parse(text)
    assert (scheduler.kind, scheduler.address, dict(scheduler.options)) == (kind, address, options)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("cloud", "Unknown scheduler 'cloud'. Use local, dask:tcp://host:port, or slurm:"),
        ("dask:login1", "Unknown scheduler 'dask:login1'"),
        ("local:4", "Unknown scheduler 'local:4'"),
        ("slurm:colour=red", "Unknown option of SLURM: colour=red. Use account, cores, memory,"),
        ("slurm:queue", "Unknown option of SLURM: queue="),
        ("slurm:cores=many", "SLURM needs a number of cores, not 'many'"),
    ],
)
def test_other_schedulers_are_refused(text, message):
    with pytest.raises(OptionError) as caught:
        Scheduler.parse(text)
    assert message in str(caught.value)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_every_task_has_an_outcome(n_jobs):
    def invert(task: float) -> float:
        if task == 2:
            raise ConnectomeError("Two is bad.", "Take another.")
        return 1 / task

    seen: list[int] = []
    outcomes = run_tasks(
        invert, [1, 0, 2, 4], n_jobs=n_jobs, on_outcome=lambda outcome: seen.append(outcome.number)
    )
    assert [outcome.number for outcome in outcomes] == [0, 1, 2, 3]
    assert sorted(seen) == [0, 1, 2, 3]
    assert [outcome.value for outcome in outcomes] == [1, None, None, 0.25]
    assert [outcome.error_line for outcome in outcomes] == [
        "",
        "ZeroDivisionError: division by zero",
        "Two is bad. Take another.",
        "",
    ]
    assert "in invert" in outcomes[1].error.__notes__[0]  # the traceback
    assert isinstance(outcomes[2].error, ConnectomeError)
    assert {outcome.n_attempts for outcome in outcomes} == {1}


def test_workers_compute_with_one_thread():
    def n_threads(_: int) -> tuple[int, set[int]]:
        import numpy  # noqa: F401
        from threadpoolctl import threadpool_info

        return os.getpid(), {pool["num_threads"] for pool in threadpool_info()}

    for n_jobs in (1, 2):
        for outcome in run_tasks(n_threads, [0, 1], n_jobs=n_jobs):
            pid, found = outcome.value
            assert found == {1}
            assert (pid == os.getpid()) == (n_jobs == 1)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_where_one_cannot_write_none_can(n_jobs):
    def write(task: int) -> int:
        if task == 1:
            raise OutputError("The disk is full.", "Free space.")
        return task

    with pytest.raises(OutputError, match="The disk is full") as caught:
        run_tasks(write, list(range(40)), n_jobs=n_jobs)
    assert caught.value.tip == "Free space."


def test_a_worker_that_dies_is_replaced(tmp_path):
    """One task kills its worker once, another always; nothing else is lost."""
    once = tmp_path / "once"

    def work(task: int) -> int:
        if task == 1 and not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if task == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.02)
        return task * 10

    outcomes = run_tasks(work, range(6), n_jobs=2)
    assert [outcome.value for outcome in outcomes] == [0, 10, 20, None, 40, 50]
    assert outcomes[1].n_attempts > 1
    assert outcomes[3] == Outcome(3, None, outcomes[3].error, 3)
    assert isinstance(outcomes[3].error, WorkerDiedError)
    assert outcomes[3].error_line == "The worker process died 3 times, perhaps out of memory."


def test_a_task_that_was_ended_is_not_counted_as_death(tmp_path):
    """Dask begins tasks again whose results were lost with a worker."""
    begin = scheduling._note_beginning
    for _ in range(5):
        note, n_deaths = begin(tmp_path, 7)
        assert n_deaths == 0
        note.replace(scheduling._ended(note))
    assert [begin(tmp_path, 7)[1] for _ in range(4)] == [0, 1, 2, 3]
    assert begin(tmp_path, 8)[1] == 0


def test_an_outcome_that_was_read_takes_no_space_and_is_not_made_again(tmp_path):
    marks = tmp_path / "marks"
    marks.mkdir()

    def work(task: int) -> bytes:
        (marks / f"{len(list(marks.iterdir()))}").touch()
        return bytes(task)

    folder = tmp_path / "notes"
    folder.mkdir()
    call = scheduling._Call(work, folder, None)
    function = call.written()
    scheduling._attempt_noted(function, 7, 100_000)
    file = scheduling._outcome_file(folder, 7)
    assert file.stat().st_size > 100_000
    assert call.read(7) == Outcome(7, bytes(100_000))
    assert file.stat().st_size == 0
    scheduling._attempt_noted(function, 7, 100_000)
    assert len(list(marks.iterdir())) == 1
    assert file.stat().st_size == 0
    with pytest.raises(OutputError, match="do not share the folder"):
        call.read(8)


def test_missing_libraries_are_one_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(OptionError, match=r"Dask needs .* pip install neuroparcel\[dask\]"):
        run_tasks(str, [1], "dask:tcp://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    with pytest.raises(OptionError, match=r"SLURM needs .* pip install neuroparcel\[slurm\]"):
        slurm_cluster(Scheduler.parse("slurm"))


def test_a_machine_without_slurm_says_so(monkeypatch):
    pytest.importorskip("dask_jobqueue")
    monkeypatch.setenv("PATH", "")
    with pytest.raises(OptionError, match="There is no SLURM on this machine"):
        slurm_cluster(Scheduler.parse("slurm"))


def test_the_job_script_asks_slurm_for_what_was_said(tmp_path, monkeypatch):
    pytest.importorskip("dask_jobqueue")
    (tmp_path / "sbatch").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    text = "slurm:queue=long,account=lab,walltime=02:00:00,cores=4,memory=16GB"
    cluster = slurm_cluster(Scheduler.parse(text))
    try:
        script = cluster.job_script()
    finally:
        cluster.close()
    for line in ("-p long", "-A lab", "-t 02:00:00", "--cpus-per-task=4", "--mem=15G"):
        assert f"#SBATCH {line}" in script
    assert "--nthreads 1 " in script
    assert "--nworkers 4 " in script
