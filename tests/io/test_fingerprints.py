"""What a block depends on: every file, and the code that makes its numbers."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from neuroparcel.brain.cleaning import Cleaning
from neuroparcel.io import fingerprints
from neuroparcel.io.cells import make_cell
from neuroparcel.io.fingerprints import cell_key, input_files, take_stamp
from neuroparcel.io.layout import Recording
from neuroparcel.io.recipe import Recipe
from neuroparcel.io.store import build_store, open_store
from neuroparcel.io.store import index as index_module

from .samples import numbers, samples
from .store_cases import ALL, Counting, write_cohort

SEED = 9
GOLDEN = "ba60db1ebdc11df3a1e9bfa13e18a2976ec3950953e5886327cd4f1f8322adb9"
"""SHA-256 of the values of version 1, rounded to 4 decimals."""


@pytest.fixture
def external(tmp_path) -> Recording:
    """A GIFTI file whose numbers lie in a file beside it."""
    (tmp_path / "a.dat").write_bytes(b"head" + numbers(7)[:, 0].tobytes())
    inside = samples()["gzip.L.func.gii"].content
    outside = b'ExternalFileBinary" ExternalFileName="a.dat" ExternalFileOffset="4'
    content = inside.replace(b"GZipBase64Binary", outside)
    content = content.replace(b'ExternalFileName="" ExternalFileOffset="0"', b"")
    content = content.replace(b'ExternalFileName="" ExternalFileOffset=""', b"")
    (tmp_path / "a.L.func.gii").write_bytes(content)
    return Recording("a", "1", "1", (tmp_path / "a.L.func.gii",))


def key(recording: Recording) -> str:
    paths = input_files([recording])
    return cell_key([recording], {str(path): take_stamp(path) for path in paths}, [])


def test_numbers_in_a_file_beside_are_part_of_the_key(tmp_path, external):
    beside = tmp_path / "a.dat"
    assert input_files([external]) == (external.path, beside)
    before = key(external)
    beside.write_bytes(b"head" + numbers(7)[:, 1].tobytes())  # of the same size
    assert key(external) != before


def golden_recording(folder: Path, write_recording) -> Recording:
    """Forty frames of random numbers, and two confounds."""
    table = np.random.default_rng(1).normal(size=(40, 2))
    lines = ["a\tb", *(f"{a:.6f}\t{b:.6f}" for a, b in table)]
    (folder / "confounds.tsv").write_text("\n".join(lines) + "\n")
    data = write_recording("golden", seed=SEED, n_frames=40)
    return Recording("a", "1", "1", (data,), confounds=folder / "confounds.tsv")


def test_numbers_are_those_of_their_version(tmp_path, write_recording, toy_region, toy_targets):
    """With this seed no number is so near to where its rounding changes that machines differ."""
    cleaning = Cleaning(detrend=True, band_pass=(0.02, 0.3), confounds="all")
    recording = golden_recording(tmp_path, write_recording)
    values = make_cell([recording], Recipe(toy_region, toy_targets, cleaning=cleaning)).values
    scaled = values.astype(float) * 1e4
    assert np.abs(scaled - np.floor(scaled) - 0.5).min() > 1e-2
    found = hashlib.sha256(np.rint(scaled).astype("<i4").tobytes()).hexdigest()
    assert (fingerprints.NUMBERS_VERSION, found) == (1, GOLDEN), (
        "The numbers of a session have changed: raise NUMBERS_VERSION in io/fingerprints.py, so "
        "that stores make theirs anew, and note the new checksum here."
    )


def test_another_version_makes_all_anew(tmp_path, toy_axis, toy_region, toy_targets, monkeypatch):
    (tmp_path / "in").mkdir()
    files, recipe = write_cohort(tmp_path / "in", toy_axis), Recipe(toy_region, toy_targets)
    build_store(tmp_path / "store", files, recipe)
    before = open_store(tmp_path / "store").index.keys
    monkeypatch.setattr(fingerprints, "NUMBERS_VERSION", 2)
    monkeypatch.setattr(index_module, "NUMBERS_VERSION", 2)
    make = Counting()
    build_store(tmp_path / "store", files, recipe, make=make)
    assert make.made == list(ALL)
    assert not before & open_store(tmp_path / "store").index.keys
