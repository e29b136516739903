"""Queries over price files by DuckDB: columns are named by position, paths and values are bound.

What is asked belongs in ``history``, ``long_cells`` and ``wide_cells``.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from quant_assets.core.errors import SourceError
from quant_assets.sources.files.headers import unreadable_error
from quant_assets.sources.files.layout import FileGroup

_DAY_TYPES = {
    "text": "VARCHAR",
    "number": "BIGINT",
    "date": "DATE",
    "time": "TIMESTAMP",
    "zoned time": "TIMESTAMPTZ",
}
FILE = "file_of_the_row"
"""Name of the column that holds the file of a row, which no column of prices has."""
_CONFIG: dict[str, Any] = {
    # Rows are streamed, so more memory is only asked for by files that are no prices.
    "memory_limit": "2GB",
    "temp_directory": "",
    "preserve_insertion_order": False,
    "autoinstall_known_extensions": False,
}


def open_connection() -> duckdb.DuckDBPyConnection:
    """Open a connection whose memory is bounded, and whose times are in UTC."""
    connection = duckdb.connect(config=_CONFIG)
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def table_of(group: FileGroup) -> str:
    """Return the table of a group in SQL: t with the columns c0, c1 and so on, and the row's file.

    Its one parameter is what :func:`bind_paths` returns.
    """
    names = [f"c{i}" for i in range(len(group.header.names))]
    alias = f"AS t({', '.join(names)})"
    # A name such as "year=2020" of a folder is no column.
    common = f"filename := '{FILE}', hive_partitioning := false"
    if not group.header.delimiter:
        return f"read_parquet(?, {common}) {alias}"
    columns = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    options = "auto_detect := false, header := true, quote := '\"', escape := '\"'"
    delimiter = group.header.delimiter
    return (
        f"read_csv(?, {options}, delim := '{delimiter}', columns := {{{columns}}}, "
        f"{common}) {alias}"
    )


def bind_paths(paths: Sequence[Path]) -> list[str]:
    """Return paths in which no letter stands for others: DuckDB takes them for patterns."""
    return [re.sub(r"[*?\[]", lambda letter: f"[{letter.group()}]", str(path)) for path in paths]


def day_column(group: FileGroup) -> str:
    """Return the column of days in SQL.

    Raises:
        SourceError: it holds neither days nor text.
    """
    _day_type(group)
    return f"t.c{group.day}"


def join_days(group: FileGroup) -> str:
    """Return the join with the table d, which :func:`register_days` registers."""
    keys = f"SELECT CAST(key AS {_day_type(group)}) AS key, place, day FROM days"
    return f"JOIN ({keys}) AS d ON {day_column(group)} = d.key"


def register_days(
    connection: duckdb.DuckDBPyConnection, texts: Mapping[str, date], places: Mapping[str, int]
) -> None:
    """Register the days that are read as table ``days``.

    Args:
        connection: a connection.
        texts: days by how the files write them.
        places: the number of each text that is read.
    """
    columns = {
        "key": pa.array(list(places), pa.string()),
        "place": pa.array(list(places.values()), pa.int64()),
        "day": pa.array([texts[text] for text in places], pa.date32()),
    }
    connection.register("days", pa.table(columns))


def register_places(
    connection: duckdb.DuckDBPyConnection, table: str, keys: Sequence[str], places: Sequence[int]
) -> None:
    """Register a table with the columns ``key``, a text, and ``place``, a number."""
    columns = {"key": pa.array(keys, pa.string()), "place": pa.array(places, pa.int64())}
    connection.register(table, pa.table(columns))


def number_of(column: int, table: str = "t.") -> str:
    """Return a column as numbers in SQL; NULL where it has none, and NaN as in the file."""
    return f"TRY_CAST({table}c{column} AS DOUBLE)"


def require_numbers(group: FileGroup, column: int) -> None:
    """Check that a column may hold numbers.

    Raises:
        SourceError: it holds neither numbers nor text.
    """
    kind = group.header.kinds[column]
    if kind not in {"text", "number"}:
        raise SourceError(
            "a column of prices holds no numbers",
            where=f"{group.where}, column {group.header.names[column]!r}",
            expected="numbers",
            found="days or times" if kind != "other" else "a nested or binary type",
        )


def cell_of(group: FileGroup, column: int) -> str:
    """Return a column in SQL as it is fetched: text as it is, everything else as numbers.

    Raises:
        SourceError: the column holds neither.
    """
    require_numbers(group, column)
    text = group.header.kinds[column] == "text"
    return f"CAST(t.c{column} AS {'VARCHAR' if text else 'DOUBLE'})"


def fetch(
    connection: duckdb.DuckDBPyConnection, group: FileGroup, query: str, *values: Any
) -> list[tuple[Any, ...]]:
    """Run a query whose first parameter is the paths of a group.

    Raises:
        SourceError: a file cannot be read.
    """
    try:
        return connection.execute(query, [bind_paths(group.paths), *values]).fetchall()
    except (duckdb.Error, OSError) as error:
        raise _query_error(group, error) from None


def stream(
    connection: duckdb.DuckDBPyConnection, group: FileGroup, query: str, rows: int, *values: Any
) -> Iterator[Any]:
    """Run a query as :func:`fetch` does, and give its rows in Arrow batches of at most ``rows``.

    Raises:
        SourceError: a file cannot be read.
    """
    try:
        parameters = [bind_paths(group.paths), *values]
        yield from connection.execute(query, parameters).to_arrow_reader(rows)
    except (duckdb.Error, pa.ArrowException, OSError) as error:
        raise _query_error(group, error) from None


def find_file(connection: duckdb.DuckDBPyConnection, group: FileGroup, day: str) -> str | None:
    """Return the first file that has a row of a day, which is a text; None if none has."""
    day_text = f"CAST(t.c{group.day} AS VARCHAR)"
    query = f"SELECT min({FILE}) FROM {table_of(group)} WHERE {day_text} = ?"
    file: str | None = fetch(connection, group, query, day)[0][0]
    return file


def _day_type(group: FileGroup) -> str:
    kind = group.header.kinds[group.day]
    if kind not in _DAY_TYPES:
        raise SourceError(
            "the column of days holds no days",
            where=f"{group.where}, column {group.header.names[group.day]!r}",
            expected="days, times at midnight, or text such as 2014-01-02 or 20140102",
            found="a nested or binary type",
        )
    return _DAY_TYPES[kind]


def _query_error(group: FileGroup, error: Exception) -> SourceError:
    """Build an error from DuckDB's, of which three lines and the file's name say enough."""
    lines = [line.strip() for line in str(error).splitlines()]
    file = next((line.removeprefix("file = ") for line in lines if line.startswith("file = ")), "")
    shown = "; ".join(line for line in lines[:3] if line and "Possible" not in line)
    if isinstance(error, duckdb.OutOfMemoryException):
        shown = "more different days or symbols than memory holds"
    return unreadable_error(file or group.where, shown)
