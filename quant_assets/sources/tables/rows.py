"""Rows of a table of observations, and the checks that all tables pass, wherever their rows are."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from quant_assets.core.errors import SourceError
from quant_assets.market.description.values import quote

KEY = ["field", "instrument", "observed_on", "known_at"]
_EARLIEST = timedelta(days=1)


@dataclass(frozen=True)
class TableRows:
    """The rows of a table that have a value.

    Attributes:
        frame: a row per value, ascending in ``KEY``, with the columns of ``KEY`` and ``value``;
            ``observed_on`` is the day that the value is about, and ``known_at`` the moment from
            which the table says that it was known, in UTC without a zone.
        source: where the rows are from.
    """

    frame: pd.DataFrame
    source: str


def build_rows(frame: pd.DataFrame, source: str, where: str) -> TableRows:
    """Drop rows without a value, check the others, and sort them.

    A row that comes twice with equal values is one row.

    Args:
        frame: the columns of ``TableRows.frame``, in any order.
        source: where the rows are from.
        where: the file or address, for errors.

    Raises:
        SourceError: a value is infinite, two values have one key, or a value was known more than a
            day before the day that it is about.
    """
    rows = frame[frame["value"].notna()].drop_duplicates().sort_values(KEY, ignore_index=True)
    infinite = np.isinf(rows["value"].to_numpy(dtype=float))
    if infinite.any():
        row = rows[infinite].iloc[0]
        raise SourceError(
            "a value is infinite", where=where, expected="finite numbers", found=_describe(row)
        )
    repeated = rows[rows.duplicated(KEY, keep=False)]
    if len(repeated):
        first, second = repeated.iloc[0], repeated.iloc[1]
        raise SourceError(
            "two values have one day and one moment from which they are known",
            where=where,
            expected=f"one value of {_describe(first)}",
            found=f"{first['value']} and {second['value']}",
            hint="remove the wrong row, or give the later one its own time",
        )
    early = rows[rows["known_at"] < rows["observed_on"] - _EARLIEST]
    if len(early):
        row = early.iloc[0]
        raise SourceError(
            "a value was known before the day that it is about",
            where=where,
            expected="a moment from the day before on",
            found=f"{_describe(row)}, known at {row['known_at']}",
        )
    return TableRows(rows, source)


def _describe(row: Any) -> str:
    instrument = f" of {quote(row['instrument'])}" if row["instrument"] else ""
    return f"{row['field']}{instrument} on {row['observed_on'].date()}"
