"""The first and the newest day of a table."""

from datetime import date

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
