"""Rows of ``monitoring.rolling``: each family and part on each day, with what it was before.

The arithmetic is in ``monitoring.rolling`` and ``monitoring.cusum``.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from quant_assets.lake.lake import Lake
from quant_assets.lake.monitoring_tables import ROLLING
from quant_assets.lake.point_in_time import date_ids_of, known_days
from quant_assets.monitoring.cusum import as_window, cusum
from quant_assets.monitoring.expectation import Record
from quant_assets.monitoring.records import WHOLE, Part, by_markets, judged_family
from quant_assets.monitoring.rolling import WINDOWS, Rolling, levels, reasons, rolling, shortfall
from quant_assets.settings import Settings
from quant_assets.typing import AnyArray, DayArray, IntArray

SINCE_A_SIGN = 0
"""The ``window`` of the days since the first sign of a drop."""
_PARTS = ("all", "lag", "markets")
_NO_RECORD = Record(np.empty(0, np.int64), np.empty(0))
_NO_MARKETS = Record(np.empty(0, np.int64), np.empty((0, 1)))


def days_of(lake: Lake, start: date, end: date) -> tuple[DayArray, IntArray]:
    """The days with features from ``start`` to ``end``, and their numbers."""
    days = known_days(lake, end)
    days = days[days >= np.datetime64(start)]
    return days, date_ids_of(lake, days)


def rolling_rows(
    records: Mapping[Part, Record], days: DayArray, numbers: IntArray, settings: Settings
) -> pd.DataFrame:
    """Rows of ``monitoring.rolling`` for some days.

    Args:
        records: what is known by the last of the days; those of a family may be any other's
            before its first day, which are then what is expected of it.
        days: (k,) days.
        numbers: (k,) their numbers.
        settings: how large a shortfall matters.

    A day has a row for each part that was ever judged by the last day; the ensemble's has one
    even if nothing was.
    """
    told = {(judged_family(records), *WHOLE): _NO_RECORD, **records}
    parts = [
        pd.DataFrame(
            {
                "trading_day": days,
                "date_id": numbers,
                **dict(zip(("family", "by", "part"), part, strict=True)),
                "window": window,
                **figures,
            }
        )
        for part, record in told.items()
        if part[1] in _PARTS
        for window, figures in _windows(records, part, record, numbers, settings)
    ]
    return pd.concat(parts)[[column.name for column in ROLLING.columns]]


def worst_level(rows: pd.DataFrame, family: str) -> str | None:
    """The worst level that a family has over all targets; None where none can be told."""
    found = rows[(rows["family"] == family) & (rows["by"] == "all")]["level"]
    return next((one for one in ("critical", "warning", "ok") if (found == one).any()), None)


def _windows(
    records: Mapping[Part, Record],
    part: Part,
    record: Record,
    numbers: IntArray,
    settings: Settings,
) -> Iterator[tuple[int, dict[str, Any]]]:
    for window in WINDOWS:
        found = rolling(record, numbers, window)
        yield window, _columns(found, levels(found, settings), reasons(found, window))
    if part[1:] == WHOLE:
        markets = by_markets(records, part[0]) if part in records else _NO_MARKETS
        found = as_window(cusum(markets), markets.known(numbers))
        yield SINCE_A_SIGN, _columns(found, levels(found, settings), reasons(found, 1))


def _columns(found: Rolling, level: AnyArray, reason: AnyArray) -> dict[str, Any]:
    return {
        "score": found.score,
        "expected": found.expected,
        "limit": found.limit,
        "limit_critical": found.limit_critical,
        "shortfall": shortfall(found.score, found.expected),
        "level": level,
        "reason": reason,
    }
