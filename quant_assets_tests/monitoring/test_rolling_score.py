"""The score over newest days: compared with plain loops, without later days, seldom wrong."""

import numpy as np
import pytest

from quant_assets.core.settings import Settings
from quant_assets.core.typing import IntArray
from quant_assets.monitoring.skill.reference_window import (
    MAX_REFERENCE_DAYS,
    MIN_REFERENCE_DAYS,
    NO_LABELS,
    REFERENCE_GRID_DAYS,
    DailyRecord,
    WindowComparison,
    long_run_variance,
    reference_rows,
)
from quant_assets.monitoring.skill.rolling_score import (
    NO_SKILL,
    WINDOWS,
    chance_limits,
    explain_missing_levels,
    rolling_scores,
    score_levels,
    shortfall,
)
from quant_assets.scoring.metric import score_of_ic
from quant_assets_tests.support.stationary import OVERLAP, SCORE, SPREAD, daily_ics, record

SETTINGS = Settings()
N = 1100
ICS = record(daily_ics(N, seed=1))
CLEAN_YEARS = 60


def same(ours: WindowComparison, theirs: WindowComparison) -> None:
    for name, value in vars(ours).items():
        np.testing.assert_array_equal(value, getattr(theirs, name), err_msg=name)


@pytest.mark.parametrize("window", WINDOWS)
def test_scores_by_hand(window: int) -> None:
    scores = rolling_scores(ICS, ICS.date_ids, window)
    for row in (window - 2, window - 1, 400, N - 1):
        newest = ICS.values[max(row - window + 1, 0) : row + 1]
        if len(newest) < window:
            assert np.isnan(scores.value[row])
        else:
            assert scores.value[row] == pytest.approx(score_of_ic(newest), abs=1e-9)


@pytest.mark.parametrize("window", WINDOWS)
def test_the_reference_precedes_the_window(window: int) -> None:
    """It ends on a day of the grid; compared with a plain loop over the days."""
    scores = rolling_scores(ICS, ICS.date_ids, window)
    for row in (window + MIN_REFERENCE_DAYS, 600, N - 1):
        first = row - window + 1
        end = max(i for i in range(first + 1) if ICS.date_ids[i] % REFERENCE_GRID_DAYS == 0)
        reference = ICS.values[max(0, end - MAX_REFERENCE_DAYS) : end]
        assert scores.reference_days[row] == len(reference)
        assert first - end < REFERENCE_GRID_DAYS
        if len(reference) >= MIN_REFERENCE_DAYS:
            assert scores.expected[row] == pytest.approx(score_of_ic(reference), abs=1e-12)
            assert scores.bounds[row].tolist() == list(chance_limits(reference, window))


def test_a_reference_is_long_enough_and_not_too_old() -> None:
    start, end = reference_rows(ICS.date_ids, np.arange(N))
    assert (end - start).max() == MAX_REFERENCE_DAYS
    assert (end <= np.arange(N)).all()
    scores = rolling_scores(ICS, ICS.date_ids, 20)
    np.testing.assert_array_equal(
        np.isnan(scores.expected), scores.reference_days < MIN_REFERENCE_DAYS
    )


@pytest.mark.parametrize("window", WINDOWS)
def test_nothing_later_matters(window: int) -> None:
    known = 700
    other = ICS.values.copy()
    other[known:] = 1.0 - other[known:]
    date_ids = ICS.date_ids[known - 30 : known]
    ours = rolling_scores(ICS, date_ids, window)
    same(ours, rolling_scores(DailyRecord(ICS.date_ids, other), date_ids, window))
    same(
        ours,
        rolling_scores(DailyRecord(ICS.date_ids[:known], ICS.values[:known]), date_ids, window),
    )
    later = ICS.date_ids[known : known + 1]
    changed = rolling_scores(DailyRecord(ICS.date_ids, other), later, window)
    assert changed.value[0] != rolling_scores(ICS, later, window).value[0]


@pytest.mark.parametrize("window", WINDOWS)
@pytest.mark.parametrize("row", [N - 1, 640, 641, 139, 60])
def test_a_day_alone_is_as_in_a_range(window: int, row: int) -> None:
    bulk = rolling_scores(ICS, ICS.date_ids, window)
    alone = rolling_scores(ICS, ICS.date_ids[row : row + 1], window)
    same(alone, WindowComparison(*(value[row : row + 1] for value in vars(bulk).values())))


def test_a_day_without_new_labels_is_as_the_day_before() -> None:
    gap = np.array([ICS.date_ids[-1], ICS.date_ids[-1] + 5])
    scores = rolling_scores(ICS, gap, 60)
    assert scores.value[0] == scores.value[1]
    assert scores.expected[0] == scores.expected[1]


def compared(*scores: float, expected: float = 0.5) -> WindowComparison:
    value = np.array(scores)
    count = len(value)
    bounds = np.tile([0.45, 0.35], (count, 1))
    whole: IntArray = np.full(count, 300)
    return WindowComparison(value, np.full(count, expected), bounds, whole, whole)


def test_a_level_needs_a_shortfall_beyond_chance() -> None:
    comparison = compared(0.6, 0.46, 0.44, 0.41, 0.36, 0.34, -1.0)
    levels = ["ok", "ok", "warning", "warning", "warning", "critical", "critical"]
    assert score_levels(comparison, SETTINGS).tolist() == levels
    np.testing.assert_allclose(
        shortfall(comparison.value, comparison.expected)[[0, 2, 6]], [-0.2, 0.12, 3.0], atol=1e-12
    )


def test_a_shortfall_that_does_not_matter_is_no_level() -> None:
    lenient = Settings(performance_warning=0.15, performance_critical=0.5)
    comparison = compared(0.44, 0.41, 0.34, 0.24)
    assert score_levels(comparison, lenient).tolist() == ["ok", "warning", "warning", "critical"]


def test_without_skill_to_lose_there_is_no_level() -> None:
    comparison = compared(0.1, expected=-0.01)
    assert score_levels(comparison, SETTINGS).tolist() == [None]
    assert explain_missing_levels(comparison, 60).tolist() == [NO_SKILL]


def test_why_there_is_no_level() -> None:
    young = record(daily_ics(150, seed=2))
    date_ids = np.array([499, 500 + 18, 500 + 100, 649])
    scores = rolling_scores(young, date_ids, 20)
    assert score_levels(scores, SETTINGS).tolist() == [None, None, None, "ok"]
    assert explain_missing_levels(scores, 20).tolist() == [
        NO_LABELS,
        "19 days are judged, 20 are needed",
        "the reference has 80 days, 120 are needed",
        None,
    ]
    nothing = rolling_scores(DailyRecord(np.empty(0, np.int64), np.empty(0)), date_ids, 20)
    assert explain_missing_levels(nothing, 20).tolist() == [NO_LABELS] * 4
    flat = rolling_scores(record(np.full(300, 0.04)), np.array([799]), 60)
    assert score_levels(flat, SETTINGS).tolist() == [None]
    assert explain_missing_levels(flat, 60).tolist() == ["the daily IC does not vary"]


def test_dependence_of_neighbouring_days_is_estimated() -> None:
    """The long-run variance of a moving average is the square of the sum of its weights."""
    ics = daily_ics(20_000, seed=3)
    expected = SPREAD**2 * OVERLAP.sum() ** 2 / (OVERLAP @ OVERLAP)
    assert long_run_variance(ics) == pytest.approx(expected, rel=0.15)


def test_clean_years_are_seldom_below_a_limit() -> None:
    """Years after one and a half years of reference, judged each day over each window."""
    years = {"warning": 0, "critical": 0}
    for seed in range(CLEAN_YEARS):
        ics = record(daily_ics(630, seed))
        levels = [
            score_levels(rolling_scores(ics, ics.date_ids[-250:], w), SETTINGS) for w in WINDOWS
        ]
        for level in years:
            years[level] += int((np.stack(levels) == level).any())
    assert years["critical"] <= 0.1 * CLEAN_YEARS
    assert years["warning"] <= 0.35 * CLEAN_YEARS


@pytest.mark.parametrize(("window", "within"), [(20, 60), (60, 60), (250, 200)])
def test_a_signal_of_the_wrong_sign_is_below_the_limit(window: int, within: int) -> None:
    is_low = []
    for seed in range(20):
        ics = daily_ics(600, seed)
        ics[400:] -= 2 * SCORE * SPREAD
        levels = score_levels(
            rolling_scores(record(ics), 900 + np.arange(within), window), SETTINGS
        )
        is_low.append("critical" in levels or "warning" in levels)
    assert np.mean(is_low) >= 0.6
