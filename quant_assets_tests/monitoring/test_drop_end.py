"""A drop is over soon after a violent drop ends, and not while a drop persists."""

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
    """Daily ICs that are lower from ``BEFORE`` on, by ``shift`` standard deviations."""
    values = daily_ics(BEFORE + AFTER, seed)
    values[BEFORE:last] -= shift * SPREAD
    return values


def find_low_and_over(values: FloatArray) -> tuple[BoolArray, BoolArray]:
    """(AFTER,) whether the window is low, and whether the drop is over."""
    ics = record(values)
    low = np.isin(
        score_levels(rolling_scores(ics, ics.date_ids, WINDOW), SETTINGS), ("warning", "critical")
    )
    return low[BEFORE:], has_recovered(ics, ics.date_ids, WINDOW, low)[BEFORE:]


def test_a_violent_drop_is_over_days_after_its_end() -> None:
    lasts, lags, lags_of_window = 14, [], []
    for seed in SEEDS:
        low, over = find_low_and_over(broken(seed, 3.0, BEFORE + lasts))
        if low.any():
            lags_of_window.append(np.flatnonzero(low).max() - lasts + 1)
            lags.append(max(np.flatnonzero(low & ~over).max(initial=-1) - lasts + 1, 0))
    assert len(lags) > 0.8 * len(SEEDS)
    assert np.median(lags) <= 4 < np.median(lags_of_window)
    assert np.quantile(lags, 0.9) <= 8


@pytest.mark.parametrize("shift", [1.0, 2.0])
def test_a_drop_that_persists_is_not_over(shift: float) -> None:
    results = np.array([find_low_and_over(broken(seed, shift)) for seed in SEEDS])
    low, over = results[:, 0], results[:, 1]
    assert low.sum() > 100
    assert over.sum() <= 0.02 * low.sum()


def test_a_window_by_hand() -> None:
    """Independent days of spread 1: a normal day adds 2 to the ratio between means of -2 and 0."""
    reference = np.tile([-1.0, 1.0], 120)
    for normal, over in ((2, False), (3, True)):
        newest = np.concatenate([np.full(WINDOW - normal, -2.0), np.zeros(normal)])
        ics = DailyRecord(np.arange(260), np.concatenate([reference, newest]))
        result = has_recovered(ics, np.array([258, 259]), WINDOW, np.array([True, True]))
        assert result.tolist() == [False, over]
    assert not has_recovered(ics, np.array([259]), WINDOW, np.array([False])).any()


def test_without_a_reference_a_drop_is_not_over() -> None:
    is_low = np.array([True, True])
    young = record(broken(1, 3.0)[:130])
    assert not has_recovered(young, np.array([510, 629]), WINDOW, is_low).any()
    flat = DailyRecord(np.arange(300), np.concatenate([np.ones(280), np.zeros(20)]))
    assert not has_recovered(flat, np.array([298, 299]), WINDOW, is_low).any()


def test_nothing_later_matters_and_a_day_alone_is_as_in_a_range() -> None:
    values = broken(4, 3.0, BEFORE + 14)
    low, over = find_low_and_over(values)
    last = BEFORE + int(np.flatnonzero(over)[0])
    other = values.copy()
    other[last + 1 :] = 9.0
    for ics in (record(values), record(values[: last + 1]), record(other)):
        alone = has_recovered(ics, ics.date_ids[last : last + 1], WINDOW, np.array([True]))
        assert alone.tolist() == [True]
    changed = values.copy()
    changed[last] = -9.0
    ics = record(changed)
    assert not has_recovered(ics, ics.date_ids[last : last + 1], WINDOW, np.array([True]))[0]
    assert low[last - BEFORE]
