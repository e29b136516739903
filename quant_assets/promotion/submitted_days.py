"""Which days have a submitted forecast.

The forecasts themselves are made in ``promotion.publishing``.
"""

from datetime import date, timedelta

import numpy as np

from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.readers.point_in_time import read_known_days
from quant_assets.lake.schemas.promotion_tables import SUBMITTED_FORECASTS
from quant_assets.lake.store.lake import Lake


def find_unsubmitted_parts(lake: Lake, start: date, end: date) -> list[tuple[date, date]]:
    """Find the parts of a range of days for which no release's forecast was submitted yet.

    These are the days before the first and after the last day that a release's forecast was
    submitted for. A day between them without a submitted forecast, whose prices came late, is a
    part as well.

    Args:
        lake: the lake.
        start: first day of the range.
        end: last day of the range.

    Returns:
        First and last day of each part, in order.
    """
    if not lake.has(SUBMITTED_FORECASTS):
        return [(start, end)]
    by_release = lake.arrow(
        "SELECT min(trading_day) AS first, max(trading_day) AS last"
        f" FROM {SUBMITTED_FORECASTS.quoted}"
        " WHERE trading_day BETWEEN ? AND ? AND champion IS NOT NULL",
        [start, end],
    ).to_pylist()[0]
    if by_release["first"] is None:
        return [(start, end)]
    one_day = timedelta(days=1)
    missing_days = _find_missing_days(lake, by_release["first"], by_release["last"])
    parts = [
        (start, by_release["first"] - one_day),
        *((day, day) for day in missing_days),
        (by_release["last"] + one_day, end),
    ]
    return [(first, last) for first, last in parts if first <= last]


def _find_missing_days(lake: Lake, first: date, last: date) -> list[date]:
    """Find the days with features and without a submitted forecast."""
    known = read_known_days(lake, last)
    submitted = lake.columns(
        f"SELECT DISTINCT trading_day AS day FROM {SUBMITTED_FORECASTS.quoted}"
        " WHERE trading_day BETWEEN ? AND ?",
        [first, last],
    )["day"].astype("datetime64[D]")
    missing: list[date] = np.setdiff1d(known[known >= np.datetime64(first)], submitted).tolist()
    return missing


def read_newest_submitted_day(lake: Lake) -> date | None:
    """Read the newest day with a submitted forecast; None if there is none."""
    return read_newest_day(lake, SUBMITTED_FORECASTS)
