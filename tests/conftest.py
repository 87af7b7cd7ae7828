"""What all tests share: where the real data lies, if anywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch


def pytest_configure() -> None:
    """One thread: two wait for each other wherever a core is busy (decision 4)."""
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real data; the test skips where there is none."""
    name = os.environ.get("NEUROPARCEL_TEST_DATA", "")
    folder = Path(name)
    if not name or not folder.is_dir():
        pytest.skip("NEUROPARCEL_TEST_DATA does not name a folder")
    return folder
