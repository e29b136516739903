"""The prices of a market from the bars of its symbols, and which of the newest days have come."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from quant_assets.core.typing import BoolArray, DayArray, FloatArray
from quant_assets.market.description.listings import SymbolSpan
from quant_assets.market.universe import UniverseState, find_unlisted
from quant_assets.sources.deliveries import Action
from quant_assets.sources.http.bar_options import BarOptions
from quant_assets.sources.http.bars import FIELDS, Bars, join_bars

LATE_AFTER = timedelta(hours=12)
"""Time after the end of a day from which the bars of half of the symbols are enough."""
_SHOWN = 5


@dataclass(frozen=True)
class JoinedBars:
    """The bars of k symbols on the days of all of them.

    Attributes:
        days: (n,) days on which any symbol has a bar, ascending.
        values: (n, k, 5) ``FIELDS`` as they were traded; NaN where missing.
        splits: (n, k) shares after for each share before; 1 without a split.
        dividends: (n, k) cash for each share, by ex-day; 0 without a dividend.
    """

    days: DayArray
    values: FloatArray
    splits: FloatArray
    dividends: FloatArray

    @property
    def has_close(self) -> BoolArray:
        """(n, k) whether a symbol has a close."""
        known: BoolArray = ~np.isnan(self.values[:, :, FIELDS.index("close")])
        return known


def join_spans(
    spans: Sequence[SymbolSpan], names: Sequence[str], bars: Mapping[str, Bars]
) -> list[Bars]:
    """Join the bars of each instrument from those of its symbols, on the days of each.

    Args:
        spans: the days of each symbol, ascending for each instrument.
        names: names of the k instruments.
        bars: the bars by symbol.
    """
    parts: dict[str, list[SymbolSpan]] = {name: [] for name in names}
    for span in sorted(spans, key=lambda span: span.first):
        parts[span.instrument].append(span)
    joined = []
    for own in parts.values():
        pieces = [bars[span.symbol].between(span.first, span.last) for span in own]
        whole = pieces[0]
        for span, later in zip(own[1:], pieces[1:], strict=True):
            whole = join_bars(whole, later, span.first)
        joined.append(whole)
    return joined


def drop_actions(joined: JoinedBars, listed: DayArray, delisted: DayArray) -> JoinedBars:
    """Return bars without splits and dividends of days on which a symbol cannot trade.

    Args:
        joined: the bars of k symbols.
        listed: (k,) first days of trading; NaT where none is said.
        delisted: (k,) last days of trading; NaT where none is said.
    """
    outside = find_unlisted(joined.days, listed, delisted) != UniverseState.LISTED
    return replace(
        joined,
        splits=np.where(outside, 1.0, joined.splits),
        dividends=np.where(outside, 0.0, joined.dividends),
    )


def find_covered(options: BarOptions, asked: Mapping[str, date]) -> DayArray:
    """Find the (k,) newest days that were complete when the instruments were asked for.

    Args:
        options: the instruments and the days of their symbols.
        asked: newest day that was complete when each symbol was asked for.
    """
    covered = dict.fromkeys(options.names, date.max)
    for span in options.spans:
        # A symbol of the past covers all later days once it covers its own.
        if asked[span.symbol] < span.last:
            covered[span.instrument] = min(covered[span.instrument], asked[span.symbol])
    return np.array(list(covered.values()), dtype="datetime64[D]")


def join_symbols(bars: Sequence[Bars], first_day: date) -> JoinedBars:
    """Join the bars of symbols by day.

    Args:
        bars: the bars of each symbol.
        first_day: earlier bars are left out.
    """
    every = np.unique(np.concatenate([each.days for each in bars]))
    days = every[every >= np.datetime64(first_day)]
    shape = len(days), len(bars)
    values = np.full((*shape, len(FIELDS)), np.nan)
    splits, dividends = np.ones(shape), np.zeros(shape)
    for k, each in enumerate(bars):
        known = each.days >= np.datetime64(first_day)
        rows = np.searchsorted(days, each.days[known])
        values[rows, k] = each.values[known]
        if each.splits is not None and each.dividends is not None:
            splits[rows, k], dividends[rows, k] = each.splits[known], each.dividends[known]
    return JoinedBars(days, values, splits, dividends)


def lay_out(joined: JoinedBars, options: BarOptions) -> FloatArray:
    """Return an array of shape (n, c) with the values of the c series of the options."""
    place = {name: k for k, name in enumerate(options.names)}
    series = options.series.series
    at = [place[each.instrument] for each in series]
    return joined.values[:, at, [FIELDS.index(each.field) for each in series]]


def list_actions(joined: JoinedBars, names: Sequence[str], count: int) -> list[Action]:
    """List the splits and dividends of the first days.

    Args:
        joined: the bars of k symbols.
        names: names of the k instruments.
        count: number of days.
    """
    acts = (joined.splits[:count] != 1.0) | (joined.dividends[:count] != 0.0)
    return [
        Action(row, names[k], float(joined.splits[row, k]), float(joined.dividends[row, k]))
        for row, k in np.argwhere(acts).tolist()
    ]


def count_days_delivered(
    joined: JoinedBars,
    names: Sequence[str],
    covered: DayArray,
    settled: date,
    delisted: DayArray,
) -> tuple[int, str]:
    """Count the days that have come, from the first on.

    The newest day has come if all symbols were asked for after its end, and all that had a close on
    the day before have one; half of them are enough some hours later.

    Args:
        joined: the bars of k symbols on n trading days.
        names: names of the k instruments.
        covered: (k,) newest day that was complete when a symbol was asked for.
        settled: newest day of which half of the closes are enough.
        delisted: (k,) last days of trading, after which no bar is awaited; NaT where none is said.

    Returns:
        The number of days, and why the newest days have not come; empty if all have.
    """
    count, waiting = len(joined.days), ""
    while count:
        awaited = ~(joined.days[count - 1] > delisted)
        lack = _find_lack(joined, count - 1, covered, settled) & awaited
        if not lack.any():
            break
        count -= 1
        lacking = [name for name, lacks in zip(names, lack.tolist(), strict=True) if lacks]
        more = f" and {len(lacking) - _SHOWN} more" if len(lacking) > _SHOWN else ""
        waiting = f"the bars of {joined.days[count]} lack {', '.join(lacking[:_SHOWN])}{more}"
    return count, waiting


def _find_lack(joined: JoinedBars, row: int, covered: DayArray, settled: date) -> BoolArray:
    """Return (k,) the symbols for which a day has to wait."""
    day, has_close = joined.days[row], joined.has_close
    unread: BoolArray = covered < day
    if unread.any():
        return unread
    before = has_close[row - 1] if row else np.ones_like(unread)
    gone: BoolArray = before & ~has_close[row]
    enough = 2 * has_close[row].sum() >= before.sum()
    if enough and (row == 0 or day <= np.datetime64(settled)):
        return np.zeros_like(gone)
    return gone


def take_sessions(joined: JoinedBars, is_session: BoolArray) -> JoinedBars:
    """Return the bars of trading days.

    Splits and dividends of days between trading days belong to the next trading day.

    Args:
        joined: the bars.
        is_session: (n,) whether a day is a trading day.
    """
    splits, dividends = joined.splits.copy(), joined.dividends.copy()
    number = np.cumsum(is_session)
    between = ~is_session & (number > 0) & (number < number[-1:])
    for row in np.flatnonzero(between).tolist():
        dividends[row + 1] += dividends[row] / splits[row + 1]
        splits[row + 1] *= splits[row]
    return JoinedBars(
        joined.days[is_session],
        joined.values[is_session],
        splits[is_session],
        dividends[is_session],
    )
