"""Fixtures of schedules and sensors."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from quant_assets_tests.support.scheduler import DAYS, Scheduler, evening, open_scheduler
from quant_assets_tests.support.small_market import small_settings, write_small_market


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small market's folder: to copy, not to change."""
    return write_small_market(Path(tmp_path_factory.mktemp("market"), "market"))


@pytest.fixture
def scheduler(market: Path, tmp_path: Path) -> Iterator[Scheduler]:
    """The small market on the evening of its last day, of which nothing is stored."""
    folder = Path(shutil.copytree(market, tmp_path / "market"))
    settings = small_settings(folder, tmp_path / "data")
    with open_scheduler(folder, settings, evening(DAYS[-1])) as opened:
        yield opened
