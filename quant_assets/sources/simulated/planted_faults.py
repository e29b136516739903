"""Closures, gaps and wrong prices in the record of the simulated market.

Only the record has them: they do not change the true market of ``simulated.mechanics`` or its
expected moves. Closures and gaps occur in all years. All other faults lie within the first three
years, wherever the simulation ends, so that a longer simulation begins with the same rows.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from quant_assets.core.typing import BoolArray, DayArray, FloatArray
from quant_assets.market.calendar import LAST_DAY, trading_days
from quant_assets.market.instruments import FIELDS, MARKETS, PRICE_FIELDS
from quant_assets.sources.simulated import universe
from quant_assets.sources.simulated.mechanics import random_stream

GAP_RATE = 0.003
"""Share of an instrument's days on which prices are missing although its market is open.

FX has no gaps.
"""

_PLANTED_WITHIN = timedelta(days=1089)
_CLOSED_WEEKDAYS = {"LME": 7, "JPX": 15, "US": 9}
_PLAN = {
    "outlier": ("LME", "LME", "JPX", "JPX", "US", "US", "US", "US", "US", "FX"),
    "split adjusted": ("US", "US", "US", "US"),
    "split not adjusted": ("US", "US"),
    "price not positive": ("LME", "US", "JPX"),
    "low above high": ("US", "JPX"),
}
# Share of the first three years after which an instrument has no more prices.
_ENDINGS = {"US_Stock_GOLD": 0.13, "US_Stock_X": 0.90, "US_Stock_HES": 0.97}
_PRICES = [FIELDS.index(field) for field in PRICE_FIELDS]
_LOW, _HIGH, _CLOSE, _VOLUME = (FIELDS.index(name) for name in ("low", "high", "close", "volume"))


@dataclass(frozen=True)
class PlantedFault:
    """A fault that was planted in the record.

    Attributes:
        kind: ``outlier`` (all prices of the day times ``factor``), ``split adjusted`` (the day's
            volume times ``factor``), ``split not adjusted`` (from the day on, prices times
            ``factor`` and volume divided by it), ``price not positive`` (the close times
            ``factor``, which is negative or zero), ``low above high`` (the two exchanged),
            ``ends`` (no prices from the day on).
        day: day of the fault, or its first day.
        row: position of the day in the simulation.
        instrument: name of the instrument.
        factor: factor of ``kind``; 1 where it has no meaning.
    """

    kind: str
    day: date
    row: int
    instrument: str
    factor: float


def draw_closures(seed: int, days: DayArray) -> BoolArray:
    """Draw the days on which each market is closed.

    Returns a mask of shape (n, markets). LME and JPX are never closed on the same day, FX never.

    Args:
        seed: seed of the market.
        days: (n,) trading days.
    """
    closed = np.zeros((len(days), len(MARKETS)), dtype=bool)
    for year in np.unique(days.astype("datetime64[Y]")):
        begin, end = (x.astype("datetime64[D]") for x in (year, year + np.timedelta64(1, "Y")))
        weekdays = np.arange(begin, end)
        weekdays = weekdays[np.is_busday(weekdays)]
        draw = random_stream(seed, f"closed {year}")
        of_both, of_us = draw.permutation(weekdays), draw.permutation(weekdays)
        lme, jpx, us = _CLOSED_WEEKDAYS.values()
        for market, chosen in zip(
            MARKETS, (of_both[:lme], of_both[lme : lme + jpx], of_us[:us]), strict=False
        ):
            closed[:, MARKETS.index(market)] |= np.isin(days, chosen)
    return closed


def plan_faults(seed: int, first_day: date) -> tuple[PlantedFault, ...]:
    """Draw all faults of a simulation that begins on ``first_day``, in the order of days.

    An instrument has one fault at most. Its market is open on the day of the fault and on the days
    before and after it.

    Args:
        seed: seed of the market.
        first_day: first simulated day.
    """
    days = trading_days(first_day, min(first_day + _PLANTED_WITHIN, LAST_DAY))
    faults = [*_plan_endings(days), *_draw_faults(seed, days)]
    return tuple(sorted(faults, key=lambda fault: (fault.row, fault.instrument)))


def record_prices(
    seed: int, days: DayArray, faultless: FloatArray, faults: tuple[PlantedFault, ...]
) -> FloatArray:
    """Put closures, gaps and faults into a copy of the record without faults.

    Returns an array of shape (fields, n, k); NaN where a price is missing.

    Args:
        seed: seed of the market.
        days: (n,) trading days.
        faultless: (fields, n, k) record without faults.
        faults: the faults to plant.
    """
    recorded = faultless.copy()
    column = {name: i for i, name in enumerate(universe.INSTRUMENTS)}
    closed = draw_closures(seed, days)[:, universe.MARKET_OF]
    recorded[:, closed | _draw_gaps(seed, len(days), faults, column)] = np.nan
    for fault in faults:
        if fault.row < len(days):
            _plant(recorded[:, :, column[fault.instrument]], fault)
    return recorded


def _plan_endings(days: DayArray) -> Iterator[PlantedFault]:
    for instrument, share in _ENDINGS.items():
        row = int(share * len(days))
        yield PlantedFault("ends", days[row].item(), row, instrument, 1.0)


def _draw_faults(seed: int, days: DayArray) -> Iterator[PlantedFault]:
    draw = random_stream(seed, "faults")
    closures = draw_closures(seed, days)
    lasting = [name for name in universe.INSTRUMENTS if name not in _ENDINGS]
    order = [str(name) for name in draw.permutation(lasting)]
    for kind, markets in _PLAN.items():
        for market in markets:
            instrument = next(name for name in order if name.startswith(market + "_"))
            order.remove(instrument)
            closed = closures[:, MARKETS.index(market)]
            open_around = ~(closed[:-2] | closed[1:-1] | closed[2:])
            # A fault is recognised by the prices before and after it, so both ends are left out.
            row = int(draw.choice(np.flatnonzero(open_around)[20:-20])) + 1
            factor = _draw_factor(kind, instrument, draw)
            yield PlantedFault(kind, days[row].item(), row, instrument, factor)


def _draw_factor(kind: str, instrument: str, draw: np.random.Generator) -> float:
    if kind == "outlier":
        index = universe.INSTRUMENTS.index(instrument)
        typical_move = float(np.abs(universe.quoted_moves(universe.VOLATILITY))[index])
        return float(np.exp(draw.choice([-1, 1]) * draw.uniform(12, 25) * max(typical_move, 0.004)))
    if kind == "price not positive":
        return 0.0 if instrument.startswith("JPX_") else -1.0
    choices = {"split adjusted": [2.0, 3.0], "split not adjusted": [1 / 2, 1 / 3]}
    return float(draw.choice(choices.get(kind, [1.0])))


def _draw_gaps(
    seed: int, rows: int, faults: tuple[PlantedFault, ...], column: dict[str, int]
) -> BoolArray:
    """Draw (n, k) single missing days, none beside a fault."""
    missing = random_stream(seed, "gaps").random((rows, len(universe.INSTRUMENTS))) < GAP_RATE
    missing[:, universe.of_market("FX")] = False
    for fault in faults:
        missing[max(fault.row - 1, 0) : fault.row + 2, column[fault.instrument]] = False
    return missing


def _plant(record: FloatArray, fault: PlantedFault) -> None:
    """Put a fault into the (fields, n) record of its instrument."""
    row = fault.row
    match fault.kind:
        case "outlier":
            record[_PRICES, row] *= fault.factor
        case "split adjusted":
            record[_VOLUME, row] *= fault.factor
        case "split not adjusted":
            record[_PRICES, row:] *= fault.factor
            record[_VOLUME, row:] = np.rint(record[_VOLUME, row:] / fault.factor)
        case "price not positive":
            record[_CLOSE, row] *= fault.factor
        case "low above high":
            record[[_LOW, _HIGH], row] = record[[_HIGH, _LOW], row]
        case "ends":
            record[:, row:] = np.nan
