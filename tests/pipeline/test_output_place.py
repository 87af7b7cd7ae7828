"""Where results go: what is refused before anything runs, and what may be removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from neuroparcel.errors import OutputError
from neuroparcel.io.files import write_json
from neuroparcel.pipeline import CompareOptions, InferOptions, compare, comparing, report, reporting
from neuroparcel.pipeline.output_place import check_writable, listed_files, remove_files
from neuroparcel.pipeline.run_folder import RunFolder, open_run, read_run

NO_FILES = Path("/proc")  # takes no files, whoever asks
needs_proc = pytest.mark.skipif(not (NO_FILES / "self").exists(), reason="a system without /proc")

HARMFUL = ["../victim.txt", "figures", "linked/victim.txt", ".", "", "x" * 5000, "a\0b", 5, None]


@pytest.fixture
def folder(tmp_path) -> Path:
    """A folder with a file, a folder and a link to a folder outside, where a victim lies."""
    for name in ("victim.txt", "outside/victim.txt", "outside/sea.png", "out/mine.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("years of work")
    (tmp_path / "out/figures").mkdir()
    (tmp_path / "out/linked").symlink_to(tmp_path / "outside")
    return tmp_path / "out"


def all_files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_only_files_of_the_folder_are_removed(folder):
    (folder / "old.tsv").write_text("")
    (folder / "annexed.nii").symlink_to(folder.parent / "victim.txt")
    absolute = str(folder.parent / "victim.txt")
    remove_files(folder, [*HARMFUL, absolute, "old.tsv", "annexed.nii", "gone.tsv"])
    assert not (folder / "old.tsv").exists()
    assert not (folder / "annexed.nii").is_symlink()
    assert all_files(folder.parent) == {
        "victim.txt",
        "outside/victim.txt",
        "outside/sea.png",
        "out/mine.txt",
    }


@pytest.mark.parametrize("content", ["{", "[1]", '{"files": 5}', "{}", ""])
def test_a_damaged_record_lists_nothing(tmp_path, content):
    (tmp_path / "run.json").write_text(content)
    assert listed_files(tmp_path / "run.json") == []
    assert listed_files(tmp_path / "gone.json") == []


def test_a_comparison_that_is_overwritten_removes_nothing_outside(folder):
    write_json(folder / "comparison.json", {"files": [*HARMFUL, "stale.tsv"]})
    (folder / "stale.tsv").write_text("")
    given = {"output": folder, "figures": False, "overwrite": True, "quiet": True}
    compare(CompareOptions(first="yeo7", second="yeo7", **given))
    assert {"victim.txt", "outside/victim.txt", "out/mine.txt"} <= all_files(folder.parent)
    assert not (folder / "stale.tsv").exists()


def test_a_run_that_is_overwritten_removes_nothing_outside(folder):
    """Neither by its record nor by the patterns of its own files, whatever lies there."""
    write_json(folder / "run.json", {"files": [*HARMFUL, "stale.tsv"]})
    (folder / "stale.tsv").write_text("")
    (folder / "figures").rmdir()
    (folder / "figures").symlink_to(folder.parent / "outside")
    (folder / "report.html").mkdir()
    (folder / "sub-1").mkdir()
    (folder.parent / "outside/empty").mkdir()
    (folder / "sub-2").symlink_to(folder.parent / "outside")
    RunFolder(folder, "fit", {}, resume=False).begin({})
    kept = {"victim.txt", "outside/victim.txt", "outside/sea.png", "out/mine.txt"}
    assert kept <= all_files(folder.parent)
    assert (folder.parent / "outside/empty").is_dir()
    assert not (folder / "stale.tsv").exists()
    assert not (folder / "sub-1").exists()


def test_a_damaged_run_can_be_overwritten(folder):
    """As the error that tells of the damage proposes."""
    (folder / "run.json").write_text("{")
    with pytest.raises(OutputError, match=r"run\.json is damaged.*again with --overwrite"):
        read_run(folder)
    options = InferOptions(model=folder, output=folder, subjects=folder, overwrite=True)
    open_run(options, "infer").begin({})
    assert read_run(folder)["status"] == "running"


@needs_proc
@pytest.mark.parametrize("path", [NO_FILES / "c", NO_FILES / "new/r.html"], ids=str)
def test_places_that_take_no_files_are_known_beforehand(path):
    with pytest.raises(OutputError, match=f"{path} cannot be written: /proc is no folder"):
        check_writable(path)


def test_looking_leaves_nothing_behind(tmp_path):
    before = list(tmp_path.iterdir())
    check_writable(tmp_path)
    check_writable(tmp_path / "new/folder")
    assert list(tmp_path.iterdir()) == before


@needs_proc
def test_nothing_runs_before_the_place_is_known(monkeypatch):
    def never(*given: object) -> None:
        raise AssertionError("work was begun")

    monkeypatch.setattr(comparing, "open_source", never)
    monkeypatch.setattr(reporting, "read_finished_run", never)
    said = "cannot be written: /proc is no folder that you may write to.*Give another --output"
    with pytest.raises(OutputError, match=said):
        compare(CompareOptions(first="yeo7", second="yeo17", output=NO_FILES / "c"))
    with pytest.raises(OutputError, match=said):
        report(Path("results"), NO_FILES / "r.html")
    infer = InferOptions(model=Path("m"), output=NO_FILES / "c", subjects=Path("s"))
    with pytest.raises(OutputError, match=said):
        open_run(infer, "infer")
