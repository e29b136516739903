"""The label formula and when a label is known, against loops over rows."""

from dataclasses import replace
from math import isnan, log, nan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_assets.core.typing import FloatArray
from quant_assets.market.instruments import parse_column
from quant_assets.market.targets import (
    TargetPairs,
    align_to_forecast_day,
    delay_of,
    horizons_of,
    labels_by_known_day,
    shift,
    spread,
)
from quant_assets.sources.competition.folder import CompetitionFolder
from quant_assets_tests.support import synthetic

INSTRUMENTS = ("A", "B", "C")
PAIRS = TargetPairs(
    tuple(f"target_{i}" for i in range(8)),
    np.array([1, 2, 3, 4, 4, 3, 2, 1]),
    ("A", "B", "C", "A", "B", "C", "A", "B"),
    ("B", "C", "A", None, "A", None, "C", "A"),
)
MARKETS = [
    PAIRS,
    replace(PAIRS, lags=np.array([10, 3, 1, 1, 3, 10, 10, 1])),
    replace(PAIRS, lags=np.array([20, 5, 5, 20, 5, 20, 20, 5])),
]


def label(close: FloatArray, pairs: TargetPairs, row: int, target: int) -> float:
    """A label is ``ln(A[t+lag+1] / A[t+1]) - ln(B[t+lag+1] / B[t+1])``; NaN if a price is."""
    lag = int(pairs.lags[target])
    if row + lag + 1 >= len(close):
        return nan
    total = 0.0
    for sign, leg in ((1, pairs.leg_a[target]), (-1, pairs.leg_b[target])):
        if leg is not None:
            prices = close[:, INSTRUMENTS.index(leg)]
            first, last = float(prices[row + 1]), float(prices[row + lag + 1])
            total += nan if isnan(first) or isnan(last) else sign * log(last / first)
    return total


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(MARKETS),
    st.integers(0, 26),
    st.integers(0, 2**32),
    st.sampled_from([0.0, 0.2, 0.9]),
)
def test_labels_are_the_formulas(pairs: TargetPairs, days: int, seed: int, empty: float) -> None:
    random = np.random.default_rng(seed)
    close = np.exp(random.normal(size=(days, len(INSTRUMENTS))))
    close[random.random(close.shape) < empty] = np.nan
    known_labels = labels_by_known_day(close, pairs, INSTRUMENTS)
    labels = align_to_forecast_day(known_labels, pairs.lags)
    for row in range(days):
        for target, lag in enumerate(pairs.lags):
            expected = label(close, pairs, row, target)
            np.testing.assert_allclose(labels[row, target], expected, rtol=0, atol=1e-12)
            if row + lag + 1 < days:
                known = known_labels[row + lag + 1, target]
                np.testing.assert_array_equal(known, labels[row, target])
    first = [known_labels[: lag + 1, target] for target, lag in enumerate(pairs.lags)]
    assert all(np.isnan(x).all() for x in first)


@pytest.mark.parametrize("pairs", MARKETS)
@pytest.mark.parametrize("until", [0, 1, 4, 5, 9, 20, 21, 28])
def test_a_cut_history_has_the_labels_known_by_then(pairs: TargetPairs, until: int) -> None:
    close = np.exp(np.random.default_rng(0).normal(size=(30, 3)))
    whole = labels_by_known_day(close, pairs, INSTRUMENTS)
    cut = labels_by_known_day(close[: until + 1], pairs, INSTRUMENTS)
    np.testing.assert_array_equal(cut, whole[: until + 1])
    labels = align_to_forecast_day(cut, pairs.lags)
    everything = align_to_forecast_day(whole, pairs.lags)
    for target, lag in enumerate(pairs.lags):
        last = until - lag - 1
        assert np.isnan(labels[max(last + 1, 0) :, target]).all()
        np.testing.assert_array_equal(
            labels[: max(last + 1, 0), target], everything[: max(last + 1, 0), target]
        )


def test_the_real_folders_labels(real_market: Path) -> None:
    """Labels from arrays equal the published labels to 2e-6 and are empty where these are."""
    source = CompetitionFolder(real_market)
    table, pairs = source.prices(*synthetic.ALWAYS), source.pairs()
    panel = synthetic.panel_of(table, table.values)
    known_labels = labels_by_known_day(panel.close, pairs, panel.instruments)
    published = source.published_labels(*synthetic.ALWAYS)
    assert published is not None
    ours = align_to_forecast_day(known_labels, pairs.lags)
    np.testing.assert_allclose(ours, published, rtol=0, atol=2e-6, equal_nan=True)
    assert 0.05 < np.isnan(published[: -delay_of(pairs.lags)]).mean() < 0.2


@pytest.mark.parametrize(
    ("pairs", "horizons", "delay"),
    list(zip(MARKETS, [(1, 2, 3, 4), (1, 3, 10), (5, 20)], [5, 11, 21], strict=True)),
)
def test_horizons_and_delay_follow_from_the_lags(
    pairs: TargetPairs, horizons: tuple[int, ...], delay: int
) -> None:
    assert horizons_of(pairs.lags) == horizons
    assert delay_of(pairs.lags) == delay
    labels = labels_by_known_day(np.ones((delay + 1, 3)), pairs, INSTRUMENTS)
    known = ~np.isnan(align_to_forecast_day(labels, pairs.lags))
    assert known[0].all()
    assert not known[1].all()


def test_shift() -> None:
    values = np.arange(5.0)
    np.testing.assert_array_equal(shift(values, 2), [nan, nan, 0, 1, 2])
    np.testing.assert_array_equal(shift(values, -2), [2, 3, 4, nan, nan])
    for rows in (5, -5, 9):
        assert np.isnan(shift(values, rows)).all()
    same = shift(values, 0)
    np.testing.assert_array_equal(same, values)
    assert same is not values


def test_spread_leaves_its_input_alone() -> None:
    values = np.array([[1.0, 2.0, np.nan]])
    result = spread(values, np.array([0, 0, 0, 2]), np.array([1, -1, 2, -1]))
    np.testing.assert_array_equal(result, [[-1.0, 1.0, nan, nan]])
    np.testing.assert_array_equal(values, [[1.0, 2.0, nan]])


def test_legs() -> None:
    first, second = PAIRS.legs(INSTRUMENTS)
    assert first.tolist() == [0, 1, 2, 0, 1, 2, 0, 1]
    assert second.tolist() == [1, 2, 0, -1, 0, -1, 2, 0]
    with pytest.raises(KeyError, match="C"):
        PAIRS.legs(("A", "B"))


def test_world_has_every_lag_and_single_legs() -> None:
    """The small market of other tests has the structure of the real market."""
    pairs = synthetic.pairs()
    assert len(pairs) == 40
    assert np.bincount(pairs.lags).tolist() == [0, 10, 10, 10, 10]
    assert sum(leg is None for leg in pairs.leg_b) == 4
    legs = {*pairs.leg_a, *pairs.leg_b} - {None}
    assert synthetic.EMPTY not in legs <= set(synthetic.INSTRUMENTS)
    closes = [c for c in synthetic.prices().columns if parse_column(c).field == "close"]
    assert len(closes) == len(synthetic.INSTRUMENTS) == 20
