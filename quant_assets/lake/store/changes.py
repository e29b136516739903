"""Changes of tables, several of which come into force in one transaction.

A change says which rows go and which come. ``lake.store.writing`` carries changes out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from quant_assets.core.errors import LakeError
from quant_assets.core.typing import DayArray
from quant_assets.lake.schemas.table import Table, to_arrow
from quant_assets.lake.store.spool import Spool


@dataclass(frozen=True)
class Change:
    """A change of one table.

    Attributes:
        table: the table.
        rows: rows to insert, matched by name; None inserts nothing.
        condition: WHERE clause of the rows to delete; empty for all, None for none.
        values: values of the parameters of ``condition``.
        supersede: why a person replaces live rows; empty leaves live rows as they are.
        statement: SQL to execute with ``values`` instead; empty for none.
    """

    table: Table
    rows: pa.Table | Spool | None
    condition: str | None
    values: Sequence[Any] = ()
    supersede: str = ""
    statement: str = ""


def replace_days(
    table: Table, start: date, end: date, data: Mapping[str, Any] | Spool, supersede: str = ""
) -> Change:
    """Replace a table's rows from ``start`` to ``end``, both included.

    Args:
        table: the table.
        start: first day, by the table's day column.
        end: last day.
        data: all rows of these days, as one array for each column or collected before; NaN is
            stored as NULL.
        supersede: why a person replaces live rows; empty leaves live rows as they are.

    Raises:
        LakeError: a row has no day or one outside the range, or the columns do not fit.
    """
    rows: pa.Table | Spool
    days: DayArray
    if isinstance(data, Spool):
        rows, days = data, data.days
    else:
        rows = to_arrow(table, data)
        days = rows.column(table.day_column).to_numpy()
    inside = (days >= np.datetime64(start)) & (days <= np.datetime64(end))
    if not inside.all():
        raise LakeError(
            "rows outside the days to be written",
            where=table.name,
            expected=f"{start} to {end}",
            found=str(days[~inside][0]),
        )
    return Change(
        table, rows, f'WHERE "{table.day_column}" BETWEEN ? AND ?', [start, end], supersede
    )


def replace_all(table: Table, data: Mapping[str, Any]) -> Change:
    """Replace all rows of a table.

    Raises:
        LakeError: the columns do not fit.
    """
    return Change(table, to_arrow(table, data), "")


def replace_matching(table: Table, column: str, data: Mapping[str, Any]) -> Change:
    """Replace the rows that share a value of a column with new rows; all other rows stay.

    Raises:
        LakeError: the columns do not fit.
    """
    rows = to_arrow(table, data)
    values = rows.column(column).unique().to_pylist()
    return Change(table, rows, f'WHERE list_contains(?, "{column}")', [values])


def append(table: Table, data: Mapping[str, Any]) -> Change:
    """Add rows to a table.

    Raises:
        LakeError: the columns do not fit.
    """
    return Change(table, to_arrow(table, data), None)


def delete_days(table: Table, days: Sequence[date]) -> Change:
    """Delete the rows of some days, except live rows."""
    return Change(
        table, None, f'WHERE list_contains(?::DATE[], "{table.day_column}")', [list(days)]
    )


def execute(table: Table, statement: str, values: Sequence[Any] = ()) -> Change:
    """Execute a statement that changes rows of a table."""
    return Change(table, None, None, values, statement=statement)
