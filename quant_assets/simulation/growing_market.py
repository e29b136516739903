"""The market of a rehearsal: files that a vendor extends day by day, and changes.

What the platform can read at which moment belongs here. The prices are in
``simulation.market_prices``, and what a vendor does to them in ``simulation.vendor``. Incidents
that happen to the platform itself belong in ``simulation.driver``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np

from quant_assets.core.files import write_atomically
from quant_assets.core.typing import BoolArray, DayArray, FloatArray
from quant_assets.market.calendar import trading_days
from quant_assets.market.instruments import InstrumentSeries, column_name
from quant_assets.simulation import vendor
from quant_assets.simulation.market_prices import format_pairs, list_columns, simulate_prices
from quant_assets.simulation.scenario import (
    BAD_DAY,
    CORRECTED,
    CORRECTED_DAYS_BACK,
    CORRUPT,
    DELETED,
    DIVIDEND,
    EMPTY,
    HALF_WRITTEN,
    LATE,
    LEFT_OUT,
    LINK_MOVED,
    SPLIT,
    WITHDRAWN,
    PlannedIncident,
)
from quant_assets.sources.simulated import universe

DELIVERED_AT = time(21, 30)
"""Time of day at which a day's prices are added, UTC."""
REVISED_SERIES = {
    SPLIT: (universe.SPLIT_STOCK, 2.0),
    DIVIDEND: (universe.DIVIDEND_STOCK, 0.996),
    CORRECTED: (universe.CORRECTED_METAL, 1.01),
}
"""The instrument of each revision, and the split's ratio or the factor of its prices."""
_NIGHT, _WRITING = timedelta(hours=9), timedelta(hours=1)
_DURATIONS = {CORRUPT: _NIGHT, HALF_WRITTEN: _WRITING, EMPTY: _WRITING}
_BEGIN_AT_NIGHT = (WITHDRAWN, DELETED)
_END_WITH_A_DELIVERY = {LATE: 1, WITHDRAWN: 0, LEFT_OUT: 0, BAD_DAY: 0}
"""Days from an incident's last day to the delivery that ends it."""
_HIDE_A_DAY = (LATE, LEFT_OUT, WITHDRAWN, DELETED)
_NEED_CALENDAR = (LEFT_OUT, WITHDRAWN, DELETED)
_NEVER = datetime.max.replace(tzinfo=UTC)
_END_OF_TIME = _NEVER - timedelta(days=1)


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

    @property
    def source(self) -> Path:
        """The folder that the platform reads: a link if the scenario moves it."""
        return self.folder / "latest" if self._select(LINK_MOVED) else self.folder

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The names of the series."""
        return list_columns(self.slim)

    def day(self, number: int) -> date:
        """The simulated day with a number, counted from 0; days before it have numbers below 0."""
        day: date = self.calendar[self.history + number].item()
        return day

    def due_at(self, number: int) -> datetime:
        """When the prices of a simulated day are due, UTC."""
        return datetime.combine(self.day(number), DELIVERED_AT, UTC)

    def create(self) -> None:
        """Write the files as they are before the first simulated day."""
        self.deliver(datetime.combine(self.begin, time(0), UTC))

    def deliver(self, now: datetime) -> None:
        """Write the files as they are at ``now``, UTC."""
        moves = self._select(LINK_MOVED)
        if not moves:
            self._write_files(self.folder, now)
            return
        version = "v2" if now >= self._begins_at(moves[0]) else "v1"
        self._write_files(self.folder / version, now)
        if not self.source.is_symlink() or str(self.source.readlink()) != version:
            link = self.folder / "next"
            link.unlink(missing_ok=True)
            link.symlink_to(version)
            link.replace(self.source)

    def write_final(self, folder: Path) -> None:
        """Write the files as they are after all deliveries and repairs to another folder."""
        self._write_files(folder, _END_OF_TIME)

    def table_at(self, now: datetime) -> vendor.VendorTable:
        """The prices, days and numbers that the vendor shows at ``now``, UTC."""
        due = np.array([self.due_at(number) <= now for number in range(self.days)])
        visible = np.append(np.ones(self.history, np.bool_), due)
        for incident in self._select(*_HIDE_A_DAY):
            if self._lasts(incident, now):
                visible[self._row(incident)] = False
        returned = [x for x in self._select(WITHDRAWN) if now >= self._ends_at(x)]
        ids = vendor.number_rows(visible, self._row(returned[0]) if returned else None)
        values = self._spoil(self._restate(now), now)
        return vendor.VendorTable(self.columns, self.calendar[visible], ids, values[visible])

    def _write_files(self, folder: Path, now: datetime) -> None:
        table = self.table_at(now)
        text = table.prices_text()
        if any(self._lasts(incident, now) for incident in self._select(CORRUPT)):
            text = vendor.cut_last_row(text)
        if any(self._lasts(incident, now) for incident in self._select(HALF_WRITTEN)):
            text = vendor.cut_inside_last_number(text)
        folder.mkdir(parents=True, exist_ok=True)
        _write(folder / "target_pairs.csv", format_pairs(self.seed))
        if self._select(*_NEED_CALENDAR):
            _write(folder / "calendar.csv", table.calendar_text())
        _write(folder / "train.csv", text)

    def _restate(self, now: datetime) -> FloatArray:
        """Array (days, columns) of the prices after all revisions until ``now``."""
        values = self._values
        for incident in self._select(SPLIT, DIVIDEND, CORRECTED):
            if now < self._begins_at(incident):
                continue
            row, (instrument, factor) = self._row(incident), REVISED_SERIES[incident.kind]
            if incident.kind == SPLIT:
                values = vendor.split_shares(self.columns, values, instrument, factor)
            elif incident.kind == DIVIDEND:
                values = vendor.adjust_prices(self.columns, values, instrument, factor, row)
            else:
                column = self.columns.index(column_name(InstrumentSeries(instrument, "close")))
                values = vendor.correct_cell(values, row - CORRECTED_DAYS_BACK, column, factor)
        return values

    def _spoil(self, values: FloatArray, now: datetime) -> FloatArray:
        """Array (days, columns) of the prices with the rows that are bad or empty at ``now``."""
        for incident in self._select(BAD_DAY, EMPTY):
            if self._lasts(incident, now):
                change = vendor.spoil_row if incident.kind == BAD_DAY else vendor.empty_row
                values = change(values, self._row(incident))
        return values

    @cached_property
    def _values(self) -> FloatArray:
        """Array (days, columns) of the prices before any revision; NaN where a cell is empty."""
        incidents = {incident.kind: self._rows(incident) for incident in self.incidents}
        return simulate_prices(self.seed, self.calendar, self.columns, incidents)

    def _begins_at(self, incident: PlannedIncident) -> datetime:
        due = self.due_at(incident.first)
        return due + _NIGHT if incident.kind in _BEGIN_AT_NIGHT else due

    def _ends_at(self, incident: PlannedIncident) -> datetime:
        """When the files no longer show an incident, UTC."""
        if incident.kind in _DURATIONS:
            return self.due_at(incident.first) + _DURATIONS[incident.kind]
        if incident.kind in _END_WITH_A_DELIVERY:
            return self.due_at(incident.last + _END_WITH_A_DELIVERY[incident.kind])
        return _NEVER

    def _lasts(self, incident: PlannedIncident, now: datetime) -> bool:
        return self._begins_at(incident) <= now < self._ends_at(incident)

    def _select(self, *kinds: str) -> list[PlannedIncident]:
        """The incidents of some kinds, in the order in which they begin."""
        own = [incident for incident in self.incidents if incident.kind in kinds]
        return sorted(own, key=self._begins_at)

    def _row(self, incident: PlannedIncident) -> int:
        return self.history + incident.first

    def _rows(self, incident: PlannedIncident) -> BoolArray:
        """Array (days,): whether an incident lasts on each day of the calendar."""
        number = np.arange(len(self.calendar)) - self.history
        rows: BoolArray = (number >= incident.first) & (number <= incident.last)
        return rows


def _write(path: Path, text: str) -> None:
    content = text.encode()
    if not path.exists() or path.read_bytes() != content:
        write_atomically(path, content)
