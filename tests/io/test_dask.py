"""A real cluster of two worker processes on this machine."""

from __future__ import annotations

import os
import signal
import time

import numpy as np
import pytest

from neuroparcel.errors import OptionError, OutputError
from neuroparcel.io import scheduling
from neuroparcel.io.cells import make_cell
from neuroparcel.io.layout import CohortFiles
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.scheduling import run_tasks
from neuroparcel.io.store import build_store, open_store, verify

from .store_cases import ALL, write_cohort

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def cluster():
    with distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
    ) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def address(cluster) -> str:
    return f"dask:{cluster.scheduler_address}"


@pytest.fixture
def files(tmp_path, toy_axis) -> CohortFiles:
    folder = tmp_path / "in"
    folder.mkdir()
    return write_cohort(folder, toy_axis)


@pytest.fixture
def recipe(toy_region, toy_targets) -> Recipe:
    return Recipe(toy_region, toy_targets)


def test_a_cluster_makes_the_same_blocks(tmp_path, address, files, recipe):
    near = build_store(tmp_path / "near", files, recipe)
    far = build_store(tmp_path / "far", files, recipe, scheduler=address)
    assert sorted(far.built) == sorted(near.built) == sorted(ALL)
    stores = open_store(tmp_path / "near"), open_store(tmp_path / "far")
    assert dict(stores[0].index.entries) == dict(stores[1].index.entries)
    for name in ALL:
        contents = [store._files(name).numbers.read_bytes() for store in stores]
        assert contents[0] == contents[1]
    assert verify(tmp_path / "far").ok


def test_a_killed_worker_is_replaced_and_reported(tmp_path, address, files, recipe):
    """One session kills its worker once, and one fails by itself."""
    once = tmp_path / "once"

    def make(recordings, recipe):
        name = recordings[0].subject, recordings[0].session
        if name == ("a", "2") and not once.exists():
            once.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if name == ("c", "1"):
            raise ValueError("not this one")
        return make_cell(recordings, recipe)

    report = build_store(tmp_path / "store", files, recipe, scheduler=address, make=make)
    assert sorted(report.built) == [("a", "1"), ("a", "2"), ("b", "1"), ("b", "2")]
    assert report.failed == (("c", "1", "ValueError: not this one"),)
    assert report.retried == (("a", "2", 2),)
    assert "subject a, session 2: begun 2 times, as workers died." in report.summary()
    assert build_store(tmp_path / "store", files, recipe).ok
    whole = open_store(tmp_path / "store").values("a", "2")
    np.testing.assert_array_equal(whole, make_cell(files.runs("a", "2"), recipe).values)


def test_more_deaths_than_dask_forgives(tmp_path, address):
    """Tasks that kill are given up one by one; those beside them are all done."""

    def work(task: int) -> int:
        if task % 2:
            time.sleep(0.3)  # a nanny gives up a worker that dies while it starts
            os.kill(os.getpid(), signal.SIGKILL)
        return task

    outcomes = run_tasks(work, range(4), address, folder=tmp_path)
    assert [outcome.value for outcome in outcomes] == [0, None, 2, None]
    assert {outcome.error_line for outcome in outcomes[1::2]} == {
        "The worker process died 3 times, perhaps out of memory."
    }


def test_a_cluster_that_does_not_answer(monkeypatch):
    monkeypatch.setattr(scheduling, "_DASK_TIMEOUT", 0.5)
    with pytest.raises(OptionError, match=r"No Dask scheduler answers at tcp://127\.0\.0\.1:9"):
        run_tasks(str, [1], "dask:tcp://127.0.0.1:9")
    with (
        distributed.LocalCluster(
            n_workers=0, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as empty,
        pytest.raises(OptionError, match="has no workers"),
    ):
        run_tasks(str, [1], f"dask:{empty.scheduler_address}")


def test_a_cluster_that_has_lost_its_workers(tmp_path, monkeypatch):
    monkeypatch.setattr(scheduling, "_DASK_POLL", 0.2)
    call = scheduling._Call(str, tmp_path, None)
    with (
        distributed.LocalCluster(
            n_workers=0, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as empty,
        distributed.Client(empty) as client,
        pytest.raises(OptionError, match="has had no workers for 1 s; 2 tasks are left"),
    ):
        scheduling._run_on_cluster(call, [(0, "a"), (1, "b")], client, patience=1)


def test_a_folder_that_is_not_shared_is_said(tmp_path):
    call = scheduling._Call(str, tmp_path, None)
    with pytest.raises(OutputError, match="The workers of the cluster do not share the folder"):
        call.read(0)
