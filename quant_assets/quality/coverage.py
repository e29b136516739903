"""Gaps in a cleaned table: shares of empty cells, stale series and ended series.

Cells of instruments that are not in the universe are not counted; ``members`` is None if all are.
Decisions about single cells are in ``quality.cleaning``; limits belong to the callers.
"""

from datetime import date

import numpy as np

from quant_assets.core.typing import BoolArray, IntArray
from quant_assets.market.instruments import list_groups
from quant_assets.quality.cleaning import CellFlag, CleanedTable


def missing_rates(
    cleaned: CleanedTable, since: date = date.min, members: BoolArray | None = None
) -> dict[str, float]:
    """Compute the share of closes without an accepted value, by group and for ``all`` groups.

    Returns shares from 0 to 1. Groups without a close in the table are left out.

    Args:
        cleaned: the cleaned table.
        since: first day that counts.
        members: (n, c) cells that count.
    """
    closes, rows = _closes(cleaned), cleaned.days >= np.datetime64(since, "D")
    missing = np.isnan(cleaned.value[rows][:, closes])
    counted = _select(cleaned, members)[rows][:, closes]
    groups = np.array(cleaned.series.groups, dtype=object)[closes]
    columns = {name: groups == name for name in list_groups(groups.tolist())}
    columns["all"] = np.ones(len(groups), dtype=np.bool_)
    rates = {name: missing[:, at][counted[:, at]] for name, at in columns.items()}
    return {name: float(cells.mean()) for name, cells in rates.items() if cells.size}


def stale_series(cleaned: CleanedTable, members: BoolArray | None = None) -> tuple[str, ...]:
    """Return the closes whose newest observation is stale, in the order of the table.

    Args:
        cleaned: the cleaned table.
        members: (n, c) cells that count; those of the last row decide.
    """
    closes = _closes(cleaned)
    closes = closes[_select(cleaned, members)[-1:, closes].all(axis=0)]
    last = _last_observed(cleaned, closes)
    stale = (cleaned.flags[last, closes] & CellFlag.STALE) != 0
    return tuple(cleaned.series.columns[i] for i in closes[stale])


def ended_series(
    cleaned: CleanedTable, rows: int = 20, members: BoolArray | None = None
) -> dict[str, date | None]:
    """Return the closes without a value in the last ``rows`` rows, with their last observed day.

    The day is None if a close has no value in the whole table. A table with fewer rows has no ended
    series.

    Args:
        cleaned: the cleaned table.
        rows: number of rows without a value from which a series has ended.
        members: (n, c) cells that count; those of the last row decide.
    """
    closes = _closes(cleaned)
    if len(cleaned.days) < rows:
        return {}
    closes = closes[_select(cleaned, members)[-1:, closes].all(axis=0)]
    last = _last_observed(cleaned, closes)
    observed = ~np.isnan(cleaned.value[:, closes])
    ended = np.flatnonzero(observed[-rows:].sum(axis=0) == 0)
    names = cleaned.series.columns
    return {
        names[closes[i]]: cleaned.days[last[i]].item() if observed[last[i], i] else None
        for i in ended
    }


def _select(cleaned: CleanedTable, members: BoolArray | None) -> BoolArray:
    """Return (n, c) the cells that count."""
    return np.ones(cleaned.value.shape, dtype=np.bool_) if members is None else members


def _closes(cleaned: CleanedTable) -> IntArray:
    return np.flatnonzero(cleaned.series.is_close).astype(np.int64)


def _last_observed(cleaned: CleanedTable, closes: IntArray) -> IntArray:
    """Return the row of each close's newest value; the last row for a close without a value."""
    observed = ~np.isnan(cleaned.value[:, closes])
    last: IntArray = len(observed) - 1 - np.argmax(observed[::-1], axis=0)
    return last
