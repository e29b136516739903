"""Whether prices are complete, fresh and sound on a day: figures of each market against limits.

What happens to a bad cell is decided in ``quality.cleaning``; reading cells, in
``monitoring.cells``. A day depends on the ``HISTORY`` rows before it alone.

A limit on a share is a rate. What a market's share may be is beyond it by what chance allows of so
many cells: one gap is over 1 % of the 80 closes that a market of four has in 20 days. A series' own
limit, which tells which of them are behind a broken one, is the rate.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant_assets.core.typing import AnyArray, BoolArray, FloatArray, IntArray
from quant_assets.lake.schemas.monitoring_tables import DATA_QUALITY
from quant_assets.market.instruments import MARKETS
from quant_assets.monitoring.data.cells import Cells

WINDOW = 20
"""Days that a share is of: a single day's share of ten closes could not be below 1 %."""
HISTORY = 250
"""Days after which a series without a close is forgotten, and is no longer reported as ended."""
MISSING, OUTLIERS = 0.01, 0.005
CHANCE = 3.0
"""Standard deviations of a market's share by which it may exceed its rate."""
FRESHNESS = 5
"""Trading days without a close: so long prices are carried forward, and no holiday is longer."""


@dataclass(frozen=True)
class QualityMeasure:
    """One figure of every day.

    Attributes:
        name: as in the table.
        of_market: (n, 4) value of each of ``MARKETS``; NaN where there is nothing to judge.
        allowed: largest value of a market that is no cause for concern; of a share (n, 4), for it
            depends on how many cells there are.
        of_series: (n, c) value of each series.
        allowed_of_series: likewise of a series.
    """

    name: str
    of_market: FloatArray
    allowed: float | FloatArray
    of_series: FloatArray
    allowed_of_series: float


def data_quality_rows(cells: Cells, kept: int) -> pd.DataFrame:
    """Rows of ``monitoring.data_quality`` for the last ``kept`` days.

    Args:
        cells: of ``HISTORY`` days before the first of these, or all there are.
        kept: how many last days are wanted.

    A market without a series has no rows.
    """
    first = len(cells.days) - kept
    parts = [part for one in quality_measures(cells) for part in _rows(cells, one, first)]
    rows = pd.concat(parts, ignore_index=True)
    rows["within"] = ~(rows["value"] > rows["allowed"])
    rows = rows.sort_values(["trading_day", "market", "figure", "series"], na_position="first")
    return rows[[column.name for column in DATA_QUALITY.columns]].reset_index(drop=True)


def quality_measures(cells: Cells) -> Iterator[QualityMeasure]:
    """Every figure of every day."""
    observed = cells.observed & cells.is_close
    silent = rows_since_observed(observed)
    due = closes_due(cells)
    yield _share("missing", due & ~observed, due, MISSING, cells)
    yield _share("outliers", cells.unusual, cells.observed | cells.unusual, OUTLIERS, cells)
    wrong = (cells.unread | _gone(cells)).astype(float)
    yield QualityMeasure("schema", _sums(wrong, cells), 0.0, wrong, 0.0)
    yield _freshness(observed, cells)
    stale = (trailing_sum(cells.stale & cells.is_close) * _stale_at_last(cells, silent)).astype(
        float
    )
    yield QualityMeasure("stale", _sums(stale > 0, cells), 0.0, stale, 0.0)
    ended = np.where(cells.is_close & (silent >= WINDOW) & (silent < HISTORY), silent, 0)
    yield QualityMeasure("ended", _sums(ended > 0, cells), 0.0, ended.astype(float), 0.0)


def closes_due(cells: Cells) -> BoolArray:
    """(n, c) whether a close was to be expected.

    It was if the market had any close on the day, so a closed market lacks nothing, and the series
    had one on it or in the ``WINDOW`` days before, so neither does one that has not begun or ended.
    """
    observed = cells.observed & cells.is_close
    before = np.vstack([np.zeros((1, observed.shape[1]), np.int64), trailing_sum(observed)[:-1]])
    is_open = np.zeros(observed.shape, dtype=np.bool_)
    for of_market in cells.by_market.values():
        is_open[:, of_market] = observed[:, of_market].any(axis=1, keepdims=True)
    result: BoolArray = is_open & (observed | (before > 0))
    return result


def trailing_sum(values: AnyArray, window: int = WINDOW) -> IntArray:
    """(n, c) sum of whole numbers over the last ``window`` rows, of fewer at the beginning."""
    total = np.cumsum(values, axis=0, dtype=np.int64)
    result = total.copy()
    result[window:] -= total[:-window]
    return result


def rows_since_observed(observed: BoolArray) -> IntArray:
    """(n, c) rows since the last observation, 0 if it is there; at most ``HISTORY``."""
    rows = np.arange(len(observed))[:, None]
    last = np.maximum.accumulate(np.where(observed, rows, -HISTORY), axis=0)
    result: IntArray = np.minimum(rows - last, HISTORY)
    return result


def _gone(cells: Cells) -> BoolArray:
    """(n, c) whether the cell lacks its row, and the series had one: it may have begun later."""
    absent = rows_since_observed(cells.present)
    result: BoolArray = (absent > 0) & (absent < HISTORY)
    return result


def _stale_at_last(cells: Cells, silent: IntArray) -> BoolArray:
    """(n, c) whether the newest close, at most ``WINDOW`` days old, is stale."""
    rows = np.maximum(np.arange(len(silent))[:, None] - silent, 0)
    result: BoolArray = np.take_along_axis(cells.stale, rows, axis=0) & (silent < WINDOW)
    return result


def _share(name: str, bad: BoolArray, of: BoolArray, rate: float, cells: Cells) -> QualityMeasure:
    of_market = _sums(trailing_sum(of), cells)
    return QualityMeasure(
        name,
        _ratio(_sums(trailing_sum(bad), cells), of_market),
        beyond_chance(rate, of_market),
        _ratio(trailing_sum(bad).astype(float), trailing_sum(of).astype(float)),
        rate,
    )


def beyond_chance(rate: float, cells: FloatArray) -> FloatArray:
    """What a share of so many cells may be if each is bad at a rate; the rate itself of none.

    The normal approximation of a binomial share's upper limit, as in a p chart (Shewhart, 1931,
    "Economic control of quality of manufactured product").
    """
    result: FloatArray = rate + CHANCE * _ratio(
        np.full(cells.shape, np.sqrt(rate * (1.0 - rate))), np.sqrt(cells)
    )
    return np.where(np.isnan(result), rate, result)


def _freshness(observed: BoolArray, cells: Cells) -> QualityMeasure:
    """A market's newest close is what is judged; which of its series lack one, by the others."""
    newest = np.full((len(observed), len(MARKETS)), np.nan)
    days_known = np.arange(1, len(observed) + 1)
    for market, of_market in cells.by_market.items():
        any_close = np.any(observed[:, of_market], axis=1, keepdims=True)
        newest[:, MARKETS.index(market)] = np.minimum(
            rows_since_observed(any_close)[:, 0], days_known
        )
    return QualityMeasure("freshness", newest, FRESHNESS, np.zeros(observed.shape), FRESHNESS)


def _sums(values: AnyArray, cells: Cells) -> FloatArray:
    """(n, 4) sum over each market's series; NaN for a market without any."""
    sums = np.full((len(values), len(MARKETS)), np.nan)
    for market, of_market in cells.by_market.items():
        sums[:, MARKETS.index(market)] = values[:, of_market].sum(axis=1)
    return sums


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    result = np.full(part.shape, np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def _rows(cells: Cells, one: QualityMeasure, first: int) -> Iterator[pd.DataFrame]:
    """Rows of one figure from row ``first`` on: the markets', then the series'."""
    held = np.isin(MARKETS, cells.markets)
    row, column = np.nonzero(np.broadcast_to(held, (len(cells.days) - first, len(MARKETS))))
    keys = _keys(cells, one.name, row + first, np.array(MARKETS, dtype=object)[column], None)
    value = one.of_market[row + first, column]
    allowed = np.broadcast_to(one.allowed, one.of_market.shape)
    yield keys.assign(value=value, allowed=allowed[row + first, column])
    broken = (one.of_market > allowed)[first:]
    of_series = broken[:, [MARKETS.index(name) for name in cells.markets]]
    row, column = np.nonzero(of_series & (one.of_series[first:] > one.allowed_of_series))
    if len(row):
        keys = _keys(cells, one.name, row + first, cells.markets[column], cells.names[column])
        value = one.of_series[row + first, column]
        yield keys.assign(value=value, allowed=one.allowed_of_series)


def _keys(
    cells: Cells, figure: str, row: IntArray, markets: AnyArray, series: AnyArray | None
) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "trading_day": cells.days[row],
            "date_id": cells.date_ids[row],
            "market": markets,
            "series": series,
            "figure": figure,
        }
    )
