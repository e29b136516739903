"""Splits and dividends of ``raw.actions``: reading them, and converting them to rows."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.lake.readers.arrays import to_cube
from quant_assets.lake.schemas.source_tables import ACTIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import SeriesList
from quant_assets.sources.deliveries import Action, PriceTable


def action_rows(table: PriceTable) -> dict[str, Any]:
    """Convert a source's splits and dividends to rows of ``raw.actions``."""
    rows = np.array([action.row for action in table.actions], dtype=np.int64)
    return {
        "trading_day": table.days[rows],
        "date_id": table.date_ids[rows],
        "instrument": [action.instrument for action in table.actions],
        "split": np.array([action.split for action in table.actions], dtype=np.float64),
        "dividend": np.array([action.dividend for action in table.actions], dtype=np.float64),
    }


def read_actions(lake: Lake, days: DayArray, series: SeriesList) -> tuple[Action, ...]:
    """Read the splits and dividends of the instruments that have a close among some series.

    Args:
        lake: the lake.
        days: (n,) days with prices, ascending; the rows of the result count them.
        series: the series.
    """
    if not len(days) or not lake.has(ACTIONS):
        return ()
    rows = lake.arrow(
        f"SELECT trading_day, instrument, split, dividend FROM {ACTIONS.quoted}"
        " WHERE trading_day BETWEEN ? AND ? ORDER BY ALL",
        [days[0].item(), days[-1].item()],
    ).to_pylist()
    return tuple(
        Action(
            int(np.searchsorted(days, np.datetime64(row["trading_day"]))),
            row["instrument"],
            row["split"],
            row["dividend"],
        )
        for row in rows
        if row["instrument"] in series.close_of
    )


def read_splits(lake: Lake, days: DayArray, instruments: Sequence[str]) -> FloatArray | None:
    """Read the splits of some days; returns an array of shape (n, k), None if there are none.

    Args:
        lake: the lake.
        days: (n,) days with prices, ascending.
        instruments: names of the k instruments.
    """
    if not len(days) or not lake.has(ACTIONS):
        return None
    rows = lake.arrow(
        f"SELECT trading_day, instrument, split FROM {ACTIONS.quoted} WHERE split <> 1"
        " AND trading_day IN (SELECT unnest(?::DATE[]))"
        " AND instrument IN (SELECT unnest(?::VARCHAR[]))",
        [days.tolist(), list(instruments)],
    )
    if not len(rows):
        return None
    splits = to_cube(rows, days, "instrument", instruments, ["split"])[:, :, 0]
    return np.nan_to_num(splits, nan=1.0)
