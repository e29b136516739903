"""Which columns the competition's price and label files must have, and which rows the labels.

Days are dated in ``competition_days``; text becomes numbers in ``competition_files``.
"""

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from quant_assets.core.errors import UnknownNameError
from quant_assets.core.typing import FloatArray, IntArray
from quant_assets.market.instruments import FIELDS, InstrumentSeries, column_name, parse_column
from quant_assets.sources.competition.file_errors import did_you_mean, file_error, line_number_of
from quant_assets.sources.competition.files import ID, NumberTable, header_with_id, read_numbers

_NOT_SERIES = (ID, "is_scored")
_FX = re.compile(r"FX_[A-Z]{6}")


def series_of(path: Path) -> tuple[str, ...]:
    """Series of a price file, in its order.

    Raises:
        SourceError: a column is no series of the competition's naming.
    """
    columns = tuple(name for name in header_with_id(path) if name not in _NOT_SERIES)
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
            hint=did_you_mean(unknown or "", _likely(columns), "remove or rename it"),
        )
    return columns


def _is_series(column: str) -> bool:
    try:
        parse_column(column)
    except UnknownNameError:
        return False
    return not column.startswith("FX_") or _FX.fullmatch(column) is not None


def _likely(columns: Sequence[str]) -> list[str]:
    """Series that the instruments among the columns could have, and lack."""
    likely = set()
    for name in filter(_is_series, columns):
        for field in FIELDS:
            try:
                likely.add(column_name(InstrumentSeries(parse_column(name).instrument, field)))
            except UnknownNameError:
                continue
    return sorted(likely - set(columns))


def check_same_series(path: Path, columns: Sequence[str]) -> None:
    """Refuse a price file with other series than ``columns``, in whatever order."""
    other = series_of(path)
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


def read_labels(path: Path, targets: Sequence[str], ids: IntArray) -> FloatArray:
    """(n, m) labels of ``train_labels.csv``, whose rows must be those of ``ids``.

    Raises:
        SourceError: other targets, other rows, or a cell that is no number.
    """
    table = _read_label_file(path, targets)
    length = min(len(ids), len(table.date_ids))
    other = np.flatnonzero(table.date_ids[:length] != ids[:length])
    if len(other) or len(ids) != len(table.date_ids):
        row = int(other[0]) if len(other) else length
        raise file_error(
            "the rows are not those of train.csv",
            path,
            line=line_number_of(row),
            column=ID,
            expected=f"{len(ids)} rows" + (f", {ids[row]} here" if row < len(ids) else ""),
            found=f"{len(table.date_ids)} rows"
            + (f", {table.date_ids[row]} here" if row < len(table.date_ids) else ""),
            hint="both files must come from the same version of the competition's data",
        )
    return table.values


def read_lagged_labels(path: Path, targets: Sequence[str], lag: int) -> tuple[IntArray, FloatArray]:
    """(n,) ids of the label days and (n, m) labels of one lag's file.

    Raises:
        SourceError: other targets, or a row whose days do not lie ``lag + 1`` apart.
    """
    table = _read_label_file(path, [*targets, "label_date_id"])
    label_ids = table.values[:, -1]
    wrong = np.flatnonzero(label_ids != table.date_ids - lag - 1)
    if len(wrong):
        row = int(wrong[0])
        raise file_error(
            "a label stands on another day than that of its last price",
            path,
            line=line_number_of(row),
            column="label_date_id",
            expected=f"{table.date_ids[row] - lag - 1}, {lag + 1} before {ID}",
            found=f"{label_ids[row]:g}",
        )
    return label_ids.astype(np.int64), table.values[:, :-1]


def _read_label_file(path: Path, columns: Sequence[str]) -> NumberTable:
    found = [name for name in header_with_id(path) if name != ID]
    if found != list(columns):
        pairs = zip([*found, None], [*columns, None], strict=False)
        first, expected = next((a, b) for a, b in pairs if a != b)
        raise file_error(
            "the targets are not those of target_pairs.csv",
            path,
            line=1,
            column=first or expected,
            expected=f"{len(columns)} columns" + (f", {expected!r} here" if expected else ""),
            found=f"{len(found)} columns" + (f", {first!r} here" if first else ""),
        )
    table = read_numbers(path)
    if table.unread:
        cell = table.unread[0]
        raise file_error(
            "a label is not a number",
            path,
            line=line_number_of(cell.row),
            column=cell.column,
            expected="a number or an empty cell",
            found=repr(cell.text),
        )
    return table
