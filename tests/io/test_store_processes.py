"""Builds that are killed, and builds beside each other, each in a process of its own."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from neuroparcel.io.layout import CohortFiles, Recording
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.store import build as build_module
from neuroparcel.io.store import build_store, open_store, verify
from neuroparcel.io.store.hold import hold_store, n_unlisted
from neuroparcel.io.store.index import Head

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
    store = open_store(path)
    assert list(store.index.entries) == list(ALL[: min(n_finished, 1)])  # of the first at once
    n_lost = max(n_finished - 1, 0)
    assert n_unlisted(path, store.index) == n_lost
    make = Counting()
    report = build_store(path, files, recipe, make=make)
    assert make.made == list(ALL[n_finished:])
    assert report.kept == ALL[:n_finished]
    assert verify(path).ok
    assert list(path.glob(".notes-*")) == []
    assert n_unlisted(path, open_store(path).index) == 0


def test_blocks_of_another_recipe_are_not_missed(tmp_path, files, recipe):
    """Only those of a build that has not ended are counted."""
    path = tmp_path / "store"
    build_store(path, files, recipe)
    other = replace(recipe, max_dead=0.5)
    build_store(path, files, other)
    with hold_store(path, Head.of(other, "float32")) as hold:
        assert n_unlisted(path, hold.index) == 0
    assert len(verify(path).unused) == 5


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


def test_two_builds_of_one_list_share_the_work(tmp_path, files, recipe):
    """Begun together they would make each session twice if both went through it in order."""
    path, n_sessions = tmp_path / "store", 24
    one = files.recordings[-1].path
    links = [tmp_path / f"{number}.dtseries.nii" for number in range(n_sessions)]
    for link in links:
        os.link(one, link)
    many = CohortFiles(tuple(Recording(f"s{n}", "1", "1", (link,)) for n, link in enumerate(links)))
    makers = [Counting(lambda *_: time.sleep(0.03)) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        builds = [pool.submit(build_store, path, many, recipe, make=maker) for maker in makers]
        reports = [build.result() for build in builds]
    assert all(len(report.built) + len(report.kept) == n_sessions for report in reports)
    n_made = sum(len(maker.made) for maker in makers)
    assert n_sessions <= n_made < 1.5 * n_sessions  # in step it would be twice as many
    assert verify(path).ok
