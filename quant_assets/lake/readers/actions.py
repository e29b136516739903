"""Splits and dividends of ``raw.actions``: reading them, and converting them to rows."""

from typing import Any

import numpy as np

from quant_assets.core.typing import DayArray
from quant_assets.lake.schemas.source_tables import ACTIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import SeriesList
from quant_assets.sources.protocol import Action, PriceTable


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
