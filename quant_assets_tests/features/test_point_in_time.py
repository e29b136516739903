"""A day's features depend on nothing later, and computed alone they equal the bulk bit for bit."""

from dataclasses import replace

import numpy as np
import pytest

from quant_assets.core.typing import FloatArray
from quant_assets.features.catalogue import LABEL_LOOKBACK, PRICE_LOOKBACK, SPREAD_LOOKBACK
from quant_assets.features.spreads import label_features, target_features
from quant_assets_tests.support.random_market import Features, Market, random_market


def assert_same_bits(ours: FloatArray, expected: FloatArray, name: str) -> None:
    assert ours.shape == expected.shape, name
    np.testing.assert_array_equal(ours, expected, err_msg=name)
    observed = ~np.isnan(ours)
    np.testing.assert_array_equal(np.signbit(ours)[observed], np.signbit(expected)[observed], name)


def features_of_last_days(market: Market, bulk: Features, first: int, day: int) -> Features:
    """Compute the features of some days from the rows before them that the lookbacks allow."""
    alone = market.rows(max(first - PRICE_LOOKBACK, 0), day + 1).features(last_rows=1)
    kept = max(first - SPREAD_LOOKBACK, 0)
    stored = {
        level: {name: values[kept : day + 1] for name, values in bulk[level].items()}
        for level in ("instrument", "market")
    }
    known_labels = market.known_labels[max(first - LABEL_LOOKBACK, 0) : day + 1]
    alone["target"] = target_features(
        market.panel.rows(kept, day + 1),
        stored["instrument"],
        stored["market"],
        market.pairs,
        label_features(known_labels, day + 1 - first),
        last_rows=day + 1 - first,
    )
    return alone


def assert_day_alone_equals_bulk(
    market: Market, bulk: Features, day: int, first: int | None = None
) -> None:
    first = day if first is None else first
    alone = features_of_last_days(market, bulk, first, day)
    for level, arrays in bulk.items():
        for name, values in arrays.items():
            rows = slice(first, day + 1)
            assert_same_bits(alone[level][name][first - day - 1 :], values[rows], name)


@pytest.fixture(scope="module")
def long_market() -> Market:
    return random_market(820, seed=1)


@pytest.fixture(scope="module")
def long_features(long_market: Market) -> Features:
    return long_market.features()


@pytest.mark.parametrize(
    "day", [0, 1, 2, 5, 9, 30, 31, 61, 100, 249, 300, 499, 520, 521, 530, 601, 767, 819]
)
def test_one_day_alone_equals_bulk(long_market: Market, long_features: Features, day: int) -> None:
    assert_day_alone_equals_bulk(long_market, long_features, day)


def test_several_last_rows_equal_bulk(long_market: Market, long_features: Features) -> None:
    assert_day_alone_equals_bulk(long_market, long_features, 706, first=700)


def test_memory_layout_of_the_prices_does_not_matter(
    long_market: Market, long_features: Features
) -> None:
    panel = long_market.panel
    turned = replace(panel, fields={k: np.asfortranarray(v) for k, v in panel.fields.items()})
    known_labels = np.asfortranarray(long_market.known_labels)
    other = Market(turned, long_market.pairs, known_labels).features()
    for level, arrays in long_features.items():
        for name, values in arrays.items():
            assert_same_bits(other[level][name], values, name)


@pytest.mark.parametrize("day", [40, 300, 700])
def test_nothing_later_matters(long_market: Market, long_features: Features, day: int) -> None:
    rng = np.random.default_rng(day)
    fields = {name: values.copy() for name, values in long_market.panel.fields.items()}
    known_labels = long_market.known_labels.copy()
    for values in (*fields.values(), known_labels):
        values[day + 1 :] = np.exp(rng.normal(size=values[day + 1 :].shape))
    panel = replace(long_market.panel, fields=fields)
    changed = Market(panel, long_market.pairs, known_labels).features()
    for level, arrays in long_features.items():
        for name, values in arrays.items():
            assert_same_bits(changed[level][name][: day + 1], values[: day + 1], name)
            if name != "lag":
                later = changed[level][name][day + 1 :], values[day + 1 :]
                assert not np.array_equal(*later, equal_nan=True), name


def test_real_market_day_alone_equals_bulk(real_panel: Market) -> None:
    bulk = real_panel.features()
    for day in (700, len(real_panel.known_labels) - 1):
        assert_day_alone_equals_bulk(real_panel, bulk, day)
