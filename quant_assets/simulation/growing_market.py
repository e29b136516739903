"""The market of a rehearsal: files to which prices are added day by day.

The prices of each day, and when the platform can read them, belong here. Incidents that happen to
the platform itself belong in ``simulation.driver``.
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
from quant_assets.simulation.scenario import BREAK, CLOSED, CORRUPT, DRIFTING, LATE, PlannedIncident
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
"""Time of day at which a day's prices are added, UTC."""
_REPAIR_TIME = timedelta(hours=9)
"""How long a file stays corrupt until a person repairs it."""
_VOLUME_FACTOR = 50.0
"""Factor of New York's volumes while a feature drifts."""
_REVERSAL_FACTOR = 10.0
"""The drift of each instrument during a regime break, as a negative multiple of its mean move."""


@dataclass(frozen=True)
class GrowingMarket:
    """A simulated market whose only faults are the incidents of a scenario.

    Attributes:
        folder: where the files lie.
        first_day: first day of the history.
        begin: first simulated day; the days before it are history.
        days: number of simulated trading days.
        incidents: what goes wrong with the data; their days are counted from ``begin``.
        seed: seed of the market.
        slim: whether the files have closes and New York's volumes only.
    """

    folder: Path
    first_day: date
    begin: date
    days: int
    incidents: Sequence[PlannedIncident] = ()
    seed: int = 7
    slim: bool = False

    @cached_property
    def calendar(self) -> DayArray:
        """Array (n,) of all trading days, history and simulated."""
        long = trading_days(self.first_day, self.begin + timedelta(days=2 * self.days + 30))
        return long[: self.history + self.days]

    @cached_property
    def history(self) -> int:
        """The number of trading days in the history."""
        return len(trading_days(self.first_day, self.begin - timedelta(days=1)))

    def day(self, number: int) -> date:
        """The simulated day with a number, counted from 0."""
        day: date = self.calendar[self.history + number].item()
        return day

    def create(self) -> None:
        """Write the files as they are before the first simulated day."""
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
        """Write all prices that are delivered at ``now`` or before."""
        rows = self.history + sum(self.delivered_at(i) <= now for i in range(self.days))
        text = self._text(rows)
        for incident in self.incidents:
            if incident.kind == CORRUPT:
                delivered = self.delivered_at(incident.first)
                if delivered <= now < delivered + _REPAIR_TIME:
                    # A row that ends too early; a line without an end is one still to come.
                    text = text[: -len(self._lines[rows - 1]) // 2] + "\n"
        self._write("train.csv", text)

    def due_at(self, number: int) -> datetime:
        """When the prices of a simulated day are due, UTC."""
        return datetime.combine(self.day(number), DELIVERED_AT, UTC)

    def delivered_at(self, number: int) -> datetime:
        """When the prices of a simulated day are delivered, UTC."""
        late = any(
            incident.kind == LATE and incident.first == number for incident in self.incidents
        )
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
        fields = [parse_column(name).field for name in columns]
        return tuple(
            name
            for name, field in zip(columns, fields, strict=True)
            if field == "close" or (field == "volume" and name.startswith("US_"))
        )

    @cached_property
    def _lines(self) -> list[str]:
        return [
            ",".join([str(row), *("" if np.isnan(x) else f"{x:.10g}" for x in values)])
            for row, values in enumerate(self._values)
        ]

    @cached_property
    def _values(self) -> FloatArray:
        """Array (days, columns) of the prices with all incidents; NaN where a cell is empty."""
        days = self.calendar
        market = simulate_true_market(self.seed, len(days))
        for incident in self.incidents:
            if incident.kind == BREAK:
                market = break_market(self.seed, market, self._rows(incident))
        prices = record_prices(self.seed, days, make_bars(self.seed, market), ())
        for incident in self.incidents:
            rows = self._rows(incident)
            if incident.kind == CLOSED:
                prices[:, rows] = np.where(universe.of_market("JPX"), np.nan, prices[:, rows])
            if incident.kind == DRIFTING:
                volume = FIELDS.index("volume")
                prices[volume, rows] *= np.where(universe.of_market("US"), _VOLUME_FACTOR, 1.0)
        all_series = [parse_column(column) for column in self._columns]
        fields = [FIELDS.index(series.field) for series in all_series]
        instruments = [universe.INSTRUMENTS.index(series.instrument) for series in all_series]
        return np.ascontiguousarray(prices[fields, :, instruments].T)

    def _rows(self, incident: PlannedIncident) -> BoolArray:
        """Array (days,): whether an incident lasts on each day of the calendar."""
        number = np.arange(len(self.calendar)) - self.history
        rows: BoolArray = (number >= incident.first) & (number <= incident.last)
        return rows


def break_market(seed: int, market: TrueMarket, rows: BoolArray) -> TrueMarket:
    """Change the market's mechanism on some days: moves lose their order, and drifts reverse.

    Permute the moves of these days among the days, so that no instrument leads another. Subtract
    ``_REVERSAL_FACTOR`` times each instrument's mean move before the first of them.

    Args:
        seed: seed of the permutation.
        market: the market without the break, (n, instruments) log moves.
        rows: array (n,), true on the days that change.
    """
    moves, changed = market.moves.copy(), np.flatnonzero(rows)
    mean = moves[: changed[0]].mean(axis=0)
    shuffled = random_stream(seed, "break").permutation(changed)
    moves[changed] = moves[shuffled] - _REVERSAL_FACTOR * mean
    first = market.log_close[:1] - market.moves[:1]
    return TrueMarket(first + np.cumsum(moves, axis=0), market.expected, moves)
