"""Damaged files of every format: a matrix or an error of ours, in little memory, without a word.

``NEUROPARCEL_FUZZ_SECONDS=600`` goes on with new damage for ten minutes.
"""

from __future__ import annotations

import logging
import os
import re
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, seed, settings
from hypothesis import strategies as st

from neuroparcel.errors import NeuroparcelError
from neuroparcel.io.formats import open_matrix
from neuroparcel.io.formats.content import MAX_INFLATION

from .samples import samples, write_mask

SAMPLES = samples()
_SECONDS = float(os.environ.get("NEUROPARCEL_FUZZ_SECONDS", "0"))
_SMALL = 2**24
_EXTREMES = [0, 1, 2, 127, 255, 2**15 - 1, 2**16, 2**31 - 1, 2**31, 2**40, 2**62, 2**63 - 1]
_WORDS = [b"0", b"-1", b"1e400", b"nan", b"999999999999", b"9" * 30, b"", b"x", b"3.5", b"\xff"]

flips = st.tuples(st.just("flip"), st.floats(0, 1), st.integers(0, 255))
fields = st.tuples(
    st.just("field"),
    st.integers(0, 700),
    st.sampled_from([2, 4, 8]),
    st.sampled_from(["little", "big"]),
    st.sampled_from([*_EXTREMES, *(-number for number in _EXTREMES[1:])]),
)
words = st.tuples(st.just("word"), st.floats(0, 1), st.sampled_from(_WORDS))
cuts = st.tuples(st.just("cut"), st.floats(0, 1))
repeats = st.tuples(st.just("repeat"), st.floats(0, 1), st.integers(1, 64))
damage = st.lists(st.one_of(flips, fields, words, cuts, repeats), min_size=1, max_size=4)


def apply(content: bytes, step: tuple) -> bytes:
    """One piece of damage."""
    changed = bytearray(content)
    match step:
        case ("flip", where, value) if changed:
            changed[int(where * (len(changed) - 1))] = value
        case ("field", at, size, order, number):
            wrapped = number % 2 ** (8 * size)
            changed[at : at + size] = wrapped.to_bytes(size, order)
        case ("word", where, word):
            found = list(re.finditer(rb"[\d.]+", content))
            if found:
                chosen = found[int(where * (len(found) - 1))]
                changed[chosen.start() : chosen.end()] = word
        case ("cut", where):
            del changed[int(where * len(changed)) :]
        case ("repeat", where, length):
            at = int(where * len(changed))
            changed[at:at] = changed[at : at + length]
    return bytes(changed)


class Listener(logging.Handler):
    """Remembers what libraries say."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.said.append(record.getMessage())


def check(path: Path, content: bytes, mask: Path) -> None:
    """The law: a matrix whose numbers can be read, or an error of ours; and silence."""
    path.write_bytes(content)
    listener = Listener()
    loggers = [logging.getLogger(), logging.getLogger("nibabel.global")]
    for logger in loggers:
        logger.addHandler(listener)
    found = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            read_some(path, mask, len(content))
    except NeuroparcelError as error:
        found = error
    finally:
        for logger in loggers:
            logger.removeHandler(listener)
    assert listener.said == []
    if found is not None:
        assert "\n" not in found.message
        assert path.name in found.message or mask.name in found.message
        assert not isinstance(found.__cause__, MemoryError)


def read_some(path: Path, mask: Path, n_bytes: int) -> None:
    matrix = open_matrix(path, mask)
    n_rows = len(matrix.axis)
    assert n_rows * matrix.n_frames <= MAX_INFLATION * (n_bytes + 1024)
    few = np.arange(min(3, n_rows))[::-1]
    assert matrix.read(few).shape == (len(few), matrix.n_frames)
    if n_rows * matrix.n_frames < _SMALL:
        values = matrix.read()
        assert values.dtype == np.float32
        np.testing.assert_array_equal(values[few], matrix.read(few))


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


@pytest.mark.parametrize("name", SAMPLES)
def test_whole_files_pass(folder, name):
    check(folder / name, SAMPLES[name].content, write_mask(folder))
    values = open_matrix(folder / name, write_mask(folder)).read()
    np.testing.assert_allclose(values, SAMPLES[name].values, rtol=1e-6, atol=6e-7)


@settings(max_examples=350, derandomize=True, deadline=None, database=None)
@given(name=st.sampled_from(sorted(SAMPLES)), steps=damage, inside=st.booleans())
@example(name="a.dtseries.nii", steps=[("cut", 0.5)], inside=True)
def test_damaged_files_end_in_an_error_of_ours(folder, name, steps, inside):
    run(folder, name, steps, inside)


@settings(max_examples=100, derandomize=True, deadline=None, database=None)
@given(steps=damage)
def test_damaged_masks_end_in_an_error_of_ours(folder, steps):
    mask = write_mask(folder)
    (folder / "masked.nii").write_bytes(SAMPLES["a.nii"].content)
    content = mask.read_bytes()
    for step in steps:
        content = apply(content, step)
    mask.write_bytes(content)
    check(folder / "masked.nii", SAMPLES["a.nii"].content, mask)


@pytest.mark.skipif(not _SECONDS, reason="NEUROPARCEL_FUZZ_SECONDS is not set")
def test_more_damage(folder):
    end, number = time.monotonic() + _SECONDS, 0
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large]

    while time.monotonic() < end:
        number += 1

        @seed(number)
        @settings(max_examples=500, deadline=None, database=None, suppress_health_check=quiet)
        @given(name=st.sampled_from(sorted(SAMPLES)), steps=damage, inside=st.booleans())
        def more(name, steps, inside):
            run(folder, name, steps, inside)

        more()
    print(f"{500 * number} damaged files")


def run(folder: Path, name: str, steps: list[tuple], inside: bool) -> None:
    sample = SAMPLES[name]
    content = sample.inner if inside else sample.content
    for step in steps:
        content = apply(content, step)
    check(folder / name, sample.wrap(content) if inside else content, write_mask(folder))
