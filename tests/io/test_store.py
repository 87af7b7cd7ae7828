from __future__ import annotations

import errno
import os
import resource
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuroparcel.brain.features import Features
from neuroparcel.errors import ConnectomeError, OptionError, OutputError
from neuroparcel.io.cells import Cell, make_cell
from neuroparcel.io.layout import CohortFiles, Recording
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.store import build as build_module
from neuroparcel.io.store import build_store, open_store, verify
from neuroparcel.io.store.hold import hold_store
from neuroparcel.io.store.index import Head

from .store_cases import ALL, Counting, only, write_cohort, write_series


@pytest.fixture
def files(tmp_path, toy_axis) -> CohortFiles:
    folder = tmp_path / "in"
    folder.mkdir()
    return write_cohort(folder, toy_axis)


@pytest.fixture
def recipe(toy_region, toy_targets) -> Recipe:
    return Recipe(toy_region, toy_targets)


@pytest.fixture
def path(tmp_path) -> Path:
    return tmp_path / "store"


def age(path: Path, seconds: int = 10) -> None:
    """Set the time of change back, the content stays."""
    then = path.stat().st_mtime_ns - seconds * 10**9
    os.utime(path, ns=(then, then))


def unfinished(path: Path) -> list[Path]:
    return [*path.rglob(".neuroparcel-partial-*"), *path.glob(".notes-*")]


def test_blocks_are_the_sessions(path, files, recipe):
    seen: list[tuple[int, int]] = []
    report = build_store(
        path, files, recipe, progress=lambda done, total: seen.append((done, total))
    )
    assert (report.built, report.kept, report.failed, report.retried) == (ALL, (), (), ())
    assert report.ok
    assert report.summary() == f"{path}: 5 built, 0 kept, 0 failed."
    assert ["1 of 10 vertices" in line for line in report.warnings] == [True]
    assert seen == [(n, 5) for n in range(6)]
    store = open_store(path)
    for subject, session in ALL:
        cell = make_cell(files.runs(subject, session), recipe)
        np.testing.assert_array_equal(store.values(subject, session), cell.values)
        assert store.n_frames(subject, session) == cell.n_frames
    assert len(list((path / "blocks").glob("*.npy"))) == 5
    assert unfinished(path) == []
    assert verify(path).ok


def test_a_finished_store_is_kept_without_reading(path, files, recipe, monkeypatch):
    build_store(path, files, recipe)
    make = Counting()
    monkeypatch.setattr("hashlib.file_digest", None)  # calling it would fail
    seen: list[tuple[int, int]] = []
    report = build_store(
        path, files, recipe, make=make, progress=lambda done, total: seen.append((done, total))
    )
    assert (report.built, report.kept, make.made) == ((), ALL, [])
    assert seen == [(5, 5)]


def test_another_time_of_change_alone_makes_nothing(path, files, recipe, monkeypatch):
    build_store(path, files, recipe)
    age(files.recordings[0].path)
    make = Counting()
    report = build_store(path, files, recipe, make=make)
    assert (make.made, sorted(report.kept)) == ([], sorted(ALL))
    monkeypatch.setattr("hashlib.file_digest", None)  # the new time was noted
    assert build_store(path, files, recipe, make=make).ok
    assert make.made == []


@pytest.mark.parametrize(
    "name",
    ["b2.dtseries.nii", "b2.censor.txt", "b2.confounds.tsv", "b2.confounds.json", "b2.mask.nii"],
)
def test_a_changed_file_makes_its_session_anew(path, files, recipe, toy_axis, name):
    build_store(path, files, recipe)
    before = {cell: open_store(path).index.entries[cell].key for cell in ALL}
    changed = files.recordings[4].path.parent / name
    if name.endswith("dtseries.nii"):
        write_series(changed, toy_axis, seed=99)
    else:
        changed.write_text("0\n")  # of the same size
    make = Counting()
    report = build_store(path, files, recipe, make=make)
    assert make.made == [("b", "2")]
    assert report.built == (("b", "2"),)
    after = {cell: open_store(path).index.entries[cell].key for cell in ALL}
    assert {cell for cell in ALL if before[cell] != after[cell]} == {("b", "2")}
    if name.endswith("dtseries.nii"):
        values = make_cell(files.runs("b", "2"), recipe).values
        np.testing.assert_array_equal(open_store(path).values("b", "2"), values)


def test_a_changed_option_makes_all_anew_and_the_way_back_is_free(path, files, recipe, toy_targets):
    build_store(path, files, recipe)
    other = replace(recipe, max_dead=0.5)
    make = Counting()
    build_store(path, files, other, make=make)
    assert make.made == list(ALL)
    build_store(path, files, recipe, make=make)
    build_store(path, files, replace(recipe, features=Features(positive="clip")), make=make)
    assert make.made == list(ALL)  # how numbers become positive is decided on reading
    build_store(path, files, recipe, make=make, dtype="float16")
    assert make.made == [*ALL, *ALL]
    assert open_store(path).values("a", "1").dtype == np.float16
    assert len(verify(path).unused) == 10


def test_files_that_moved_are_the_same_files(tmp_path, path, files, recipe):
    build_store(path, files, recipe)
    old, new = files.recordings[0].path.parent, tmp_path / "elsewhere"
    old.rename(new)
    moved = CohortFiles(
        tuple(
            replace(
                r,
                paths=tuple(new / p.name for p in r.paths),
                **{
                    k: new / p.name for k in ("mask", "censor", "confounds") if (p := getattr(r, k))
                },
            )
            for r in files.recordings
        )
    )
    make = Counting()
    build_store(path, moved, recipe, make=make)
    assert make.made == []
    assert verify(path).ok  # and it looks for them at the new place


def test_a_store_grows_with_the_cohort(path, files, recipe):
    build_store(path, only(files, "a"), recipe)
    make = Counting()
    report = build_store(path, only(files, "b"), recipe, make=make)
    assert make.made == [("b", "1"), ("b", "2")]
    assert (report.built, report.kept) == ((("b", "1"), ("b", "2")), ())
    assert open_store(path).subjects == ("a", "b")
    assert build_store(path, files, recipe, make=make).built == (("c", "1"),)


def renamed(files: CohortFiles, names: dict[str, str]) -> CohortFiles:
    """The same recordings under other names of the subjects."""
    return CohortFiles(
        tuple(replace(r, subject=names.get(r.subject, r.subject)) for r in files.recordings)
    )


def test_a_recording_is_not_held_under_two_names(path, files, recipe):
    build_store(path, files, recipe)
    twins = renamed(files, {"a": "sub-a"})
    make = Counting()
    with pytest.raises(OutputError) as caught:
        build_store(path, twins, recipe, make=make)
    assert caught.value.message == (
        f"{files.recordings[0].path} is listed as subject sub-a, session 1; the store {path} "
        "holds it as subject a, session 1."
    )
    assert "give --only-listed to take sessions that are not listed out" in str(caught.value)
    assert make.made == []
    assert open_store(path).subjects == ("a", "b", "c")
    runs = tuple(replace(r, session=r.run) for r in only(files, "a").recordings[:2])
    with pytest.raises(OutputError, match=r"as subject a, session LR; .* as subject a, session 1"):
        build_store(path, CohortFiles(runs), recipe)
    assert build_store(path, twins, recipe, only_listed=True).removed == ALL[:2]
    assert open_store(path).subjects == ("b", "c", "sub-a")
    assert verify(path).ok


def test_names_that_were_exchanged_and_copies_are_no_twins(tmp_path, path, files, recipe):
    """A list that was wrong is corrected; a hard link is a recording of its own."""
    build_store(path, files, recipe)
    before = open_store(path).values("a", "1").copy()
    assert build_store(path, renamed(files, {"a": "b", "b": "a"}), recipe).ok
    np.testing.assert_array_equal(open_store(path).values("b", "1"), before)
    link = tmp_path / "link.dtseries.nii"
    os.link(files.recordings[0].path, link)
    linked = CohortFiles((Recording("d", "1", "LR", (link,)),))
    assert build_store(path, linked, recipe).built == (("d", "1"),)


def test_a_mask_and_a_file_of_many_variables_may_be_shared(tmp_path, path, toy_region, recipe):
    """Only what a recording is made of belongs to one session."""
    np.savez(tmp_path / "all.npz", x=np.zeros((30, 6)), y=np.ones((30, 6)))
    (tmp_path / "mask.nii").write_text("1\n")

    def of(subject: str, variable: str) -> CohortFiles:
        data = (tmp_path / f"all.npz:{variable}",)
        return CohortFiles((Recording(subject, "1", "1", data, mask=tmp_path / "mask.nii"),))

    def make(recordings, recipe):
        values = np.ones((len(toy_region.axis), len(recipe.feature_names)), np.float32)
        return Cell(values, 30, (), ())

    build_store(path, of("a", "x"), recipe, make=make)
    assert build_store(path, of("b", "y"), recipe, make=make).ok
    with pytest.raises(OutputError, match=r"all\.npz:x is listed as subject c"):
        build_store(path, of("c", "x"), recipe, make=make)


def test_sessions_off_the_list_are_taken_out(path, files, recipe):
    files.recordings[3].path.write_bytes(b"")
    assert not build_store(path, files, recipe).ok
    report = build_store(path, only(files, "a"), recipe, only_listed=True)
    assert report.removed == ALL[2:]
    assert report.summary() == f"{path}: 0 built, 2 kept, 0 failed, 3 taken out."
    store = open_store(path)
    assert (store.subjects, store.failed) == (("a",), ())
    assert verify(path).ok
    assert len(verify(path).unused) == 2
    assert build_store(path, only(files, "c"), recipe).kept == (("c", "1"),)  # its block stayed
    assert build_store(path, only(files, "a", "c"), recipe, only_listed=True).removed == ()


def test_a_file_that_went_fails_its_session_alone(path, files, recipe):
    build_store(path, files, recipe)
    files.recordings[2].path.unlink()
    report = build_store(path, files, recipe)
    ((*name, error),) = report.failed
    assert (name, len(report.kept)) == (["a", "2"], 4)
    assert "a2.dtseries.nii does not exist" in error


def test_one_bad_subject_does_not_stop_the_others(path, files, recipe, toy_axis):
    bad = files.recordings[3].path
    good = bad.read_bytes()
    bad.write_bytes(good[:300])
    report = build_store(path, files, recipe)
    assert not report.ok
    ((subject, session, error),) = report.failed
    assert (subject, session) == ("b", "1")
    assert str(bad) in error
    assert f"subject b, session 1 failed: {error}" in report.summary().splitlines()
    assert len(report.built) == 4
    store = open_store(path)
    assert store.failed == report.failed
    with pytest.raises(ConnectomeError, match=r"has no session 1 of subject b: .*b1\.dtseries"):
        store.values("b", "1")
    bad.write_bytes(good)
    make = Counting()
    assert build_store(path, files, recipe, make=make).ok
    assert make.made == [("b", "1")]
    assert open_store(path).failed == ()


def test_a_missing_file_and_a_foreign_error_are_listed(path, files, recipe):
    def trip(subject: str, session: str) -> None:
        if subject == "c":
            raise KeyError("unexpected")

    files.recordings[2].path.unlink()
    report = build_store(path, files, recipe, make=Counting(trip))
    lines = {(subject, session): error for subject, session, error in report.failed}
    assert lines["a", "2"].startswith(f"{files.recordings[2].path} does not exist.")
    assert lines["c", "1"] == "KeyError: 'unexpected'"
    assert len(lines) == 2


def test_a_file_that_changes_while_it_is_read_fails(path, files, recipe):
    censor = files.recordings[4].censor

    def disturb(subject: str, session: str) -> None:
        if (subject, session) == ("b", "2"):
            age(censor)

    report = build_store(path, files, recipe, make=Counting(disturb))
    ((*name, error),) = report.failed
    assert name == ["b", "2"]
    assert f"{censor} changed while it was read" in error
    assert build_store(path, files, recipe).built == (("b", "2"),)


def test_a_full_disk_keeps_what_is_finished(path, files, recipe, monkeypatch):
    write = np.lib.format.write_array
    written: list[int] = []

    def write_until_full(file, array, **options):
        if len(written) == 2:
            file.write(b"half")
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written.append(array.nbytes)
        write(file, array, **options)

    monkeypatch.setattr(np.lib.format, "write_array", write_until_full)
    with pytest.raises(OutputError) as caught:
        build_store(path, files, recipe)
    line = str(caught.value)
    assert line.startswith(f"The store {path} cannot take the block ")
    assert "No space left on device" in line
    assert "3 sessions are left, which need 0.0 MB" in line
    assert "Free space" in line
    assert "\n" not in line
    assert unfinished(path) == []
    assert list(open_store(path).index.entries) == list(ALL[:2])
    assert verify(path).damaged == ()
    monkeypatch.undo()
    make = Counting()
    assert build_store(path, files, recipe, make=make).ok
    assert make.made == list(ALL[2:])


def test_a_disk_that_takes_no_file_leaves_nothing(path, files, recipe):
    """The operating system itself refuses: no file may grow beyond 250 bytes, a block has 328."""
    build_store(path, only(files, "a"), recipe)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (250, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"cannot take the block .* File too large"):
            build_store(path, files, recipe)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert unfinished(path) == []
    assert verify(path).ok
    assert build_store(path, files, recipe).built == ALL[2:]


def test_an_index_that_cannot_be_written_is_said(path, files, recipe, monkeypatch):
    build_store(path, only(files, "a"), recipe)

    def refuse(store, index):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("neuroparcel.io.store.hold.write_index", refuse)
    with pytest.raises(OutputError, match=r"The index of .* cannot be written .No space left"):
        build_store(path, files, recipe)
    monkeypatch.undo()
    make = Counting()
    report = build_store(path, files, recipe, make=make)
    assert make.made == [("b", "2"), ("c", "1")]  # the block of the first was there
    assert report.kept == ALL[:3]


def test_the_space_is_looked_at_first(path, files, recipe, monkeypatch):
    monkeypatch.setattr(build_module, "disk_usage", lambda _: shutil._ntuple_diskusage(9, 8, 1))
    make = Counting()
    with pytest.raises(
        OutputError, match=r"needs 0\.0 MB for 5 sessions, and its disk has 0\.0 MB"
    ):
        build_store(path, files, recipe, make=make)
    assert make.made == []


def test_numbers_too_large_for_float16_fail(path, files, recipe):
    def make(recordings, recipe):
        cell = make_cell(recordings, recipe)
        return replace(cell, values=cell.values * 1e6)

    report = build_store(path, only(files, "c"), recipe, dtype="float16", make=make)
    assert (
        "do not fit into float16, which ends at 65504. Keep them as float32."
        in (report.failed[0][2])
    )


def test_leavings_of_dead_builds_are_removed(path, files, recipe):
    build_store(path, files, recipe)
    (path / "blocks" / ".neuroparcel-partial-x.npy").write_text("half")
    (path / ".neuroparcel-partial-y.json").write_text("half")
    (path / ".notes-z").mkdir()
    with hold_store(path, Head.of(recipe, "float32")):
        assert unfinished(path) != []  # its own notes
        (path / "blocks" / ".neuroparcel-partial-x.npy").write_text("half")
        build_store(path, files, recipe)  # beside a build that may be writing this
        assert (path / "blocks" / ".neuroparcel-partial-x.npy").exists()
    build_store(path, files, recipe)
    assert unfinished(path) == []


def test_a_block_without_record_or_of_another_size_is_made_anew(path, files, recipe):
    """What a kill between the two files, or a crash of the machine, can leave."""
    build_store(path, files, recipe)
    keys = {cell: entry.key for cell, entry in open_store(path).index.entries.items()}
    (path / "blocks" / f"{keys['a', '1']}.json").unlink()
    os.truncate(path / "blocks" / f"{keys['b', '1']}.npy", 200)
    (path / "blocks" / f"{keys['c', '1']}.npy").unlink()
    make = Counting()
    build_store(path, files, recipe, make=make)
    assert make.made == [("a", "1"), ("b", "1"), ("c", "1")]
    assert verify(path).ok


def test_a_store_is_not_shared_by_two_recipes_at_once(path, files, recipe):
    other = replace(recipe, max_dead=0.5)
    with (
        hold_store(path, Head.of(recipe, "float32")),
        pytest.raises(OutputError, match=r"Another process is building .* with other options"),
    ):
        build_store(path, files, other)
    assert build_store(path, files, other).ok


def test_a_failure_does_not_hide_what_another_build_made(path, files, recipe):
    def overtaken(subject: str, session: str) -> None:
        if subject == "c":
            build_store(path, only(files, "c"), recipe)
            raise ConnectomeError("out of luck")

    report = build_store(path, files, recipe, make=Counting(overtaken))
    assert [name for *name, _ in report.failed] == [["c", "1"]]
    assert open_store(path).failed == ()
    assert verify(path).ok


def test_other_folders_are_refused(tmp_path, files, recipe):
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "holiday.jpg").touch()
    with pytest.raises(OutputError, match="photos is not empty and holds no connectome store"):
        build_store(tmp_path / "photos", files, recipe)
    with pytest.raises(OutputError, match=r"holiday\.jpg is a file, not a folder"):
        build_store(tmp_path / "photos" / "holiday.jpg", files, recipe)
    with pytest.raises(OptionError, match=r"Unknown dtype 'int8'\. Use float32 or float16"):
        build_store(tmp_path / "new", files, recipe, dtype="int8")
    assert not (tmp_path / "new").exists()
