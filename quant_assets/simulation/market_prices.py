"""The prices of a rehearsal's market, with the incidents that happen to the market itself.

What its vendor makes of them belongs in ``simulation.vendor``, and when a file shows them in
``simulation.growing_market``.
"""

from collections.abc import Mapping
from functools import cache

import numpy as np

from quant_assets.core.typing import BoolArray, DayArray, FloatArray
from quant_assets.market.instruments import FIELDS, InstrumentSeries, column_name, parse_column
from quant_assets.simulation.scenario import BREAK, CLOSED, DRIFTING
from quant_assets.sources.simulated import universe
from quant_assets.sources.simulated.market import SimulatedMarket
from quant_assets.sources.simulated.mechanics import (
    TrueMarket,
    make_bars,
    random_stream,
    simulate_true_market,
)
from quant_assets.sources.simulated.planted_faults import record_prices

_VOLUME_FACTOR = 50.0
"""Factor of New York's volumes while a feature drifts."""
_REVERSAL_FACTOR = 10.0
"""The drift of each instrument during a regime break, as a negative multiple of its mean move."""


def list_columns(slim: bool) -> tuple[str, ...]:
    """List the market's series; if it is slim, the closes and New York's volumes only."""
    columns = universe.series_columns()
    if not slim:
        return columns
    fields = [parse_column(name).field for name in columns]
    return tuple(
        name
        for name, field in zip(columns, fields, strict=True)
        if field == "close" or (field == "volume" and name.startswith(f"{universe.NEW_YORK}_"))
    )


@cache
def format_pairs(seed: int) -> str:
    """Format the content of ``target_pairs.csv`` for the market of a seed."""
    pairs = SimulatedMarket(seed=seed).pairs()
    legs = [
        " - ".join(column_name(InstrumentSeries(leg, "close")) for leg in pair if leg)
        for pair in zip(pairs.leg_a, pairs.leg_b, strict=True)
    ]
    rows = zip(pairs.targets, pairs.lags, legs, strict=True)
    lines = ["target,lag,pair", *(f"{target},{lag},{leg}" for target, lag, leg in rows)]
    return "\n".join(lines) + "\n"


def simulate_prices(
    seed: int, days: DayArray, columns: tuple[str, ...], incidents: Mapping[str, BoolArray]
) -> FloatArray:
    """Simulate the prices of a market whose only faults are some incidents.

    Args:
        seed: seed of the market.
        days: (n,) trading days.
        columns: names of the c series.
        incidents: (n,) the days on which an incident lasts, by its kind; kinds that do not happen
            to the market itself are ignored.

    Returns:
        Array (n, c) of prices and volumes; NaN where a cell is empty.
    """
    market = simulate_true_market(seed, len(days))
    if BREAK in incidents:
        market = break_market(seed, market, incidents[BREAK])
    prices = record_prices(seed, days, make_bars(seed, market), ())
    if CLOSED in incidents:
        rows = incidents[CLOSED]
        prices[:, rows] = np.where(universe.of_market(universe.TOKYO), np.nan, prices[:, rows])
    if DRIFTING in incidents:
        volume, rows = FIELDS.index("volume"), incidents[DRIFTING]
        prices[volume, rows] *= np.where(universe.of_market(universe.NEW_YORK), _VOLUME_FACTOR, 1.0)
    all_series = [parse_column(column) for column in columns]
    fields = [FIELDS.index(series.field) for series in all_series]
    instruments = [universe.INSTRUMENTS.index(series.instrument) for series in all_series]
    return np.ascontiguousarray(prices[fields, :, instruments].T)


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
