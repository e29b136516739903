"""Carrying out changes of tables in one transaction, which first creates them or adds columns.

The write lock and retries are in ``lake.store.access``.
"""

import os
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa

from quant_assets.core.errors import LakeError
from quant_assets.lake.schemas.table import ACCESS, HISTORY, Table, superseded_table
from quant_assets.lake.store.changes import Change
from quant_assets.lake.store.spool import Spool

_INCOMING = "incoming"
_NOT_LIVE = f"(origin IS NULL OR origin = '{HISTORY}')"
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


def read_stored_columns(cursor: duckdb.DuckDBPyConnection, table: Table) -> dict[str, str]:
    """Read the names and types of a stored table's columns; empty if it was never written."""
    return dict(cursor.execute(_COLUMNS, [table.name]).fetchall())


def carry_out(
    cursor: duckdb.DuckDBPyConnection,
    changes: Sequence[Change],
    *,
    files: Path,
    prepared: Collection[Table],
) -> list[int]:
    """Carry out changes in one transaction. Returns the number of rows that each inserted.

    Args:
        cursor: connection to the lake, outside a transaction.
        changes: the changes, in order.
        files: folder of the tables' files; no other process may write there meanwhile.
        prepared: tables whose stored columns are known to be complete.

    Raises:
        duckdb.Error: the transaction did not come through.
        LakeError: a stored column has another type.
    """
    with _transaction(cursor), ExitStack() as folders:
        for table in dict.fromkeys(_written_tables(changes)):
            if table not in prepared:
                _prepare(cursor, table)
            folders.enter_context(_whole_files(files.joinpath(*table.key)))
        if all(change.table.schema == ACCESS for change in changes):
            cursor.execute("CALL lake.set_commit_message('quant_assets', ?)", [ACCESS])
        return [_carry_out(cursor, change) for change in changes]


def _written_tables(changes: Sequence[Change]) -> Iterator[Table]:
    for change in changes:
        yield change.table
        if change.supersede:
            yield superseded_table(change.table)


def _carry_out(cursor: duckdb.DuckDBPyConnection, change: Change) -> int:
    if change.statement:
        cursor.execute(change.statement, change.values)
        return 0
    table, keep = change.table, ""
    if table.keeps_live and change.supersede:
        _supersede(cursor, change)
    elif table.keeps_live:
        keep = f" AND {_NOT_LIVE}" if change.condition else f" WHERE {_NOT_LIVE}"
    if change.condition is not None:
        cursor.execute(f"DELETE FROM {table.quoted} {change.condition}{keep}", change.values)
    if change.rows is None:
        return 0
    # What is left of a day after the deletion is live.
    day = f'"{table.day_column}"'
    new = f" WHERE {day} NOT IN (SELECT {day} FROM {table.quoted})" if keep else ""
    with _registered(cursor, change.rows):
        inserted = cursor.execute(
            f"INSERT INTO {table.quoted} BY NAME SELECT * FROM {_INCOMING}{new}"
        ).fetchone()
    return int(inserted[0]) if inserted else 0


def _supersede(cursor: duckdb.DuckDBPyConnection, change: Change) -> None:
    """Keep the live rows that are about to be replaced."""
    cursor.execute(
        f"INSERT INTO {superseded_table(change.table).quoted} BY NAME"
        f" SELECT *, ?::TIMESTAMP AS superseded_at, ? AS reason FROM {change.table.quoted}"
        f" {change.condition} AND NOT ({_NOT_LIVE})",
        [datetime.now(UTC).replace(tzinfo=None), change.supersede, *change.values],
    )


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
def _registered(cursor: duckdb.DuckDBPyConnection, rows: pa.Table | Spool) -> Iterator[None]:
    """Register the rows as a table of the connection, and unregister them to free their memory."""
    cursor.register(_INCOMING, rows.rows() if isinstance(rows, Spool) else rows)
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
    stored = read_stored_columns(cursor, table)
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
