"""What all tests share: where the real data lies, on which device and in which precision."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

SLOW_FOLDERS = ("inference", "integration", "tutorials")


def pytest_addoption(parser: pytest.Parser) -> None:
    """``--device cuda`` runs the laws of the inference wing on a GPU."""
    parser.addoption("--device", default="cpu", help="torch device of the laws (default: cpu)")


def pytest_configure(config: pytest.Config) -> None:
    """One thread: two wait for each other wherever a core is busy (decision 4)."""
    torch.set_num_threads(1)
    name = config.getoption("--device")
    try:
        torch.zeros(1, device=name)
    except (RuntimeError, AssertionError) as error:
        raise pytest.UsageError(f"--device {name}: there is no such device here.") from error


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes longest first: a file is one worker's, and the last would keep one waiting."""
    items.sort(key=lambda item: item.path.parent.name not in SLOW_FOLDERS)


@pytest.fixture(scope="session")
def device(request: pytest.FixtureRequest) -> torch.device:
    """What ``--device`` names."""
    return torch.device(request.config.getoption("--device"))


@pytest.fixture(scope="session", params=[torch.float32, torch.float64], ids=["float32", "float64"])
def dtype(request: pytest.FixtureRequest) -> torch.dtype:
    """Single and double precision: a test that asks for it runs in both."""
    return request.param


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of the real data; the test skips where there is none."""
    name = os.environ.get("NEUROPARCEL_TEST_DATA", "")
    folder = Path(name)
    if not name or not folder.is_dir():
        pytest.skip("NEUROPARCEL_TEST_DATA does not name a folder")
    return folder
