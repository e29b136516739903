"""A described market whose prices lie in files: writing the files, and opening them as a source."""

import gzip
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from quant_assets.market.description.reading import parse_description
from quant_assets.market.description.yaml_file import parse_yaml
from quant_assets.sources.deliveries import PriceTable
from quant_assets.sources.files.source import open_files
from quant_assets.sources.protocol import Source

LISTED = """\
name: t
instruments:
  fields: [close, volume]
  list: [A, B]
calendar: {days: data}
targets: {returns: {horizons: [1]}}
"""
RULES = """\
name: t
instruments:
  rules:
    - {prefix: "", suffixes: {_c: close, _v: volume}}
calendar: {days: data}
targets: {returns: {horizons: [1]}}
"""
START, END = date(1, 1, 1), date(9999, 12, 31)
Rows = Sequence[Sequence[object]]


def open_folder(folder: Path, description: str = LISTED, options: str = "") -> Source:
    """Open the files of a folder whose description has some text, with options in YAML."""
    file = folder / "market.yaml"
    market = parse_description(description, file)
    return open_files(parse_yaml(options, file) if options else None, market, folder / "cache")


def read_all(source: Source) -> PriceTable:
    return source.prices(START, END)


def write_csv(file: Path, rows: Rows, delimiter: str = ",") -> None:
    """Write rows, of which the first is the header; None is an empty cell."""
    file.parent.mkdir(exist_ok=True, parents=True)
    lines = (delimiter.join(_cell(cell, delimiter) for cell in row) for row in rows)
    content = ("\n".join(lines) + "\n").encode()
    file.write_bytes(gzip.compress(content) if file.name.endswith(".gz") else content)


def write_parquet(file: Path, rows: Rows, days: pa.DataType | None = None) -> None:
    """Write rows, of which the first is the header; ``days`` is the type of the column date."""
    file.parent.mkdir(exist_ok=True, parents=True)
    header, *cells = rows
    columns = {str(n): list(c) for n, c in zip(header, zip(*cells, strict=True), strict=True)}
    table = pa.table(columns)
    if days is not None:
        at = table.column_names.index("date")
        table = table.set_column(at, "date", table.column(at).cast(days))
    parquet.write_table(table, file)


def write_rows(file: Path, rows: Rows) -> None:
    (write_parquet if file.name.endswith(".parquet") else write_csv)(file, rows)


def market_rows(names: Iterable[str], days: Sequence[str]) -> list[tuple[str, str, float, int]]:
    """Return rows of day, symbol, close and volume; every close differs from every other."""
    return [
        (day, name, 10.0 * place + row / 8, 100 * row + place)
        for place, name in enumerate(names, start=1)
        for row, day in enumerate(days)
    ]


def write_layout(folder: Path, layout: str, ending: str, rows: Rows) -> None:
    """Write rows of day, symbol, close and volume in a layout."""
    names = list(dict.fromkeys(str(row[1]) for row in rows))
    if layout == "long":
        write_rows(folder / f"p{ending}", [("date", "symbol", "close", "volume"), *rows])
    elif layout == "file":
        for name in names:
            own = [(day, close, volume) for day, symbol, close, volume in rows if symbol == name]
            write_rows(folder / f"{name}{ending}", [("date", "close", "volume"), *own])
    else:
        cells = {(row[0], row[1]): row[2:] for row in rows}
        columns = [f"{name}_{field}" for name in names for field in ("close", "volume")]
        table = [
            [day, *(cell for name in names for cell in cells.get((day, name), (None, None)))]
            for day in sorted({str(row[0]) for row in rows})
        ]
        write_rows(folder / f"p{ending}", [("date", *columns), *table])


def assert_same(first: PriceTable, second: PriceTable) -> None:
    """Assert that two tables hold the same prices of the same days and series."""
    assert first.series.series == second.series.series
    np.testing.assert_array_equal(first.days, second.days)
    np.testing.assert_array_equal(first.date_ids, second.date_ids)
    np.testing.assert_array_equal(first.values, second.values)
    assert [(c.row, c.text) for c in first.unread] == [(c.row, c.text) for c in second.unread]


def _cell(cell: object, delimiter: str) -> str:
    text = "" if cell is None else str(cell)
    quoted = any(letter in text for letter in f'{delimiter}"\n')
    return '"{}"'.format(text.replace('"', '""')) if quoted else text
