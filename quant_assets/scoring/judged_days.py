"""Forecasts beside what came of them: what every judgement of a family starts from."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np

from quant_assets.core.typing import DayArray, FloatArray, IntArray
from quant_assets.lake.readers.forecasts import read_forecasts
from quant_assets.lake.readers.point_in_time import (
    read_date_ids,
    read_known_days,
    read_known_labels,
)
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.schemas.tables import forecasts_table
from quant_assets.lake.store.lake import Lake
from quant_assets.market.targets import MAX_LAG, TargetPairs, align_to_forecast_day, shift

DELAY = MAX_LAG + 1
"""Days from a forecast to the release of its last label."""


@dataclass(frozen=True)
class ScoredForecasts:
    """Forecasts of days whose labels are all released, and those labels.

    Attributes:
        days: (n,) days of the forecasts, ascending.
        date_ids: (n,) their numbers.
        released_on: (n,) days of the last labels' release.
        pairs: the targets.
        truth: (n, m) labels; NaN where empty.
        forecasts: (n, m) scores of each family; NaN on a day without a forecast.
        before: the same on the trading day before each.
    """

    days: DayArray
    date_ids: IntArray
    released_on: DayArray
    pairs: TargetPairs
    truth: FloatArray
    forecasts: dict[str, FloatArray]
    before: dict[str, FloatArray]


def find_scored_days(days: DayArray, start: date) -> tuple[DayArray, DayArray]:
    """Of ascending days those whose last label is released from ``start`` on, and on which days."""
    judged, release = days[:-DELAY], days[DELAY:]
    wanted = release >= np.datetime64(start)
    return judged[wanted], release[wanted]


def read_truths(
    lake: Lake, days: DayArray, pairs: TargetPairs, start: date
) -> tuple[DayArray, DayArray, FloatArray]:
    """:func:`find_scored_days` and their (n, m) labels; NaN where empty.

    Args:
        lake: the lake.
        days: known days up to the last on which labels are released.
        pairs: the targets.
        start: first day on which they are.
    """
    judged, release = find_scored_days(days, start)
    if not len(judged):
        return judged, release, np.empty((0, len(pairs.targets)))
    known = read_known_labels(lake, days[np.searchsorted(days, judged[0]) :], pairs.targets)
    return judged, release, align_to_forecast_day(known, pairs.lags)[: len(judged)]


def read_scored_forecasts(
    lake: Lake, families: Sequence[str], start: date, end: date
) -> ScoredForecasts | None:
    """Forecasts and labels of the release days from ``start`` to ``end``; None if there are none.

    Labels released after ``end`` are not read.
    """
    pairs, days = read_pairs(lake), read_known_days(lake, end)
    judged, release, truth = read_truths(lake, days, pairs, start)
    n = len(judged)
    if not n:
        return None
    first = int(np.searchsorted(days, judged[0]))
    span = days[max(first - 1, 0) : first + n]
    ends = span[0].item(), span[-1].item()
    stored = {
        name: read_forecasts(lake, forecasts_table(name), pairs.targets, *ends).on(span)
        for name in families
    }
    return ScoredForecasts(
        judged,
        read_date_ids(lake, judged),
        release,
        pairs,
        truth,
        {name: values[-n:] for name, values in stored.items()},
        {name: shift(values, 1)[-n:] for name, values in stored.items()},
    )
