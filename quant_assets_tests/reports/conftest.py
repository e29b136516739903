"""A filled lake that tests may change, and the scope of a page."""

import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.reports.periods import DAILY, Period
from quant_assets.reports.scope import ReportScope
from quant_assets.submission.submission import SubmissionTime
from quant_assets_tests.support.report_tables import DAY, FAMILIES, fill

DRIFT_SHARE = 0.3


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a lake; tests change copies of it, since filling a lake takes seconds."""
    folder = tmp_path_factory.mktemp("filled")
    fill(folder).close()
    return folder


@pytest.fixture
def lake(filled: Path, tmp_path: Path) -> Iterator[Lake]:
    shutil.copytree(filled, tmp_path, dirs_exist_ok=True)
    with Lake(tmp_path) as opened:
        yield opened


def scope(
    lake: Lake, day: date = DAY, period: Period = DAILY, delivery: SubmissionTime | None = None
) -> ReportScope:
    return ReportScope(lake, period, day, FAMILIES, DRIFT_SHARE, delivery)


def without(lake: Lake, table: Table, day: date) -> None:
    lake.replace_days(table, day, day, {column.name: [] for column in table.columns})
