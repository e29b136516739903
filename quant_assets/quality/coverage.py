"""Gaps in a cleaned table: shares of empty cells, stale series and ended series.

Decisions about single cells are in ``quality.cleaning``; limits belong to the callers.
"""

from datetime import date

import numpy as np

from quant_assets.core.typing import IntArray
from quant_assets.market.instruments import list_groups
from quant_assets.quality.cleaning import CellFlag, CleanedTable


def missing_rates(cleaned: CleanedTable, since: date = date.min) -> dict[str, float]:
    """Compute the share of closes without an accepted value, by group and for ``all`` groups.

    Returns shares from 0 to 1. Groups without a close in the table are left out.

    Args:
        cleaned: the cleaned table.
        since: first day that counts.
    """
    closes = _closes(cleaned)
    missing = np.isnan(cleaned.value[cleaned.days >= np.datetime64(since, "D")][:, closes])
    groups = np.array(cleaned.series.groups, dtype=object)[closes]
    rates = {name: missing[:, groups == name] for name in list_groups(groups.tolist())} | {
        "all": missing
    }
    return {name: float(cells.mean()) for name, cells in rates.items() if cells.size}


def stale_series(cleaned: CleanedTable) -> tuple[str, ...]:
    """Return the closes whose newest observation is stale, in the order of the table."""
    closes = _closes(cleaned)
    last = _last_observed(cleaned, closes)
    stale = (cleaned.flags[last, closes] & CellFlag.STALE) != 0
    return tuple(cleaned.series.columns[i] for i in closes[stale])


def ended_series(cleaned: CleanedTable, rows: int = 20) -> dict[str, date | None]:
    """Return the closes without a value in the last ``rows`` rows, with their last observed day.

    The day is None if a close has no value in the whole table. A table with fewer rows has no ended
    series.
    """
    closes = _closes(cleaned)
    if len(cleaned.days) < rows:
        return {}
    last = _last_observed(cleaned, closes)
    observed = ~np.isnan(cleaned.value[:, closes])
    ended = np.flatnonzero(observed[-rows:].sum(axis=0) == 0)
    names = cleaned.series.columns
    return {
        names[closes[i]]: cleaned.days[last[i]].item() if observed[last[i], i] else None
        for i in ended
    }


def _closes(cleaned: CleanedTable) -> IntArray:
    return np.flatnonzero(cleaned.series.is_close).astype(np.int64)


def _last_observed(cleaned: CleanedTable, closes: IntArray) -> IntArray:
    """Return the row of each close's newest value; the last row for a close without a value."""
    observed = ~np.isnan(cleaned.value[:, closes])
    last: IntArray = len(observed) - 1 - np.argmax(observed[::-1], axis=0)
    return last
