"""Replacing rows of a table in one transaction, which first creates the table or adds columns.

The write lock and retries are in ``lake.store.access``.
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
    """Return whether the lake has the table. Listing all tables would take twice as long."""
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
    """Delete rows of a table and insert other rows, in one transaction.

    Args:
        cursor: connection to the lake, outside a transaction.
        table: the table.
        rows: the rows to insert; columns are matched by name.
        where: WHERE clause of the deletion, and the values of its parameters.
        folder: folder of the table's files; no other process may write there meanwhile.
        prepared: whether the stored table is known to have all columns.

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
    """Register the rows as a table of the connection, and unregister them to free their memory."""
    cursor.register(_INCOMING, rows)
    try:
        yield
    finally:
        cursor.unregister(_INCOMING)


@contextmanager
def _whole_files(folder: Path) -> Iterator[None]:
    """Sync new files of the folder to the disk before the commit, or delete them on an error.

    DuckLake syncs its catalogue only: after a power cut it could name a file whose bytes are lost.
    Parts of files left behind would keep a full disk full.
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
    """Create the table, or add the columns that the stored table lacks."""
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
