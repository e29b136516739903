"""Fixtures of schedules and sensors."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from quant_assets.core.settings import Settings
from quant_assets.orchestration.execution.runs import open_instance
from quant_assets_tests.support.scheduler import DAYS, Scheduler, evening, open_scheduler
from quant_assets_tests.support.small_market import small_settings, write_small_market


@pytest.fixture(scope="session")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small market's folder: to copy, not to change."""
    return write_small_market(Path(tmp_path_factory.mktemp("market"), "market"))


@pytest.fixture(scope="session")
def empty_data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory whose Dagster has its databases, which take long to make: to copy."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("empty") / "data")
    with open_instance(settings):
        return settings.data_dir


@pytest.fixture
def scheduler(market: Path, empty_data_dir: Path, tmp_path: Path) -> Iterator[Scheduler]:
    """The small market on the evening of its last day, of which nothing is stored."""
    folder = Path(shutil.copytree(market, tmp_path / "market"))
    data_dir = Path(shutil.copytree(empty_data_dir, tmp_path / "data"))
    settings = small_settings(folder, data_dir)
    with open_scheduler(folder, settings, evening(DAYS[-1])) as opened:
        yield opened
