"""What a report may read: the lake up to a day, and the time of the day's submission.

Every read of a report goes through this module or names the day itself. A report has no row of a
later day, no label known later, and no alert opened later. A row of its day that was stored later
counts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pandas as pd

from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.reports.periods import Period
from quant_assets.submission.submission import SubmissionTime

_TIME_TO_SUBMIT = timedelta(hours=2)
"""Time from the moment at which a day's prices are due to that from which a submission is late."""


@dataclass(frozen=True)
class ReportScope:
    """The day of a report, its period, and where its rows come from.

    Attributes:
        lake: the lake.
        period: how far the report looks back.
        day: last day of the report.
        families: model families with forecasts.
        drift_share: share of drifted features above which there is an action item.
        calendar: calendar of the market.
        delivery: time of the day's submission; None where Dagster has no record of it.
    """

    lake: Lake
    period: Period
    day: date
    families: tuple[str, ...]
    drift_share: float
    calendar: MarketCalendar
    delivery: SubmissionTime | None = None

    @property
    def first_day(self) -> date:
        """First calendar day of the period."""
        return self.period.first_day(self.day)

    @property
    def end(self) -> datetime:
        """The end of the day: midnight UTC, or later if its prices are due later.

        A submission after it is late.
        """
        midnight = datetime.combine(self.day + timedelta(days=1), time(), UTC)
        due = self.calendar.due_at(self.day)
        return max(midnight, (due + _TIME_TO_SUBMIT).astimezone(UTC)) if due else midnight

    def read_rows(
        self,
        table: Table,
        rest: str = "",
        values: Sequence[Any] = (),
        *,
        select: str = "*",
        day_column: str = "",
    ) -> pd.DataFrame:
        """Read the rows of a table up to the day; none where the table was never written.

        Args:
            table: the table.
            rest: SQL after the condition on the day, such as ``AND family = ? ORDER BY ALL``.
            values: of the parameters in ``rest``.
            select: SQL of the columns.
            day_column: column with the day on which a row is known; else the table's own.
        """
        if not self.lake.has(table):
            return pd.DataFrame()
        column = day_column or table.day_column
        return self.lake.query(
            f'SELECT {select} FROM {table.quoted} WHERE "{column}" <= ? {rest}',
            [self.day, *values],
        )

    def read_newest(self, table: Table, rest: str = "") -> pd.DataFrame:
        """Read the rows of the newest day of a table, up to the report's day."""
        day = f'"{table.day_column}"'
        newest = f"AND {day} = (SELECT max({day}) FROM {table.quoted} WHERE {day} <= ?)"
        return self.read_rows(table, f"{newest} {rest}", [self.day])

    def read_last_days(self, table: Table, days: int, rest: str = "") -> pd.DataFrame:
        """Read the rows of the newest days of a table, up to the report's day.

        Args:
            table: the table.
            days: how many days that have rows.
            rest: SQL after the condition on the days.
        """
        last = f'QUALIFY dense_rank() OVER (ORDER BY "{table.day_column}" DESC) <= ?'
        return self.read_rows(table, f"{last} {rest}", [days])
