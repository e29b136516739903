"""Intervals of labels: coverage, point-in-time, and their parts against slow versions."""

import numpy as np
import pytest

from quant_assets.core.typing import FloatArray, IntArray
from quant_assets.ensemble import adaptation
from quant_assets.ensemble.adaptation import (
    GAMMA,
    MIN_DAYS,
    PRIOR_RESIDUALS,
    WINDOW,
    mixed_quantiles,
)
from quant_assets.ensemble.intervals import (
    HALF_LIFE,
    MIN_LABELS,
    covered,
    intervals,
    resume_intervals,
    volatility,
)
from quant_assets.market.targets import align_to_forecast_day, shift

DAYS, TARGETS = 1500, 60
LAGS = np.arange(TARGETS) % 4 + 1
STILL, SILENT = 5, 7
"""A target whose labels are all zero, and a target without labels."""


def moves(rng: np.random.Generator) -> FloatArray:
    """Daily fat-tailed moves, whose volatility varies for all instruments and for each."""
    shared = np.zeros(DAYS)
    own = np.zeros((DAYS, TARGETS))
    for day in range(1, DAYS):
        shared[day] = 0.98 * shared[day - 1] + rng.normal(0.0, 0.1)
        own[day] = 0.97 * own[day - 1] + rng.normal(0.0, 0.08, TARGETS)
    level = np.exp(rng.uniform(-5.5, -3.5, TARGETS))
    level = level * np.where(np.arange(DAYS) // 400 % 2, 2.0, 1.0)[:, None]
    market = rng.standard_t(4, (DAYS, 1))
    return level * np.exp(shared[:, None] + own) * (market + rng.standard_t(4, (DAYS, TARGETS)))


@pytest.fixture(scope="module")
def known_labels() -> FloatArray:
    """Labels by the day on which they become known: sums of the last moves, a tenth missing."""
    rng = np.random.default_rng(11)
    daily = moves(rng)
    result = np.full((DAYS, TARGETS), np.nan)
    for column, lag in enumerate(LAGS):
        total = np.convolve(daily[:, column], np.ones(lag))[:DAYS]
        result[lag + 1 :, column] = total[lag + 1 :]
    result[rng.random(result.shape) < 0.1] = np.nan
    result[::97] = np.nan
    result[:, STILL] *= 0.0
    result[:, SILENT] = np.nan
    return result


@pytest.fixture(scope="module")
def forecasts() -> FloatArray:
    rng = np.random.default_rng(12)
    result = rng.normal(size=(DAYS, TARGETS))
    result[rng.random(result.shape) < 0.05] = np.nan
    return result


@pytest.fixture(scope="module")
def bounds(known_labels: FloatArray, forecasts: FloatArray) -> FloatArray:
    return intervals(known_labels, LAGS, forecasts)


def share(hits: FloatArray) -> FloatArray:
    return np.asarray(np.nanmean(hits, axis=(0, 1)))


def assert_within_limits(hits: FloatArray) -> None:
    assert (np.abs(share(hits) - [0.8, 0.95]) <= [0.03, 0.015]).all()


def test_labels_are_covered_as_often_as_announced(
    bounds: FloatArray, known_labels: FloatArray
) -> None:
    """Coverage is right over all days, in each third of the days, and nearly for each target."""
    hits = covered(bounds, align_to_forecast_day(known_labels, LAGS))
    judged = np.flatnonzero(~np.isnan(hits).all(axis=(1, 2)))
    assert len(judged) > DAYS - 150
    assert_within_limits(hits)
    for third in np.array_split(judged, 3):
        assert_within_limits(hits[third])
    of_target = np.nanmean(np.delete(hits, [STILL, SILENT], axis=1), axis=0)
    assert (np.abs(of_target - [0.8, 0.95]) < [0.05, 0.025]).all()


def slowly(known_labels: FloatArray, lags: IntArray) -> FloatArray:
    """Compute intervals label by label, with each day's residuals counted afresh."""
    nominal = np.array([0.2, 0.05])
    alpha, sigma = nominal, volatility(known_labels)
    residuals = np.full(known_labels.shape, np.nan)
    upper = np.full((*known_labels.shape, 2), np.nan)
    for day, row in enumerate(known_labels):
        missed = []
        for column, label in enumerate(row):
            forecast_day = day - lags[column] - 1
            if forecast_day < 0 or np.isnan(label) or np.isnan(sigma[forecast_day, column]):
                continue
            residuals[day, column] = abs(label) / sigma[forecast_day, column]
            if not np.isnan(upper[forecast_day, column, 0]):
                missed.append(abs(label) > upper[forecast_day, column])
        if missed:
            alpha = alpha + GAMMA * (nominal - np.mean(missed, axis=0))
            alpha = np.clip(alpha, nominal / 5, (1 + nominal) / 2)
        window = residuals[max(day + 1 - WINDOW, 0) : day + 1]
        if (~np.isnan(window)).any(axis=1).sum() >= MIN_DAYS:
            counts = np.stack([binned(column[~np.isnan(column)]) for column in window.T])
            upper[day] = mixed_quantiles(counts, 1 - alpha) * sigma[day][:, None]
    return np.stack([-upper, upper], axis=-1).reshape(*known_labels.shape, 4)


@pytest.mark.parametrize(
    "lags", [LAGS[4:9], np.array([1, 3, 10, 3, 10]), np.array([5, 5, 20, 20, 5])]
)
def test_against_one_label_after_another(known_labels: FloatArray, lags: IntArray) -> None:
    few = known_labels[:700, 4:9]
    result = intervals(few, lags, np.zeros_like(few))
    np.testing.assert_allclose(result, slowly(few, lags), rtol=1e-9)
    assert (~np.isnan(result[-1])).sum() == 3 * 4


def test_adaptation_repairs_what_the_past_did_not_foresee(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tails suddenly grow fat, so residuals of the past are too small."""
    rng = np.random.default_rng(5)
    tail = np.where(np.arange(1200) < 800, 0.0, 1.0)[:, None]
    labels = rng.normal(size=(1200, 40)) * np.exp(tail * rng.normal(size=(1200, 40)))
    lags = np.ones(40, dtype=np.int64)
    known = shift(labels, 2)
    adapted = share(covered(intervals(known, lags, labels), labels)[800:])
    monkeypatch.setattr(adaptation, "GAMMA", 0.0)
    rigid = share(covered(intervals(known, lags, labels), labels)[800:])
    assert (np.abs(adapted - [0.8, 0.95]) < np.abs(rigid - [0.8, 0.95]) / 2).all()


def test_labels_of_long_horizons_are_covered_as_announced_by_what_was_known() -> None:
    """Labels of 5 and 20 days overlap; intervals of a day do not change with what follows."""
    lags = np.array([5, 20] * 20)
    daily = moves(np.random.default_rng(3))[:, :40]
    known = np.full(daily.shape, np.nan)
    for column, lag in enumerate(lags):
        known[lag + 1 :, column] = np.convolve(daily[:, column], np.ones(lag))[lag + 1 : DAYS]
    bounds = intervals(known, lags, np.zeros_like(known))
    hits = covered(bounds, align_to_forecast_day(known, lags))
    assert (np.abs(share(hits) - [0.8, 0.95]) <= [0.05, 0.025]).all()
    cut = intervals(known[:701].copy(), lags, np.zeros((701, 40)))
    np.testing.assert_array_equal(cut, bounds[:701])


@pytest.mark.parametrize("day", [82, 400, WINDOW + 1, 1200])
def test_nothing_known_later_matters(
    bounds: FloatArray, known_labels: FloatArray, forecasts: FloatArray, day: int
) -> None:
    altered, others = known_labels.copy(), forecasts.copy()
    altered[day + 1 :] = 3.0 * altered[day + 1 :, ::-1] + 0.1
    others[day + 1 :] = 0.0
    theirs = intervals(altered, LAGS, others)
    np.testing.assert_array_equal(theirs[: day + 1], bounds[: day + 1])
    moved = np.abs(theirs - bounds)[day + 1 :] > 0.0
    assert moved.any(axis=(1, 2)).all()


@pytest.mark.parametrize("day", [30, 100, WINDOW, 1111, DAYS - 1])
def test_a_day_alone_equals_the_same_day_in_bulk(
    bounds: FloatArray, known_labels: FloatArray, forecasts: FloatArray, day: int
) -> None:
    of_day = np.full((day + 1, TARGETS), np.nan)
    of_day[day] = forecasts[day]
    alone = intervals(known_labels[: day + 1].copy(), LAGS, of_day)
    np.testing.assert_array_equal(alone[day], bounds[day])
    assert np.isnan(alone[:day]).all()


@pytest.mark.parametrize("known", [0, 1, 70, WINDOW - 1, WINDOW + 3, 1310, 1320, 1321])
def test_an_adaptation_that_goes_on_equals_one_from_the_first_day(
    bounds: FloatArray, known_labels: FloatArray, known: int
) -> None:
    rows = np.array([1000, 1319, 1320])
    labels = known_labels[:1321]
    begun, alpha = resume_intervals(labels, LAGS, rows, np.empty((0, 2)))
    resumed, alpha_again = resume_intervals(labels, LAGS, rows, alpha[:known])
    np.testing.assert_array_equal(resumed, begun)
    np.testing.assert_array_equal(alpha_again, alpha)
    np.testing.assert_array_equal(np.isnan(bounds[rows]) | (bounds[rows] == begun), True)


def test_the_first_interval() -> None:
    """Labels begin on row 2, volatility with the 20th label, residuals 2 rows later."""
    known_labels = np.random.default_rng(1).normal(size=(120, 5))
    known_labels[:2] = np.nan
    result = intervals(known_labels, np.ones(5, dtype=np.int64), np.ones((120, 5)))
    first = 2 + (MIN_LABELS - 1) + 2 + (MIN_DAYS - 1)
    assert np.isnan(result[:first]).all()
    assert not np.isnan(result[first:]).any()


def test_targets_that_are_silent_or_still_have_none_and_change_no_other(
    bounds: FloatArray, known_labels: FloatArray, forecasts: FloatArray
) -> None:
    assert np.isnan(bounds[:, [STILL, SILENT]]).all()
    kept = np.delete(np.arange(TARGETS), [STILL, SILENT])
    without = intervals(known_labels[:, kept], LAGS[kept], forecasts[:, kept])
    np.testing.assert_array_equal(without, bounds[:, kept])


def test_a_late_target_begins_with_what_is_known_of_the_others(known_labels: FloatArray) -> None:
    late = known_labels.copy()
    late[:1000, 3] = np.nan
    result = intervals(late, LAGS, np.ones_like(late))[:, 3, 0]
    begun = np.cumsum(~np.isnan(late[:, 3])) >= MIN_LABELS
    np.testing.assert_array_equal(~np.isnan(result), begun)


def test_higher_levels_contain_lower_ones(known_labels: FloatArray) -> None:
    result = intervals(known_labels, LAGS, np.ones_like(known_labels), (0.5, 0.8, 0.9, 0.95, 0.99))[
        -1
    ]
    result = np.delete(result, [STILL, SILENT], axis=0)
    assert (np.diff(result[:, 1::2], axis=1) > 0).all()
    np.testing.assert_array_equal(result[:, 0::2], -result[:, 1::2])


def test_without_days_or_recent_labels_there_are_no_intervals(known_labels: FloatArray) -> None:
    assert intervals(np.empty((0, 60)), LAGS, np.empty((0, 60))).shape == (0, 60, 4)
    ceased = np.where(np.arange(DAYS)[:, None] < 200, known_labels, np.nan)
    result = intervals(ceased, LAGS, np.ones_like(ceased))
    last = 199 + WINDOW - MIN_DAYS
    assert (result[last - 5, :, 1] > 0).any()
    assert np.isnan(result[last + 5 :]).all()


def test_covered_includes_the_bounds_and_knows_nothing_of_missing_ones() -> None:
    bounds = np.array([[[-1.0, 1.0, -2.0, 2.0]] * 5 + [[np.nan] * 4]])
    labels = np.array([[0.0, 1.0, -1.5, 2.5, np.nan, 0.0]])
    expected = [[1, 1], [1, 1], [0, 1], [0, 0], [np.nan] * 2, [np.nan] * 2]
    np.testing.assert_array_equal(covered(bounds, labels)[0], expected)


def test_volatility_against_explicit_weights(known_labels: FloatArray) -> None:
    result = volatility(known_labels)
    for row, column in [(35, 0), (300, 1), (DAYS - 1, 2)]:
        own = known_labels[: row + 1, column]
        own = own[~np.isnan(own)]
        expected = np.average(own**2, weights=0.5 ** (np.arange(len(own))[::-1] / HALF_LIFE))
        np.testing.assert_allclose(result[row, column] ** 2, expected, rtol=1e-9)


@pytest.mark.parametrize("own", [0, 40, 500])
def test_quantiles_of_a_mixture(own: int) -> None:
    """Quantiles equal those of sorted, weighted residuals as closely as the bins allow."""
    rng = np.random.default_rng(own)
    mine, others = 2.0 * np.abs(rng.normal(size=own)), np.abs(rng.normal(size=20_000))
    counts = np.stack([binned(mine), binned(others)])
    pooled = np.concatenate([mine, others])
    values = np.concatenate([mine, pooled])
    weights = np.concatenate([np.ones(own), np.full(len(pooled), PRIOR_RESIDUALS / len(pooled))])
    order = np.argsort(values)
    below = np.cumsum(weights[order]) / weights.sum()
    probabilities = np.array([0.2, 0.8, 0.95])
    expected = values[order][np.searchsorted(below, probabilities)]
    result = mixed_quantiles(counts, probabilities)
    np.testing.assert_allclose(result[0], expected, rtol=0.05)


def binned(residuals: FloatArray) -> IntArray:
    edges = np.append(adaptation._EDGES, np.inf)
    return np.histogram(residuals, edges)[0].astype(np.int64)


@pytest.mark.parametrize("levels", [(), (0.95, 0.8), (0.8, 0.8), (0.0, 0.8), (0.8, 1.0)])
def test_levels_ascend_between_0_and_1(levels: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="levels"):
        intervals(np.ones((5, 60)), LAGS, np.ones((5, 60)), levels)


def test_shapes_and_lags_are_checked() -> None:
    for days, lags in [(4, LAGS), (5, LAGS[1:]), (5, LAGS - 1)]:
        with pytest.raises(ValueError, match=r"lags|forecasts"):
            intervals(np.ones((5, 60)), lags, np.ones((days, 60)))
