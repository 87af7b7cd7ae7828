"""A stability analysis on disk: the same numbers, however often it was interrupted or shared."""

from __future__ import annotations

import contextlib
import pickle
import re
import shutil
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from neuroparcel.brain.designs import Design
from neuroparcel.brain.stability import Statistic
from neuroparcel.errors import FileFormatError, LayoutError, OptionError, OutputError
from neuroparcel.io.files import read_json, write_json
from neuroparcel.io.scheduling import run_tasks
from neuroparcel.io.writers.stability import read_stability
from neuroparcel.parcellation import stability_blocks
from neuroparcel.parcellation.stability import StabilityStudy
from neuroparcel.parcellation.stability import stability as in_memory
from neuroparcel.parcellation.stability_blocks import BlockPlace
from neuroparcel.parcellation.subpopulations import METHODS
from neuroparcel.pipeline import (
    BuildOptions,
    StabilityOptions,
    StabilityResult,
    build,
    load_cohort_of,
    load_model,
    plan_stability,
    stability,
    stability_running,
)
from neuroparcel.pipeline import stability_options as options_module
from neuroparcel.pipeline.stability_blocks import BlockFolder, share

from ..io.stability_samples import NODES, make_report, same
from .stability_results import N_NODES, SESSIONS, SUBJECTS, write_cohort, write_results

N_BLOCKS = 4  # of two sizes with eight sub-populations


@pytest.fixture(scope="module", autouse=True)
def small_blocks():
    """Four sub-populations a block, so that there are some to interrupt; the model is read once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stability_blocks, "_LEAST", 4)
        patch.setattr(stability_running, "load_model", lru_cache(load_model))
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory) -> Path:
    """Results, their cohort, and a table of participants."""
    folder = tmp_path_factory.mktemp("stability")
    write_results(folder)
    rows = [f"{name}\t{'FM'[n % 2]}\t{'a' if n < 4 else 'b'}" for n, name in enumerate(SUBJECTS)]
    (folder / "participants.tsv").write_text("\n".join(["participant_id\tsex\tsite", *rows, ""]))
    return folder


@pytest.fixture
def options(home, tmp_path):
    """Options of a small analysis, with some changed."""

    def changed(**given: Any) -> StabilityOptions:
        small = {"sizes": (2, 3), "samples": 8, "permutations": 9, "figures": False}
        place = {"results": home / "results", "output": tmp_path / "out", "quiet": True}
        return StabilityOptions(**{**place, **small, **given})

    return changed


@pytest.fixture(scope="module")
def once(home, tmp_path_factory) -> Path:
    """The small analysis, done without a break."""
    output = tmp_path_factory.mktemp("once") / "out"
    stability(
        StabilityOptions(
            **{"results": home / "results", "output": output, "quiet": True, "figures": False},
            **{"sizes": (2, 3), "samples": 8, "permutations": 9},
        )
    )
    return output


def numbers(folder: Path) -> tuple[bytes, dict[str, Any]]:
    """All that a report is read from."""
    return (folder / "stability.safetensors").read_bytes(), read_json(folder / "stability.json")[
        "report"
    ]


def home_without(home: Path, folder: Path, absent: dict[str, list[str]]) -> Path:
    """The same results and cohort without some sessions."""
    for name in ("cohort", "results"):
        shutil.copytree(home / name, folder / name)
    gone = {f"{subject}\t{session}\t" for subject in absent for session in absent[subject]}
    rows = (folder / "cohort/cohort.tsv").read_text().splitlines()
    kept = [row for row in rows if not any(row.startswith(one) for one in gone)]
    (folder / "cohort/cohort.tsv").write_text("\n".join([*kept, ""]))
    index = folder / "results/parcellation.json"
    record = read_json(index)
    present = {
        subject: [name for name in names if name not in absent.get(subject, ())]
        for subject, names in record["present"].items()
    }
    write_json(index, {**record, "present": present})
    run = folder / "results/run.json"
    record = read_json(run)
    table = str(folder / "cohort/cohort.tsv")
    inputs = {
        path: about
        for path, about in record["inputs"].items()
        if about["session"] not in absent.get(about["subject"], ())
    }
    options = {**record["options"], "subjects": table}
    write_json(run, {**record, "inputs": inputs, "options": options})
    return folder / "results"


def interrupt_after(monkeypatch: pytest.MonkeyPatch, n_blocks: int) -> list[Any]:
    """Let an analysis end as by Ctrl-C once it has made some blocks; gives their places."""
    made: list[Any] = []
    run = StabilityStudy.run

    def counted(study: StabilityStudy, place: Any) -> Any:
        if len(made) == n_blocks:
            raise KeyboardInterrupt
        made.append(place)
        return run(study, place)

    monkeypatch.setattr(StabilityStudy, "run", counted)
    return made


def test_an_analysis_is_what_python_gives(home, once):
    """By files and blocks, and all in memory."""
    cohort = load_cohort_of(home / "results", quiet=True)
    assert (cohort.subjects, cohort.sessions) == (SUBJECTS, SESSIONS)
    design = Design(sizes=(2, 3), n_samples=8)
    found = in_memory(load_model(home / "results"), cohort, design, n_permutations=9)
    report = read_stability(once)
    np.testing.assert_array_equal(found.of("all", 3).members, report.of("all", 3).members)
    np.testing.assert_array_equal(found.of("all", 3).ari_full, report.of("all", 3).ari_full)
    assert [s.name for s in found.statistics] == [s.name for s in report.statistics]


def test_the_example_of_the_guide_runs(home, monkeypatch):
    text = (Path(__file__).parents[2] / "docs" / "user_guide.md").read_text(encoding="utf-8")
    section = text.partition("## `neuroparcel stability`")[2].partition("\n## ")[0]
    (example,) = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
    monkeypatch.chdir(home)
    names: dict[str, Any] = {}
    exec(example, names)  # our own text
    assert names["found"].of("all", 5).stable.value.shape == (N_NODES,)
    assert names["found"].design == names["design"]


def test_what_is_written_is_listed_and_read_back(options):
    found = stability(options())
    files = sorted(path for path in found.output.rglob("*") if path.is_file())
    assert sorted(found.files) == files
    record = read_json(found.output / "stability.json")
    assert record["status"] == "complete"
    assert [found.output / name for name in record["files"]] == sorted(set(found.files[:-1]))
    assert record["options"]["sizes"] == [2, 3]
    assert len(record["inputs"]) == len(SUBJECTS) * len(SESSIONS)
    assert not (found.output / ".blocks").exists()
    same(read_stability(found.output), found.report)
    with pytest.raises(OutputError, match="holds a finished stability analysis"):
        stability(options())
    assert len(found.summary().splitlines()) <= 12
    assert found.summary().splitlines()[0].startswith("8 sub-populations of 2 and of 3 of 6 sub")


def test_it_lies_in_the_results_unless_another_folder_is_named(home):
    assert StabilityOptions(results=home / "results").folder == home / "results" / "stability"


@pytest.mark.parametrize("n_blocks", [0, 3])
def test_a_killed_run_ends_with_the_same_numbers(options, once, monkeypatch, n_blocks):
    with monkeypatch.context() as patch:
        interrupt_after(patch, n_blocks)
        with pytest.raises(KeyboardInterrupt):
            stability(options())
    folder = options().folder
    assert read_json(folder / "stability.json")["status"] == "running"
    assert len(list((folder / ".blocks").glob("*"))) == n_blocks
    with pytest.raises(OutputError, match=r"unfinished stability analysis\. Go on with --resume"):
        stability(options())
    made = interrupt_after(monkeypatch, 100)
    stability(options(resume=True))
    assert len(made) == N_BLOCKS - n_blocks
    assert numbers(folder) == numbers(once)


def test_blocks_that_are_cut_off_or_of_another_analysis_are_made_again(options, once, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_after(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            stability(options())
    cut, other, _ = sorted((options().folder / ".blocks").iterdir())
    content = cut.read_bytes()
    cut.write_bytes(content[:-16])
    study = bytes.fromhex(read_json(options().folder / "stability.json")["study"])
    assert study in content
    other.write_bytes(other.read_bytes().replace(study, bytes(len(study))))
    made = interrupt_after(monkeypatch, 100)
    stability(options(resume=True))
    assert len(made) == N_BLOCKS - 1
    assert numbers(options().folder) == numbers(once)


def test_tasks_share_the_work_and_one_puts_it_together(options, once, monkeypatch):
    made = interrupt_after(monkeypatch, 100)
    first = stability(options(task_id=0, n_tasks=3))
    assert first.n_left == N_BLOCKS - len(made) > 0
    assert f"{first.n_left} parts are left to the other tasks" in first.summary()
    assert not (first.output / "stability.safetensors").exists()
    stability(options(task_id=1, n_tasks=3))
    last = stability(options(task_id=2, n_tasks=3))
    assert "all parts are there" in last.summary()
    assert len(made) == len(set(made)) == N_BLOCKS
    stability(options(task_id=1, n_tasks=3))  # started again
    stability(options(resume=True))
    assert len(made) == N_BLOCKS
    assert numbers(first.output) == numbers(once)


def test_a_block_that_lies_in_the_place_of_another_is_made_again(options, once, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            stability(options())
    first, second = sorted((options().folder / ".blocks").iterdir())
    shutil.copy(first, second)
    made = interrupt_after(monkeypatch, 100)
    stability(options(resume=True))
    assert str(made[0]) == second.stem
    assert numbers(options().folder) == numbers(once)


def test_a_block_is_not_read_in_the_place_of_another(options, monkeypatch):
    interrupt_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        stability(options())
    blocks = BlockFolder(
        options().folder / ".blocks", read_json(options().folder / "stability.json")["study"]
    )
    place, other = BlockPlace(0, 0, 4), BlockPlace(0, 4, 8)
    assert blocks.lacks([place]) == []
    shutil.copy(blocks.file(place), blocks.file(other))
    with pytest.raises(FileFormatError, match="or of another part of this one"):
        blocks.read(other)


def test_every_place_is_of_one_task():
    places = list(range(11))
    shared = [share(places, number, 4) for number in range(4)]
    assert sorted(place for own in shared for place in own) == places
    assert max(map(len, shared)) - min(map(len, shared)) <= 1


def test_workers_make_the_same_numbers(options, once, home, tmp_path, monkeypatch):
    """A worker lives in another folder; it reads the cohort itself and writes its block."""
    monkeypatch.chdir(home)

    def elsewhere(function: Any, tasks: Any, scheduler: Any, *, n_jobs: int, **given: Any) -> Any:
        assert n_jobs == 2
        again = pickle.loads(pickle.dumps(function))
        with contextlib.chdir(tmp_path):
            return run_tasks(again, tasks, scheduler, n_jobs=1, **given)

    monkeypatch.setattr(stability_running, "run_tasks", elsewhere)
    stability(options(jobs=2, results=Path("results")))
    assert numbers(options().folder) == numbers(once)


def test_an_error_in_a_worker_is_the_error_of_the_analysis(options, monkeypatch):
    def fails(study: StabilityStudy, place: Any) -> None:
        raise OptionError("too many networks.", "Fewer.")

    monkeypatch.setattr(StabilityStudy, "run", fails)
    sent = run_tasks
    monkeypatch.setattr(
        stability_running, "run_tasks", lambda *a, n_jobs, **k: sent(*a, n_jobs=1, **k)
    )
    with pytest.raises(OptionError, match="too many networks"):
        stability(options(jobs=2))


def test_other_options_do_not_go_on(options, monkeypatch):
    interrupt_after(monkeypatch, 1)
    with pytest.raises(KeyboardInterrupt):
        stability(options())
    with pytest.raises(OutputError, match=r"other options \(--size, --seed\)"):
        stability(options(resume=True, sizes=(2,), seed=1))
    with pytest.raises(OutputError, match=r"other options \(--samples\)"):
        stability(options(task_id=0, n_tasks=2, samples=9))


def test_another_table_of_the_same_name_does_not_go_on(options, home, tmp_path, monkeypatch):
    table = tmp_path / "participants.tsv"
    shutil.copy(home / "participants.tsv", table)
    given = {"by": "sex", "table": table, "sizes": (2,), "design": "bootstrap"}
    with monkeypatch.context() as patch:
        interrupt_after(patch, 1)
        with pytest.raises(KeyboardInterrupt):
            stability(options(**given))
    assert read_json(options().folder / "stability.json")["options"]["by"] == "sex"
    table.write_text(table.read_text().replace("sub-01\tF", "sub-01\tM"))
    with pytest.raises(OutputError, match="other results, recordings or participants"):
        stability(options(resume=True, **given))


def test_overwriting_removes_what_was_there_and_nothing_else(options):
    stability(options())
    folder = options().folder
    mine = folder / "mine.txt"
    mine.write_text("mine")
    (folder / "figures").mkdir()  # as when its pictures are removed
    stability(options(overwrite=True, sizes=(4,)))
    assert not (folder / "figures").exists()
    assert mine.read_text() == "mine"
    assert not list(folder.glob("*Size2*"))
    assert list(folder.glob("*Size4*"))


def test_groups_and_strata_come_from_the_table(options, home):
    table = home / "participants.tsv"
    found = stability(options(by="sex", table=table, sizes=(2,), samples=4)).report
    assert list(found.full) == ["F", "M"]
    assert set(found.of("F", 2).members.ravel()) <= {0, 2, 4}
    strata = options(stratify="site", table=table, sizes=(3,), samples=4, overwrite=True)
    members = stability(strata).report.of("all", 3).members
    assert ((members < 4).sum(1) == 2).all()


def test_sessions_of_a_test_retest_are_named(options):
    given = {"design": "test-retest", "sizes": (2,), "samples": 3}
    report = stability(options(retest=("day2", "day1"), **given)).report
    assert report.of("all", 2).session.tolist() == [1, 0] * 3


def test_a_test_retest_draws_those_who_have_both_sessions(options, home, tmp_path):
    """Two have the first session only; the full group is of the four others too."""
    results = home_without(home, tmp_path, {"sub-02": ["day2"], "sub-05": ["day2"]})
    given = {"results": results, "design": "test-retest", "samples": 5}
    planned = plan_stability(options(**given, sizes=(3,)))
    (cell,) = planned.cells
    assert cell.pool.tolist() == [0, 2, 3, 5]
    assert "all subjects, 5 sub-populations of 3 of 4 subjects" in planned.summary()
    said = "2 of 6 subjects lack session day1 or day2 and are left out (first: sub-02)"
    assert said in planned.summary()
    with pytest.raises(OptionError, match=r"5 subjects, and 4 of the cohort have both sessions, d"):
        plan_stability(options(**given, sizes=(2, 5)))
    by = {"by": "sex", "table": home / "participants.tsv"}
    planned = plan_stability(options(**given, **by, sizes=(2,)))
    assert [cell.pool.tolist() for cell in planned.cells] == [[0, 2], [3, 5]]


def test_a_size_of_the_whole_group_is_refused(options, home):
    """It would agree with itself, unless subjects can be drawn twice."""
    with pytest.raises(OptionError, match="all 6 subjects of the cohort is the cohort itself"):
        plan_stability(options(sizes=(2, 6)))
    by = {"by": "sex", "table": home / "participants.tsv"}
    with pytest.raises(OptionError, match="all 3 subjects of group 'F' is the group itself"):
        plan_stability(options(sizes=(3,), **by))
    assert len(plan_stability(options(sizes=(6,), design="bootstrap")).cells) == 1


def test_subjects_without_a_value_are_left_out_and_that_is_said(options, home, tmp_path):
    table = tmp_path / "some.tsv"
    text = (home / "participants.tsv").read_text()
    table.write_text(text.replace("sub-06\tM", "sub-06\tn/a"))
    planned = plan_stability(options(by="sex", table=table, sizes=(2,), design="bootstrap"))
    assert [len(cell.pool) for cell in planned.cells] == [3, 2]
    assert "1 of 6 subjects have no sex and are in no group (first: sub-06)" in planned.summary()
    assert not options().folder.exists()
    table.write_text(text.replace("M\tb", "M\tn/a"))
    with pytest.raises(OptionError, match=r"no value of site for 1 of 6 subjects"):
        plan_stability(options(stratify="site", table=table))


def test_groups_that_would_share_files_are_refused(options, home, tmp_path):
    table = tmp_path / "alike.tsv"
    text = (home / "participants.tsv").read_text()
    table.write_text(text.replace("\tF\t", "\t18-20\t").replace("\tM\t", "\t1820\t"))
    with pytest.raises(OptionError, match=r"'18.*'18.*of sex give files no names of their own"):
        plan_stability(options(by="sex", table=table, sizes=(2,)))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("all", "The value 'all' of sex is what the group of all subjects is called"),
        ("F" * 101, r"The value 'F{20}\.\.\.' of sex has 101 letters and digits"),
    ],
)
def test_groups_that_no_files_can_be_named_after_are_refused(options, home, tmp_path, value, said):
    table = tmp_path / "odd.tsv"
    table.write_text((home / "participants.tsv").read_text().replace("\tF\t", f"\t{value}\t"))
    with pytest.raises(OptionError, match=said):
        plan_stability(options(by="sex", table=table, sizes=(2,)))
    longest = table.read_text().replace(f"\t{value}\t", f"\t{'F' * 100}\t")
    table.write_text(longest)
    assert len(plan_stability(options(by="sex", table=table, sizes=(2,))).cells) == 2


def test_a_prior_needs_labels_that_have_one(options):
    """Those of these results have none."""
    with pytest.raises(OptionError, match="--prior is of labels with a prior at each vertex"):
        plan_stability(options(prior="own"))


def test_what_is_not_given_is_what_help_says():
    assert (
        StabilityOptions(results=Path("results")).of_blocks().items()
        >= {
            "sizes": [5],
            "samples": 300,
            "prior": "own",
        }.items()
    )


def test_results_that_are_a_file_are_said_to_be(options, home):
    table = home / "participants.tsv"
    with pytest.raises(OutputError, match=r"participants\.tsv is a file, and no folder of results"):
        plan_stability(options(results=table, output=None))


def test_a_cohort_that_has_moved_is_found_where_it_is_said_to_be(options, home, tmp_path, once):
    moved = tmp_path / "moved"
    shutil.copytree(home / "cohort", moved)
    table = moved / "cohort.tsv"
    head, *rows = table.read_text().splitlines()
    table.write_text("\n".join([head, *reversed(rows), ""]))
    stability(options(subjects=table))
    assert numbers(options().folder) == numbers(once)


def test_a_cohort_that_is_gone_is_asked_for(home, tmp_path):
    results = tmp_path / "results"
    shutil.copytree(home / "results", results)
    record = read_json(results / "run.json")
    gone = {**record["options"], "subjects": str(tmp_path / "gone.tsv")}
    write_json(results / "run.json", {**record, "options": gone})
    with pytest.raises(LayoutError, match=r"gone\.tsv.*If the cohort has moved, say where it is"):
        load_cohort_of(results, quiet=True)


def test_a_store_gives_the_same_cohort(home, tmp_path):
    """Named by the user, or the only thing that the record names."""
    table, store = home / "cohort" / "cohort.tsv", tmp_path / "store"
    build(BuildOptions(subjects=table, output=store, quiet=True))
    expected = load_cohort_of(home / "results", quiet=True)
    results = tmp_path / "results"
    shutil.copytree(home / "results", results)
    record = read_json(results / "run.json")
    alone = {**record["options"], "subjects": None}
    inputs = {str(store): {"connectome": True}}
    write_json(results / "run.json", {**record, "options": alone, "inputs": inputs})
    for found in (
        load_cohort_of(home / "results", connectome=store, quiet=True),
        load_cohort_of(results, quiet=True),
    ):
        assert (found.subjects, found.sessions) == (expected.subjects, expected.sessions)
        np.testing.assert_allclose(found.profiles[2, 1], expected.profiles[2, 1], atol=1e-6)


def test_a_store_of_other_subjects_is_another_cohort(home, tmp_path):
    table = write_cohort(tmp_path / "cohort", SUBJECTS[:-1])
    store = tmp_path / "store"
    build(BuildOptions(subjects=table, output=store, quiet=True))
    with pytest.raises(OutputError, match=r"it has subject sub-06, session day1, which these rec"):
        load_cohort_of(home / "results", connectome=store, quiet=True)


def test_inferred_results_have_their_model_elsewhere(home, options, tmp_path):
    results = tmp_path / "inferred"
    shutil.copytree(home / "results", results)
    shutil.move(results / "model", tmp_path / "model")
    record = read_json(results / "run.json")
    given = {**record["options"], "model": str(tmp_path / "model")}
    write_json(results / "run.json", {**record, "command": "infer", "options": given})
    planned = plan_stability(options(results=results))
    assert [len(cell) for cell in planned.cells] == [8, 8]
    assert "parcellated by the trained posterior" in planned.summary()


def test_the_summary_says_what_was_found(tmp_path):
    found = (
        Statistic("F", 3, "stable", "", 0.9, 0.8, 0.95, "subjects"),
        Statistic("F", 2, "share_population", "", 0.25),
        Statistic("F", 2, "share_subject", "", 0.5),
        Statistic("F", 2, "share_session", "", 0.25),
        Statistic("F", 3, "share_subject", "", 0.7),
        Statistic("F vs 18-20", 2, "ari_groups", "", 0.3, 0.2, 0.4, "samples"),
        Statistic("F vs 18-20", 3, "ari_groups", "", 0.4),
        Statistic("all", None, "identification", "", 0.75, 0.5, 0.9, null=0.25, p=0.01),
    )
    report = make_report(NODES)
    report = replace(
        report,
        statistics=(*report.statistics, *found),
        notes=tuple(f"this is note {number}" for number in range(4)),
    )
    lines = StabilityResult(tmp_path, (), (), report, ()).summary().splitlines()
    assert lines == [
        "5 sub-populations of 2 and of 3 of 4 subjects in the groups F, 18-20 (bootstrap), "
        "parcellated by the trained posterior",
        "F, size 2: adjusted Rand index with the full group 0.33 [0.10, 0.70]",
        "F, size 3: a label is the full group's with probability 0.90 [0.80, 0.95]",
        "F vs 18-20, size 2: adjusted Rand index 0.30 [0.20, 0.40]*",
        "differences of soft labels come from: population 25%, subject 50%, session 25% "
        "(group F, size 2)",
        "ICC(2,1) of single sessions 0.50 [0.40, 0.60]",
        "subjects identified across sessions: 0.75 [0.50, 0.90]; by chance 0.25, p = 0.01",
        "* interval over sub-populations of these subjects only",
        "note: this is note 0",
        "note: this is note 1",
        "note: this is note 2",
        "and 1 more note in stability.json",
        f"maps, tables and stability.json: {tmp_path}",
    ]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"design": "magic"}, "--design is 'magic'"),
        ({"method": "refit"}, "--method is 'refit'"),
        ({"prior": "flat"}, "--prior is 'flat'"),
        ({"permutations": 0}, "--permutations is 0"),
        ({"spins": -1}, "--spins is -1"),
        ({"jobs": 0}, "--jobs is 0"),
        ({"threads": 0}, "--threads is 0"),
        ({"by": "sex"}, "--by names a column, and no table has it"),
        ({"table": Path("p.tsv")}, "--table p.tsv is given, and no column of it"),
        ({"task_id": 0}, "--task-id and --n-tasks belong together"),
        ({"task_id": 4, "n_tasks": 4}, "--task-id is 4, and --n-tasks 4"),
        ({"task_id": 0, "n_tasks": 4, "overwrite": True}, "--overwrite would take away"),
        ({"resume": True, "overwrite": True}, "--resume and --overwrite exclude each other"),
        ({"retest": ("1", "2")}, "--design without-replacement compares none"),
        ({"retest": ("1",), "design": "test-retest"}, "--retest is '1'"),
        ({"sizes": (5,), "design": "jackknife"}, "leaves out one .* and takes no --size"),
        ({"samples": 9, "design": "jackknife"}, "leaves out one .* and takes no --samples"),
        ({"scheduler": "cloud"}, "Unknown scheduler 'cloud'"),
        ({"formats": ("gif",)}, "--format is 'gif'"),
    ],
)
def test_wrong_options_are_refused(given, said):
    with pytest.raises(OptionError, match=said) as raised:
        StabilityOptions(results=Path("results"), **given)
    assert raised.value.tip


def test_the_methods_are_those_of_the_engine():
    assert options_module.METHODS == METHODS
