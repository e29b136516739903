"""Numbers of rows and newest days of tables.

DuckLake answers both from its statistics. If rows of a file were deleted, it reads the table's
days instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake


@dataclass(frozen=True)
class TableContent:
    """The content of a table.

    Attributes:
        rows: number of rows.
        newest: newest day in the day column; None without rows or without a day column.
    """

    rows: int
    newest: date | None


def read_contents(lake: Lake, tables: Sequence[Table]) -> dict[Table, TableContent]:
    """Count the rows of tables and find their newest days, all from one snapshot.

    Args:
        lake: the lake.
        tables: tables that were written; the result is in this order.

    Raises:
        LakeError: the lake cannot be read, or a table was never written.
    """
    if not tables:
        return {}
    with lake.at_once():
        rows = lake.arrow(" UNION ALL ".join(map(_summary, tables))).to_pylist()
    contents = {row["name"]: TableContent(row["rows"], row["newest"]) for row in rows}
    return {table: contents[table.name] for table in tables}


def _summary(table: Table) -> str:
    day = f'max("{table.day_column}")' if table.day_column else "NULL::DATE"
    return f"SELECT '{table.name}' AS name, count(*) AS rows, {day} AS newest FROM {table.quoted}"
