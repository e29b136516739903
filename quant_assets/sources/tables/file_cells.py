"""Reading the columns of a table's file as text and numbers: CSV (also gzip) or Parquet.

What the columns mean belongs in ``files``.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from quant_assets.core.errors import SourceError, suggest_names
from quant_assets.core.typing import FloatArray
from quant_assets.market.description.values import list_names, quote
from quant_assets.sources.files.headers import ENDINGS, Header, check_whole, read_header
from quant_assets.sources.files.queries import bind_paths, open_connection

_EMPTY = ("", ".", "-", "NA", "N/A", "#N/A", "NaN", "nan", "null", "NULL", "None")
"""Cells that stand for a missing value."""


def read_cells(file: Path, names: Sequence[str]) -> pd.DataFrame:
    """Read columns of a file as text; a missing cell is None, and times with a zone are in UTC.

    Args:
        file: the file.
        names: names of the columns.

    Raises:
        SourceError: the file is missing or cannot be read, or a column is missing.
    """
    header = _read_header(file)
    for name in names:
        if name not in header.names:
            raise SourceError(
                "a table lacks a column",
                where=str(file),
                expected=quote(name),
                found=list_names(header.names),
                hint=suggest_names(name, header.names),
            )
    columns = [f"CAST(t.c{header.names.index(name)} AS VARCHAR)" for name in names]
    try:
        with open_connection() as connection:
            connection.execute("SET preserve_insertion_order = true")
            query = f"SELECT {', '.join(columns)} FROM {_table_of(header)}"
            rows = connection.execute(query, [bind_paths([file])]).to_arrow_table()
    except (duckdb.Error, OSError) as error:
        raise _unreadable(file, str(error).splitlines()[0]) from None
    return pd.DataFrame(
        {name: rows.column(i).to_pandas() for i, name in enumerate(names)}, dtype=object
    )


def parse_numbers(cells: pd.Series, file: Path) -> FloatArray:
    """Parse (n,) cells as numbers; NaN where a cell is empty.

    Args:
        cells: texts, and None where a cell is missing.
        file: the file, for errors.

    Raises:
        SourceError: a cell is text.
    """
    texts = cells.where(cells.notna(), "").str.strip()
    empty = texts.isin(_EMPTY)
    numbers = pd.to_numeric(texts.where(~empty), errors="coerce").to_numpy(dtype=np.float64)
    unread = np.flatnonzero(np.isnan(numbers) & ~empty.to_numpy())
    if len(unread):
        row = int(unread[0])
        raise SourceError(
            "a value is no number",
            where=f"{file}, row {row + 1}, column {quote(str(cells.name))}",
            expected=f"a number, or an empty cell; {', '.join(_EMPTY[1:4])} count as empty",
            found=quote(str(texts.iloc[row])),
        )
    return numbers


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
