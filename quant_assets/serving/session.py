"""Sessions: forecasts of days whose prices arrive one after the other and are stored nowhere.

A session begins at a stored day. What it knows is lost with it; the lake never changes.
"""

from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np

from quant_assets.core.errors import NotEnoughHistoryError, SourceError
from quant_assets.core.settings import Settings
from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.lake.readers.point_in_time import read_known_days
from quant_assets.lake.schemas.feature_tables import TARGET_FEATURES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.market import MarketDescription
from quant_assets.promotion.publishing import SubmittedForecast
from quant_assets.quality.cleaning import CellFlag, CleanedTable
from quant_assets.quality.suites import MOST_REJECTED
from quant_assets.revisions.given_prices import select_days
from quant_assets.serving.day_forecasts import DayForecasts
from quant_assets.serving.fits_in_force import ModelStore, ServingState, read_serving_state
from quant_assets.serving.known_days import KnownDays, read_arrays
from quant_assets.serving.sent_days import add_days
from quant_assets.sources.deliveries import PriceTable

_SHOWN = 20
"""Number of prices that the notes of a day name."""


@dataclass(frozen=True)
class ServedForecast:
    """Forecasts of the days of a table.

    Attributes:
        targets: names of the m targets, in submission order.
        forecasts: the forecast of each of the n days.
        notes: sentences about what was missing, rejected or replaced.
    """

    targets: tuple[str, ...]
    forecasts: tuple[SubmittedForecast, ...]
    notes: tuple[str, ...]

    @property
    def days(self) -> DayArray:
        """(n,) the forecast days."""
        return np.array([each.day for each in self.forecasts], dtype="datetime64[D]")

    @property
    def values(self) -> FloatArray:
        """(n, m) scores, of which only the ranks matter; NaN for a target without forecast."""
        return np.array([each.values for each in self.forecasts])

    @property
    def release(self) -> str | None:
        """The champion that forecast the newest day; None if the ensemble did."""
        return self.forecasts[-1].champion


@dataclass(frozen=True)
class StoredHistory:
    """What sessions begin with: everything known at the close of a stored day.

    Attributes:
        lake: the lake.
        settings: the settings.
        known: prices, features and labels.
        state: releases, fits and track records.
        store: models, which sessions share.
    """

    lake: Lake
    settings: Settings
    known: KnownDays
    state: ServingState
    store: ModelStore

    @property
    def last_day(self) -> date:
        """The stored day."""
        day: date = self.known.days[-1].item()
        return day


def read_history(
    lake: Lake,
    settings: Settings,
    market: MarketDescription,
    as_of: date = date.max,
    store: ModelStore | None = None,
) -> StoredHistory:
    """Read what sessions begin with.

    Args:
        lake: the lake.
        settings: families, paths and limits of cleaning.
        market: the description of the market.
        as_of: the stored day, or any later day before the next; the newest by default.
        store: models that are in memory already.

    Raises:
        LakeError: nothing is stored.
        NotEnoughHistoryError: no day until then has features.
    """
    with lake.at_once():
        days = read_known_days(lake, as_of)
        if not len(days):
            raise NotEnoughHistoryError(
                "no day before is stored",
                expected=f"stored days until {as_of}",
                hint="load the market, or ask for a day after its first",
            )
        last = days[-1].item()
        state = read_serving_state(lake, settings, last)
        known = read_arrays(lake, settings, market, state.record_families, last)
    return StoredHistory(lake, settings, known, state, store or ModelStore(lake, settings))


@dataclass
class Session:
    """Forecasts of days after a stored day.

    Attributes:
        lake: the lake; nothing is written to it.
        settings: families, paths and limits of cleaning.
        market: the description of the market.
        history: what the session begins with; by default everything known before its first day.
        stored_until: the newest stored day; None to ask the lake whenever days are forecast.
    """

    lake: Lake
    settings: Settings
    market: MarketDescription
    history: StoredHistory | None = None
    stored_until: date | None = None
    _given: list[PriceTable] = field(default_factory=list)
    _forecasts: DayForecasts | None = None

    def forecast(self, table: PriceTable, release: str | None = None) -> ServedForecast:
        """Add days to the session and forecast them.

        A day that is stored is forecast on top of the stored days before it, point in time. A day
        that was given before takes the session back to the day before it.

        Args:
            table: n days of prices as the source gives them; a series that it lacks has no price.
            release: the release that forecasts; by default those in force, as they are submitted.

        Raises:
            SourceError: a series is unknown, or there is no day.
            UnknownNameError: no release has this name.
            RequestError: the release was made when a day was known already.
            NotEnoughHistoryError: nothing can forecast a day.
            LakeError: the release cannot forecast a day.
        """
        made: list[SubmittedForecast] = []
        notes: list[str] = []
        newest = self.stored_until or self._read_newest_day()
        for row in range(len(table.days)):
            of_day = select_days(table, np.arange(len(table.days)) == row)
            days = self._go_to(of_day.days[0].item(), newest)
            known, cleaned = add_days(days.known, of_day)
            forecast, failures = days.add_day(known)
            self._given.append(of_day)
            notes += [*_describe_prices(of_day, cleaned), *failures]
            made.append(days.forecast_by(release) if release else forecast)
            if made[-1].champion is None:
                notes.append(f"{forecast.day}: no release is in force, so the ensemble forecasts")
        if self._forecasts is None or not made:
            raise SourceError("there is no day to forecast", expected="one day at least")
        targets = self._forecasts.known.pairs.targets
        return ServedForecast(targets, tuple(made), (*notes, *_describe_inputs(self._forecasts)))

    def _go_to(self, day: date, newest: date) -> DayForecasts:
        """Return the forecasts of the days before a day; later days are forgotten.

        Args:
            day: the day.
            newest: the newest stored day. Days until then count as stored, even if they were given.
        """
        current = self._forecasts
        is_next = current is not None and current.known.days[-1] < np.datetime64(day)
        if current is not None and is_next and current.last_stored == newest:
            return current
        last = min(newest, day - timedelta(days=1))
        between = np.datetime64(last), np.datetime64(day)
        earlier = [each for each in self._given if between[0] < each.days[0] < between[1]]
        forecasts = _begin(self._read_history(last, newest))
        for of_day in earlier:
            forecasts.add_day(add_days(forecasts.known, of_day)[0])
        self._given, self._forecasts = earlier, forecasts
        return forecasts

    def _read_newest_day(self) -> date:
        day: date = read_known_days(self.lake, date.max)[-1].item()
        return day

    def _read_history(self, last: date, newest: date) -> StoredHistory:
        """Read what was known at the close of a day; the given history if that is its last day."""
        history = self.history
        if history is None or history.last_day != last:
            store = history.store if history else None
            history = read_history(self.lake, self.settings, self.market, last, store)
        if history.last_day == newest:
            self.history = history
        return history


def _begin(history: StoredHistory) -> DayForecasts:
    return DayForecasts(
        history.lake,
        history.settings,
        history.state,
        history.store,
        history.known,
        history.last_day,
    )


def _describe_prices(table: PriceTable, cleaned: CleanedTable) -> list[str]:
    """Say which series of a day have no price, which prices were rejected, and which jump."""
    day, missing = table.days[0], int(np.isnan(cleaned.value).sum()) - len(cleaned.quarantine)
    notes = []
    if missing:
        notes.append(
            f"{day}: {missing} of {len(cleaned.series)} series have no price and count as closed"
        )
    notes += [
        f"{day}: {row['column']} = {row['value']} is rejected: {row['reason']}"
        for row in cleaned.quarantine.head(_SHOWN).to_dict("records")
    ]
    if len(cleaned.quarantine) > _SHOWN:
        notes.append(f"{day}: {len(cleaned.quarantine) - _SHOWN} further prices are rejected")
    share = float(((cleaned.flags & CellFlag.REJECTED) > 0).mean())
    if share > MOST_REJECTED:
        notes.append(
            f"{day}: a load would set the day aside, since {share:.0%} of its cells are rejected,"
            f" and {MOST_REJECTED:.0%} may be"
        )
    jumps = np.flatnonzero((cleaned.flags[0] & CellFlag.JUMP) > 0)
    if len(jumps):
        names = ", ".join(cleaned.series.columns[i] for i in jumps[:_SHOWN])
        more = f" and {len(jumps) - _SHOWN} more" if len(jumps) > _SHOWN else ""
        notes.append(f"{day}: closes that jump are used as they are: {names}{more}")
    return notes


def _describe_inputs(days: DayForecasts) -> list[str]:
    """Say which inputs of models are unknown on days whose prices are sent."""
    own = {column.name for column in TARGET_FEATURES.columns}
    further = [name for name in days.known.observations.target.names if name not in own]
    if not further:
        return []
    return [f"{len(further)} inputs from tables and from bars within the day are unknown"]
