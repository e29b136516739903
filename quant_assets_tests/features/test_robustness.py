"""Hard inputs: missing fields and instruments, constants, jumps, bad values. Never infinite."""

from dataclasses import replace

import numpy as np
import pytest

from quant_assets.market.targets import TargetPairs
from quant_assets_tests.support.random_market import Features, Market, random_market

pytestmark = pytest.mark.filterwarnings("error")


def changed(market: Market, **fields: np.ndarray | None) -> Market:
    merged = {**market.panel.fields, **fields}
    kept = {name: values for name, values in merged.items() if values is not None}
    return replace(market, panel=replace(market.panel, fields=kept))


def with_column(market: Market, column: int, value: float) -> Market:
    fields = {name: values.copy() for name, values in market.panel.fields.items()}
    for values in fields.values():
        values[:, column] = value
    return changed(market, **fields)


def assert_finite_or_nan(features: Features) -> None:
    for arrays in features.values():
        for name, values in arrays.items():
            assert not np.isinf(values).any(), name


def test_closes_only_gives_the_same_close_features(
    small_market: Market, small_features: Features
) -> None:
    others = dict.fromkeys(("open", "high", "low", "volume", "open_interest"))
    closes = changed(small_market, **others).features()
    for name in ("ret_20", "vol_60", "macd_histogram", "bollinger_20"):
        np.testing.assert_array_equal(
            closes["instrument"][name], small_features["instrument"][name], name
        )


@pytest.mark.parametrize("missing", ["open", "high", "low", "volume", "open_interest"])
def test_one_field_missing(small_market: Market, missing: str) -> None:
    features = changed(small_market, **{missing: None}).features()
    assert_finite_or_nan(features)
    assert np.isfinite(features["target"]["diff_ret_20"]).any()


def test_empty_instrument_empties_only_its_own(
    small_market: Market, small_features: Features
) -> None:
    features = with_column(small_market, 4, np.nan).features()
    assert_finite_or_nan(features)
    for name, values in features["instrument"].items():
        assert np.isnan(values[:, 4]).all(), name
        np.testing.assert_array_equal(values[:, 5], small_features["instrument"][name][:, 5], name)


def test_constant_price_has_no_scaled_features(small_market: Market) -> None:
    features = with_column(small_market, 4, 7.5).features()
    assert_finite_or_nan(features)
    own = {name: values[:, 4] for name, values in features["instrument"].items()}
    for name in ("reversal_5", "rsi_14", "bollinger_20", "volume_z_20", "skew_60"):
        assert np.isnan(own[name]).all(), name
    for name in ("ret_20", "vol_20", "parkinson_20", "yang_zhang_20", "atr_14", "drawdown_250"):
        assert (own[name][125:] == 0).all(), name


def test_all_prices_constant(small_market: Market) -> None:
    fields = {name: np.full_like(x, 3.0) for name, x in small_market.panel.fields.items()}
    flat = changed(small_market, **fields)
    assert_finite_or_nan(replace(flat, known_labels=np.zeros_like(flat.known_labels)).features())


@pytest.mark.parametrize("bad", [0.0, -1.0, np.inf, 1e300, 1e-300])
def test_bad_prices_stay_finite(small_market: Market, bad: float) -> None:
    fields = {name: values.copy() for name, values in small_market.panel.fields.items()}
    for values in fields.values():
        values[200:600:37, 5] = bad
    assert_finite_or_nan(changed(small_market, **fields).features())


def test_returns_are_winsorised_with_what_was_known_before(small_market: Market) -> None:
    close = small_market.panel.close.copy()
    close[400:, 5] *= 10.0
    own = changed(small_market, close=close).features()["instrument"]
    before = np.log(close[1:, 5] / close[:-1, 5])[339:399]
    limit = 8 * np.sqrt(np.nanmean(before**2))
    assert own["ret_1"][400, 5] == pytest.approx(limit)


def test_one_row() -> None:
    features = random_market(10).rows(0, 1).features()
    assert np.isnan(features["target"]["diff_ret_1"]).all()


def test_leg_that_is_no_instrument_is_refused(small_market: Market) -> None:
    pairs = TargetPairs(("t",), np.array([1]), ("US_NONE",), (None,))
    with pytest.raises(KeyError, match="US_NONE"):
        replace(small_market, pairs=pairs, known_labels=small_market.known_labels[:, :1]).features()
