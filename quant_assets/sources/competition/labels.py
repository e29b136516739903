"""The published labels: ``train_labels.csv``, continued by the files of ``lagged_test_labels``.

``sources.competition.files`` parses the numbers. Computing labels does not belong here.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from quant_assets.core.typing import FloatArray, IntArray
from quant_assets.market.targets import TargetPairs
from quant_assets.sources.competition.edges import read_edges
from quant_assets.sources.competition.file_errors import file_error, format_number, quote
from quant_assets.sources.competition.file_state import is_there
from quant_assets.sources.competition.files import (
    ID,
    NumberTable,
    read_header_with_id,
    read_numbers,
)
from quant_assets.sources.competition.text_cells import hint_at_texts

_LABEL_DAY = "label_date_id"
_LARGEST = 10.0
"""A log return beyond it would be a price times 22,026; the largest of real labels is 0.46."""
_TOLERANCE = 2e-6


def read_published_labels(
    path: Path,
    lagged: Mapping[int, Path],
    pairs: TargetPairs,
    train: NumberTable,
    ids: IntArray,
) -> FloatArray:
    """Read the (n, m) labels by forecast day, for reading only; NaN where none is published.

    Lagged labels of days without prices are ignored, and so are those that are known from a day
    that has not come.

    Args:
        path: path of ``train_labels.csv``, which need not exist.
        lagged: paths of the lagged labels, by lag.
        pairs: the m targets.
        train: the rows of ``train.csv``, with those that have not come.
        ids: (n,) ids of the rows of prices that have come.

    Raises:
        SourceError: rows or columns do not fit the other files, or files contradict each other.
    """
    labels = np.full((len(ids), len(pairs)), np.nan)
    if is_there(path):
        of_train = read_labels(path, pairs.targets, train)[: len(ids)]
        labels[: len(of_train)] = of_train
    for lag, lagged_path in lagged.items():
        of_lag = np.flatnonzero(pairs.lags == lag)
        table = _read_label_file(lagged_path, [*(pairs.targets[i] for i in of_lag), _LABEL_DAY])
        rows, label_rows = _find_label_rows(table, lag, ids)
        values, before = table.values[rows, :-1], labels[np.ix_(label_rows, of_lag)]
        _check_agreement(table, rows, before)
        labels[np.ix_(label_rows, of_lag)] = np.where(np.isnan(before), values, before)
    labels.setflags(write=False)
    return labels


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
    if not is_there(path):
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


def _find_label_rows(table: NumberTable, lag: int, ids: IntArray) -> tuple[IntArray, IntArray]:
    """Find the rows of a lag's file whose day has come, and the row of each one's forecast day.

    Rows before the first day of prices and labels of days before it are left out.

    Args:
        table: the file, with the id of the forecast day in the last column.
        lag: the lag in trading days.
        ids: (n,) ids of the rows of prices.
    """
    label_ids = table.values[:, -1]
    at = np.minimum(np.searchsorted(ids, table.date_ids), len(ids) - 1)
    rows = np.flatnonzero((ids[at] == table.date_ids) & (at > lag))
    label_rows = at[rows] - lag - 1
    wrong = np.flatnonzero(label_ids[rows] != ids[label_rows])
    if len(wrong):
        row, expected = int(rows[wrong[0]]), int(ids[label_rows[wrong[0]]])
        raise file_error(
            "a label stands on another day than that of its last price",
            table.path,
            line=table.line_of(row),
            column=_LABEL_DAY,
            expected=f"{expected}, {lag + 1} rows of prices before {table.date_ids[row]}",
            found="nothing" if np.isnan(label_ids[row]) else format_number(label_ids[row]),
        )
    return rows, label_rows


def _check_agreement(table: NumberTable, rows: IntArray, before: FloatArray) -> None:
    """Refuse labels that contradict ``train_labels.csv``.

    Args:
        table: the file of a lag.
        rows: (k,) its rows that are read.
        before: (k, m) labels of these rows' forecast days in ``train_labels.csv``.
    """
    values = table.values[rows, :-1]
    differ = np.argwhere(np.abs(values - before) > _TOLERANCE)
    if not len(differ):
        return
    row, column = differ[0]
    raise file_error(
        "labels contradict train_labels.csv",
        table.path,
        line=table.line_of(int(rows[row])),
        column=table.columns[column],
        expected=f"{format_number(before[row, column])}, as in train_labels.csv where {ID} is "
        f"{format_number(table.values[rows[row], -1])}",
        found=f"{format_number(values[row, column])}, the first of {len(differ)} such labels",
        hint="both files must come from the same version of the data",
    )


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
            expected=f"{len(columns)} columns" + (f", {quote(expected)} here" if expected else ""),
            found=f"{len(header)} columns" + (f", {quote(first)} here" if first else ""),
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
            found=f"{quote(cell.text)}, the first of {len(table.unread)} such cells",
            hint=hint_at_texts(cell.text for cell in table.unread),
        )
    _check_labels(table)
    return table


def _check_labels(table: NumberTable) -> None:
    """Refuse values that are no log returns, such as a number that stands for an absent label."""
    is_label = np.array([name != _LABEL_DAY for name in table.columns])
    wrong = np.argwhere((np.abs(table.values) > _LARGEST) & is_label)
    if not len(wrong):
        return
    row, column = wrong[0]
    raise file_error(
        "labels are no log returns",
        table.path,
        line=table.line_of(int(row)),
        column=table.columns[column],
        expected=f"numbers from {-_LARGEST:.0f} to {_LARGEST:.0f}, or empty cells",
        found=f"{format_number(table.values[row, column])}, the first of {len(wrong)} such labels",
        hint="leave a cell empty where there is no label",
    )
