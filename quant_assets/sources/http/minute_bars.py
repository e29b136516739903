"""Bars within the day as vendors deliver them: their lengths, and the bars of one symbol.

How a vendor writes them belongs in its module.
"""

from collections.abc import Iterable
from datetime import date, datetime, time, timedelta

import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.sources.http.bars import FIELDS, NEW_YORK, Bars

MINUTES = (5, 10, 15, 30)
"""Lengths that all vendors have, and that begin with the session of an exchange."""
Values = tuple[float, float, float, float, float]
_DAY = timedelta(days=1)


def build_minute_bars(
    symbol: str,
    bars: Iterable[tuple[datetime, Values]],
    until: date,
    where: str,
    begins: time = time(0),
) -> Bars:
    """Build the bars within the day of a symbol, without those of unfinished days.

    A bar that comes twice with equal values is one bar.

    Args:
        symbol: the vendor's name of the instrument.
        bars: the start of each bar with its values, in any order.
        until: newest day that is finished.
        where: the answer's address, for errors.
        begins: time in New York at which a trading day begins; after noon, on the evening before.

    Raises:
        SourceError: two different bars begin at one moment.
    """
    moved = _DAY - timedelta(hours=begins.hour) if begins.hour >= 12 else timedelta()
    by_start: dict[datetime, Values] = {}
    for start, values in bars:
        first = by_start.setdefault(start, values)
        if first is not values and not np.array_equal(first, values, equal_nan=True):
            raise SourceError(
                "two different bars begin at one moment",
                where=where,
                expected=f"one bar of {symbol} at {start:%Y-%m-%d %H:%M} UTC",
                found=f"{first} and {values}",
                hint="one of them may be unfinished; try again later",
            )
    days = {start: (start.astimezone(NEW_YORK) + moved).date() for start in by_start}
    starts = [start for start in sorted(by_start) if days[start] <= until]
    rows = [by_start[start] for start in starts]
    return Bars(
        symbol,
        np.array([days[start] for start in starts], dtype="datetime64[D]"),
        np.array(rows, dtype=np.float64).reshape(len(rows), len(FIELDS)),
        starts=np.array([start.replace(tzinfo=None) for start in starts], dtype="datetime64[s]"),
    )
