"""What a report may see: the lake up to a day, and what Dagster knows of the day's submission.

Every read of a report goes through here or names the day itself: no row of a later day, no label
released later, no alert opened later. When a row was stored is not asked: one of the day that came
late is seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pandas as pd

from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.reports.periods import Period
from quant_assets.submission.submission import SubmissionTime


@dataclass(frozen=True)
class ReportScope:
    """A report's day and what it is about.

    Attributes:
        lake: the lake.
        period: how far it looks back.
        day: its last day; the page is of no later one.
        families: model families with forecasts.
        drift_share: share of drifted features from which somebody is needed.
        delivery: of the day's submission; None where Dagster has no record of it.
    """

    lake: Lake
    period: Period
    day: date
    families: tuple[str, ...]
    drift_share: float
    delivery: SubmissionTime | None = None

    @property
    def first(self) -> date:
        """First calendar day of the period."""
        return self.period.first(self.day)

    @property
    def end(self) -> datetime:
        """The end of the day in UTC: what came later came too late for it."""
        return datetime.combine(self.day + timedelta(days=1), time(), UTC)

    def rows(
        self,
        table: Table,
        rest: str = "",
        values: Sequence[Any] = (),
        *,
        select: str = "*",
        day_column: str = "",
    ) -> pd.DataFrame:
        """Rows of a table up to the day; none where the table was never written.

        Args:
            table: the table.
            rest: what follows the condition on the day, such as ``AND family = ? ORDER BY ALL``.
            values: of its parameters.
            select: the columns.
            day_column: the day on which a row is known; else the one it is stored by.
        """
        if not self.lake.has(table):
            return pd.DataFrame()
        column = day_column or table.day_column
        return self.lake.query(
            f'SELECT {select} FROM {table.quoted} WHERE "{column}" <= ? {rest}',
            [self.day, *values],
        )

    def newest(self, table: Table, rest: str = "") -> pd.DataFrame:
        """Rows of the newest day that the table has, up to the report's."""
        day = f'"{table.day_column}"'
        newest = f"AND {day} = (SELECT max({day}) FROM {table.quoted} WHERE {day} <= ?)"
        return self.rows(table, f"{newest} {rest}", [self.day])

    def last_days(self, table: Table, days: int, rest: str = "") -> pd.DataFrame:
        """Rows of the newest ``days`` days that the table has, up to the report's."""
        last = f'QUALIFY dense_rank() OVER (ORDER BY "{table.day_column}" DESC) <= ?'
        return self.rows(table, f"{last} {rest}", [days])
