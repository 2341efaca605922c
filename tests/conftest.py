"""Shared by all tests: where real portal data may lie, and an environment in which nothing phones home."""

import os
from pathlib import Path

import pytest

SHARED = Path(__file__).resolve().parents[2] / "shared"

os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
for name in ("UNVEIL_STORE", "UNVEIL_CONTACT"):
    os.environ.pop(name, None)


@pytest.fixture(scope="session")
def real() -> Path:
    """The folder of real portal data; tests that need it are skipped where it is not."""
    folder = SHARED / "real"
    if not folder.is_dir():
        pytest.skip("the folder of real portal data is not here")
    return folder
