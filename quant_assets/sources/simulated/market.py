"""The simulated market as a source: prices in the competition's columns, and target pairs.

``simulated.universe`` lists what is traded, ``simulated.mechanics`` moves the prices, and
``simulated.planted_faults`` puts faults into the recorded prices.
"""

from dataclasses import astuple, dataclass
from datetime import date
from functools import lru_cache
from hashlib import sha256

import numpy as np

from quant_assets.core.errors import SettingsError
from quant_assets.core.typing import DayArray, FloatArray
from quant_assets.market.calendar import trading_days
from quant_assets.market.instruments import FIELDS, list_competition_series
from quant_assets.market.targets import TargetPairs, spread
from quant_assets.sources.deliveries import PriceTable
from quant_assets.sources.simulated import universe
from quant_assets.sources.simulated.mechanics import (
    LAGS,
    VERSION,
    make_bars,
    random_stream,
    simulate_true_market,
)
from quant_assets.sources.simulated.planted_faults import PlantedFault, plan_faults, record_prices

# Pairs of each lag by the markets of their legs: a quarter of the competition's.
_PAIRS_PER_LAG = {
    ("LME", "US"): 45,
    ("LME", "FX"): 21,
    ("US", "JPX"): 22,
    ("JPX", "FX"): 11,
    ("LME", "JPX"): 3,
    ("LME", "LME"): 2,
    ("US", "US"): 1,
}
_FIRST_TARGET = "US_Stock_VT"
_JPX_LEGS = ("JPX_Gold_Standard_Futures", "JPX_Platinum_Standard_Futures")
_NEVER_A_LEG = ("US_Stock_GOLD",)


@dataclass(frozen=True)
class SimulatedMarket:
    """A market simulated from a seed.

    The same seed and first day give the same prices, bit for bit; a later ``last_day`` only adds
    rows. Nothing is read or written.

    Attributes:
        seed: seed of all random numbers, 0 or more.
        first_day: first simulated day.
        last_day: last simulated day.

    Raises:
        SettingsError: the seed is negative or the days are in the wrong order.
    """

    seed: int = 7
    first_day: date = date(2021, 1, 4)
    last_day: date = date(2023, 12, 29)

    def __post_init__(self) -> None:
        if self.seed < 0 or self.first_day > self.last_day:
            raise SettingsError(
                "this market cannot be simulated",
                expected="a seed of 0 or more, and a first day not after the last",
                found=f"seed {self.seed}, {self.first_day} to {self.last_day}",
            )

    @property
    def name(self) -> str:
        """Short name, which is stored with every price."""
        return "simulated"

    def days(self) -> DayArray:
        """Return the (n,) simulated days."""
        return trading_days(self.first_day, self.last_day)

    def fingerprint(self) -> str:
        """Compute a hex digest of the parameters and the version of the mechanism."""
        return sha256(repr((self.name, VERSION, *astuple(self))).encode()).hexdigest()

    def look(self) -> str:
        """Return the fingerprint: the data depend on nothing else."""
        return self.fingerprint()

    def waiting(self) -> str:
        """Return nothing: all simulated days have come."""
        return ""

    def prices(self, start: date, end: date) -> PriceTable:
        """Simulate the prices of the trading days from ``start`` to ``end``.

        ``date_ids`` count the trading days from ``first_day``.
        """
        table = _simulate(self).table
        rows = _find_rows(table.days, start, end)
        return PriceTable(
            table.days[rows].copy(),
            table.date_ids[rows].copy(),
            table.series,
            table.values[rows].copy(),
        )

    def second_prices(self, start: date, end: date) -> PriceTable | None:
        """Return None, since the market is recorded once only."""
        return None

    def pairs(self) -> TargetPairs:
        """Draw 424 targets by the seed: 106 of each lag, of which one has a single leg."""
        return _draw_pairs(self.seed)

    def published_labels(self, start: date, end: date) -> FloatArray | None:
        """Return None, since no labels are published."""
        return None

    def best_forecast(self, start: date, end: date) -> FloatArray | None:
        """Compute the (n, 424) expected labels given the true market up to each day.

        They are known at the close of the day, and never NaN. They are computed from the true moves
        and drifts, so no forecast from recorded prices can be expected to be better.
        """
        simulation = _simulate(self)
        rows = _find_rows(simulation.table.days, start, end)
        pairs = self.pairs()
        first, second = pairs.legs(universe.INSTRUMENTS)
        forecast = np.empty((len(simulation.table.days[rows]), len(pairs)))
        for lag in LAGS:
            of_lag = pairs.lags == lag
            expected = simulation.expected[lag - 1, rows]
            forecast[:, of_lag] = spread(expected, first[of_lag], second[of_lag])
        return forecast

    def planted_faults(self) -> tuple[PlantedFault, ...]:
        """Return the planted faults within the simulated days, to test data quality against."""
        faults = plan_faults(self.seed, self.first_day)
        return tuple(fault for fault in faults if fault.day <= self.last_day)


@dataclass(frozen=True)
class _Simulation:
    table: PriceTable
    expected: FloatArray


@lru_cache(maxsize=4)
def _simulate(source: SimulatedMarket) -> _Simulation:
    days = trading_days(source.first_day, source.last_day)
    market = simulate_true_market(source.seed, len(days))
    faults = plan_faults(source.seed, source.first_day)
    recorded = record_prices(source.seed, days, make_bars(source.seed, market), faults)
    series = list_competition_series(universe.series_columns())
    fields = [FIELDS.index(each.field) for each in series.series]
    instruments = [universe.INSTRUMENTS.index(each.instrument) for each in series.series]
    values = np.ascontiguousarray(recorded[fields, :, instruments].T)
    return _Simulation(PriceTable(days, np.arange(len(days)), series, values), market.expected)


def _find_rows(days: DayArray, start: date, end: date) -> slice:
    first = np.searchsorted(days, np.datetime64(start, "D"))
    last = np.searchsorted(days, np.datetime64(end, "D"), side="right")
    return slice(int(first), int(last))


def _draw_pairs(seed: int) -> TargetPairs:
    draw = random_stream(seed, "pairs")
    names = np.array(universe.INSTRUMENTS)
    legs = {market: names[universe.of_market(market)].tolist() for market in ("LME", "US", "FX")}
    legs["US"] = [name for name in legs["US"] if name not in _NEVER_A_LEG]
    legs["JPX"] = list(_JPX_LEGS)

    drawn: list[tuple[str, str | None]] = []
    for lag in LAGS:
        of_lag = _draw_spreads(draw, legs)
        single = str(draw.choice(legs["FX" if lag == LAGS[-1] else "US"]))
        if lag == 1:
            of_lag.insert(0, (_FIRST_TARGET, None))
        else:
            of_lag.insert(int(draw.integers(len(of_lag))), (single, None))
        drawn += of_lag
    return TargetPairs(
        tuple(f"target_{i}" for i in range(len(drawn))),
        np.repeat(LAGS, len(drawn) // len(LAGS)),
        tuple(leg_a for leg_a, _ in drawn),
        tuple(leg_b for _, leg_b in drawn),
    )


def _draw_spreads(
    draw: np.random.Generator, legs: dict[str, list[str]]
) -> list[tuple[str, str | None]]:
    """Draw the legs of one lag's spreads, each pair once, in random order and direction."""
    spreads: list[tuple[str, str | None]] = []
    for (market_a, market_b), count in _PAIRS_PER_LAG.items():
        candidates = [
            (a, b) for a in legs[market_a] for b in legs[market_b] if market_a != market_b or a < b
        ]
        for index in draw.choice(len(candidates), count, replace=False):
            a, b = candidates[index]
            spreads.append((a, b) if draw.random() < 0.5 else (b, a))
    return [spreads[i] for i in draw.permutation(len(spreads))]
