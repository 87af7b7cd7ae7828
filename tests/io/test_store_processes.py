"""Builds that are killed, and builds beside each other, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from neuroparcel.io.layout import CohortFiles
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.store import build as build_module
from neuroparcel.io.store import build_store, open_store, verify

from .store_cases import ALL, Counting, only, write_cohort

FORK = multiprocessing.get_context("fork")


@pytest.fixture
def files(tmp_path, toy_axis) -> CohortFiles:
    folder = tmp_path / "in"
    folder.mkdir()
    return write_cohort(folder, toy_axis)


@pytest.fixture
def recipe(toy_region, toy_targets) -> Recipe:
    return Recipe(toy_region, toy_targets)


def start(path: Path, files: CohortFiles, recipe: Recipe, before=None):
    process = FORK.Process(
        target=build_store, args=(path, files, recipe), kwargs={"make": Counting(before)}
    )
    process.start()
    return process


@pytest.mark.parametrize("n_finished", [0, 3])
def test_a_killed_build_goes_on_where_it_was(tmp_path, files, recipe, n_finished):
    path = tmp_path / "store"

    def die(subject: str, session: str) -> None:
        if (subject, session) == ALL[n_finished]:
            os.kill(os.getpid(), signal.SIGKILL)

    process = start(path, files, recipe, die)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert open_store(path).subjects == ()  # the index had no time to hear of any
    make = Counting()
    report = build_store(path, files, recipe, make=make)
    assert make.made == list(ALL[n_finished:])
    assert report.kept == ALL[:n_finished]
    assert verify(path).ok
    assert list(path.glob(".notes-*")) == []


def test_kills_at_any_moment_leave_a_store_that_can_be_finished(tmp_path, files, recipe):
    path = tmp_path / "store"
    for delay in (0.01, 0.02, 0.04, 0.08, 0.12):
        process = start(path, files, recipe)
        time.sleep(delay)
        process.kill()
        process.join()
    assert build_store(path, files, recipe).ok
    found = verify(path)
    assert found.ok
    assert (found.n_blocks, found.unused) == (5, ())
    assert list(path.rglob(".neuroparcel-partial-*")) == []


def test_two_builds_at_once_lose_nothing(tmp_path, files, recipe, monkeypatch):
    """Each writes the index after each session, while a third process reads it."""
    monkeypatch.setattr(build_module, "_INTERVAL", 0.0)
    path = tmp_path / "store"
    parts = [only(files, "a", "b"), only(files, "b", "c"), files]
    processes = [start(path, part, recipe) for part in parts]
    n_read = 0
    while any(process.is_alive() for process in processes):
        if (path / "index.json").exists():
            n_read += len(open_store(path).subjects) >= 0
    for process in processes:
        process.join()
        assert process.exitcode == 0
    assert n_read > 0
    store = open_store(path)
    assert sorted(store.index.entries) == sorted(ALL)
    assert verify(path).ok
    make = Counting()
    build_store(path, files, recipe, make=make)
    assert make.made == []
