"""Daily bars as vendors deliver them: raw prices, with splits and dividends beside them.

Adjusting prices belongs elsewhere, bars within the day in ``minute_bars``. How a vendor writes bars
belongs in its module.
"""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from math import inf, prod
from typing import TypeAlias
from zoneinfo import ZoneInfo

import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import AnyArray, DayArray, FloatArray

FIELDS = ("open", "high", "low", "close", "volume")
NEW_YORK = ZoneInfo("America/New_York")
US_BARS_COMPLETE = time(20)
"""Time in New York from which the day's bar of a US stock is complete."""

Splits: TypeAlias = Mapping[date, float]
"""Shares after for each share before, by the day at whose open a split takes effect."""


@dataclass(frozen=True)
class Bar:
    """A bar of one day, as it was traded.

    Attributes:
        day: the trading day.
        values: open, high, low, close and volume; NaN where missing.
        split: shares after a split that takes effect at this day's open, for each share before.
        dividend: cash for each share that is held from before this day, counted after its split.
    """

    day: date
    values: tuple[float, float, float, float, float]
    split: float = 1.0
    dividend: float = 0.0


@dataclass(frozen=True)
class Event:
    """A split or a dividend, as vendors give them beside bars.

    Attributes:
        day: day at whose open the split takes effect, or ex-day of the dividend.
        split: shares after for each share before.
        dividend: cash for each share.
    """

    day: date
    split: float = 1.0
    dividend: float = 0.0


@dataclass(frozen=True)
class Bars:
    """Bars of one symbol, ascending in days.

    Attributes:
        symbol: the vendor's name of the instrument.
        days: (n,) trading days.
        values: (n, 5) ``FIELDS`` as they were traded, not adjusted; NaN where missing.
        splits: (n,) shares after for each share before, 1 where there is no split; None if the
            vendor does not say.
        dividends: (n,) cash for each share, by ex-day; None if the vendor does not say.
        starts: (n,) when bars within the day begin, UTC, ascending; None for bars of whole days.
    """

    symbol: str
    days: DayArray
    values: FloatArray
    splits: FloatArray | None = None
    dividends: FloatArray | None = None
    starts: DayArray | None = None

    def between(self, first: date, last: date) -> "Bars":
        """Return the bars of the days from ``first`` to ``last``, both included."""
        kept = (self.days >= np.datetime64(first)) & (self.days <= np.datetime64(last))
        splits, dividends = (
            None if part is None else part[kept] for part in (self.splits, self.dividends)
        )
        starts = None if self.starts is None else self.starts[kept]
        return Bars(self.symbol, self.days[kept], self.values[kept], splits, dividends, starts)


def build_bars(
    symbol: str, bars: Iterable[Bar], until: date, where: str, *, with_actions: bool
) -> Bars:
    """Build the bars of a symbol, without unfinished ones.

    A bar that comes twice with equal values is one bar.

    Args:
        symbol: the vendor's name of the instrument.
        bars: its bars in any order.
        until: newest day whose bar is finished.
        where: the answer's address, for errors.
        with_actions: whether the vendor says splits and dividends.

    Raises:
        SourceError: a day has two bars with different values, or an impossible split or dividend.
    """
    by_day: dict[date, Bar] = {}
    for bar in bars:
        if bar.day > until:
            continue
        first = by_day.setdefault(bar.day, bar)
        if not np.array_equal(_numbers(first), _numbers(bar), equal_nan=True):
            raise SourceError(
                "a day has two different bars",
                where=where,
                expected=f"one bar of {symbol} on {bar.day}",
                found=f"{first.values} and {bar.values}",
                hint="one of them may be unfinished; try again later",
            )
    rows = [by_day[day] for day in sorted(by_day)]
    for bar in rows:
        _require_possible(bar, where)
    result = Bars(
        symbol,
        np.array([bar.day for bar in rows], dtype="datetime64[D]"),
        np.array([bar.values for bar in rows], dtype=np.float64).reshape(len(rows), len(FIELDS)),
    )
    if not with_actions:
        return result
    splits = np.array([bar.split for bar in rows], dtype=np.float64)
    return replace(
        result, splits=splits, dividends=np.array([bar.dividend for bar in rows], dtype=np.float64)
    )


def place_actions(bars: Iterable[Bar], events: Iterable[Event]) -> list[Bar]:
    """Add splits and dividends, which a vendor gives by themselves, to the bars of their days.

    An event of a day without a bar belongs to the next bar. Events before the first bar, and after
    the last, are left out.

    Args:
        bars: bars of a symbol, in any order.
        events: its splits and dividends, in any order.

    Examples:
        >>> bar = Bar(date(2026, 1, 5), (1.0, 1.0, 1.0, 1.0, 1.0))
        >>> later = replace(bar, day=date(2026, 1, 6))
        >>> [_, placed] = place_actions([bar, later], [Event(date(2026, 1, 6), split=2.0)])
        >>> placed.split
        2.0
    """
    placed = sorted(bars, key=lambda bar: bar.day)
    days = [bar.day for bar in placed]
    # A dividend is counted after the split of its day.
    for event in sorted(events, key=lambda event: (event.day, event.dividend)):
        row = bisect_left(days, event.day)
        if row == len(days) or event.day < days[0]:
            continue
        bar = placed[row]
        placed[row] = replace(
            bar,
            split=bar.split * event.split,
            dividend=bar.dividend / event.split + event.dividend,
        )
    return placed


def join_bars(earlier: Bars, later: Bars, start: date) -> Bars:
    """Join bars of a symbol: those of ``later`` count from a day on.

    Args:
        earlier: bars before the day; others are left out.
        later: bars from the day on.
        start: the day.
    """
    kept = earlier.days < np.datetime64(start)

    def join(first: AnyArray | None, second: AnyArray | None) -> AnyArray | None:
        if first is None or second is None:
            return None
        return np.concatenate([first[kept], second])

    return Bars(
        earlier.symbol,
        np.concatenate([earlier.days[kept], later.days]),
        np.concatenate([earlier.values[kept], later.values]),
        join(earlier.splits, later.splits),
        join(earlier.dividends, later.dividends),
        join(earlier.starts, later.starts),
    )


def undo_splits(days: Sequence[date], values: FloatArray, splits: Splits) -> FloatArray:
    """Compute prices and volumes as traded from those that a vendor divided by later splits.

    Returns an array of shape (n, 5); NaN stays NaN.

    Args:
        days: n days.
        values: (n, 5) ``FIELDS``, adjusted for all later splits.
        splits: shares after for each share before, by the day on which a split takes effect.

    Examples:
        Before a split of 2 for 1, a price of 50 was 100, and a volume of 8 was 4:

        >>> days = [date(2026, 1, 2), date(2026, 1, 5)]
        >>> values = np.array([[50.0] * 4 + [8.0], [51.0] * 4 + [9.0]])
        >>> undo_splits(days, values, {date(2026, 1, 5): 2.0})
        array([[100., 100., 100., 100.,   4.],
               [ 51.,  51.,  51.,  51.,   9.]])
    """
    later = np.array([product_after(day, splits) for day in days])
    result: FloatArray = values * later[:, None]
    result[:, -1] = values[:, -1] / later
    return result


def product_after(day: date, splits: Splits) -> float:
    """Compute the product of the splits after a day; 1 if there are none."""
    return float(prod(split for effective, split in splits.items() if effective > day))


def newest_finished_day(now: datetime, zone: ZoneInfo, complete: time) -> date:
    """Return the newest calendar day whose bar is finished.

    Args:
        now: the present moment.
        zone: time zone of the exchange.
        complete: local time from which a day's bar is finished.
    """
    local = now.astimezone(zone)
    return local.date() if local.time() >= complete else local.date() - timedelta(days=1)


def _require_possible(bar: Bar, where: str) -> None:
    if 0.0 < bar.split < inf and 0.0 <= bar.dividend < inf:
        return
    raise SourceError(
        "a split or dividend is impossible",
        where=where,
        expected="a split above zero, and a dividend of zero or more",
        found=f"{bar.split} and {bar.dividend} on {bar.day}",
    )


def _numbers(bar: Bar) -> FloatArray:
    return np.array([*bar.values, bar.split, bar.dividend])
