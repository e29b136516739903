"""What goes wrong between the simulated market and the record of it: closures, gaps, wrong figures.

Whatever is planted here is an error or a pause of the record only: the true market of
``market_mechanics`` and its expected moves know nothing of it.

All planted faults lie within the first three years, wherever the simulation ends, so that a longer
one begins with the same rows. Closures and gaps go on for ever.
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
"""Share of an instrument's days that are missing though its market is open; none in FX."""

_PLANTED_WITHIN = timedelta(days=1089)
_CLOSED_WEEKDAYS = {"LME": 7, "JPX": 15, "US": 9}
_PLAN = {
    "outlier": ("LME", "LME", "JPX", "JPX", "US", "US", "US", "US", "US", "FX"),
    "split adjusted": ("US", "US", "US", "US"),
    "split not adjusted": ("US", "US"),
    "price not positive": ("LME", "US", "JPX"),
    "low above high": ("US", "JPX"),
}
# Share of the first three years after which nothing is recorded any more.
_ENDINGS = {"US_Stock_GOLD": 0.13, "US_Stock_X": 0.90, "US_Stock_HES": 0.97}
_PRICES = [FIELDS.index(field) for field in PRICE_FIELDS]
_LOW, _HIGH, _CLOSE, _VOLUME = (FIELDS.index(name) for name in ("low", "high", "close", "volume"))


@dataclass(frozen=True)
class PlantedFault:
    """One fault that was planted, as the ground truth for whoever wants to find it.

    Attributes:
        kind: ``outlier`` (all prices of the day times ``factor``, right again the next day),
            ``split adjusted`` (nothing to see but volume times ``factor`` on the day),
            ``split not adjusted`` (prices times ``factor``, volume divided by it, from the day on),
            ``price not positive`` (the close times ``factor``, which is negative or zero),
            ``low above high`` (the two exchanged), ``ends`` (empty from the day on).
        day: the day, or the first of them.
        row: its position in the simulation.
        instrument: name.
        factor: see ``kind``; 1 where it has no meaning.
    """

    kind: str
    day: date
    row: int
    instrument: str
    factor: float


def draw_closures(seed: int, days: DayArray) -> BoolArray:
    """(n, markets) which markets rest; LME and JPX never do on the same day, FX never does."""
    rests = np.zeros((len(days), len(MARKETS)), dtype=bool)
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
            rests[:, MARKETS.index(market)] |= np.isin(days, chosen)
    return rests


def plan_faults(seed: int, first_day: date) -> tuple[PlantedFault, ...]:
    """All faults of a simulation that begins on ``first_day``, by day; one per instrument at most.

    The market of an instrument is open on the day of its fault and on the days around it.
    """
    days = trading_days(first_day, min(first_day + _PLANTED_WITHIN, LAST_DAY))
    faults = [*_endings(days), *_drawn(seed, days)]
    return tuple(sorted(faults, key=lambda fault: (fault.row, fault.instrument)))


def record_prices(
    seed: int, days: DayArray, faultless: FloatArray, faults: tuple[PlantedFault, ...]
) -> FloatArray:
    """(fields, n, k) the record with all its faults; the faultless one is left as it is."""
    book = faultless.copy()
    column = {name: i for i, name in enumerate(universe.INSTRUMENTS)}
    missing = draw_closures(seed, days)[:, universe.MARKET_OF] | _gaps(
        seed, len(days), faults, column
    )
    book[:, missing] = np.nan
    for fault in faults:
        if fault.row < len(days):
            _plant(book[:, :, column[fault.instrument]], fault)
    return book


def _endings(days: DayArray) -> Iterator[PlantedFault]:
    for instrument, share in _ENDINGS.items():
        row = int(share * len(days))
        yield PlantedFault("ends", days[row].item(), row, instrument, 1.0)


def _drawn(seed: int, days: DayArray) -> Iterator[PlantedFault]:
    draw = random_stream(seed, "faults")
    rests = draw_closures(seed, days)
    lasting = [name for name in universe.INSTRUMENTS if name not in _ENDINGS]
    order = [str(name) for name in draw.permutation(lasting)]
    for kind, markets in _PLAN.items():
        for market in markets:
            instrument = next(name for name in order if name.startswith(market + "_"))
            order.remove(instrument)
            shut = rests[:, MARKETS.index(market)]
            around = ~(shut[:-2] | shut[1:-1] | shut[2:])
            # Some room at both ends: a fault is found by what stands before and after it.
            row = int(draw.choice(np.flatnonzero(around)[20:-20])) + 1
            factor = _factor(kind, instrument, draw)
            yield PlantedFault(kind, days[row].item(), row, instrument, factor)


def _factor(kind: str, instrument: str, draw: np.random.Generator) -> float:
    if kind == "outlier":
        index = universe.INSTRUMENTS.index(instrument)
        usual = float(np.abs(universe.quoted_moves(universe.VOLATILITY))[index])
        return float(np.exp(draw.choice([-1, 1]) * draw.uniform(12, 25) * max(usual, 0.004)))
    if kind == "price not positive":
        return 0.0 if instrument.startswith("JPX_") else -1.0
    choices = {"split adjusted": [2.0, 3.0], "split not adjusted": [1 / 2, 1 / 3]}
    return float(draw.choice(choices.get(kind, [1.0])))


def _gaps(
    seed: int, rows: int, faults: tuple[PlantedFault, ...], column: dict[str, int]
) -> BoolArray:
    """(n, k) single missing days, none beside a fault."""
    missing = random_stream(seed, "gaps").random((rows, len(universe.INSTRUMENTS))) < GAP_RATE
    missing[:, universe.of_market("FX")] = False
    for fault in faults:
        missing[max(fault.row - 1, 0) : fault.row + 2, column[fault.instrument]] = False
    return missing


def _plant(book: FloatArray, fault: PlantedFault) -> None:
    """Put a fault into the (fields, n) record of its instrument."""
    row = fault.row
    match fault.kind:
        case "outlier":
            book[_PRICES, row] *= fault.factor
        case "split adjusted":
            book[_VOLUME, row] *= fault.factor
        case "split not adjusted":
            book[_PRICES, row:] *= fault.factor
            book[_VOLUME, row:] = np.rint(book[_VOLUME, row:] / fault.factor)
        case "price not positive":
            book[_CLOSE, row] *= fault.factor
        case "low above high":
            book[[_LOW, _HIGH], row] = book[[_HIGH, _LOW], row]
        case "ends":
            book[:, row:] = np.nan
