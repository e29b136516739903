"""The CUSUMs: compared with a plain loop, how soon they find a drop, how often they are wrong."""

import math

import numpy as np
import pytest

from quant_assets.core.settings import Settings
from quant_assets.core.typing import AnyArray, BoolArray, FloatArray
from quant_assets.monitoring.skill.cusum import (
    COLLAPSE_SLACK,
    LOSS_SLACK_SHARE,
    REFERENCE_DELAY_DAYS,
    Cusum,
    cusum_as_window,
    nearest_cusum,
    run_cusums,
)
from quant_assets.monitoring.skill.drop_end import RECOVERY_LIMIT
from quant_assets.monitoring.skill.reference_window import (
    MAX_REFERENCE_DAYS,
    MIN_REFERENCE_DAYS,
    REFERENCE_GRID_DAYS,
    DailyRecord,
    long_run_variance,
)
from quant_assets.monitoring.skill.rolling_score import score_levels
from quant_assets_tests.support.stationary import (
    MARKETS,
    SCORE,
    by_market,
    daily_ics,
    of_markets,
    record,
)

SETTINGS = Settings()
BEFORE, YEAR = 380, 250
"""Judged days before the monitored days, and the number of these."""
SEEDS = range(60)


def broken(values: FloatArray, kept: float, last: int | None = None) -> FloatArray:
    """The signal, of which only a share is kept after the first ``BEFORE`` days."""
    result = values.copy()
    result[BEFORE:last] -= (1.0 - kept) * values.mean(axis=0)
    return result


def levels_of(values: FloatArray) -> AnyArray:
    """(YEAR,) levels of the watched days."""
    state = nearest_cusum(of_markets(values) if values.shape[1] > 1 else record(values))
    return score_levels(cusum_as_window(state, BEFORE + 1 + np.arange(YEAR)), SETTINGS)


def delays(kept: float) -> FloatArray:
    """Days until a level; infinite if none comes in a year."""
    alarms = [levels_of(broken(by_market(BEFORE + YEAR, s), kept)) != "ok" for s in SEEDS]
    return np.array([first_day(alarm) for alarm in alarms])


def first_day(alarm: BoolArray) -> float:
    return float(alarm.argmax() + 1) if alarm.any() else np.inf


@pytest.mark.parametrize("fixed_slack", [None, COLLAPSE_SLACK])
def test_by_a_plain_loop(fixed_slack: float | None) -> None:
    """The test for the end of a drop runs anew each day, over all days since the sum started."""
    values = by_market(530, seed=0)
    values[470:495] -= 0.5
    values[::7, 2] = np.nan
    cusum = run_cusums(of_markets(values))[fixed_slack is not None]
    total, since, recovered_rows = 0.0, [], []
    for row in range(len(values)):
        last = max(i for i in range(row + 1) if i <= max(row - REFERENCE_DELAY_DAYS, 0))
        end = max([i for i in range(last + 1) if (500 + i) % REFERENCE_GRID_DAYS == 0], default=0)
        reference = values[max(0, end - MAX_REFERENCE_DAYS) : end]
        if len(reference) < MIN_REFERENCE_DAYS:
            assert np.isnan(cusum.total[row])
            continue
        weights = 1.0 / np.nanvar(reference, axis=0)
        before = [np.average(x[~np.isnan(x)], weights=weights[~np.isnan(x)]) for x in reference]
        known = ~np.isnan(values[row])
        today = np.average(values[row][known], weights=weights[known])
        expected = np.mean(before) / np.std(before)
        z = np.clip((today - np.mean(before)) / np.std(before), -3.0, 3.0)
        slack = fixed_slack or LOSS_SLACK_SHARE * max(expected, 0.2)
        total = max(0.0, total - z - slack)
        total = min(total, cusum.limit_critical[row] + 1.0)
        variance = max(long_run_variance(np.array(before) / np.std(before)), 1.0)
        since = [*since, (z, slack, variance)] if total > 0 else []
        if total > cusum.limit[row] and ratio(since) > RECOVERY_LIMIT:
            recovered_rows.append(row)
            total, since = 0.0, []
        assert cusum.expected[row] == pytest.approx(expected, abs=1e-9)
        assert cusum.total[row] == pytest.approx(total, abs=1e-9)
        assert cusum.days[row] == len(since)
    assert recovered_rows
    assert (cusum.total[480:494] > cusum.limit_critical[480:494]).all()


def ratio(since: list[tuple[float, float, float]]) -> float:
    """The largest log-likelihood ratio of no drop against a drop, over newest days after it."""
    z, slack, variance = np.array(since).T
    risen = np.cumsum(-z - slack)
    over = len(risen) - int(risen[::-1].argmax())
    drop = z[:over].mean()
    gains = [
        -drop * (deviation - drop / 2) / of_day
        for deviation, of_day in zip(z[over:], variance[over:], strict=True)
    ]
    return max((math.fsum(gains[i:]) for i in range(len(gains))), default=0.0)


def test_nothing_later_matters_and_a_day_alone_is_as_in_a_range() -> None:
    values = by_market(600, seed=1)
    other = values.copy()
    other[450:] += 1.0
    whole, until = nearest_cusum(of_markets(other)), nearest_cusum(of_markets(values[:450]))
    for name, value in vars(until).items():
        np.testing.assert_array_equal(value, getattr(whole, name)[:450], err_msg=name)
    bulk = cusum_as_window(whole, np.arange(600))
    alone = cusum_as_window(whole, np.array([449]))
    for name, value in vars(alone).items():
        np.testing.assert_array_equal(value, getattr(bulk, name)[449:450], err_msg=name)


def test_scores_are_below_their_limits_exactly_where_sums_are_above_them() -> None:
    cusum = nearest_cusum(of_markets(broken(by_market(BEFORE + YEAR, seed=2), -1.0)))
    window = cusum_as_window(cusum, 1 + np.arange(BEFORE + YEAR))
    np.testing.assert_array_equal(window.value < window.bounds[:, 0], cusum.total > cusum.limit)
    critical = cusum.total > cusum.limit_critical
    np.testing.assert_array_equal(window.value < window.bounds[:, 1], critical)
    assert critical.sum() > 100
    quiet = cusum.total == 0
    np.testing.assert_array_equal(window.value[quiet], window.expected[quiet])


def test_before_anything_is_judged_there_is_nothing() -> None:
    empty = nearest_cusum(DailyRecord(np.empty(0, np.int64), np.empty((0, MARKETS))))
    assert (
        score_levels(cusum_as_window(empty, np.zeros(3, np.int64)), SETTINGS).tolist() == [None] * 3
    )
    young = nearest_cusum(of_markets(by_market(100, seed=0)))
    assert score_levels(cusum_as_window(young, np.arange(101)), SETTINGS).tolist() == [None] * 101


def test_days_and_markets_without_an_ic_do_not_change_the_sum() -> None:
    values = by_market(BEFORE + YEAR, seed=3)
    values[:, 1] = np.nan
    values[450:460] = np.nan
    stored = of_markets(values)
    stored.values[450:460, 0] = np.nan
    cusum = nearest_cusum(stored)
    assert (cusum.total[450:460] == cusum.total[449]).all()
    assert np.isfinite(cusum.total[300:]).all()
    flat = nearest_cusum(record(np.full((400, 1), 0.04)))
    assert np.isnan(flat.total).all()


def test_days_without_markets_are_judged_by_all_targets() -> None:
    """A family whose record has no parts any more has such days."""
    stored = of_markets(broken(by_market(BEFORE + YEAR, seed=3), -1.0))
    stored.values[:, 0] = broken(daily_ics(BEFORE + YEAR, seed=3)[:, None], -1.0)[:, 0]
    stored.values[BEFORE - 10 :, 1:] = np.nan
    levels = score_levels(
        cusum_as_window(nearest_cusum(stored), BEFORE + 1 + np.arange(YEAR)), SETTINGS
    )
    assert (levels == "critical").any()


def test_clean_years_seldom_raise_a_level() -> None:
    """The reference is one and a half years, so the expected score is uncertain."""
    levels = [levels_of(by_market(BEFORE + YEAR, seed)) for seed in SEEDS]
    assert np.mean([(of_year == "critical").any() for of_year in levels]) <= 0.1
    assert np.mean([(of_year != "ok").any() for of_year in levels]) <= 0.2


@pytest.mark.parametrize(
    ("kept", "median", "nearly_all"),
    [(-5.0, 6.0, 9.0), (-3.0, 8.5, 13.0), (-1.0, 25.0, 45.0), (0.0, 80.0, np.inf)],
)
def test_a_broken_signal_is_found(kept: float, median: float, nearly_all: float) -> None:
    days = delays(kept)
    assert np.median(days) <= median
    assert np.quantile(days, 0.9) <= nearly_all


def test_each_day_has_the_sum_that_is_nearer_to_its_limits() -> None:
    collapsed = of_markets(broken(by_market(BEFORE + YEAR, seed=5), -4.0, BEFORE + 10))
    lost = of_markets(broken(by_market(BEFORE + YEAR, seed=5), -0.2))
    for drop, row in ((lost, BEFORE + YEAR - 1), (collapsed, BEFORE + 8)):
        both, (own, other) = nearest_cusum(drop), run_cusums(drop)
        if drop is collapsed:
            own, other = other, own
        for name, value in vars(both).items():
            assert value[row] == getattr(own, name)[row], name
        assert own.total[row] / own.limit[row] > other.total[row] / other.limit[row]
        of_own, of_other = (both.limit == cusum.limit for cusum in (own, other))
        known = ~np.isnan(both.total)
        assert (of_own | of_other)[known].all()


def test_weighted_markets_find_a_broken_signal_sooner() -> None:
    """The same ICs twice, once as the plain mean of the markets."""
    values = [broken(by_market(BEFORE + YEAR, seed), -1.0) for seed in SEEDS]
    weighted = [first_day(levels_of(of_markets) != "ok") for of_markets in values]
    plain = [
        first_day(levels_of(of_markets.mean(axis=1, keepdims=True)) != "ok")
        for of_markets in values
    ]
    assert np.median(weighted) < 0.8 * np.median(plain)


@pytest.mark.parametrize(
    ("kept", "lasts", "median", "nearly_all"), [(-1.0, 50, 12, 35), (-5.0, 14, 5, 15)]
)
def test_the_level_ends_soon_after_a_fault_is_repaired(
    kept: float, lasts: int, median: float, nearly_all: float
) -> None:
    last = []
    for seed in SEEDS:
        values = broken(by_market(BEFORE + YEAR, seed), kept, BEFORE + lasts)
        raised = np.flatnonzero(levels_of(values)[: lasts + 70] != "ok")
        last.append(raised.max() - lasts + 1 if len(raised) else 0)
    assert np.median(last) <= median
    assert np.quantile(last, 0.9) <= nearly_all


def test_a_drop_that_persists_keeps_its_level() -> None:
    """Good days within a drop are not taken for its end."""
    shares = []
    for seed in SEEDS:
        alarm = levels_of(broken(by_market(BEFORE + YEAR, seed), -1.0)) != "ok"
        shares.append(alarm[int(first_day(alarm)) - 1 :].mean())
    assert np.mean(shares) >= 0.95


def test_a_better_signal_is_no_drop() -> None:
    better = levels_of(broken(by_market(BEFORE + YEAR, seed=4), 2.0))
    assert set(better) == {"ok"}


def test_one_wild_day_is_no_drop() -> None:
    values = daily_ics(BEFORE + YEAR, seed=5)[:, None]
    values[BEFORE] = -50.0 * SCORE
    assert set(levels_of(values)[:20]) == {"ok"}


def test_a_cusum_has_a_state_for_each_day() -> None:
    cusum = nearest_cusum(of_markets(by_market(300, seed=6)))
    assert {len(value) for value in vars(cusum).values()} == {300}
    assert isinstance(cusum, Cusum)
