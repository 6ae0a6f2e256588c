"""Fixtures that many tests share; factories stand in tests/factories.py."""

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real photos, LUTs and preference data that stands beside the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip("needs the shared data folder beside the project (../shared/data)")
    return SHARED_DATA
