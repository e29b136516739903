"""Conditions that several suites declare: keys, names and bounds.

The suites belong in ``suites`` and ``bar_suites``.
"""

import sys
from typing import Any

from quant_assets.quality import views
from quant_assets.quality.expectations import Expectation, View

NAME = r"^[^\x00-\x1f\x7f]{1,600}$"
FINITE = sys.float_info.max


def present(*columns: str) -> tuple[Expectation, ...]:
    """Declare that each of some columns has a value in every row."""
    return tuple(
        Expectation("ExpectColumnValuesToNotBeNull", (name,), f"{name} is given")
        for name in columns
    )


def once(*columns: str) -> Expectation:
    """Declare that no two rows have equal values in all of some columns."""
    meaning = f"{', '.join(columns)} occur together once"
    return Expectation("ExpectCompoundColumnsToBeUnique", columns, meaning)


def between(column: str, meaning: str, view: View | None = None, **bounds: Any) -> Expectation:
    """Declare bounds of the numbers of a column.

    Args:
        column: the column.
        meaning: statement that is true if the bounds are met.
        view: computes the rows to check; None for all rows.
        bounds: arguments of ``ExpectColumnValuesToBeBetween``.
    """
    return Expectation("ExpectColumnValuesToBeBetween", (column,), meaning, bounds, view)


def is_name(column: str) -> Expectation:
    """Declare that a column holds names."""
    return Expectation(
        "ExpectColumnValuesToMatchRegex",
        (column,),
        f"{column} is a name of up to 600 printable characters",
        {"regex": NAME},
        views.distinct(column),
    )


def row_count(meaning: str, **bounds: int) -> Expectation:
    """Declare bounds of the number of rows."""
    return Expectation("ExpectTableRowCountToBeBetween", (), meaning, bounds)
