"""Simulated cohorts on disk: written, found, read, and never over something else."""

from __future__ import annotations

import pytest

from neuroparcel.brain.simulation import SimulationSettings
from neuroparcel.errors import FileFormatError, OptionError, OutputError
from neuroparcel.io.formats.cifti import read_cifti
from neuroparcel.io.layout import find_cohort
from neuroparcel.io.meshes import load_cortex_axis
from neuroparcel.io.regions import load_region
from neuroparcel.io.simulated import read_settings, read_truth, write_simulated_cohort

SMALL = SimulationSettings(n_subjects=2, n_sessions=2, n_runs=1, n_frames=4, seed=7)


@pytest.fixture
def cohort(tmp_path):
    return write_simulated_cohort(tmp_path / "cohort", SMALL)


def test_files_are_found_as_a_user_would(cohort):
    files = find_cohort(cohort.subject_list, cohort.data_dir)
    assert files.subjects == SMALL.subjects
    assert files.sessions == ("REST1", "REST2")
    matrix = read_cifti(files.recordings[0].path)
    assert matrix.axis == load_cortex_axis()
    assert matrix.n_frames == 4


def test_truth_and_settings_are_read_back(cohort):
    truth = read_truth(cohort.folder)
    assert read_settings(cohort.folder) == SMALL
    assert truth.axis == load_region("broca-left").axis
    assert truth.subjects == SMALL.subjects
    assert truth.subject.shape == (2, 339)


def test_progress_counts_every_file(tmp_path):
    seen = []
    write_simulated_cohort(
        tmp_path / "cohort", SMALL, progress=lambda done, total: seen.append((done, total))
    )
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_another_cohort_is_kept_unless_told_otherwise(cohort):
    with pytest.raises(OutputError, match="already holds a simulated cohort") as refused:
        write_simulated_cohort(cohort.folder, SMALL)
    assert "--overwrite" in refused.value.tip
    fewer = SimulationSettings(n_subjects=1, n_sessions=1, n_runs=1, n_frames=4)
    write_simulated_cohort(cohort.folder, fewer, overwrite=True)
    assert read_truth(cohort.folder).subjects == fewer.subjects
    assert len(list(cohort.data_dir.iterdir())) == 1


def test_other_files_are_never_touched(tmp_path):
    (tmp_path / "thesis.txt").write_text("precious")
    with pytest.raises(OutputError, match="holds files that are not a simulated cohort"):
        write_simulated_cohort(tmp_path, SMALL, overwrite=True)
    with pytest.raises(OutputError, match="is a file, not a folder"):
        write_simulated_cohort(tmp_path / "thesis.txt", SMALL)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_an_interrupted_simulation_leaves_no_list(tmp_path):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_simulated_cohort(tmp_path / "cohort", SMALL, progress=stop)
    assert not (tmp_path / "cohort" / "hcp_list.txt").exists()
    assert write_simulated_cohort(tmp_path / "cohort", SMALL, overwrite=True).subject_list.exists()


def test_too_many_runs_for_the_layout(tmp_path):
    with pytest.raises(OptionError, match="3 runs asked for, but a session of the HCP has 2"):
        write_simulated_cohort(tmp_path / "cohort", SimulationSettings(n_runs=3))
    assert not (tmp_path / "cohort").exists()


def test_a_folder_without_a_simulation(tmp_path):
    with pytest.raises(FileFormatError, match="does not hold a simulated cohort"):
        read_truth(tmp_path)


def test_a_damaged_simulation(cohort):
    cohort.truth.write_text("structure\tvertex\tpopulation\t990001\nCORTEX_LEFT\tx\t1\t1\n")
    with pytest.raises(FileFormatError, match=r"truth\.tsv is damaged"):
        read_truth(cohort.folder)
    cohort.truth.unlink()
    with pytest.raises(FileFormatError, match=r"truth\.tsv does not exist"):
        read_truth(cohort.folder)
    cohort.settings.write_text('{"n_brains": 3}')
    with pytest.raises(FileFormatError, match="does not hold the settings of a simulation"):
        read_settings(cohort.folder)
