"""Reading forecasts together with their labels, from which all scores of a family are computed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from quant_assets.core.typing import DayArray, FloatArray, IntArray
from quant_assets.lake.readers.forecasts import read_forecasts, read_live_forecasts
from quant_assets.lake.readers.point_in_time import (
    read_date_ids,
    read_known_days,
    read_known_labels,
)
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.readers.series import read_series
from quant_assets.lake.readers.universe import read_target_members
from quant_assets.lake.schemas.forecast_tables import forecasts_table
from quant_assets.lake.schemas.promotion_tables import SUBMITTED_NAME
from quant_assets.lake.store.lake import Lake
from quant_assets.market.targets import TargetPairs, align_to_forecast_day, delay_of, shift


@dataclass(frozen=True)
class ScoredForecasts:
    """Forecasts of days whose labels are all known, and these labels.

    Attributes:
        days: (n,) forecast days, ascending.
        date_ids: (n,) the source's number of each forecast day.
        released_on: (n,) day on which each forecast day's last label became known.
        pairs: the m targets.
        group_of: group of each instrument, such as its market.
        labels: (n, m) labels by forecast day; NaN where empty.
        forecasts: (n, m) scores by family; NaN on a day without a forecast.
        forecasts_before: (n, m) scores of the trading day before each forecast day, by family.
    """

    days: DayArray
    date_ids: IntArray
    released_on: DayArray
    pairs: TargetPairs
    group_of: Mapping[str, str]
    labels: FloatArray
    forecasts: dict[str, FloatArray]
    forecasts_before: dict[str, FloatArray]


def find_scored_days(days: DayArray, start: date, delay: int) -> tuple[DayArray, DayArray]:
    """Find the forecast days whose last label becomes known on ``start`` or later.

    Returns these forecast days and the days on which their last labels become known.

    Args:
        days: (n,) consecutive trading days, ascending.
        start: first day on which a last label becomes known.
        delay: days from a forecast day to the day on which its last label is known, 1 or more.

    Examples:
        Of the days 1 to 6 January, with labels of 1 and 3 days:

        >>> days = np.datetime64("2024-01-01") + np.arange(6)
        >>> find_scored_days(days, date(2024, 1, 6), delay_of(np.array([1, 3])))
        (array(['2024-01-02'], dtype='datetime64[D]'), array(['2024-01-06'], dtype='datetime64[D]'))
    """
    forecast_days, known_on = days[:-delay], days[delay:]
    wanted = known_on >= np.datetime64(start)
    return forecast_days[wanted], known_on[wanted]


def read_scored_labels(
    lake: Lake, days: DayArray, pairs: TargetPairs, start: date
) -> tuple[DayArray, DayArray, FloatArray]:
    """Read the labels of the days that :func:`find_scored_days` finds.

    Returns the n forecast days, the days on which their last labels became known, and the (n, m)
    labels by forecast day, NaN where empty and where a leg is not in the universe.

    Args:
        lake: the lake.
        days: the days with features up to the last day whose known labels are read.
        pairs: the targets.
        start: first day on which a forecast day's last label becomes known.
    """
    forecast_days, known_on = find_scored_days(days, start, delay_of(pairs.lags))
    if not len(forecast_days):
        return forecast_days, known_on, np.empty((0, len(pairs.targets)))
    first = np.searchsorted(days, forecast_days[0])
    known_labels = read_known_labels(lake, days[first:], pairs)
    labels = align_to_forecast_day(known_labels, pairs.lags)[: len(forecast_days)]
    labels[~read_target_members(lake, forecast_days, pairs)] = np.nan
    return forecast_days, known_on, labels


def read_scored_forecasts(
    lake: Lake, families: Sequence[str], start: date, end: date
) -> ScoredForecasts | None:
    """Read the forecasts whose last labels became known from ``start`` to ``end``.

    Returns None if no forecast day's last label became known within the range. Labels that became
    known after ``end`` are not read.

    Args:
        lake: the lake.
        families: names of the families whose forecasts are read.
        start: first day on which a forecast day's last label becomes known.
        end: last such day.
    """
    pairs, days = read_pairs(lake), read_known_days(lake, end)
    forecast_days, known_on, labels = read_scored_labels(lake, days, pairs, start)
    n = len(forecast_days)
    if not n:
        return None
    first = int(np.searchsorted(days, forecast_days[0]))
    span = days[max(first - 1, 0) : first + n]
    ends = span[0].item(), span[-1].item()
    stored = {
        name: (
            read_live_forecasts(lake, pairs.targets, *ends)
            if name == SUBMITTED_NAME
            else read_forecasts(lake, forecasts_table(name), pairs.targets, *ends)
        ).on(span)
        for name in families
    }
    return ScoredForecasts(
        forecast_days,
        read_date_ids(lake, forecast_days),
        known_on,
        pairs,
        read_series(lake).group_of,
        labels,
        {name: values[-n:] for name, values in stored.items()},
        {name: shift(values, 1)[-n:] for name, values in stored.items()},
    )
