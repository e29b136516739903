"""Checks of the columns of the competition's price and label files, and of the labels' rows.

``sources.competition.days`` dates the rows, and ``sources.competition.files`` parses the numbers.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from quant_assets.core.errors import UnknownNameError
from quant_assets.core.typing import FloatArray, IntArray
from quant_assets.market.instruments import FIELDS, InstrumentSeries, column_name, parse_column
from quant_assets.sources.competition.file_errors import file_error, suggest_names
from quant_assets.sources.competition.files import (
    ID,
    NumberTable,
    read_edges,
    read_header_with_id,
    read_numbers,
)

_NOT_SERIES = (ID, "is_scored")
_FX = re.compile(r"FX_[A-Z]{6}")


def read_series_names(path: Path) -> tuple[str, ...]:
    """Read the names of a price file's series, in the order of its columns.

    Raises:
        SourceError: a column does not follow the competition's naming of series.
    """
    columns = tuple(name for name in read_header_with_id(path) if name not in _NOT_SERIES)
    unknown = next((name for name in columns if not _is_series(name)), None)
    if unknown is not None or not columns:
        raise file_error(
            "unknown column",
            path,
            line=1,
            column=unknown or "",
            expected="LME_<metal>_Close, JPX_<contract>_Futures_<field>, "
            "US_Stock_<ticker>_adj_<field> or FX_<pair>",
            found=repr(unknown) if unknown else "no series",
            hint=suggest_names(unknown or "", _absent_series(columns), "remove or rename it"),
        )
    return columns


def _is_series(column: str) -> bool:
    try:
        parse_column(column)
    except UnknownNameError:
        return False
    return not column.startswith("FX_") or _FX.fullmatch(column) is not None


def _absent_series(columns: Sequence[str]) -> list[str]:
    """List the series that the instruments of the columns could have but are not columns."""
    possible = set()
    for name in filter(_is_series, columns):
        for field in FIELDS:
            try:
                possible.add(column_name(InstrumentSeries(parse_column(name).instrument, field)))
            except UnknownNameError:
                continue
    return sorted(possible - set(columns))


def check_same_series(path: Path, columns: Sequence[str]) -> None:
    """Refuse a price file whose series differ from ``columns``; their order does not matter.

    Raises:
        SourceError: a series is missing, or there is a further one.
    """
    other = read_series_names(path)
    extra = [name for name in other if name not in set(columns)]
    missing = [name for name in columns if name not in set(other)]
    if extra or missing:
        raise file_error(
            "the series are not those of train.csv",
            path,
            line=1,
            column=(missing or extra)[0],
            expected=f"{len(columns)} series" + (f" with {missing[0]!r}" if missing else ""),
            found=f"{len(other)} series" + (f" with {extra[0]!r}" if extra else ""),
            hint="both files must come from the same version of the competition's data",
        )


def read_labels(path: Path, targets: Sequence[str], train: NumberTable) -> FloatArray:
    """Read the (n, m) labels of ``train_labels.csv`` for the rows of ``train.csv``.

    The row of a line that is still being written in one of the files may be absent from the other:
    it is NaN, or left out.

    Args:
        path: the file.
        targets: names of the m targets, which the file's columns must be.
        train: the (n,) rows of ``train.csv``.

    Raises:
        SourceError: the targets or rows differ, or a cell holds text.
    """
    table = _read_label_file(path, targets)
    ids = train.date_ids
    length = min(len(ids), len(table.date_ids))
    different = np.flatnonzero(table.date_ids[:length] != ids[:length])
    more = len(table.date_ids) - len(ids)
    fewest = 0 if table.unfinished_line is None else -1
    most = 0 if train.unfinished_line is None else 1
    if len(different) or not fewest <= more <= most:
        row = int(different[0]) if len(different) else length
        raise file_error(
            "the rows are not those of train.csv",
            path,
            line=table.line_of(row),
            column=ID,
            expected=f"{len(ids)} rows" + (f", {ids[row]} here" if row < len(ids) else ""),
            found=f"{len(table.date_ids)} rows"
            + (f", {table.date_ids[row]} here" if row < len(table.date_ids) else ""),
            hint="both files must come from the same version of the competition's data",
        )
    values = np.full((len(ids), len(targets)), np.nan)
    values[:length] = table.values[:length]
    return values


def check_labels_not_later(path: Path, train: NumberTable) -> None:
    """Refuse labels of rows that ``train.csv`` lacks; that of a line still being written may exist.

    Args:
        path: path of ``train_labels.csv``, which need not exist.
        train: the rows of ``train.csv``.

    Raises:
        SourceError: the labels' last row is later, or malformed.
    """
    if not path.exists():
        return
    last, last_label = int(train.date_ids[-1]), read_edges(path).last_id
    if last_label > last + (train.unfinished_line is not None):
        raise file_error(
            "train.csv ends before train_labels.csv does",
            train.path,
            line=train.line_of(len(train.date_ids) - 1),
            column=ID,
            expected=f"{last_label} in the last row",
            found=last,
        )


def read_lagged_labels(
    path: Path, targets: Sequence[str], lag: int, last: int
) -> tuple[IntArray, FloatArray]:
    """Read the (n,) ids of the forecast days and the (n, m) labels of one lag's file.

    Args:
        path: the file.
        targets: names of the m targets of this lag, which the file's columns must be.
        lag: the lag in trading days.
        last: newest day that has come; labels that are known from a later day are left out.

    Raises:
        SourceError: the targets differ, or a label's forecast day is not ``lag + 1`` days before
            the row's day.
    """
    table = _read_label_file(path, [*targets, "label_date_id"])
    label_ids = table.values[:, -1]
    wrong = np.flatnonzero(label_ids != table.date_ids - lag - 1)
    if len(wrong):
        row = int(wrong[0])
        raise file_error(
            "a label stands on another day than that of its last price",
            path,
            line=table.line_of(row),
            column="label_date_id",
            expected=f"{table.date_ids[row] - lag - 1}, {lag + 1} before {ID}",
            found=f"{label_ids[row]:g}",
        )
    come = table.date_ids <= last
    return label_ids[come].astype(np.int64), table.values[come, :-1]


def _read_label_file(path: Path, columns: Sequence[str]) -> NumberTable:
    header = [name for name in read_header_with_id(path) if name != ID]
    if header != list(columns):
        pairs = zip([*header, None], [*columns, None], strict=False)
        first, expected = next((a, b) for a, b in pairs if a != b)
        raise file_error(
            "the targets are not those of target_pairs.csv",
            path,
            line=1,
            column=first or expected,
            expected=f"{len(columns)} columns" + (f", {expected!r} here" if expected else ""),
            found=f"{len(header)} columns" + (f", {first!r} here" if first else ""),
        )
    table = read_numbers(path)
    if table.unread:
        cell = table.unread[0]
        raise file_error(
            "a label is not a number",
            path,
            line=table.line_of(cell.row),
            column=cell.column,
            expected="a number or an empty cell",
            found=repr(cell.text),
        )
    return table
