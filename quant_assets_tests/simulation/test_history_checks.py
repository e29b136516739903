"""The comparison of stored tables with a load from scratch."""

from collections.abc import Callable
from datetime import date

import pyarrow as pa
import pytest

from quant_assets.lake.schemas.table import Column, Table, to_arrow
from quant_assets.simulation.history_checks import Difference, compare_rows

TABLE = Table(
    "features.some",
    "Values of some instruments.",
    (
        Column("trading_day", "DATE", "the day"),
        Column("instrument", "VARCHAR", "the instrument"),
        Column("value", "DOUBLE", "a value"),
        Column("flag", "VARCHAR", "a flag"),
    ),
)
KEY = ("trading_day", "instrument")
Rows = list[tuple[date, str, float | None, str | None]]
FIRST, SECOND = date(2024, 1, 2), date(2024, 1, 3)
ROWS: Rows = [(FIRST, "a", 0.1, None), (FIRST, "b", None, "late"), (SECOND, "a", 0.0, "late")]


def table_of(rows: Rows) -> pa.Table:
    names = [column.name for column in TABLE.columns]
    return to_arrow(TABLE, dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def compare(rows: Rows) -> list[Difference]:
    return list(compare_rows(TABLE, KEY, table_of(rows), table_of(ROWS)))


def test_equal_tables_do_not_differ() -> None:
    assert compare(ROWS) == []


@pytest.mark.parametrize(
    ("row", "column", "value"),
    [(0, 2, 0.1 + 2e-17), (1, 2, 0.0), (2, 2, None), (2, 2, -0.0), (0, 3, "late"), (1, 3, None)],
)
def test_a_cell_that_differs_in_a_bit_or_in_being_null_is_found(
    row: int, column: int, value: object
) -> None:
    name = TABLE.columns[column].name
    stored = table_of(ROWS)
    cells = stored[name].to_pylist()
    cells[row] = value
    changed = pa.array(cells, stored[name].type)
    stored = stored.set_column(column, name, changed)
    (found,) = compare_rows(TABLE, KEY, stored, table_of(ROWS))
    assert (found.column, found.rows) == (name, 1)
    assert found.first == list(ROWS[row][:2])
    assert (found.stored, found.expected) == (value, ROWS[row][column])


@pytest.mark.parametrize(
    ("change", "first", "stored", "expected"),
    [
        (lambda rows: rows[:-1], (SECOND, "a"), 0, 1),
        (lambda rows: [*rows, (SECOND, "b", 1.0, None)], (SECOND, "b"), 1, 0),
        (lambda rows: [*rows, rows[-1]], (SECOND, "a"), 2, 1),
    ],
    ids=["missing", "too many", "twice"],
)
def test_other_rows_are_found(
    change: Callable[[Rows], Rows], first: tuple[date, str], stored: int, expected: int
) -> None:
    (found,) = compare(change(ROWS))
    assert found == Difference(TABLE.name, "", 1, first, stored, expected)
    assert f"the number of such rows is {stored}, not {expected}" in str(found)
