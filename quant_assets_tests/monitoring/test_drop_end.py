"""When a drop is over: soon after a violent one ends, and not while one persists."""

import numpy as np
import pytest

from quant_assets.core.settings import Settings
from quant_assets.core.typing import BoolArray, FloatArray
from quant_assets.monitoring.skill.drop_end import has_recovered
from quant_assets.monitoring.skill.reference_window import DailyRecord
from quant_assets.monitoring.skill.rolling_score import rolling_scores, score_levels
from quant_assets_tests.support.stationary import SPREAD, daily_ics, record

SETTINGS = Settings()
WINDOW, BEFORE, AFTER = 20, 245, 60
SEEDS = range(60)


def broken(seed: int, shift: float, last: int | None = None) -> FloatArray:
    """Days of which those from ``BEFORE`` on are worse, by so many standard deviations."""
    values = daily_ics(BEFORE + AFTER, seed)
    values[BEFORE:last] -= shift * SPREAD
    return values


def told(values: FloatArray) -> tuple[BoolArray, BoolArray]:
    """(AFTER,) whether the window is low, and whether it is said to be over."""
    ics = record(values)
    low = np.isin(
        score_levels(rolling_scores(ics, ics.numbers, WINDOW), SETTINGS), ("warning", "critical")
    )
    return low[BEFORE:], has_recovered(ics, ics.numbers, WINDOW, low)[BEFORE:]


def test_a_violent_drop_is_over_days_after_its_end() -> None:
    lasts, lags, were = 14, [], []
    for seed in SEEDS:
        low, over = told(broken(seed, 3.0, BEFORE + lasts))
        if low.any():
            were.append(np.flatnonzero(low).max() - lasts + 1)
            lags.append(max(np.flatnonzero(low & ~over).max(initial=-1) - lasts + 1, 0))
    assert len(lags) > 0.8 * len(SEEDS)
    assert np.median(lags) <= 4 < np.median(were)
    assert np.quantile(lags, 0.9) <= 8


@pytest.mark.parametrize("shift", [1.0, 2.0])
def test_a_drop_that_persists_is_not_over(shift: float) -> None:
    found = np.array([told(broken(seed, shift)) for seed in SEEDS])
    low, over = found[:, 0], found[:, 1]
    assert low.sum() > 100
    assert over.sum() <= 0.02 * low.sum()


def test_a_window_by_hand() -> None:
    """Independent days of spread 1: each normal one tells 2 x 1 between means of -2 and 0."""
    reference = np.tile([-1.0, 1.0], 120)
    for normal, over in ((2, False), (3, True)):
        newest = np.concatenate([np.full(WINDOW - normal, -2.0), np.zeros(normal)])
        one = DailyRecord(np.arange(260), np.concatenate([reference, newest]))
        found = has_recovered(one, np.array([258, 259]), WINDOW, np.array([True, True]))
        assert found.tolist() == [False, over]
    assert not has_recovered(one, np.array([259]), WINDOW, np.array([False])).any()


def test_what_cannot_be_told_is_not_over() -> None:
    asked = np.array([True, True])
    young = record(broken(1, 3.0)[:130])
    assert not has_recovered(young, np.array([510, 629]), WINDOW, asked).any()
    flat = DailyRecord(np.arange(300), np.concatenate([np.ones(280), np.zeros(20)]))
    assert not has_recovered(flat, np.array([298, 299]), WINDOW, asked).any()


def test_nothing_later_matters_and_a_day_alone_is_as_in_a_range() -> None:
    values = broken(4, 3.0, BEFORE + 14)
    low, over = told(values)
    last = BEFORE + int(np.flatnonzero(over)[0])
    other = values.copy()
    other[last + 1 :] = 9.0
    for one in (record(values), record(values[: last + 1]), record(other)):
        alone = has_recovered(one, one.numbers[last : last + 1], WINDOW, np.array([True]))
        assert alone.tolist() == [True]
    changed = values.copy()
    changed[last] = -9.0
    one = record(changed)
    assert not has_recovered(one, one.numbers[last : last + 1], WINDOW, np.array([True]))[0]
    assert low[last - BEFORE]
