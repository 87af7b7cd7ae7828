"""The similarity of nodes comes back from its table."""

from __future__ import annotations

import numpy as np
import pytest

from neuroparcel.errors import FileFormatError
from neuroparcel.io.writers.similarity import read_similarity, write_similarity


def test_similarity_comes_back(tmp_path):
    similarity = np.random.default_rng(0).normal(size=(5, 5)).astype(np.float32)
    similarity[1] = similarity[:, 1] = np.nan
    path = write_similarity(tmp_path, similarity, list("abcde"))
    np.testing.assert_array_equal(read_similarity(tmp_path), similarity)
    assert path.read_text().splitlines()[0] == "a\tb\tc\td\te"


def test_a_run_without_nodes_has_none(tmp_path):
    assert read_similarity(tmp_path) is None


def test_damaged_tables_are_refused(tmp_path):
    path = write_similarity(tmp_path, np.eye(3), list("abc"))
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:3]))
    with pytest.raises(FileFormatError, match=r"is damaged .2 rows for 3 nodes"):
        read_similarity(tmp_path)
    path.write_text("\n".join(lines).replace("1.0", "one"))
    with pytest.raises(FileFormatError, match=r"is damaged .could not convert.*Put it back"):
        read_similarity(tmp_path)
