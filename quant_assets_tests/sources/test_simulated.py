"""The simulated market as a source: shape, determinism, and the oracle's score."""

from collections import Counter
from dataclasses import astuple, replace
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant_assets.core.errors import SettingsError
from quant_assets.core.typing import FloatArray
from quant_assets.market.calendar import trading_days
from quant_assets.market.instruments import InstrumentSeries, column_name, market_of
from quant_assets.market.targets import align_to_forecast_day, labels_by_known_day
from quant_assets.sources.deliveries import PriceTable
from quant_assets.sources.protocol import Source
from quant_assets.sources.simulated.market import SimulatedMarket, _simulate
from quant_assets.sources.simulated.universe import INSTRUMENTS

MARKET = SimulatedMarket()
LONG_AGO, FAR_AHEAD = date(2000, 1, 4), date(2030, 12, 31)
CLOSES = [column_name(InstrumentSeries(name, "close")) for name in INSTRUMENTS]


def whole(source: SimulatedMarket = MARKET) -> PriceTable:
    return source.prices(LONG_AGO, FAR_AHEAD)


def oracle(source: SimulatedMarket, start: date, end: date) -> FloatArray:
    forecast = source.best_forecast(start, end)
    assert forecast is not None
    return forecast


def known_labels() -> FloatArray:
    table = whole()
    close = table.values[:, [table.columns.index(column) for column in CLOSES]]
    close[close <= 0] = np.nan
    return labels_by_known_day(close, MARKET.pairs(), INSTRUMENTS)


def daily_spearman(forecast: FloatArray) -> FloatArray:
    """Daily ICs of a forecast against the labels of the default market."""
    truth = pd.DataFrame(align_to_forecast_day(known_labels(), MARKET.pairs().lags))
    ranked = pd.DataFrame(forecast).where(truth.notna()).rank(axis=1)
    daily = ranked.corrwith(truth.rank(axis=1), axis=1).dropna()
    return np.asarray(daily, dtype=np.float64)


def test_all_days_have_come_and_a_look_changes_with_the_market() -> None:
    assert MARKET.waiting() == ""
    assert MARKET.look() == SimulatedMarket().look() != SimulatedMarket(seed=8).look()


def test_is_a_source_with_the_competitions_columns_on_every_trading_day() -> None:
    source: Source = MARKET
    table = source.prices(source.first_day, source.last_day)
    assert source.name == "simulated"
    assert table.values.shape == (776, 557)
    assert len(set(table.columns)) == 557
    assert Counter(map(market_of, table.columns)) == {"US": 475, "JPX": 40, "FX": 38, "LME": 4}
    np.testing.assert_array_equal(table.days, trading_days(source.first_day, source.last_day))
    np.testing.assert_array_equal(table.date_ids, np.arange(776))
    assert not np.isinf(table.values).any()
    assert source.published_labels(source.first_day, source.last_day) is None


def test_columns_stand_in_the_order_of_the_competitions_file(real_market: Path) -> None:
    with (real_market / "train.csv").open() as file:
        header = file.readline().strip().split(",")
    assert list(whole().columns) == header[1:]


def test_pairs_have_the_competitions_structure() -> None:
    pairs = MARKET.pairs()
    assert pairs.targets == tuple(f"target_{i}" for i in range(424))
    np.testing.assert_array_equal(pairs.lags, np.repeat([1, 2, 3, 4], 106))
    singles = [i for i, leg in enumerate(pairs.leg_b) if leg is None]
    assert singles[0] == 0
    assert pairs.lags[singles].tolist() == [1, 2, 3, 4]
    legs = [*pairs.leg_a, *(leg for leg in pairs.leg_b if leg is not None)]
    assert Counter(map(market_of, legs)) == {"LME": 292, "US": 279, "JPX": 144, "FX": 129}
    assert set(legs) <= set(INSTRUMENTS) - {"US_Stock_GOLD"}
    unordered = {
        (frozenset((a, b)), lag)
        for a, b, lag in zip(pairs.leg_a, pairs.leg_b, pairs.lags.tolist(), strict=True)
    }
    assert len(unordered) == 424
    assert replace(MARKET, seed=8).pairs().leg_a != pairs.leg_a


def test_the_same_seed_gives_the_same_bits_and_another_seed_does_not() -> None:
    prices = whole().values
    forecast = oracle(MARKET, LONG_AGO, FAR_AHEAD)
    pairs = MARKET.pairs()
    _simulate.cache_clear()
    again = SimulatedMarket()
    np.testing.assert_array_equal(prices, whole(again).values)
    np.testing.assert_array_equal(forecast, oracle(again, LONG_AGO, FAR_AHEAD))
    assert (pairs.leg_a, pairs.leg_b) == (again.pairs().leg_a, again.pairs().leg_b)
    assert not np.array_equal(prices, whole(replace(MARKET, seed=8)).values, equal_nan=True)


@pytest.mark.parametrize("last_day", [date(2021, 5, 26), date(2022, 6, 30), date(2025, 12, 31)])
def test_what_is_known_of_a_day_does_not_depend_on_where_the_simulation_ends(
    last_day: date,
) -> None:
    other = replace(MARKET, last_day=last_day)
    shared = min(last_day, MARKET.last_day)
    mine, theirs = MARKET.prices(LONG_AGO, shared), other.prices(LONG_AGO, shared)
    np.testing.assert_array_equal(mine.days, theirs.days)
    np.testing.assert_array_equal(mine.values, theirs.values)
    np.testing.assert_array_equal(oracle(MARKET, LONG_AGO, shared), oracle(other, LONG_AGO, shared))


def test_a_window_is_that_slice_of_the_whole_and_safe_to_write_to() -> None:
    start, end = date(2022, 3, 5), date(2022, 4, 1)
    table, window = whole(), MARKET.prices(start, end)
    rows = (table.days >= np.datetime64(start)) & (table.days <= np.datetime64(end))
    np.testing.assert_array_equal(window.days, table.days[rows])
    np.testing.assert_array_equal(window.date_ids, table.date_ids[rows])
    np.testing.assert_array_equal(window.values, table.values[rows])
    np.testing.assert_array_equal(
        oracle(MARKET, start, end), oracle(MARKET, LONG_AGO, FAR_AHEAD)[rows]
    )
    window.values[:] = 0.0
    np.testing.assert_array_equal(MARKET.prices(start, end).values, table.values[rows])
    assert MARKET.prices(date(2030, 1, 1), date(2030, 2, 1)).values.shape == (0, 557)


def test_the_fingerprint_follows_every_parameter() -> None:
    others = [
        replace(MARKET, seed=8),
        replace(MARKET, first_day=date(2021, 1, 5)),
        replace(MARKET, last_day=date(2023, 12, 28)),
    ]
    assert len({MARKET.fingerprint(), *(other.fingerprint() for other in others)}) == 4
    assert MARKET.fingerprint() == SimulatedMarket(*astuple(MARKET)).fingerprint()


@pytest.mark.parametrize(("seed", "last_day"), [(-1, date(2023, 12, 29)), (7, date(2020, 1, 1))])
def test_impossible_parameters_are_refused(seed: int, last_day: date) -> None:
    with pytest.raises(SettingsError, match="cannot be simulated"):
        SimulatedMarket(seed, last_day=last_day)


def test_planted_faults_are_told_up_to_the_last_day() -> None:
    faults = MARKET.planted_faults()
    assert len(faults) == 24
    short = replace(MARKET, last_day=faults[5].day)
    assert short.planted_faults() == tuple(f for f in faults if f.day <= faults[5].day)


def test_the_oracles_score_is_small_and_clearly_above_zero() -> None:
    forecast = oracle(MARKET, LONG_AGO, FAR_AHEAD)
    assert forecast.shape == (776, 424)
    assert np.isfinite(forecast).all()
    daily = daily_spearman(forecast)
    assert 0.6 < daily.mean() / daily.std() < 1.0
    # Four standard errors, were the days independent.
    for half in (daily[:380], daily[380:]):
        assert half.mean() > 4 * half.std() / np.sqrt(len(half))


def test_models_can_learn_part_of_the_signal_from_known_labels() -> None:
    known = pd.DataFrame(known_labels()).expanding(min_periods=100).mean().to_numpy()
    daily = daily_spearman(known)
    assert 0.1 < daily.mean() / daily.std() < 0.6
