"""Fixtures shared by all tests."""

import os
from pathlib import Path

import pytest

REAL_MARKET = Path(__file__).parents[2] / "shared" / "markets-2010-2017"


@pytest.fixture(scope="session")
def real_market() -> Path:
    """Folder with a real market in the competition's format (QUANT_TEST_MARKET overrides)."""
    folder = Path(os.environ.get("QUANT_TEST_MARKET", REAL_MARKET))
    if not (folder / "train.csv").exists():
        pytest.skip(f"no real market in the competition's format at {folder}")
    return folder
