"""The world around a rehearsed desk: a market whose days come one by one, in files.

What the market's record says of a day, and when the desk can read it. What is done to the desk
itself belongs in ``drive``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np

from quant_assets.core.typing import BoolArray, DayArray, FloatArray
from quant_assets.lake.store.artifacts import write_atomically
from quant_assets.market.calendar import trading_days
from quant_assets.market.instruments import FIELDS, InstrumentSeries, column_name, parse_column
from quant_assets.simulation.scenario import BREAK, CLOSED, CORRUPT, DRIFTING, LATE, PlannedFault
from quant_assets.sources.simulated import universe
from quant_assets.sources.simulated.market import SimulatedMarket
from quant_assets.sources.simulated.mechanics import (
    TrueMarket,
    make_bars,
    random_stream,
    simulate_true_market,
)
from quant_assets.sources.simulated.planted_faults import record_prices

DELIVERED_AT = time(21, 30)
"""When a day's prices are in the folder, UTC."""
_BY_HAND = timedelta(hours=9)
"""After which somebody has put a corrupt file right."""
_UNIT = 50.0
"""Times what they are New York's volumes come as, for a while."""
_REVERSED = 10.0


@dataclass(frozen=True)
class GrowingMarket:
    """A simulated market without faults of its own, and those that a script plants.

    Attributes:
        folder: where the files are.
        first_day: of the record.
        begin: day on which the desk is switched on; the days before it are history.
        days: how many trading days are rehearsed.
        faults: what goes wrong with the data, by days counted from ``begin``.
        seed: of the market.
        slim: only closes, and the volumes of New York.
    """

    folder: Path
    first_day: date
    begin: date
    days: int
    faults: Sequence[PlannedFault] = ()
    seed: int = 7
    slim: bool = False

    @cached_property
    def calendar(self) -> DayArray:
        """(n,) all trading days, history and rehearsal."""
        long = trading_days(self.first_day, self.begin + timedelta(days=2 * self.days + 30))
        return long[: self.history + self.days]

    @cached_property
    def history(self) -> int:
        """Days of history."""
        return len(trading_days(self.first_day, self.begin - timedelta(days=1)))

    def day(self, number: int) -> date:
        """The rehearsed day of this number, from 0."""
        found: date = self.calendar[self.history + number].item()
        return found

    def found(self) -> None:
        """Make the folder as it is before the first rehearsed day."""
        self.folder.mkdir(parents=True, exist_ok=True)
        pairs = SimulatedMarket(seed=self.seed).pairs()
        legs = [
            " - ".join(column_name(InstrumentSeries(leg, "close")) for leg in pair if leg)
            for pair in zip(pairs.leg_a, pairs.leg_b, strict=True)
        ]
        rows = zip(pairs.targets, pairs.lags, legs, strict=True)
        lines = ["target,lag,pair", *(f"{target},{lag},{leg}" for target, lag, leg in rows)]
        self._write("target_pairs.csv", "\n".join(lines) + "\n")
        self._write("train.csv", self._text(self.history))

    def deliver(self, now: datetime) -> None:
        """Let the folder hold what has come by a moment."""
        rows = self.history + sum(self.come_at(i) <= now for i in range(self.days))
        text = self._text(rows)
        for fault in self.faults:
            if fault.kind == CORRUPT:
                came = self.come_at(fault.first)
                if came <= now < came + _BY_HAND:
                    text = text[: -len(self._lines[rows - 1]) // 2]
        self._write("train.csv", text)

    def due_at(self, number: int) -> datetime:
        """When the prices of a rehearsed day should come."""
        return datetime.combine(self.day(number), DELIVERED_AT, UTC)

    def come_at(self, number: int) -> datetime:
        """When they come."""
        late = any(fault.kind == LATE and fault.first == number for fault in self.faults)
        return self.due_at(number + 1 if late else number)

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        content = text.encode()
        if not path.exists() or path.read_bytes() != content:
            write_atomically(path, content)

    def _text(self, rows: int) -> str:
        return "\n".join([",".join(["date_id", *self._columns]), *self._lines[:rows]]) + "\n"

    @cached_property
    def _columns(self) -> tuple[str, ...]:
        columns = universe.series_columns()
        if not self.slim:
            return columns
        series = [parse_column(name) for name in columns]
        return tuple(
            name
            for name, one in zip(columns, series, strict=True)
            if one.field == "close" or (one.field == "volume" and name.startswith("US_"))
        )

    @cached_property
    def _lines(self) -> list[str]:
        table = self._record
        return [
            ",".join([str(row), *("" if np.isnan(x) else f"{x:.10g}" for x in values)])
            for row, values in enumerate(table)
        ]

    @cached_property
    def _record(self) -> FloatArray:
        """(n, c) what is recorded, faults of the data included."""
        days = self.calendar
        market = simulate_true_market(self.seed, len(days))
        for fault in self.faults:
            if fault.kind == BREAK:
                market = break_market(self.seed, market, self._rows(fault))
        book = record_prices(self.seed, days, make_bars(self.seed, market), ())
        for fault in self.faults:
            rows = self._rows(fault)
            if fault.kind == CLOSED:
                book[:, rows] = np.where(universe.of_market("JPX"), np.nan, book[:, rows])
            if fault.kind == DRIFTING:
                volume = FIELDS.index("volume")
                book[volume, rows] *= np.where(universe.of_market("US"), _UNIT, 1.0)
        series = [parse_column(column) for column in self._columns]
        fields = [FIELDS.index(one.field) for one in series]
        instruments = [universe.INSTRUMENTS.index(one.instrument) for one in series]
        return np.ascontiguousarray(book[fields, :, instruments].T)

    def _rows(self, fault: PlannedFault) -> BoolArray:
        number = np.arange(len(self.calendar)) - self.history
        rows: BoolArray = (number >= fault.first) & (number <= fault.last)
        return rows


def break_market(seed: int, market: TrueMarket, rows: BoolArray) -> TrueMarket:
    """The market with another mechanism on some days: nothing leads anything, and drifts reverse.

    Each of the days has the moves of another one drawn among them, and ``_REVERSED`` times the
    opposite of what was each instrument's mean before.
    """
    moves, on = market.moves.copy(), np.flatnonzero(rows)
    mean = moves[: on[0]].mean(axis=0)
    moves[on] = moves[random_stream(seed, "break").permutation(on)] - _REVERSED * mean
    first = market.log_close[:1] - market.moves[:1]
    return TrueMarket(first + np.cumsum(moves, axis=0), market.expected, moves)
