"""What inspecting a cohort tells, for ten subjects and for a thousand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from nibabel.cifti2 import BrainModelAxis, ParcelsAxis, ScalarAxis, SeriesAxis

from neuroparcel.brain.atlas import Label
from neuroparcel.brain.axis import BrainAxis
from neuroparcel.io.layout import CohortFiles, Recording
from neuroparcel.io.survey import Survey, survey
from neuroparcel.io.survey.examination import Examined, Grid, describe_rows, examine
from neuroparcel.io.writers.cifti_writer import write_dlabel, write_dscalar, write_dtseries

from .samples import cifti_bytes

MESH = {"CORTEX_LEFT": 40, "CORTEX_RIGHT": 40}


def recording(path: Path, subject: str = "s", session: str = "1", run: str = "1") -> Recording:
    return Recording(subject, session, run, (path,))


@pytest.fixture
def cohort(write_recording) -> CohortFiles:
    """Subject a has two sessions of two runs, b one session of one run."""
    names = [("a", "1", "1"), ("a", "1", "2"), ("a", "2", "1"), ("a", "2", "2"), ("b", "1", "1")]
    return CohortFiles(
        tuple(
            recording(write_recording("_".join(name), seed=seed), *name)
            for seed, name in enumerate(names)
        )
    )


def test_a_header_tells(write_recording, toy_axis):
    path = write_recording("x", n_frames=24)
    found = examine(recording(path))
    assert (found.kind, found.n_frames, found.tr, found.error) == ("series", 24, 0.72, "")
    assert found.rows == "74 rows: 36 CORTEX_LEFT, 38 CORTEX_RIGHT"
    assert found.n_rows == len(toy_axis)
    assert found.grid == Grid("unknown", tuple(MESH.items()))
    assert (found.n_bytes, found.n_kept) == (path.stat().st_size, None)


def test_censored_frames_are_counted(write_recording, tmp_path):
    (tmp_path / "c.txt").write_text("1\n0\n0\n" + "1\n" * 21)
    found = examine(replace(recording(write_recording("x")), censor=tmp_path / "c.txt"))
    assert (found.n_kept, found.n_frames, found.error) == (22, 24, "")


def test_what_lies_beside_a_recording_must_fit(write_recording, tmp_path):
    (tmp_path / "c.txt").write_text("1\n0\n")
    path = write_recording("x")
    censored = examine(replace(recording(path), censor=tmp_path / "c.txt"))
    assert f"c.txt has 2 frames, but {path} has 24" in censored.error
    confounded = examine(replace(recording(path), confounds=tmp_path / "c.txt"))
    assert f"c.txt have 2 rows, but {path} has 24 frames" in confounded.error
    assert confounded.kind == "series"  # the file itself could be read


def test_a_small_cohort_row_by_row(cohort):
    found = survey(cohort)
    lines = found.summary().splitlines()
    assert lines[0].startswith("2 subjects x 2 sessions, 5 recordings, ")
    assert lines[2:5] == [
        "subject  1                  2",
        "a        2 runs, 48 frames  2 runs, 48 frames",
        "b        1 run, 24 frames   missing",
    ]
    assert "Space: unknown, meshes of 40 vertices" in lines
    assert "Rows: 74: 36 CORTEX_LEFT, 38 CORTEX_RIGHT" in lines
    assert "Frames: 24" in lines
    assert "TR: 0.72 s" in lines
    assert lines[-1] == "No problems."
    assert found.ok
    assert found.notes == cohort.notes


def test_bad_files_stop_nothing(cohort, tmp_path, toy_axis):
    (tmp_path / "bad.dtseries.nii").write_bytes(b"no CIFTI at all")
    keys = np.ones(len(toy_axis), dtype=int)
    area = Label(1, "area", (0.0, 0.0, 1.0, 1.0))
    labels = write_dlabel(tmp_path / "x.dlabel.nii", toy_axis, {"areas": keys}, [area])
    more = (
        recording(tmp_path / "bad.dtseries.nii", "b", "1", "2"),
        recording(tmp_path / "gone.dtseries.nii", "b", "2", "1"),
        recording(labels, "c", "1", "1"),
    )
    found = survey(CohortFiles((*cohort.recordings, *more)))
    assert not found.ok
    first, second, third = found.problems
    assert first.startswith(f"subject b, session 1, run 2: {tmp_path}/bad.dtseries.nii")
    assert "gone.dtseries.nii does not exist" in second
    assert "x.dlabel.nii is a label file" in third
    summary = found.summary()
    assert "b        2 runs, 24 frames, 1 bad  1 run, 1 bad" in summary
    assert f"3 problems:\n  {first}\n  {second}\n" in summary
    assert [row["status"] == "ok" for row in found.table()] == [True] * 5 + [False] * 3


def test_the_number_of_processes_does_not_matter(cohort):
    seen: list[tuple[int, int]] = []
    found = survey(cohort, n_jobs=2, progress=lambda done, total: seen.append((done, total)))
    assert found == survey(cohort)
    assert seen == [(n, 5) for n in range(1, 6)]


def test_two_resolutions_are_a_problem_that_names_both_files(cohort, tmp_path):
    axis = BrainAxis.from_vertices("unknown", {"CORTEX_LEFT": np.arange(30)}, {"CORTEX_LEFT": 30})
    path = write_dtseries(tmp_path / "low.dtseries.nii", axis, np.ones((30, 5)), step=0.72)
    (line,) = survey(CohortFiles((*cohort.recordings, recording(path, "c")))).problems
    assert line == (
        f"{path} (1 recording in unknown, meshes of 30 vertices) cannot be pooled with "
        f"{cohort.recordings[0].path} (5 in unknown, meshes of 40 vertices). Resample them alike, "
        "or take them off the list."
    )


def test_other_rows_of_the_same_mesh_are_no_problem(cohort, tmp_path):
    """A medial wall present in one file and absent in another."""
    whole = {name: np.arange(40) for name in MESH}
    axis = BrainAxis.from_vertices("unknown", whole, MESH)
    path = write_dtseries(tmp_path / "whole.dtseries.nii", axis, np.ones((80, 24)), step=0.72)
    found = survey(CohortFiles((*cohort.recordings, recording(path, "c"))))
    assert found.ok
    assert "Rows: 2 values\n  74: 36 CORTEX_LEFT" in found.summary()


def test_another_tr_is_a_note(cohort, tmp_path, toy_axis):
    path = write_dtseries(tmp_path / "slow.dtseries.nii", toy_axis, np.ones((74, 24)), step=2.0)
    found = survey(CohortFiles((*cohort.recordings, recording(path, "c"))))
    assert found.ok
    assert found.notes[-1] == (
        f"The TR differs: most recordings have 0.72 s, {path}, subject c, session 1, run 1, has "
        "2 s."
    )
    assert (
        "TR: 2 values\n  0.72 s (5 recordings, first subject a, session 1, run 1)\n  2 s (sub"
        in (found.summary())
    )


def test_maps_are_compared_by_name(tmp_path, toy_axis):
    rng = np.random.default_rng(0)
    recordings = []
    for number, names in enumerate((["rest", "go"], ["go", "rest", "math"], ["rest", "ToM"])):
        maps = {name: rng.normal(size=len(toy_axis)) for name in names}
        path = write_dscalar(tmp_path / f"{number}.dscalar.nii", toy_axis, maps)
        recordings.append(recording(path, f"s{number}"))
    summary = survey(CohortFiles(tuple(recordings))).summary()
    assert "s1       1 run, 3 maps" in summary
    assert "Maps: 1 in all recordings: rest\n  1 in some only (2 recordings, first" in summary
    assert "1 in some only (subject s2, session 1, run 1): ToM" in summary


def test_two_maps_of_one_name_are_a_note(tmp_path, toy_axis):
    parts = [
        BrainModelAxis.from_surface(toy_axis.vertex[toy_axis.rows_in(name)], 40, name)
        for name in toy_axis.structures
    ]
    maps = np.ones((3, len(toy_axis)), np.float32)
    recordings = []
    for number, names in enumerate((["a", "b", "c"], ["a", "b", "b"], ["c", "c", "c"])):
        path = tmp_path / f"{number}.dscalar.nii"
        axes = ScalarAxis(names), parts[0] + parts[1]
        path.write_bytes(cifti_bytes(axes, maps, "ConnDenseScalar"))
        recordings.append(recording(path, f"s{number}"))
    found = survey(CohortFiles(tuple(recordings)))
    assert found.ok
    line = (
        f"{tmp_path}/1.dscalar.nii has 2 maps called 'b', which --features maps refuses."
        " 1 further files have maps of one name too."
    )
    assert found.notes[-1] == line
    assert f"Note: {line}" in found.summary()
    assert not any("maps called" in note for note in survey(CohortFiles((recordings[0],))).notes)


def test_more_nodes_than_frames_are_a_note(tmp_path):
    recordings = []
    for number, shape in enumerate(((120, 40), (40, 120), (30, 120))):
        path = tmp_path / f"{number}.npy"
        np.save(path, np.random.default_rng(0).normal(size=shape))
        recordings.append(recording(path, f"s{number}"))
    line = (
        "More nodes (120) than frames (40): if rows are nodes, transpose; rows must be frames "
        f"({tmp_path}/1.npy)."
    )
    found = survey(CohortFiles(tuple(recordings[:2])))
    assert found.notes[-1] == line
    assert f"Note: {line}" in found.summary()
    both = survey(CohortFiles(tuple(recordings[1:])))
    assert both.ok
    assert both.notes[-1] == line.replace("1.npy", "1.npy, and 1 more")
    assert not any("transpose" in note for note in survey(CohortFiles((recordings[0],))).notes)


def test_a_parcellated_file_says_itself_what_its_rows_are(tmp_path):
    left = BrainModelAxis.from_surface(np.arange(40), 40, "CORTEX_LEFT")
    parcels = ParcelsAxis.from_brain_models([(f"p{n}", left[n : n + 1]) for n in range(40)])
    path = tmp_path / "a.ptseries.nii"
    axes = SeriesAxis(0, 0.72, 10), parcels
    path.write_bytes(cifti_bytes(axes, np.ones((10, 40), np.float32), "ConnParcelSries"))
    assert not any("transpose" in note for note in survey(CohortFiles((recording(path),))).notes)


def made_up(n_subjects: int, n_lacking: int, n_bad: int) -> Survey:
    """A survey of files that nobody opened: two sessions of two runs."""
    grid = Grid("fsLR", (("CORTEX_LEFT", 32492), ("CORTEX_RIGHT", 32492)))
    entries = []
    for number in range(n_subjects):
        for session in ("REST1", "REST2")[: 1 if number < n_lacking else 2]:
            for run in ("LR", "RL"):
                path = Path(f"{number}_{session}_{run}.nii")
                frames = 1200 - number % 3
                bad = n_subjects - number <= n_bad and (session, run) == ("REST2", "RL")
                entry = Examined(recording(path, f"{number:04}", session, run), 439_000_000)
                known = replace(
                    entry, kind="series", n_frames=frames, n_kept=frames - 10, tr=0.72, grid=grid
                )
                entries.append(replace(entry, error=f"{path} is bad.") if bad else known)
    files = CohortFiles(tuple(entry.recording for entry in entries))
    return Survey(files, tuple(entries))


def test_a_thousand_subjects_in_a_few_lines():
    lines = made_up(1000, n_lacking=4, n_bad=30).summary().splitlines()
    assert lines[0] == "1000 subjects x 2 sessions, 3992 recordings, 1.75 TB"
    table = [line.split("  ") for line in lines[3:6]]
    words = [[cell.strip() for cell in row if cell.strip()] for row in table]
    both = "2 runs, 2396 to 2400 frames (2376 to 2380 kept)"
    assert words == [
        ["966 subjects (0004, 0005, 0006, ...)", both, both],
        [
            "30 subjects (0970, 0971, 0972, ...)",
            both,
            "2 runs, 1198 to 1200 frames (1188 to 1190 kept), 1 bad",
        ],
        ["4 subjects (0000, 0001, 0002, ...)", both, "missing"],
    ]
    assert lines[-1] == "  and 10 more, which the table of all recordings names"
    assert len(lines) < 50
    assert "all 30 subjects" in made_up(30, 0, 0).summary()


def test_many_patterns_and_many_sessions_stay_readable():
    entries = [
        Examined(recording(Path(f"{s}_{n}.nii"), f"s{s:02}", f"{n}"), 1, kind="series", n_frames=9)
        for s in range(63)
        for n in range(1, 9)
        if n != s % 9 and (s + n) % 7
    ]
    files = CohortFiles(tuple(entry.recording for entry in entries))
    lines = Survey(files, tuple(entries)).summary().splitlines()
    headers = [line.split() for line in lines if line.startswith("subject")]
    assert headers == [["subject", *"123456"], ["subject", "7", "8"]]
    assert max(map(len, lines)) < 130
    shown = {word for line in lines for word in line.split() if word.startswith("s")}
    assert len(shown) < 63
    assert any(line.startswith("and ") and "subjects with other runs: " in line for line in lines)


def test_the_table_is_tsv(cohort):
    found = survey(cohort)
    header, *rows = [line.split("\t") for line in found.to_tsv().splitlines()]
    assert header[:6] == ["subject", "session", "run", "path", "kind", "n_frames"]
    assert len(rows) == 5
    assert {len(row) for row in rows} == {len(header)}
    assert dict(zip(header, rows[0], strict=True)) | {"path": "", "n_bytes": ""} == {
        "subject": "a",
        "session": "1",
        "run": "1",
        "path": "",
        "kind": "series",
        "n_frames": "24",
        "n_kept": "n/a",
        "tr": "0.72",
        "space": "unknown, meshes of 40 vertices",
        "rows": "74 rows: 36 CORTEX_LEFT, 38 CORTEX_RIGHT",
        "n_bytes": "",
        "status": "ok",
    }


def volume_axis(shape: tuple[int, int, int], structures: int) -> BrainAxis:
    n = 2 * structures
    voxel = np.stack(np.unravel_index(np.arange(n), shape), axis=1)
    names = np.repeat([f"PART_{number}" for number in range(structures)], 2)
    return BrainAxis("MNI", names, np.full(n, -1), voxel, {}, np.eye(4), shape)


def test_rows_in_words():
    assert describe_rows(BrainAxis.from_nodes(["a", "b"])) == "2 nodes"
    assert describe_rows(volume_axis((3, 4, 5), 1)) == "2 rows: 2 voxels of PART_0"
    assert describe_rows(volume_axis((3, 4, 5), 4)) == "8 rows: 8 voxels of 4 structures"


SURFACE = Grid("fsLR", (("CORTEX_LEFT", 40), ("CORTEX_RIGHT", 40)))
WITH_VOLUME = replace(SURFACE, volume=(3, 4, 5), affine=(1.0,))
GRIDS = {
    "itself": (SURFACE, SURFACE, True),
    "with a volume": (SURFACE, WITH_VOLUME, True),
    "one hemisphere": (SURFACE, Grid("fsLR", (("CORTEX_LEFT", 40),)), True),
    "opposite hemispheres": (Grid("x", (("L", 40),)), Grid("x", (("R", 40),)), False),
    "finer": (SURFACE, Grid("fsLR", (("CORTEX_LEFT", 160), ("CORTEX_RIGHT", 160))), False),
    "unknown space": (SURFACE, replace(SURFACE, space="unknown"), True),
    "another space": (SURFACE, replace(SURFACE, space="fsaverage"), False),
    "another volume": (WITH_VOLUME, replace(WITH_VOLUME, volume=(4, 4, 5)), False),
    "another position": (WITH_VOLUME, replace(WITH_VOLUME, affine=(2.0,)), False),
    "nodes": (
        Grid.of(BrainAxis.from_nodes(["a", "b"])),
        Grid.of(BrainAxis.from_nodes(["a", "b"])),
        True,
    ),
    "other nodes": (
        Grid.of(BrainAxis.from_nodes(["a", "b"])),
        Grid.of(BrainAxis.from_nodes(["a", "c"])),
        False,
    ),
    "nodes and vertices": (SURFACE, Grid.of(BrainAxis.from_nodes(["a"])), False),
}


@pytest.mark.parametrize("name", GRIDS)
def test_grids_agree_or_not_whichever_comes_first(name):
    one, other, agree = GRIDS[name]
    assert one.agrees(other) is agree
    assert other.agrees(one) is agree


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        (Grid.of(BrainAxis.from_nodes(["a"])), Grid.of(BrainAxis.from_nodes(["b"])), "other names"),
        (WITH_VOLUME, replace(WITH_VOLUME, affine=(2.0,)), "position of the volume differ"),
    ],
)
def test_a_difference_that_words_hide_is_said(one, other, reason):
    entries = tuple(
        Examined(recording(Path(f"{n}.nii"), f"s{n}"), 1, kind="series", n_frames=9, grid=grid)
        for n, grid in enumerate((one, one, other))
    )
    files = CohortFiles(tuple(entry.recording for entry in entries))
    (line,) = Survey(files, entries).problems
    assert line.startswith("2.nii (1 recording in ")
    assert "cannot be pooled with 0.nii (2 in " in line
    assert reason in line
