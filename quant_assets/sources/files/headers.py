"""Listing price files, and reading the names and kinds of their columns.

What the columns mean belongs in ``layout``; their cells are read in ``long_cells`` and
``wide_cells``.
"""

import csv
import gzip
import zlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

from quant_assets.core.errors import SourceError
from quant_assets.market.description.values import list_names, quote
from quant_assets.sources.competition.file_state import state_of

CSV_ENDINGS = (".csv", ".csv.gz")
PARQUET_ENDINGS = (".parquet",)
ENDINGS = (*CSV_ENDINGS, *PARQUET_ENDINGS)
Kind = Literal["text", "number", "date", "time", "zoned time", "other"]
_DELIMITERS = ",;\t|"
_LONGEST_HEADER = 1 << 20


@dataclass(frozen=True)
class Header:
    """The columns of a file.

    Attributes:
        names: their names, each once.
        kinds: what each column holds; ``text`` in every column of a CSV file.
        delimiter: the delimiter of a CSV file; empty for Parquet.
    """

    names: tuple[str, ...]
    kinds: tuple[Kind, ...]
    delimiter: str = ""


def list_files(place: Path) -> list[Path]:
    """Return the CSV and Parquet files of a folder by name, or ``place`` itself if it is a file.

    Names that begin with a dot are left out.

    Raises:
        SourceError: there are none, or the folder cannot be read.
    """
    try:
        paths = [place] if place.is_file() else sorted(place.iterdir())
    except OSError as error:
        raise SourceError(
            "a folder of files cannot be read",
            where=str(place),
            expected="a folder of CSV or Parquet files, or one file",
            found=error.strerror,
        ) from None
    named = [p for p in paths if p.name.endswith(ENDINGS) and not p.name.startswith(".")]
    files = [path for path in named if not path.is_dir()]
    if not files:
        raise SourceError(
            "there are no price files",
            where=str(place),
            expected=f"files that end with {', '.join(ENDINGS)}",
            found=list_names(path.name for path in paths) or "an empty folder",
        )
    return files


def stem_of(path: Path) -> str:
    """Return the name of a file without its ending.

    >>> stem_of(Path("BRK.B.csv.gz"))
    'BRK.B'
    """
    ending = next(ending for ending in ENDINGS if path.name.endswith(ending))
    return path.name.removesuffix(ending)


def read_header(path: Path) -> Header:
    """Read the names and kinds of a file's columns.

    Raises:
        SourceError: the file cannot be read, is empty, or repeats the name of a column.
    """
    header = _read_schema(path) if path.name.endswith(PARQUET_ENDINGS) else _read_first_line(path)
    repeated = [name for name in header.names if header.names.count(name) > 1]
    if not header.names or repeated:
        raise SourceError(
            "the header of a price file cannot be used",
            where=str(path),
            expected="a name for every column, each once",
            found=f"{quote(repeated[0])} twice" if repeated else "an empty file",
        )
    return header


def check_whole(path: Path) -> None:
    """Check that a gzipped file is whole, which DuckDB does not.

    Raises:
        SourceError: it is cut off or damaged.
    """
    if path.name.endswith(".gz"):
        _check_whole(path, state_of(path))


@lru_cache(maxsize=50_000)
def _check_whole(path: Path, _: tuple[int, ...]) -> None:
    """Check a file, and do so again when it has another state."""
    try:
        with gzip.open(path, "rb") as file:
            while file.read(_LONGEST_HEADER):
                pass
    except (OSError, EOFError, zlib.error) as error:
        raise unreadable_error(str(path), error) from None


def unreadable_error(where: str, reason: object) -> SourceError:
    """Build the error for a file that is no table."""
    return SourceError(
        "a price file cannot be read",
        where=where,
        expected="CSV in UTF-8, or Parquet, with a header",
        found=reason,
    )


def _read_first_line(path: Path) -> Header:
    opener = gzip.open if path.name.endswith(".gz") else open
    try:
        with opener(path, "rb") as file:
            line = file.readline(_LONGEST_HEADER).decode("utf-8-sig", errors="replace")
        delimiter = max(_DELIMITERS, key=line.count)
        names = next(csv.reader([line], delimiter=delimiter), [])
    except (OSError, EOFError, zlib.error, csv.Error) as error:
        raise unreadable_error(str(path), error) from None
    return Header(tuple(names), tuple[Kind, ...]("text" for _ in names), delimiter)


def _read_schema(path: Path) -> Header:
    import pyarrow as pa
    from pyarrow import parquet

    try:
        schema = parquet.read_schema(path)
    except (OSError, pa.ArrowException) as error:
        raise unreadable_error(str(path), str(error).splitlines()[0]) from None
    return Header(tuple(schema.names), tuple(map(_kind_of, schema.types)))


def _kind_of(data_type: Any) -> Kind:
    import pyarrow as pa

    types = pa.types
    if types.is_dictionary(data_type):
        data_type = data_type.value_type
    if types.is_string(data_type) or types.is_large_string(data_type):
        return "text"
    if types.is_integer(data_type) or types.is_floating(data_type) or types.is_decimal(data_type):
        return "number"
    if types.is_timestamp(data_type):
        return "time" if data_type.tz is None else "zoned time"
    return "date" if types.is_date(data_type) else "other"
