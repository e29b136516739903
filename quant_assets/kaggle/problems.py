"""Problems of a submission file: of its text, its columns, its days and its forecasts."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from quant_assets.core.typing import FloatArray, IntArray
from quant_assets.kaggle.submission_file import CSV_TEXT, FileColumn, TableFile

DAY_COLUMN = "date_id"
_OTHER_DAY_COLUMNS = ("sample_id", "id", "row_id", "day", "date")
_SHOWN = 3
_LARGEST_DAY = 1_000_000
_FRACTIONS = ("double", "float", "halffloat")
_NUMBERS = (*_FRACTIONS, *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64)))


class Severity(StrEnum):
    """How bad a problem is: an error fails or spoils the submission."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Problem:
    """What is wrong with a file.

    Attributes:
        severity: whether the submission fails or is spoilt.
        text: what is wrong, where it is, and what was expected.
    """

    severity: Severity
    text: str


def error(text: str) -> Problem:
    """Return a problem that fails or spoils the submission."""
    return Problem(Severity.ERROR, text)


def warning(text: str) -> Problem:
    """Return a problem that harms nothing by itself."""
    return Problem(Severity.WARNING, text)


def check_text(file: TableFile) -> Iterator[Problem]:
    """Yield what is wrong with the text of a file."""
    if file.blank_first_line:
        yield error("line 1 is blank: the header has to be the first line")
    for oddity in file.oddities:
        yield warning(oddity)
    if not file.rows:
        yield error("there are no rows under the header")


def check_names(file: TableFile, targets: Sequence[str]) -> Iterator[Problem]:
    """Yield what is wrong with the names and the order of the columns.

    Args:
        file: the submission.
        targets: names of the columns of forecasts, in order.
    """
    names = file.names
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        yield error(f"columns come more than once: {shorten(repeated)}")
    if DAY_COLUMN not in names:
        other = next((name for name in _OTHER_DAY_COLUMNS if name in names), None)
        found = f"; {other} is there instead" if other else ""
        yield error(f"there is no column {DAY_COLUMN}{found}")
    elif names[0] != DAY_COLUMN:
        yield warning(f"{DAY_COLUMN} is column {names.index(DAY_COLUMN) + 1}, not the first")
    given = [name for name in names if name not in (DAY_COLUMN, *_OTHER_DAY_COLUMNS)]
    missing = [name for name in targets if name not in given]
    further = [name for name in given if name not in targets]
    if missing:
        yield error(f"{len(missing)} of {len(targets)} columns are missing: {shorten(missing)}")
    if further:
        yield error(f"{len(further)} columns are not expected: {shorten(further)}")
    if missing or further or repeated or given == list(targets):
        return
    place = next(i for i, name in enumerate(given) if name != targets[i])
    order = "sorted as text" if given == sorted(given) else "in another order"
    yield error(
        f"the targets are {order}: {given[place]} is where {targets[place]} is expected, "
        "and the official code compares the columns in order"
    )


def read_days(file: TableFile) -> tuple[IntArray, list[Problem]]:
    """Return the (n,) numbers of the days, and what is wrong with them; none if unreadable."""
    column, none = file.find(DAY_COLUMN), np.empty(0, np.int64)
    if column is None or not file.rows:
        return none, []
    numbers = column.numbers
    bad = np.flatnonzero(~np.isfinite(numbers) | (numbers != np.floor(numbers)))
    if len(bad):
        row = int(bad[0])
        shown = column.texts.get(row, "an empty cell" if column.empty[row] else numbers[row])
        return none, [error(f"{DAY_COLUMN} of row {row + 1} is {shown}, not a whole number")]
    if np.abs(numbers).max() > _LARGEST_DAY:
        return none, [error(f"{DAY_COLUMN} is {numbers[0]:.0f}: a moment, not a day's number")]
    problems = []
    if column.kind in _FRACTIONS:
        problems.append(warning(f"{DAY_COLUMN} is stored as {column.kind}, not as whole numbers"))
    days = numbers.astype(np.int64)
    values, counts = np.unique(days, return_counts=True)
    if (counts > 1).any():
        again = values[counts > 1]
        problems.append(
            error(
                f"{len(again)} days have several rows, such as {again[0]} with "
                f"{counts[counts > 1][0]}: one row a day is expected"
            )
        )
    elif (np.diff(days) < 0).any():
        row = int(np.argmax(np.diff(days) < 0)) + 1
        problems.append(
            error(
                f"the days do not ascend: {days[row]} follows {days[row - 1]}, and the official "
                "code joins rows by their position"
            )
        )
    elif len(gaps := np.setdiff1d(np.arange(days[0], days[-1]), days)):
        problems.append(
            warning(
                f"{len(gaps)} days between {days[0]} and {days[-1]} have no row: {shorten(gaps)}"
            )
        )
    return (days if (counts == 1).all() else none), problems


def check_values(
    columns: Sequence[FileColumn], values: FloatArray, days: IntArray
) -> Iterator[Problem]:
    """Yield what is wrong with the forecasts.

    Args:
        columns: the m columns of forecasts.
        values: (n, m) their numbers; NaN where a cell is empty or no number.
        days: (n,) days of the rows; empty if they cannot be read.
    """

    def place(row: int) -> str:
        return f"day {days[row]}" if len(days) else f"row {row + 1}"

    texts = [(column, row) for column in columns for row in column.texts if not column.empty[row]]
    if texts:
        column, row = texts[0]
        yield error(
            f"{len(texts)} cells hold text, such as {column.texts[row]!r} in {column.name} of "
            f"{place(row)}"
        )
    stored = sorted({column.kind for column in columns} - {*_NUMBERS, CSV_TEXT})
    if stored:
        yield error(f"forecasts are stored as {shorten(stored)}, not as numbers")
    missing = np.isnan(values)
    if missing.any():
        row = int(np.argmax(missing.any(axis=1)))
        yield error(
            f"{int(missing.any(axis=1).sum())} days lack a forecast, the first {place(row)}: such "
            "a day drops out of the score silently where the label is known"
        )
    infinite = np.isinf(values)
    if infinite.any():
        row = int(np.argmax(infinite.any(axis=1)))
        yield error(f"{int(infinite.sum())} forecasts are infinite, the first on {place(row)}")
    equal = ~missing.any(axis=1) & (values.max(axis=1) == values.min(axis=1))
    if equal.any():
        row = int(np.argmax(equal))
        yield error(
            f"{int(equal.sum())} days have equal forecasts for all targets, the first "
            f"{place(row)}: their correlation is not defined"
        )


def shorten(items: Sequence[object] | IntArray) -> str:
    """Return the first items as text, and the number of the others."""
    more = f" and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return ", ".join(map(str, items[:_SHOWN])) + more
