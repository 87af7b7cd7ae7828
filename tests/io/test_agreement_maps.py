"""Margin and agreement with the population: the same numbers in every kind of file."""

from __future__ import annotations

import csv
import json
import tracemalloc
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from neuroparcel.brain.axis import BrainAxis
from neuroparcel.brain.parcellation import CohortParcellation, SoftParcellation
from neuroparcel.io.formats.cifti import read_cifti
from neuroparcel.io.writers import ParcellationWriter, read_parcellations, write_parcellations

NAN = np.nan
SIZE = 800  # vertices of the region that memory is measured on
NETWORKS = tuple(f"Network{number}" for number in range(1, 49))

# Three rows of two subjects with one session each, by hand; the last row has no data in anyone,
# the middle one none in the second subject, whose prior there is even.
SUBJECT = np.array(
    [
        [[0.7, 0.2, 0.1], [0.4, 0.4, 0.2], [0.5, 0.5, 0]],
        [[0.1, 0.6, 0.3], [0.3, 0.3, 0.4], [0.5, 0.5, 0]],
    ],
    dtype=np.float32,
)
DATA = np.array([[[True, True, False]], [[True, False, False]]])
POPULATION = np.array([[0.4, 0.4, 0.2], [0.4, 0.4, 0.2], [0.5, 0.5, 0]], dtype=np.float32)
MARGIN = {None: [0, 0, 0], "1": [0.5, 0, 0], "2": [0.3, 0.1, 0]}
AGREEMENT = {None: [0.7, 1, NAN], "1": [0.7, 1, 1], "2": [0.7, 0.8, 1]}


def make(axis: BrainAxis) -> CohortParcellation:
    session = SUBJECT[:, None]
    names = (("a", "b", "c"), ("1", "2"), ("x",))
    return CohortParcellation(axis, *names, POPULATION, SUBJECT, session, DATA)


SURFACE = BrainAxis.from_vertices("toy", {"CORTEX_LEFT": np.array([7, 2, 4])}, {"CORTEX_LEFT": 9})
PLACE = np.array([[1, 0, 2], [0, 0, 0], [3, 1, 1]])
VOLUME = BrainAxis(
    "toy", np.full(3, "OTHER"), np.full(3, -1), PLACE, {}, np.diag([2.0, 2, 2, 1]), (4, 2, 3)
)
NODES = BrainAxis.from_nodes(["p", "q", "r"])


def values(folder: Path, axis: BrainAxis, statistic: str, subject: str | None) -> np.ndarray:
    """The rows of a map, read without the package's own idea of where they lie."""
    level = "" if subject is None else f"sub-{subject}_"
    where = folder if subject is None else folder / f"sub-{subject}" / "func"
    (path,) = [
        path
        for path in where.glob(f"{level}*seg-neuroparcel*")
        if not path.name.endswith((".json", ".gii"))
        and (f"stat-{statistic}_boldmap" in path.name or path.name.endswith("probseg.tsv"))
    ]
    if axis is SURFACE:
        return np.asarray(nib.load(path).dataobj)[0, axis.vertex]
    if axis is VOLUME:
        return np.asarray(nib.load(path).dataobj)[tuple(PLACE.T)]
    with path.open(newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return np.array([float(row[statistic].replace("n/a", "nan")) for row in rows])


@pytest.mark.parametrize("axis", [SURFACE, VOLUME, NODES], ids=["surface", "volume", "nodes"])
def test_hand_made_numbers(tmp_path, axis):
    write_parcellations(tmp_path, make(axis), sources={}, gifti=False)
    for subject in (None, "1", "2"):
        margin = values(tmp_path, axis, "margin", subject)
        np.testing.assert_allclose(margin, MARGIN[subject], atol=1e-6)
        agreement = values(tmp_path, axis, "agreement", subject)
        np.testing.assert_allclose(agreement, AGREEMENT[subject], atol=1e-6)
    np.testing.assert_array_equal(read_parcellations(tmp_path).subject, SUBJECT)


def test_the_agreement_names_what_it_was_found_from(tmp_path):
    write_parcellations(tmp_path, make(SURFACE), sources={"1": ["/data/1.nii"]}, gifti=False)
    stem = "space-toy_seg-neuroparcel_den-0k"
    ours = f"bids::sub-1/ses-x/func/sub-1_ses-x_{stem}_probseg.dscalar.nii"
    population = f"bids::{stem}_probseg.dscalar.nii"
    path = tmp_path / f"sub-1/ses-x/func/sub-1_ses-x_{stem}_stat-agreement_boldmap.json"
    sidecar = json.loads(path.read_text())
    assert sidecar["Sources"] == [ours, population]
    assert "1 less their total variation distance" in sidecar["Description"]
    for uri in sidecar["Sources"]:
        assert (tmp_path / uri.removeprefix("bids::")).is_file()
    of_all = json.loads((tmp_path / f"{stem}_stat-agreement_boldmap.json").read_text())["Sources"]
    subjects = [f"bids::sub-{n}/func/sub-{n}_{stem}_probseg.dscalar.nii" for n in "12"]
    assert of_all == [population, *subjects]
    margin = read_cifti(tmp_path / f"{stem}_stat-margin_boldmap.dscalar.nii")
    assert margin.names == ("margin",)


class Drawn:
    """Subjects that are made when they are asked for, and kept by nobody."""

    def __init__(self, n_subjects: int) -> None:
        self.axis = BrainAxis.from_vertices(
            "toy", {"CORTEX_LEFT": np.arange(SIZE)}, {"CORTEX_LEFT": SIZE + 9}
        )
        self.networks, self.sessions = NETWORKS, ("x",)
        self.subjects = tuple(f"{number:02}" for number in range(n_subjects))

    def of_subject(self, subject: str) -> SoftParcellation:
        rng = np.random.default_rng(int(subject))
        shares = rng.dirichlet(np.ones(len(NETWORKS)), size=SIZE).astype(np.float32)
        return SoftParcellation(self.axis, NETWORKS, shares)

    def of_session(self, subject: str, session: str) -> SoftParcellation:
        return self.of_subject(subject)


def test_memory_does_not_grow_by_maps(tmp_path):
    """Labels and names of files are kept, a tenth of a subject's maps; bound: a half."""

    def peak(n_subjects: int) -> int:
        drawn = Drawn(n_subjects)
        names = (drawn.networks, drawn.subjects, drawn.sessions)
        writer = ParcellationWriter(tmp_path, drawn.axis, *names, sources={}, gifti=False)
        tracemalloc.start()
        for subject in drawn.subjects:
            writer.add(drawn, subject)
        writer.finish(drawn.of_subject("00"))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(1)  # what libraries keep from their first use
    one_map = SIZE * len(NETWORKS) * 4
    assert peak(12) - peak(3) < 9 * one_map / 2
