"""Growth by splits and reinvested dividends, against what an owner of one share would have."""

from dataclasses import replace

import numpy as np
import pytest

from quant_assets.core.typing import FloatArray
from quant_assets.market.instruments import list_competition_series
from quant_assets.quality.growth import compute_growth
from quant_assets.sources.deliveries import Action, PriceTable

COLUMNS = ("US_Stock_CVX_adj_close", "US_Stock_CVX_adj_volume", "FX_EURUSD")
CVX = "US_Stock_CVX"


def make_table(closes: list[float], *actions: Action) -> PriceTable:
    series = list_competition_series(COLUMNS)
    days = np.arange(len(closes)).astype("datetime64[D]")
    values = np.column_stack([closes, np.full(len(closes), 80.0), np.ones(len(closes))])
    return PriceTable(days, np.arange(len(closes)), series, values, actions=actions)


def growth_of(table: PriceTable) -> FloatArray:
    growth = compute_growth(table)
    assert growth
    return growth.growth[CVX]


def test_without_actions_nothing_grows() -> None:
    assert compute_growth(make_table([1.0, 2.0])) is None
    assert compute_growth(make_table([], Action(0, CVX, 2.0))) is None


def test_a_split_grows_prices_and_divides_volumes() -> None:
    table = make_table([100.0, 52.0, 51.0], Action(1, CVX, split=2.0))
    growth = compute_growth(table)
    assert growth
    scale = growth.scale(table.series)
    np.testing.assert_array_equal(scale, [[1, 1, 1], [2, 0.5, 1], [2, 0.5, 1]])
    np.testing.assert_array_equal((table.values * scale)[:, 0], [100.0, 104.0, 102.0])


def test_a_dividend_is_reinvested_at_the_close() -> None:
    growth = growth_of(make_table([100.0, 50.0, 40.0], Action(1, CVX, dividend=5.0)))
    np.testing.assert_array_equal(growth, [1.0, 1.1, 1.1])


def test_split_and_dividend_of_one_day() -> None:
    growth = growth_of(make_table([100.0, 50.0], Action(1, CVX, 2.0, 5.0)))
    np.testing.assert_allclose(growth, [1.0, 2.2], rtol=1e-15)


@pytest.mark.parametrize("close", [np.nan, 0.0, -1.0, np.inf])
def test_a_dividend_waits_for_a_close_and_is_split_meanwhile(close: float) -> None:
    table = make_table(
        [100.0, close, close, 50.0], Action(1, CVX, dividend=5.0), Action(2, CVX, 2.0)
    )
    np.testing.assert_allclose(growth_of(table), [1.0, 1.0, 2.0, 2.0 * 1.05], rtol=1e-15)


def test_growth_of_a_day_needs_no_later_day_and_goes_on_from_a_state() -> None:
    random = np.random.default_rng(3)
    closes = 50 * np.exp(np.cumsum(random.normal(0, 0.02, 300)))
    closes[random.random(300) < 0.2] = np.nan
    splits = np.where(random.random(300) < 0.05, random.choice([2.0, 3.0, 0.1], 300), 1.0)
    cash = np.where(random.random(300) < 0.1, random.random(300), 0.0)
    rows = np.flatnonzero((splits != 1) | (cash != 0)).tolist()
    actions = [Action(row, CVX, float(splits[row]), float(cash[row])) for row in rows]
    whole = growth_of(make_table(closes.tolist(), *actions))
    for end in (1, 17, 100, 299):
        before = [action for action in actions if action.row < end]
        after = [replace(a, row=a.row - end) for a in actions if a.row >= end]
        first = compute_growth(make_table(closes[:end].tolist(), *before))
        if first:
            np.testing.assert_array_equal(first.growth[CVX], whole[:end])
        state = first.last if first else {}
        second = compute_growth(make_table(closes[end:].tolist(), *after), (), state)
        np.testing.assert_array_equal(second.growth[CVX] if second else 1.0, whole[end:])


def test_growth_is_what_an_owner_has() -> None:
    """A slow, obvious version: an owner of one share buys shares for every dividend."""
    random = np.random.default_rng(4)
    closes = (50 * np.exp(np.cumsum(random.normal(0, 0.02, 200)))).tolist()
    actions = [Action(row, CVX, 2.0, 0.4) for row in range(5, 200, 17)]
    by_row = {action.row: action for action in actions}
    owned, expected = 1.0, []
    for row, close in enumerate(closes):
        if action := by_row.get(row):
            owned *= action.split
            owned += owned * action.dividend / close
        expected.append(owned)
    np.testing.assert_allclose(growth_of(make_table(closes, *actions)), expected, rtol=1e-13)
