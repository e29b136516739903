"""Bringing the tables of a lake that an earlier version made into their present form.

Columns that a table lacks are added when it is written, in ``lake.store.writing``. Here are changes
of form that keep what was stored, each in one transaction.
"""

import duckdb

from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.table import Table, superseded_table

_WIDE = {
    '"submissions"."competition"': SUBMISSIONS,
    '"superseded"."submissions_competition"': superseded_table(SUBMISSIONS),
}
"""Tables that had a row per day and a column per target, with the table that has their rows now."""


def is_outdated(cursor: duckdb.DuckDBPyConnection) -> bool:
    """Return whether the lake has a table in an earlier form."""
    return any(_exists(cursor, name) for name in _WIDE)


def upgrade(cursor: duckdb.DuckDBPyConnection) -> None:
    """Bring tables of an earlier form into the present form, in one transaction.

    Args:
        cursor: connection to the lake, while no other process writes.

    Raises:
        duckdb.Error: the transaction did not come through; the lake is unchanged.
    """
    cursor.begin()
    try:
        for name, table in _WIDE.items():
            if _exists(cursor, name):
                _make_long(cursor, name, table)
        cursor.commit()
    except BaseException:
        cursor.rollback()
        raise


def _make_long(cursor: duckdb.DuckDBPyConnection, name: str, table: Table) -> None:
    for statement in table.creation():
        cursor.execute(statement)
    cursor.execute(
        f"INSERT INTO {table.quoted} BY NAME UNPIVOT {name}"
        " ON COLUMNS('^target_[0-9]+$') INTO NAME target VALUE value"
    )
    cursor.execute(f"DROP TABLE {name}")


def _exists(cursor: duckdb.DuckDBPyConnection, name: str) -> bool:
    try:
        cursor.execute(f"SELECT 1 FROM {name} LIMIT 0")
    except duckdb.CatalogException:
        return False
    return True
