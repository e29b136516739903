"""How many rows tables have and which day is their newest.

DuckLake answers both from its statistics. Where rows of a file were deleted, it reads that table's
days instead.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake


@dataclass(frozen=True)
class TableContent:
    """What a table holds.

    Attributes:
        rows: how many.
        newest: the newest day by which they are stored; None if there are no rows or no days.
    """

    rows: int
    newest: date | None


def read_contents(lake: Lake, tables: Sequence[Table]) -> dict[Table, TableContent]:
    """Count the rows of tables and find their newest days, all from one snapshot.

    Args:
        lake: the lake.
        tables: tables that were written; the result has their order.

    Raises:
        LakeError: the lake cannot be read, or one of the tables was never written.
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
