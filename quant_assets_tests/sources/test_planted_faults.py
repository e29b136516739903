"""The record of the simulated market has every planted fault and no other."""

from functools import cache

import numpy as np
import pytest

from quant_assets.core.typing import FloatArray
from quant_assets.market.calendar import trading_days
from quant_assets.market.instruments import FIELDS, MARKETS, market_of
from quant_assets.sources.simulated.market import SimulatedMarket
from quant_assets.sources.simulated.mechanics import make_bars, simulate_true_market
from quant_assets.sources.simulated.planted_faults import (
    PlantedFault,
    draw_closures,
    plan_faults,
    record_prices,
)
from quant_assets.sources.simulated.universe import INSTRUMENTS, of_market

MARKET = SimulatedMarket()
DAYS = trading_days(MARKET.first_day, MARKET.last_day)
HAS_BARS = of_market("JPX") | of_market("US")


@cache
def record(seed: int = MARKET.seed) -> FloatArray:
    faultless = make_bars(seed, simulate_true_market(seed, len(DAYS)))
    return record_prices(seed, DAYS, faultless, plan_faults(seed, MARKET.first_day))


def field(name: str, seed: int = MARKET.seed) -> FloatArray:
    return np.asarray(record(seed)[FIELDS.index(name)])


def of(fault: PlantedFault, name: str) -> FloatArray:
    return field(name)[:, INSTRUMENTS.index(fault.instrument)]


def planted(kind: str, seed: int = MARKET.seed) -> list[PlantedFault]:
    return [fault for fault in plan_faults(seed, MARKET.first_day) if fault.kind == kind]


def test_closed_markets_are_empty_as_a_whole_and_london_and_tokyo_never_together() -> None:
    rests = draw_closures(MARKET.seed, DAYS)
    for i, market in enumerate(MARKETS):
        empty = np.isnan(field("close")[:, of_market(market)]).all(axis=1)
        np.testing.assert_array_equal(empty, rests[:, i], err_msg=market)
    per_year = dict(zip(MARKETS, (rests.sum(axis=0) / 3).tolist(), strict=True))
    assert 5 <= per_year["LME"] <= 7
    assert 13 <= per_year["JPX"] <= 15
    assert 7 <= per_year["US"] <= 9
    assert per_year["FX"] == 0
    assert not rests[:, [MARKETS.index("LME"), MARKETS.index("JPX")]].all(axis=1).any()


def test_single_days_are_missing_at_the_stated_rate_and_never_in_fx() -> None:
    lasting = ~np.isin(INSTRUMENTS, [fault.instrument for fault in planted("ends")])
    for i, market in enumerate(MARKETS):
        is_open = ~draw_closures(MARKET.seed, DAYS)[:, i]
        share = np.isnan(field("close")[is_open][:, of_market(market) & lasting]).mean()
        assert share == 0 if market == "FX" else 0.001 < share < 0.006, market


@pytest.mark.parametrize("seed", [7, 11])
def test_prices_of_a_day_are_in_order_but_for_the_planted_cells(seed: int) -> None:
    opening, high, low, close = (field(name, seed) for name in ("open", "high", "low", "close"))
    wrong = (low > np.minimum(opening, close)) | (high < np.maximum(opening, close))
    rows, columns = np.nonzero(wrong & HAS_BARS)
    cells = {(INSTRUMENTS[column], int(row)) for row, column in zip(rows, columns, strict=True)}
    crossed = planted("low above high", seed)
    assert len(crossed) == 2
    assert cells == {
        (fault.instrument, fault.row)
        for fault in crossed + planted("price not positive", seed)
        if market_of(fault.instrument) != "LME"
    }


def test_settlement_is_close_to_the_close() -> None:
    gap = np.log(field("settlement") / field("close").clip(1e-9))[:, of_market("JPX")]
    zero_close = [f.row for f in planted("price not positive") if f.instrument.startswith("JPX")]
    assert np.nanmax(np.abs(np.delete(gap, zero_close, axis=0))) < 0.01


def test_volumes_and_open_interest_are_whole_and_not_negative() -> None:
    for name, some in (("volume", HAS_BARS), ("open_interest", of_market("JPX"))):
        values = field(name)[:, some]
        values = values[~np.isnan(values)]
        assert (values >= 0).all()
        np.testing.assert_array_equal(values, np.rint(values))


def test_prices_that_are_not_positive_are_exactly_the_planted_ones() -> None:
    rows, columns = np.nonzero(field("close") <= 0)
    cells = {(INSTRUMENTS[column], int(row)) for row, column in zip(rows, columns, strict=True)}
    assert cells == {(fault.instrument, fault.row) for fault in planted("price not positive")}
    assert len(cells) == 3


def test_outliers_are_far_off_for_one_day_only() -> None:
    assert len(planted("outlier")) == 10
    for fault in planted("outlier"):
        log_close = np.log(of(fault, "close"))
        before, on, after = log_close[fault.row - 1 : fault.row + 2]
        jump = np.log(fault.factor)
        assert on - before == pytest.approx(jump, abs=abs(jump) / 2)
        assert on - after == pytest.approx(jump, abs=abs(jump) / 2)
        assert abs(jump) > 5 * np.nanstd(np.diff(log_close))


def test_splits_that_were_not_adjusted_move_prices_and_volume_for_good() -> None:
    assert len(planted("split not adjusted")) == 2
    for fault in planted("split not adjusted"):
        close, volume, row = of(fault, "close"), of(fault, "volume"), fault.row
        jump = np.log(fault.factor)
        assert np.log(close[row] / close[row - 1]) == pytest.approx(jump, abs=0.2)
        assert np.log(close[row + 1] / close[row - 1]) == pytest.approx(jump, abs=0.3)
        usual = np.nanmedian(volume[row - 30 : row])
        assert np.nanmedian(volume[row : row + 30]) > 1.5 * usual


def test_splits_that_were_adjusted_show_in_volume_only() -> None:
    assert len(planted("split adjusted")) == 4
    for fault in planted("split adjusted"):
        close, row = of(fault, "close"), fault.row
        assert abs(np.log(close[row] / close[row - 1])) < np.log(1.3)


def test_some_series_end_for_good() -> None:
    ends = {fault.instrument: fault for fault in planted("ends")}
    assert set(ends) == {"US_Stock_GOLD", "US_Stock_X", "US_Stock_HES"}
    for fault in ends.values():
        assert np.isnan(of(fault, "close")[fault.row :]).all()
        assert np.isnan(of(fault, "close")[: fault.row]).mean() < 0.1
    assert np.isnan(of(ends["US_Stock_GOLD"], "close")).mean() == pytest.approx(0.87, abs=0.015)


def test_fx_crosses_agree_with_each_other_but_for_the_planted_outlier() -> None:
    crosses = ("FX_EURUSD", "FX_GBPUSD", "FX_EURGBP")
    euro, pound, both = (field("close")[:, INSTRUMENTS.index(name)] for name in crosses)
    (outlier,) = (f for f in planted("outlier") if f.instrument.startswith("FX_"))
    assert outlier.instrument not in crosses
    np.testing.assert_allclose(euro / pound, both, rtol=1e-5)


def test_the_faultless_record_is_left_as_it_is() -> None:
    faultless = make_bars(MARKET.seed, simulate_true_market(MARKET.seed, len(DAYS)))
    before = faultless.copy()
    record_prices(MARKET.seed, DAYS, faultless, plan_faults(MARKET.seed, MARKET.first_day))
    np.testing.assert_array_equal(faultless, before)
