"""A copy of the catalogue alone: the files that it lists, and the content of its tables.

Writers go on while it is read. Its files stay as long as
:func:`quant_assets.lake.store.maintenance.keep_unused_files` lasts.
"""

import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from quant_assets.core.errors import LakeError
from quant_assets.lake.store.connection import CATALOGUE, FILES, connect_copy

# One process must not open a catalogue by two libraries of SQLite, and this one may have it open.
_BACKUP = """
import sqlite3, sys
source, target = sqlite3.connect(sys.argv[1], timeout=60), sqlite3.connect(sys.argv[2])
source.backup(target)
target.execute("PRAGMA journal_mode=WAL")
target.close()
"""
# The tables are those of DuckLake's specification. Its functions list the files of one table at one
# snapshot; a backup needs those of all snapshots.
_FILES = """
    SELECT s.path, s.path_is_relative, t.path, t.path_is_relative, f.path, f.path_is_relative
    FROM {files} AS f
    JOIN (SELECT DISTINCT table_id, schema_id, path, path_is_relative FROM ducklake_table) AS t
        USING (table_id)
    JOIN (SELECT DISTINCT schema_id, path, path_is_relative FROM ducklake_schema) AS s
        USING (schema_id)
"""
_LISTS = ("ducklake_data_file", "ducklake_delete_file")
_TABLES = (
    "SELECT schema_name || '.' || table_name FROM duckdb_tables() WHERE database_name = 'lake'"
    " ORDER BY ALL"
)


@dataclass(frozen=True)
class ContentDigest:
    """The number of rows, and a digest of them in any order."""

    rows: int
    digest: str


def copy_catalogue(root: Path, copy: Path) -> None:
    """Copy the catalogue of a lake as it is at one moment, while writers go on.

    Args:
        root: folder of the lake.
        copy: the file to write, in WAL mode; it must not exist.

    Raises:
        LakeError: the catalogue cannot be copied.
    """
    command = [sys.executable, "-c", _BACKUP, str(root / CATALOGUE), str(copy)]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True)  # noqa: S603 - Python
    except (OSError, subprocess.CalledProcessError) as error:
        output = getattr(error, "stderr", None) or str(error)
        raise LakeError(
            "the catalogue of the lake cannot be copied",
            where=f"{root / CATALOGUE} to {copy}",
            found=output.strip().splitlines()[-1],
        ) from error


def list_catalogue_files(catalogue: Path) -> list[str]:
    """List the Parquet files of all snapshots that a copy of a catalogue has.

    Returns sorted paths below the lake's folder of files.

    Args:
        catalogue: the copy, which DuckDB has not opened.

    Raises:
        LakeError: a file lies outside that folder, or the copy cannot be read.
    """
    try:
        with closing(sqlite3.connect(catalogue)) as connection:
            rows = [
                row
                for name in _LISTS
                for row in connection.execute(_FILES.format(files=name)).fetchall()
            ]
    except sqlite3.Error as error:
        raise LakeError(
            "the catalogue of the lake cannot be read", where=str(catalogue), found=str(error)
        ) from error
    for row in rows:
        if not all(row[1::2]):
            raise LakeError(
                "a file of the lake lies outside its folder", where=str(catalogue), found=row[4]
            )
    return sorted({"".join(row[::2]) for row in rows})


class FrozenLake:
    """The lake as a copy of its catalogue describes it, for reading only.

    Args:
        root: folder of the lake, which has the files.
        catalogue: the copy; the catalogue of the lake itself where nobody else has it open.

    Raises:
        LakeError: it cannot be opened.
    """

    def __init__(self, root: Path, catalogue: Path) -> None:
        self._connection = connect_copy(root, catalogue)

    def close(self) -> None:
        """Release the files."""
        self._connection.close()

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a SELECT.

        Raises:
            LakeError: a file of the lake is missing or damaged.
        """
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except duckdb.Error as error:
            raise LakeError(
                "the copy of the lake cannot be read",
                where=sql,
                found=str(error).splitlines()[0],
            ) from error

    def list_tables(self) -> list[str]:
        """Return the names of all tables, as ``schema.table``."""
        return [row[0] for row in self.rows(_TABLES)]

    def digest(self, table: str, condition: str = "true") -> ContentDigest:
        """Count and digest the rows of a table. A DuckDB version has one digest for equal rows.

        Args:
            table: name of the table, as ``schema.table``.
            condition: SQL condition on the rows.
        """
        schema, _, name = table.partition(".")
        [(rows, digest)] = self.rows(
            "SELECT count(*), coalesce(sum(hash(whole_row)::HUGEINT), 0)::VARCHAR"
            f' FROM "{schema}"."{name}" AS whole_row WHERE {condition}'
        )
        return ContentDigest(rows, digest)


def files_folder(root: Path) -> Path:
    """Return the folder of a lake's Parquet files."""
    return root / FILES
