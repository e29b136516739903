"""Judge whether prices are complete, fresh and sound: measures of each market against limits.

What happens to a bad cell is decided in ``quality.cleaning``; ``monitoring.data.cells`` reads the
cells. The rows of a day depend on the ``HISTORY_DAYS`` days before it alone. On each day only the
instruments in the universe count; for freshness, those too that left because they have no prices.

The limit of a share is a rate, plus what chance allows a market with its number of cells: one gap
is already over 1 % of the 80 closes that a market of four series has in 20 days. A single series is
compared with the rate itself. This tells which series cause a broken limit of their market.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from quant_assets.core.typing import AnyArray, BoolArray, FloatArray, IntArray
from quant_assets.lake.schemas.monitoring_tables import DATA_QUALITY
from quant_assets.monitoring.data.cells import Cells

WINDOW_DAYS = 20
"""Days over which shares are taken: on a single day, one gap among ten closes is already 10 %."""
HISTORY_DAYS = 250
"""Days after which a series without a close is no longer reported as ended."""
MISSING_RATE, OUTLIER_RATE = 0.01, 0.005
"""Shares of missing closes and of unusual cells that are no cause for concern."""
CHANCE_DEVIATIONS = 3.0
"""Standard deviations of a market's share by which the share may exceed its rate."""
FRESHNESS_DAYS = 5
"""Trading days without a close that are no cause for concern: prices are carried forward for so
long, and no holiday is longer."""


@dataclass(frozen=True)
class QualityMeasure:
    """One measure of every day, with its limits. A value above its limit is a concern.

    Attributes:
        name: as in the table.
        market_values: (n, g) value of each market of ``cells.by_market``.
        market_limit: limit of a market's value; for a share (n, 4), since it depends on how many
            cells there are.
        series_values: (n, c) value of each series.
        series_limit: limit of a series' value.
    """

    name: str
    market_values: FloatArray
    market_limit: float | FloatArray
    series_values: FloatArray
    series_limit: float


def data_quality_rows(cells: Cells, kept: int) -> pd.DataFrame:
    """Make rows of ``monitoring.data_quality`` for the last ``kept`` days.

    A market without a series has no rows.

    Args:
        cells: of these days and of the ``HISTORY_DAYS`` days before them, or all there are.
        kept: how many last days are wanted.
    """
    first = len(cells.days) - kept
    parts = [
        part for measure in quality_measures(cells) for part in _measure_rows(cells, measure, first)
    ]
    rows = pd.concat(parts, ignore_index=True)
    rows["within"] = ~(rows["value"] > rows["allowed"])
    rows = rows.sort_values(["trading_day", "market", "figure", "series"], na_position="first")
    return rows[[column.name for column in DATA_QUALITY.columns]].reset_index(drop=True)


def quality_measures(cells: Cells) -> Iterator[QualityMeasure]:
    """Compute every measure of every day."""
    observed = cells.observed & cells.is_close
    silent_days = rows_since_observed(observed)
    due = closes_due(cells) & cells.member
    yield _share("missing", due & ~observed, due, MISSING_RATE, cells)
    unusual = cells.unusual & cells.member
    known = (cells.observed | cells.unusual) & cells.member
    yield _share("outliers", unusual, known, OUTLIER_RATE, cells)
    wrong = ((cells.unread | _is_gone(cells)) & cells.member).astype(float)
    yield QualityMeasure("schema", _sum_by_market(wrong, cells), 0.0, wrong, 0.0)
    yield _freshness(observed, cells)
    stale_days = trailing_sum(cells.stale & cells.is_close)
    is_stale = _is_newest_stale(cells, silent_days) & cells.member
    stale = (stale_days * is_stale).astype(float)
    yield QualityMeasure("stale", _sum_by_market(stale > 0, cells), 0.0, stale, 0.0)
    is_ended = cells.is_close & (silent_days >= WINDOW_DAYS) & (silent_days < HISTORY_DAYS)
    is_ended &= cells.member
    ended = np.where(is_ended, silent_days, 0)
    yield QualityMeasure("ended", _sum_by_market(ended > 0, cells), 0.0, ended.astype(float), 0.0)


def closes_due(cells: Cells) -> BoolArray:
    """(n, c) whether a close was to be expected.

    A close is due if the market had any close on the day, and the series had one on the day or in
    the ``WINDOW_DAYS`` days before. So nothing is due from a closed market, or from a series that
    has not begun or has ended.
    """
    observed = cells.observed & cells.is_close
    before = np.vstack([np.zeros((1, observed.shape[1]), np.int64), trailing_sum(observed)[:-1]])
    is_open = np.zeros(observed.shape, dtype=np.bool_)
    for of_market in cells.by_market.values():
        is_open[:, of_market] = observed[:, of_market].any(axis=1, keepdims=True)
    result: BoolArray = is_open & (observed | (before > 0))
    return result


def trailing_sum(values: AnyArray, window: int = WINDOW_DAYS) -> IntArray:
    """(n, c) sum of whole numbers over the last ``window`` rows, of fewer at the beginning."""
    total = np.cumsum(values, axis=0, dtype=np.int64)
    result = total.copy()
    result[window:] -= total[:-window]
    return result


def rows_since_observed(observed: BoolArray) -> IntArray:
    """(n, c) rows since the last observation: 0 on its row, at most ``HISTORY_DAYS``."""
    rows = np.arange(len(observed))[:, None]
    last = np.maximum.accumulate(np.where(observed, rows, -HISTORY_DAYS), axis=0)
    result: IntArray = np.minimum(rows - last, HISTORY_DAYS)
    return result


def _is_gone(cells: Cells) -> BoolArray:
    """(n, c) whether a cell has no row although its series had rows before."""
    absent_days = rows_since_observed(cells.present)
    result: BoolArray = (absent_days > 0) & (absent_days < HISTORY_DAYS)
    return result


def _is_newest_stale(cells: Cells, silent_days: IntArray) -> BoolArray:
    """(n, c) whether the newest close is stale and at most ``WINDOW_DAYS`` days old."""
    rows = np.maximum(np.arange(len(silent_days))[:, None] - silent_days, 0)
    result: BoolArray = np.take_along_axis(cells.stale, rows, axis=0) & (silent_days < WINDOW_DAYS)
    return result


def _share(name: str, bad: BoolArray, of: BoolArray, rate: float, cells: Cells) -> QualityMeasure:
    """Make a measure that is the share of bad cells among the cells ``of``, over the window."""
    of_market = _sum_by_market(trailing_sum(of), cells)
    return QualityMeasure(
        name,
        _ratio(_sum_by_market(trailing_sum(bad), cells), of_market),
        share_limits(rate, of_market),
        _ratio(trailing_sum(bad).astype(float), trailing_sum(of).astype(float)),
        rate,
    )


def share_limits(rate: float, cells: FloatArray) -> FloatArray:
    """Compute what a share of bad cells may be if each cell is bad at a rate.

    The normal approximation of a binomial share's upper limit, as in a p chart (Shewhart, 1931,
    "Economic control of quality of manufactured product").

    Args:
        rate: probability that a cell is bad.
        cells: (...) numbers of cells, may be NaN.

    Returns:
        (...) limits; the rate itself where there are no cells.
    """
    result: FloatArray = rate + CHANCE_DEVIATIONS * _ratio(
        np.full(cells.shape, np.sqrt(rate * (1.0 - rate))), np.sqrt(cells)
    )
    return np.where(np.isnan(result), rate, result)


def _freshness(observed: BoolArray, cells: Cells) -> QualityMeasure:
    """Count the days since each market's newest close; other measures judge single series."""
    newest = np.full((len(observed), len(cells.by_market)), np.nan)
    days_known = np.arange(1, len(observed) + 1)
    for place, of_market in enumerate(cells.by_market.values()):
        any_close = np.any(observed[:, of_market], axis=1, keepdims=True)
        days_since = np.minimum(rows_since_observed(any_close)[:, 0], days_known)
        is_listed = cells.listed[:, of_market].any(axis=1)
        newest[:, place] = np.where(is_listed, days_since, np.nan)
    of_series = np.zeros(observed.shape)
    return QualityMeasure("freshness", newest, FRESHNESS_DAYS, of_series, FRESHNESS_DAYS)


def _sum_by_market(values: AnyArray, cells: Cells) -> FloatArray:
    """(n, g) sum of (n, c) values over the series of each market of ``cells.by_market``."""
    sums = np.zeros((len(values), len(cells.by_market)))
    for place, of_market in enumerate(cells.by_market.values()):
        sums[:, place] = values[:, of_market].sum(axis=1)
    return sums


def _ratio(part: FloatArray, whole: FloatArray) -> FloatArray:
    """(...) part over whole; NaN where the whole is not positive."""
    result = np.full(part.shape, np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def _measure_rows(cells: Cells, measure: QualityMeasure, first: int) -> Iterator[pd.DataFrame]:
    """Make rows of one measure from row ``first`` on.

    Every market that has a series has a row a day. A series has a row where its value is above its
    limit and its market's value is too.
    """
    markets = np.array(list(cells.by_market), dtype=object)
    row, column = map(np.ravel, np.indices((len(cells.days) - first, len(markets))))
    keys = _keys(cells, measure.name, row + first, markets[column], None)
    value = measure.market_values[row + first, column]
    limits = np.broadcast_to(measure.market_limit, measure.market_values.shape)
    yield keys.assign(value=value, allowed=limits[row + first, column])
    is_broken = (measure.market_values > limits)[first:]
    in_broken_market = is_broken[:, cells.market_index]
    row, column = np.nonzero(
        in_broken_market & (measure.series_values[first:] > measure.series_limit)
    )
    if len(row):
        keys = _keys(cells, measure.name, row + first, cells.markets[column], cells.names[column])
        value = measure.series_values[row + first, column]
        yield keys.assign(value=value, allowed=measure.series_limit)


def _keys(
    cells: Cells, name: str, row: IntArray, markets: AnyArray, series: AnyArray | None
) -> pd.DataFrame:
    """Make the key columns of rows about a measure; ``series`` is None for rows of markets."""
    return pd.DataFrame(
        {
            "trading_day": cells.days[row],
            "date_id": cells.date_ids[row],
            "market": markets,
            "series": series,
            "figure": name,
        }
    )
