"""Which days have a submitted forecast, and which of them may still be computed.

The forecasts themselves are made in ``promotion.publishing``.
"""

from datetime import date

import numpy as np

from quant_assets.core.typing import DayArray
from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.readers.origins import read_live_days
from quant_assets.lake.readers.point_in_time import read_known_days
from quant_assets.lake.schemas.promotion_tables import SUBMITTED_FORECASTS
from quant_assets.lake.store.lake import Lake


def find_open_parts(
    lake: Lake, start: date, end: date, *, history: bool
) -> list[tuple[date, date]]:
    """Find the parts of a range of days whose submitted forecast may be computed.

    A day that was submitted live stays as it is. A job over the history leaves all submitted days
    as they are from the first to the last day on which a release was submitted; a day between them
    without a submitted forecast, whose prices came late, is open.

    Args:
        lake: the lake.
        start: first day of the range.
        end: last day of the range.
        history: whether the parts are for a job over the history.

    Returns:
        First and last day of each part, in order.
    """
    known = read_known_days(lake, end)
    known = known[known >= np.datetime64(start)]
    if not lake.has(SUBMITTED_FORECASTS) or not len(known):
        return [(start, end)]
    closed = read_live_days(lake, SUBMITTED_FORECASTS, start, end)
    if history:
        closed = np.union1d(closed, _read_released_days(lake, start, end))
    is_open = ~np.isin(known, closed)
    runs = np.split(np.arange(len(known)), np.flatnonzero(np.diff(is_open)) + 1)
    return [(known[r[0]].item(), known[r[-1]].item()) for r in runs if is_open[r[0]]]


def _read_released_days(lake: Lake, start: date, end: date) -> DayArray:
    """Read the submitted days from the first to the last day that a release was submitted for."""
    days: DayArray = lake.columns(
        f"SELECT DISTINCT trading_day AS day FROM {SUBMITTED_FORECASTS.quoted},"
        " (SELECT min(trading_day) AS first, max(trading_day) AS last"
        f" FROM {SUBMITTED_FORECASTS.quoted}"
        " WHERE trading_day BETWEEN ? AND ? AND champion IS NOT NULL)"
        " WHERE trading_day BETWEEN first AND last",
        [start, end],
    )["day"].astype("datetime64[D]")
    return days


def read_newest_submitted_day(lake: Lake) -> date | None:
    """Read the newest day with a submitted forecast; None if there is none."""
    return read_newest_day(lake, SUBMITTED_FORECASTS)
