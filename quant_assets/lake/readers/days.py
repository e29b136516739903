"""The days of tables."""

from datetime import date

import numpy as np

from quant_assets.core.typing import DayArray
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.price_tables import VALIDATED_PRICES
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake


def read_newest_day(lake: Lake, table: Table) -> date | None:
    """Return the newest day in a table's day column; None if the table has no rows."""
    span = read_day_span(lake, table)
    return span[1] if span else None


def read_day_span(lake: Lake, table: Table) -> tuple[date, date] | None:
    """Return the first and the newest day in a table's day column; None if it has no rows."""

    def read() -> tuple[date, date] | None:
        if not lake.has(table):
            return None
        rows = lake.arrow(
            f'SELECT min("{table.day_column}") AS first, max("{table.day_column}") AS newest'
            f" FROM {table.quoted}"
        ).to_pylist()
        first, newest = rows[0]["first"], rows[0]["newest"]
        return None if first is None else (first, newest)

    return lake.once_a_snapshot(f"days of {table.name}", read)


def read_days(lake: Lake, table: Table) -> DayArray:
    """Return the (n,) distinct days in a table's day column, ascending.

    Raises:
        LakeError: the table does not exist.
    """
    days = lake.columns(
        f'SELECT DISTINCT "{table.day_column}" AS day FROM {table.quoted}', needs=table
    )["day"]
    return np.sort(days.astype("datetime64[D]"))


def read_submitted_day(lake: Lake) -> date | None:
    """Return the newest day with prices and a submission; None if there is none.

    A withdrawn day that was submitted live has a submission, and no prices.
    """
    if not lake.has(SUBMISSIONS):
        return None
    newest = read_newest_day(lake, VALIDATED_PRICES) or date.max
    rows = lake.arrow(
        f"SELECT max(trading_day) AS day FROM {SUBMISSIONS.quoted} WHERE trading_day <= ?",
        [newest],
    ).to_pylist()
    day: date | None = rows[0]["day"]
    return day
