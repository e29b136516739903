"""Replacing rows of one table in one transaction, and making the table fit them first.

Who may write when, and what is tried again, is decided in ``lake.store.lake``.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from quant_assets.core.errors import LakeError
from quant_assets.lake.schemas.table import Table

_INCOMING = "incoming"
_COLUMNS = (
    "SELECT column_name, data_type FROM duckdb_columns()"
    " WHERE database_name = 'lake' AND schema_name || '.' || table_name = ?"
)


def is_stored(cursor: duckdb.DuckDBPyConnection, table: Table) -> bool:
    """Whether the lake has the table. To list its tables takes twice as long."""
    try:
        cursor.execute(f"SELECT 1 FROM {table.quoted} LIMIT 0")
    except duckdb.CatalogException:
        return False
    return True


def replace_rows(
    cursor: duckdb.DuckDBPyConnection,
    table: Table,
    rows: pa.Table,
    *,
    where: tuple[str, Sequence[Any]],
    folder: Path,
    prepared: bool,
) -> None:
    """Delete the rows that ``where`` names and insert others, all or nothing.

    Args:
        cursor: connection to the lake, outside a transaction.
        table: the table.
        rows: what to insert, by name.
        where: WHERE clause of the deletion and its values.
        folder: where the table's files lie; nobody else may write there meanwhile.
        prepared: the stored table is known to have all columns.

    Raises:
        duckdb.Error: the transaction did not come through.
        LakeError: a stored column has another type.
    """
    condition, values = where
    with _transaction(cursor):
        if not prepared:
            _prepare(cursor, table)
        with _registered(cursor, rows), _whole_files(folder):
            cursor.execute(f"DELETE FROM {table.quoted} {condition}", values)
            cursor.execute(f"INSERT INTO {table.quoted} BY NAME SELECT * FROM {_INCOMING}")


@contextmanager
def _transaction(cursor: duckdb.DuckDBPyConnection) -> Iterator[None]:
    cursor.begin()
    try:
        yield
        cursor.commit()
    except BaseException:
        # A failed commit has already ended the transaction: there is nothing left to roll back.
        with suppress(duckdb.TransactionException):
            cursor.rollback()
        raise


@contextmanager
def _registered(cursor: duckdb.DuckDBPyConnection, rows: pa.Table) -> Iterator[None]:
    """The rows as a table of the connection, which would keep their memory."""
    cursor.register(_INCOMING, rows)
    try:
        yield
    finally:
        cursor.unregister(_INCOMING)


@contextmanager
def _whole_files(folder: Path) -> Iterator[None]:
    """What appears in the folder is on the disk before the catalogue says so, or goes on an error.

    DuckLake syncs its catalogue only: after a power cut it could name a file whose bytes are gone.
    Half a file that stayed would keep a full disk full.
    """
    before = set(folder.glob("*"))
    try:
        yield
        appeared = set(folder.glob("*")) - before
        for path in (*appeared, folder) if appeared else ():
            _sync(path)
    except (duckdb.Error, OSError):
        for file in set(folder.glob("*")) - before:
            file.unlink(missing_ok=True)
        raise


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _prepare(cursor: duckdb.DuckDBPyConnection, table: Table) -> None:
    """Make the table, or add the columns that the stored one lacks."""
    stored = dict(cursor.execute(_COLUMNS, [table.name]).fetchall())
    statements = [] if stored else list(table.creation())
    for column in table.columns if stored else ():
        if column.name not in stored:
            statements += table.addition(column)
        elif stored[column.name] != column.type:
            raise LakeError(
                "a stored column has another type",
                where=f"{table.name}, column {column.name}",
                expected=column.type,
                found=stored[column.name],
                hint="give the column a new name, or drop the table and materialise it again",
            )
    for statement in statements:
        cursor.execute(statement)
