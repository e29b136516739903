"""Look into the lake from the command line: its tables, and a plain copy.

SQL is in ``sql_console``.
"""

import os
from pathlib import Path

import duckdb
import pandas as pd

from quant_assets.core.errors import LakeError, unknown_name
from quant_assets.lake.schemas.declared import declared_tables
from quant_assets.lake.store.connection import connect
from quant_assets.lake.store.lake import Lake


def list_tables(lake: Lake, families: tuple[str, ...]) -> pd.DataFrame:
    """Return every table with its number of rows and its description.

    Args:
        lake: the lake.
        families: model families whose tables are listed; NA rows where never written.
    """
    known = _list_known(lake, families)
    # DuckDB's own estimate counts rows that were replaced as well.
    counts = [
        f"SELECT {i} AS i, count(*) AS n FROM {name}"
        for i, name in known["quoted"].dropna().items()
    ]
    rows = lake.query(" UNION ALL ".join(counts)).set_index("i")["n"] if counts else None
    known.insert(1, "rows", pd.Series(rows, known.index, dtype="Int64"))
    return known.drop(columns="quoted")


def describe_table(lake: Lake, name: str, families: tuple[str, ...]) -> tuple[str, pd.DataFrame]:
    """Return a table's description, and its columns with types and meanings.

    Args:
        lake: the lake.
        name: name of the table.
        families: model families whose tables are described even if never written.

    Raises:
        UnknownNameError: there is no such table.
    """
    known = _list_known(lake, families).set_index("name")
    if name not in known.index:
        raise unknown_name("table", name, known.index.tolist())
    columns = lake.query(
        "SELECT column_name AS column, data_type AS type, comment AS meaning FROM duckdb_columns()"
        " WHERE database_name = 'lake' AND schema_name || '.' || table_name = ?"
        " ORDER BY column_index",
        [name],
    )
    if columns.empty:
        declared = next(table for table in declared_tables(families) if table.name == name)
        rows = [(column.name, column.type, column.description) for column in declared.columns]
        columns = pd.DataFrame(rows, columns=list(columns.columns))
    return str(known.at[name, "description"]), columns


def _list_known(lake: Lake, families: tuple[str, ...]) -> pd.DataFrame:
    """Return name, description and quoted SQL name of every table; NA where never written."""
    stored = lake.query(
        "SELECT schema_name || '.' || table_name AS name, comment AS description,"
        ' format(\'"{}"."{}"\', schema_name, table_name) AS quoted'
        " FROM duckdb_tables() WHERE database_name = 'lake'"
    )
    declared = [(table.name, table.description) for table in declared_tables(families)]
    unwritten = pd.DataFrame(declared, columns=["name", "description"])
    unwritten = unwritten[~unwritten["name"].isin(stored["name"])]
    return pd.concat([stored, unwritten]).sort_values("name", ignore_index=True)


def copy_lake(root: Path, file: Path, snapshot: int | None = None) -> int:
    """Copy the lake into one plain DuckDB file, whole or not at all; return the table count.

    Args:
        root: folder of the lake.
        file: the file, which does not exist yet.
        snapshot: id of the snapshot that is copied; None copies the newest.

    Raises:
        LakeError: the file exists, or cannot be written.
    """
    if file.exists():
        raise LakeError("the file exists", where=str(file), hint="name another, or remove it")
    connection = connect(root, read_only=True, snapshot=snapshot)
    draft = file.with_name(f".{file.name}.{os.getpid()}.draft")
    try:
        connection.execute(f"ATTACH '{_escaped(draft)}' AS copy")
        connection.begin()
        names = connection.execute(
            "SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'lake'"
        ).fetchall()
        for schema, table in names:
            connection.execute(f'CREATE SCHEMA IF NOT EXISTS copy."{schema}"')
            connection.execute(
                f'CREATE TABLE copy."{schema}"."{table}" AS FROM lake."{schema}"."{table}"'
            )
        connection.commit()
        connection.execute("DETACH copy")
        draft.rename(file)
    except duckdb.Error as error:
        raise LakeError(
            "the copy cannot be written", where=str(file), found=str(error).splitlines()[0]
        ) from error
    finally:
        connection.close()
        draft.unlink(missing_ok=True)
    return len(names)


def _escaped(path: Path) -> str:
    return str(path).replace("'", "''")
