"""Reading the columns of a table's file as text and numbers: CSV (also gzip) or Parquet.

What the columns mean belongs in ``files``.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from quant_assets.core.errors import SourceError, suggest_names
from quant_assets.market.description.values import list_names, quote
from quant_assets.sources.files.headers import ENDINGS, Header, check_whole, read_header
from quant_assets.sources.files.queries import bind_paths, open_connection

_EMPTY = ("", ".", "-", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None")
"""Cells that stand for a missing value."""


def read_cells(file: Path, texts: Sequence[str], numbers: Sequence[str]) -> pd.DataFrame:
    """Read columns of a file.

    Returns columns by name: texts, in which a missing cell is None and times with a zone are in
    UTC, and numbers, in which an empty cell is NaN.

    Args:
        file: the file.
        texts: names of the columns that are read as text.
        numbers: names of the columns that are read as numbers.

    Raises:
        SourceError: the file is missing or cannot be read, a column is missing, or a cell of a
            column of numbers is text.
    """
    header = _read_header(file)
    columns = []
    for name in (*texts, *numbers):
        text = f"CAST(t.{_column(header, name, file)} AS VARCHAR)"
        number = f"TRY_CAST({text} AS DOUBLE)"
        unread = f"CASE WHEN {number} IS NULL THEN trim({text}) END"
        columns += [text] if name in texts else [number, unread]
    try:
        with open_connection() as connection:
            connection.execute("SET preserve_insertion_order = true")
            query = f"SELECT {', '.join(columns)} FROM {_table_of(header)}"
            rows = connection.execute(query, [bind_paths([file])]).to_arrow_table()
    except (duckdb.Error, OSError) as error:
        raise _unreadable(file, str(error).splitlines()[0]) from None
    cells = {name: rows.column(i).to_pandas().astype(object) for i, name in enumerate(texts)}
    for i, name in enumerate(numbers):
        place = len(texts) + 2 * i
        _require_numbers(rows.column(place + 1).to_pandas(), name, file)
        cells[name] = rows.column(place).to_pandas().astype(np.float64)
    return pd.DataFrame(cells)


def _column(header: Header, name: str, file: Path) -> str:
    """Return a column's name in SQL."""
    if name in header.names:
        return f"c{header.names.index(name)}"
    raise SourceError(
        "a table lacks a column",
        where=str(file),
        expected=quote(name),
        found=list_names(header.names),
        hint=suggest_names(name, header.names),
    )


def _require_numbers(unread: pd.Series, name: str, file: Path) -> None:
    """Check that the cells which are no numbers are empty."""
    texts = np.flatnonzero((unread.notna() & ~unread.isin(_EMPTY)).to_numpy())
    if len(texts):
        row = int(texts[0])
        raise SourceError(
            "a value is no number",
            where=f"{file}, row {row + 1}, column {quote(name)}",
            expected=f"a number, or an empty cell; {', '.join(_EMPTY[1:4])} count as empty",
            found=quote(str(unread.iloc[row])),
        )


def _read_header(file: Path) -> Header:
    if not file.is_file() or not file.name.endswith(ENDINGS):
        raise SourceError(
            "a table's file is missing" if not file.exists() else "a table's file has no known end",
            where=str(file),
            expected=f"a file that ends with {', '.join(ENDINGS)}",
        )
    check_whole(file)
    return read_header(file)


def _table_of(header: Header) -> str:
    names = ", ".join(f"c{i}" for i in range(len(header.names)))
    if not header.delimiter:
        return f"read_parquet(?, hive_partitioning := false) AS t({names})"
    columns = ", ".join(f"'c{i}': 'VARCHAR'" for i in range(len(header.names)))
    return (
        "read_csv(?, auto_detect := false, header := true, quote := '\"', escape := '\"',"
        f" delim := '{header.delimiter}', columns := {{{columns}}}) AS t({names})"
    )


def _unreadable(file: Path, reason: str) -> SourceError:
    expected = "CSV in UTF-8, or Parquet, with a header"
    return SourceError(
        "a table's file cannot be read", where=str(file), expected=expected, found=reason
    )
