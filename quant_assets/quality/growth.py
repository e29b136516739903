"""What splits and reinvested dividends made of one share since the first stored day.

Prices as traded times this growth are comparable across splits and dividends. Growth on a day
depends on this day and earlier days only, so that a later split changes no earlier price.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import BoolArray, FloatArray
from quant_assets.market.instruments import PRICE_FIELDS, SeriesList
from quant_assets.quality.review_decisions import ReviewDecision, place_decisions
from quant_assets.sources.deliveries import Action, PriceTable


@dataclass(frozen=True)
class GrowthState:
    """What one share of an instrument became until a day.

    Attributes:
        shares: shares after all splits.
        growth: shares after all splits and reinvested dividends.
        cash: dividends for each share that wait for a close at which they are reinvested.
    """

    shares: float = 1.0
    growth: float = 1.0
    cash: float = 0.0


@dataclass(frozen=True)
class Growth:
    """Growth of the instruments that have splits or dividends; others do not grow.

    Attributes:
        shares: (n,) shares after all splits, by instrument.
        growth: (n,) shares after all splits and reinvested dividends, by instrument.
        last: the state after the last day, by instrument.
    """

    shares: Mapping[str, FloatArray]
    growth: Mapping[str, FloatArray]
    last: Mapping[str, GrowthState]

    def scale(self, series: SeriesList) -> FloatArray:
        """Return the (n, c) factors of the cells of c series.

        Prices are multiplied by the growth, volumes divided by the shares; open interest stays.
        """
        days = len(next(iter(self.growth.values())))
        factors = np.ones((days, len(series)))
        for i, each in enumerate(series.series):
            if each.instrument in self.growth:
                factors[:, i] = self.factor(each.instrument, each.field)
        return factors

    def factor(self, instrument: str, field: str) -> FloatArray | float:
        """Return the (n,) factors of a field of an instrument that grows, or their one value."""
        if field in PRICE_FIELDS:
            return self.growth[instrument]
        return 1.0 / self.shares[instrument] if field == "volume" else 1.0


def compute_growth(
    table: PriceTable,
    decisions: Sequence[ReviewDecision] = (),
    before: Mapping[str, GrowthState] | None = None,
) -> Growth | None:
    """Compute the growth of instruments from their splits and dividends.

    A dividend is reinvested at the close of its day: a share grows by dividend / close. Without a
    close, or with one that a person rejected, it waits for the next close.

    Args:
        table: n days of prices as traded, with splits and dividends.
        decisions: people's decisions about prices, oldest first.
        before: the states on the day before the table; one share each by default.

    Returns:
        None if there are no splits and dividends, or no days.
    """
    states = dict(before or {})
    actions: dict[str, list[Action]] = {name: [] for name in states}
    for action in table.actions:
        actions.setdefault(action.instrument, []).append(action)
    if not actions or not len(table.days):
        return None
    refused = {
        (row, column)
        for row, column, decision in place_decisions(table, decisions)
        if decision.decision == "reject"
    }
    shares, growth, last = {}, {}, {}
    for name, own in actions.items():
        column = table.series.close_of.get(name)
        if column is None:
            continue
        closes = table.values[:, column].copy()
        closes[[row for row, of_cell in refused if of_cell == column]] = np.nan
        state = states.get(name, GrowthState())
        shares[name], growth[name], last[name] = _grow(closes, own, state)
    return Growth(shares, growth, last) if growth else None


def _grow(
    closes: FloatArray, actions: Sequence[Action], state: GrowthState
) -> tuple[FloatArray, FloatArray, GrowthState]:
    """Return the (n,) shares, the (n,) growth, and the last state."""
    splits, gains = np.ones(len(closes)), np.ones(len(closes))
    dividends = np.zeros(len(closes))
    for action in actions:
        splits[action.row], dividends[action.row] = action.split, action.dividend
    has_close = (closes > 0) & np.isfinite(closes)
    cash = state.cash
    # Only days with a dividend that was not reinvested yet have to be looked at.
    row = 0 if cash else _next_row(dividends > 0, 0)
    while row < len(closes):
        cash = cash / splits[row] + dividends[row]
        if has_close[row]:
            gains[row], cash = 1.0 + cash / closes[row], 0.0
        row = row + 1 if cash else _next_row(dividends > 0, row + 1)
    shares = _accumulate(splits, state.shares)
    growth = _accumulate(splits * gains, state.growth)
    return shares, growth, GrowthState(float(shares[-1]), float(growth[-1]), float(cash))


def _accumulate(factors: FloatArray, start: float) -> FloatArray:
    """Return the (n,) cumulative product, from a start on, in the order of days."""
    product: FloatArray = np.multiply.accumulate(np.concatenate([[start], factors]))
    return product[1:]


def _next_row(wanted: BoolArray, start: int) -> int:
    rows = np.flatnonzero(wanted[start:])
    return start + int(rows[0]) if len(rows) else len(wanted)
