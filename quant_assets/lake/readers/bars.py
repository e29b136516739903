"""Bars within the day: rows of a source's bars, stored bars as arrays, and their daily prices."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa

from quant_assets.core.typing import AnyArray, DayArray, FloatArray, IntArray
from quant_assets.features.bar_arrays import Bars
from quant_assets.lake.readers.arrays import day_positions, tile_units, unit_positions
from quant_assets.lake.schemas.bar_tables import RAW_BARS
from quant_assets.lake.schemas.price_tables import RAW_PRICES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.session_slots import SessionSlots, list_slots
from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.sources.deliveries import BAR_FIELDS, BarTable

PRICE_TOLERANCE, VOLUME_TOLERANCE = 1e-3, 0.05
"""Shares by which daily prices and volumes may differ from those of the bars."""


def bar_rows(
    table: BarTable, days: DayArray, date_ids: IntArray, minutes: int, source: str
) -> dict[str, Any]:
    """Convert the bars of a source to rows of ``raw.bars``, of the days that have prices.

    Args:
        table: the bars.
        days: (n,) days with prices, ascending.
        date_ids: (n,) their numbers.
        minutes: length of a bar.
        source: name of the source.
    """
    kept = np.isin(table.days, days)
    names = pa.array(table.instruments, pa.string())
    count = int(kept.sum())
    return {
        "trading_day": table.days[kept],
        "date_id": date_ids[np.searchsorted(days, table.days[kept])],
        "instrument": pa.DictionaryArray.from_arrays(
            table.instrument[kept].astype(np.int32), names
        ),
        "bar_start": table.starts[kept].astype("datetime64[us]"),
        "minutes": np.full(count, minutes),
        **{field: table.fields[field][kept] for field in BAR_FIELDS},
        "source": tile_units([source], count),
    }


def count_bars(lake: Lake, start: date, end: date) -> tuple[DayArray, IntArray]:
    """Return the days of a range that have bars, ascending, and their numbers of bars."""
    rows = lake.arrow(
        f"SELECT trading_day, count(*) AS bars FROM {RAW_BARS.quoted}"
        " WHERE trading_day BETWEEN ? AND ? GROUP BY ALL ORDER BY ALL",
        [start, end],
        needs=RAW_BARS,
    )
    return rows["trading_day"].to_numpy().astype("datetime64[D]"), rows["bars"].to_numpy()


def read_bars(
    lake: Lake, days: DayArray, instruments: Sequence[str], calendar: MarketCalendar
) -> Bars:
    """Read the bars of trading days as arrays.

    The session of an instrument is that of the exchange whose session holds most of its bars of the
    day; of equal exchanges, the first in the description. Bars outside of it are left out. Of
    several exchanges, an instrument without bars has none that day. Where the trading days are
    those of the data, the session is what the day has bars for.

    Args:
        lake: the lake.
        days: (n,) trading days, ascending.
        instruments: names of the k instruments.
        calendar: calendar of the market.

    Raises:
        LakeError: no bars were ever stored.
        CalendarError: the calendar does not reach so far.
    """
    first, last = days[0].item(), days[-1].item()
    rows = lake.arrow(
        f"SELECT trading_day, instrument, bar_start, minutes, {', '.join(BAR_FIELDS)}"
        f" FROM {RAW_BARS.quoted} WHERE trading_day BETWEEN ? AND ?"
        # Bars of a withdrawn day or a former instrument may be stored.
        " AND trading_day IN (SELECT unnest(?::DATE[]))"
        " AND instrument IN (SELECT unnest(?::VARCHAR[]))",
        [first, last, days.tolist(), list(instruments)],
        needs=RAW_BARS,
    )
    starts = rows["bar_start"].to_numpy().astype("datetime64[s]")
    day = day_positions(rows["trading_day"].to_numpy(), days)
    minutes = int(rows["minutes"][0].as_py()) if len(rows) else 1
    sessions = [list_slots(name, first, last, minutes) for name in calendar.exchanges]
    return arrange_bars(
        days,
        len(instruments),
        day * len(instruments) + unit_positions(rows["instrument"], instruments),
        starts,
        [rows[field].to_numpy() for field in BAR_FIELDS],
        sessions or [_slots_of_data(days[day], starts)],
    )


def arrange_bars(
    days: DayArray,
    instruments: int,
    cells: IntArray,
    starts: DayArray,
    fields: Sequence[FloatArray],
    sessions: Sequence[SessionSlots],
) -> Bars:
    """Arrange r bars in the slots of sessions.

    Args:
        days: (n,) trading days, ascending.
        instruments: number k of instruments.
        cells: (r,) number of the day, from 0, times k, plus number of the instrument.
        starts: (r,) when each bar begins, UTC.
        fields: (r,) numbers of each of ``BAR_FIELDS``.
        sessions: sessions that an instrument may have.
    """
    count = len(days) * instruments
    of_rows = days[cells // instruments]
    places = np.stack([each.find(of_rows, starts) for each in sessions])
    held = np.stack([np.bincount(cells[place >= 0], minlength=count) for place in places])
    chosen = held.argmax(axis=0)
    of_days = np.stack([each.count(days) for each in sessions])
    slots = of_days[chosen.reshape(len(days), instruments), np.arange(len(days))[:, None]]
    if len(sessions) > 1:
        slots = np.where(held.max(axis=0).reshape(slots.shape) > 0, slots, 0)
    place = places[chosen[cells], np.arange(len(cells))]
    kept = place >= 0
    shape = (len(days), max(int(slots.max(initial=0)), 1), instruments)
    day, instrument = np.divmod(cells[kept], instruments)
    arrays: dict[str, AnyArray] = {}
    for name, values in zip(BAR_FIELDS, fields, strict=True):
        arrays[name] = np.full(shape, np.nan)
        arrays[name][day, place[kept], instrument] = values[kept]
    return Bars(**arrays, slots=slots.astype(np.int64))


def _slots_of_data(days: DayArray, starts: DayArray) -> SessionSlots:
    """Return the slots for which any of some bars was given."""
    starts, first = np.unique(starts, return_index=True)
    of_slots = days[first]
    return SessionSlots(
        of_slots, starts, np.arange(len(starts)) - np.searchsorted(of_slots, of_slots)
    )


@dataclass(frozen=True)
class BarComparison:
    """How the daily prices of bars compare with the daily prices, of one field.

    Attributes:
        field: the field.
        cells: daily prices of days with bars.
        missing: cells whose instrument has no bars on the day.
        differing: cells that differ from their bars by more than the tolerance.
        largest: largest difference as a share of the daily price; None if nothing is compared.
    """

    field: str
    cells: int
    missing: int
    differing: int
    largest: float | None


def compare_with_prices(lake: Lake, start: date, end: date) -> tuple[BarComparison, ...]:
    """Compare the open, high, low, close and volume of each day's bars with the daily prices.

    Args:
        lake: holds bars and raw prices.
        start: first day.
        end: last day.
    """
    rows = lake.arrow(
        f"""
        WITH days AS (
            SELECT trading_day, instrument, arg_min(open, bar_start) AS open, max(high) AS high,
                min(low) AS low, arg_max(close, bar_start) AS close, sum(volume) AS volume
            FROM {RAW_BARS.quoted} WHERE trading_day BETWEEN ? AND ? GROUP BY ALL
        ), bars AS (UNPIVOT days ON {", ".join(BAR_FIELDS)} INTO NAME field VALUE given),
        joined AS (
            SELECT p.field, given, abs(given - value) / abs(value) AS difference,
                if(p.field = 'volume', {VOLUME_TOLERANCE}, {PRICE_TOLERANCE}) AS tolerance
            FROM {RAW_PRICES.quoted} AS p
            LEFT JOIN bars AS b USING (trading_day, instrument, field)
            WHERE p.trading_day IN (SELECT trading_day FROM days) AND value <> 0
                AND list_contains(?, p.field)
        )
        SELECT field, count(*) AS cells, count(*) - count(given) AS missing,
            count(*) FILTER (difference > tolerance) AS differing, max(difference) AS largest
        FROM joined GROUP BY ALL ORDER BY ALL
        """,
        [start, end, list(BAR_FIELDS)],
        needs=RAW_BARS,
    )
    return tuple(BarComparison(**row) for row in rows.to_pylist())
