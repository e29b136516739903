"""Which bars fit a market: known symbols, trading days, sessions and their grid of minutes.

Bars that fit nowhere are refused or left out as the options say; bars off the grid are refused.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.core.typing import BoolArray, DayArray, FloatArray, IntArray
from quant_assets.market.description.session_slots import SessionSlots

_SKIP_HINT = "`other_bars: skip` leaves such bars out"
Place = Callable[[int], str]


@dataclass(frozen=True)
class ReadBars:
    """Bars as they were read.

    Attributes:
        instrument: (r,) position of the instrument; -1 if the symbol is not described.
        days: (r,) local dates of the starts.
        starts: (r,) when bars begin, UTC, ``datetime64[s]``.
        clocks: (r,) seconds since midnight on the local clock.
        fields: (r,) numbers by field.
    """

    instrument: IntArray
    days: DayArray
    starts: DayArray
    clocks: IntArray
    fields: dict[str, FloatArray]

    def select(self, rows: IntArray | BoolArray) -> "ReadBars":
        """Return some of the bars."""
        return ReadBars(
            self.instrument[rows],
            self.days[rows],
            self.starts[rows],
            self.clocks[rows],
            {name: values[rows] for name, values in self.fields.items()},
        )


@dataclass(frozen=True)
class BarRules:
    """What a market says of its bars.

    Attributes:
        days: (n,) trading days, ascending.
        sessions: slots of each exchange; empty if the trading days are those of the data.
        minutes: length of a bar.
        skip_others: whether bars that fit nowhere are left out.
    """

    days: DayArray
    sessions: Sequence[SessionSlots]
    minutes: int
    skip_others: bool

    def find_fitting(self, bars: ReadBars, place_of: Place, name_of: Place) -> BoolArray:
        """Return (r,) which bars fit; the others are left out.

        Args:
            bars: r bars.
            place_of: returns the file and row of a bar, for errors.
            name_of: returns symbol and timestamp of a bar, for errors.

        Raises:
            SourceError: a bar is off the grid, or fits nowhere and is not to be left out.
        """
        known = bars.instrument >= 0
        trading = np.isin(bars.days, self.days)
        inside, off_grid = self._place(bars)
        faults = (
            (
                ~known,
                "the symbol of a bar is not described",
                "a symbol of the market's description",
            ),
            (~trading, "a bar lies on a day that is no trading day", "a trading day of the market"),
            (~inside & ~off_grid, "a bar lies outside of every session", "a start in a session"),
        )
        off = known & trading & off_grid
        if off.any():
            row = int(np.flatnonzero(off)[0])
            raise SourceError(
                "a bar does not begin on the grid of minutes",
                where=place_of(row),
                expected=f"starts every {self.minutes} minutes from the session's beginning on",
                found=name_of(row),
                hint="`minutes` says how long bars are; `stamped: end` that timestamps are ends",
            )
        for fault, problem, expected in faults if not self.skip_others else ():
            if fault.any():
                row = int(np.flatnonzero(fault)[0])
                raise SourceError(
                    problem,
                    where=place_of(row),
                    expected=expected,
                    found=f"{name_of(row)}, the first of {int(fault.sum()):,}",
                    hint=_SKIP_HINT,
                )
        return known & trading & inside

    def _place(self, bars: ReadBars) -> tuple[BoolArray, BoolArray]:
        """Return (r,) which bars begin in a slot, and which begin within one."""
        length = 60 * self.minutes
        if not self.sessions:
            on_grid = bars.clocks % length == 0
            return on_grid, ~on_grid
        inside = np.zeros(len(bars.days), dtype=bool)
        within = inside.copy()
        for slots in self.sessions:
            inside |= slots.find(bars.days, bars.starts) >= 0
            if len(slots.starts):
                before = np.searchsorted(slots.starts, bars.starts, side="right") - 1
                since = bars.starts - slots.starts[before]
                same_day = slots.days[before] == bars.days
                within |= (before >= 0) & same_day & (since < np.timedelta64(length, "s"))
        return inside, within & ~inside


def drop_repeated(
    bars: ReadBars, places_of: Callable[[int], Sequence[str]], name_of: Place
) -> ReadBars:
    """Sort bars by day, instrument and start, and drop those that repeat another.

    Args:
        bars: r bars.
        places_of: returns the files and rows of a bar and its repetitions, for errors.
        name_of: returns symbol and timestamp of a bar, for errors.

    Raises:
        SourceError: two bars of an instrument and start differ.
    """
    order = np.lexsort((bars.starts, bars.instrument, bars.days))
    rows = bars.select(order)
    repeated = np.zeros(len(order), dtype=bool)
    repeated[1:] = (rows.instrument[1:] == rows.instrument[:-1]) & (
        rows.starts[1:] == rows.starts[:-1]
    )
    for field, values in rows.fields.items():
        differs = np.zeros(len(order), dtype=bool)
        differs[1:] = values[1:] != values[:-1]
        differs[1:] &= ~(np.isnan(values[1:]) & np.isnan(values[:-1]))
        if (repeated & differs).any():
            at = int(np.flatnonzero(repeated & differs)[0])
            row = int(order[at])
            raise SourceError(
                "two bars of one symbol and time differ",
                where=" and ".join(sorted({*places_of(int(order[at - 1])), *places_of(row)})[:2]),
                expected=f"one bar of {name_of(row)}, or equal bars",
                found=f"{field} {values[at - 1]} and {values[at]}",
                hint="remove the wrong bar",
            )
    return rows.select(~repeated)
