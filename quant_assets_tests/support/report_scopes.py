"""Scopes of report pages over a filled lake."""

from datetime import date

from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.reports.periods import DAILY, Period
from quant_assets.reports.scope import ReportScope
from quant_assets.submission.submission import SubmissionTime
from quant_assets_tests.support.calendars import LONDON_AND_TOKYO
from quant_assets_tests.support.report_tables import DAY, FAMILIES

DRIFT_SHARE = 0.3


def scope(
    lake: Lake, day: date = DAY, period: Period = DAILY, delivery: SubmissionTime | None = None
) -> ReportScope:
    return ReportScope(lake, period, day, FAMILIES, DRIFT_SHARE, LONDON_AND_TOKYO, delivery)


def without(lake: Lake, table: Table, day: date) -> None:
    lake.replace_days(table, day, day, {column.name: [] for column in table.columns})
