"""The queue of flagged prices that wait for a person's decision, with their context.

Decisions are recorded by ``review.deciding``. The rules that flag a price are in
``quality.cleaning``.
"""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from quant_assets.lake.readers.prices import find_history_start, read_panel
from quant_assets.lake.schemas.price_tables import RAW_PRICES, VALIDATED_PRICES
from quant_assets.lake.store.lake import Lake
from quant_assets.quality.cleaning import CleaningRules
from quant_assets.quality.review_decisions import CellKey, keep_in_force, read_decisions
from quant_assets.review.move_context import describe_moves

_RULES = CleaningRules()
# A close that is missing for longer has no next close worth comparing with.
_FOLLOWING = timedelta(days=30)


def list_queue(lake: Lake, days: int) -> pd.DataFrame:
    """List the flagged closes that wait for a decision, newest day first.

    A flagged close waits if there is no decision in force about it and its present value.

    Args:
        lake: holds prices and decisions.
        days: number of the newest trading days to look at.

    Returns:
        A row for each flagged close: trading_day, instrument, close; the move in per cent and in
        typical deviations; the previous and the next close; the group, the mean move of its other
        instruments in per cent, and how many of them moved alike.

    Raises:
        LakeError: no prices are stored.
    """
    decided = keep_in_force(read_decisions(lake))
    since = find_history_start(lake, VALIDATED_PRICES, date.max, days)
    waiting = [
        row for row in _read_flagged(lake, since) if (_cell_of(row), row["value"]) not in decided
    ]
    if not waiting:
        return pd.DataFrame()
    return _add_context(lake, waiting)


def _cell_of(row: dict[str, Any]) -> CellKey:
    return row["trading_day"], row["instrument"], "close"


def _read_flagged(lake: Lake, since: date) -> list[dict[str, Any]]:
    """Read the closes that are flagged as jumps, or were before a decision that is undone now."""
    rows: list[dict[str, Any]] = lake.arrow(
        f"SELECT trading_day, v.instrument, r.value FROM {VALIDATED_PRICES.quoted} v"
        f" JOIN {RAW_PRICES.quoted} r USING (trading_day, instrument, field)"
        " WHERE field = 'close' AND trading_day >= ? AND r.trading_day >= ?"
        " AND (contains(flag, 'jump') OR contains(flag, 'reviewed'))"
        " ORDER BY trading_day DESC, instrument",
        [since, since],
        needs=VALIDATED_PRICES,
    ).to_pylist()
    return rows


def _add_context(lake: Lake, waiting: Sequence[dict[str, Any]]) -> pd.DataFrame:
    newest, oldest = waiting[0]["trading_day"], waiting[-1]["trading_day"]
    start = find_history_start(lake, VALIDATED_PRICES, oldest, _RULES.history)
    value, filled = (
        read_panel(lake, column, start, newest + _FOLLOWING) for column in ("value", "filled")
    )
    days = np.array([row["trading_day"] for row in waiting], dtype="datetime64[D]")
    place = {name: i for i, name in enumerate(value.instruments)}
    rows = np.searchsorted(value.days, days)
    columns = np.array([place[row["instrument"]] for row in waiting])
    given = np.array([row["value"] for row in waiting])
    closes = value.fields["close"].copy()
    # A rejection that is undone is not applied yet: the stored close is empty.
    closes[rows, columns] = given
    context = describe_moves(
        closes, filled.fields["close"], value.groups, (rows, columns), _RULES.jump_window
    )
    alike = zip(context.alike.tolist(), context.others.tolist(), strict=True)
    return pd.DataFrame(
        {
            "trading_day": [row["trading_day"] for row in waiting],
            "instrument": [row["instrument"] for row in waiting],
            "close": given,
            "move_%": 100 * context.move,
            "deviations": context.deviations,
            "previous": context.previous,
            "next": context.following,
            "group": [value.groups[column] for column in columns],
            "group_move_%": 100 * context.group_move,
            "alike": [f"{count} of {others}" for count, others in alike],
        }
    )
