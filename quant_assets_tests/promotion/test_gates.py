"""Comparisons of two records, against plain arithmetic and scipy."""

import math

import numpy as np
import pytest
from scipy.stats import ttest_rel

from quant_assets.promotion.gates import (
    Thresholds,
    TrackRecord,
    apply_gates,
    check_challenger,
    check_submitted,
    pair_records,
    score_of_record,
    t_statistic,
    worst_mean,
)
from quant_assets.scoring.metric import score_of_ic
from quant_assets.scoring.significance import paired_bootstrap
from quant_assets_tests.support.promotion_history import DAYS, noise

THRESHOLDS = Thresholds()


def record(ic: np.ndarray, first: int = 0) -> TrackRecord:
    return TrackRecord(DAYS[first : first + len(ic)], ic)


def test_only_common_days_are_compared() -> None:
    first, second = record(noise(0)[:100]), record(noise(1)[:100], first=60)
    left, right = pair_records(first, second)
    np.testing.assert_array_equal(left.days, DAYS[60:100])
    np.testing.assert_array_equal(left.days, right.days)
    np.testing.assert_array_equal(left.ic, first.ic[60:])
    np.testing.assert_array_equal(right.ic, second.ic[:40])


def test_the_figures_of_the_gates() -> None:
    challenger, champion = noise(0, 0.03)[:400], noise(1, 0.02)[:400]
    figures = apply_gates(record(challenger), record(champion), THRESHOLDS).figures
    challenger, champion = challenger[-250:], champion[-250:]
    assert figures["days"] == 250
    assert figures["score"] == pytest.approx(score_of_ic(challenger), rel=1e-12)
    assert figures["improvement"] == pytest.approx(
        score_of_ic(challenger) / score_of_ic(champion) - 1, rel=1e-12
    )
    assert (figures["low"], figures["high"]) == paired_bootstrap(challenger, champion)
    means = [challenger[i : i + 20].mean() for i in range(231)]
    assert figures["worst_20"] == pytest.approx(min(means), rel=1e-12)
    assert worst_mean(challenger[:5]) == pytest.approx(challenger[:5].mean())


@pytest.mark.parametrize(
    ("better_by", "passes"), [(0.0, False), (0.0005, False), (0.01, True), (0.05, True)]
)
def test_better_has_to_be_five_percent(better_by: float, passes: bool) -> None:
    """A constant gain is certain, so only its size decides."""
    champion = noise(0, 0.02)[:250]
    assert apply_gates(record(champion + better_by), record(champion), THRESHOLDS).passed is passes


def test_a_gain_that_may_be_chance_does_not_pass() -> None:
    champion = noise(0, 0.02)[:250]
    result = apply_gates(
        record(champion + noise(1, 0.003, 0.1)[:250]), record(champion), THRESHOLDS
    )
    assert "lower bound" in result.reason
    assert not result.passed


def test_a_champion_with_a_negative_score_is_not_replaced_by_a_worse_release() -> None:
    champion = noise(0, -0.02)[:250]
    assert not apply_gates(record(champion - 0.01), record(champion), THRESHOLDS).passed
    assert apply_gates(record(champion + 0.02), record(champion), THRESHOLDS).passed


def test_a_long_bad_stretch_is_not_stable() -> None:
    champion = noise(0, 0.02, 0.02)[:250]
    challenger = champion + 0.03
    challenger[100:120] = -0.05
    result = apply_gates(record(challenger), record(champion), Thresholds(deviation=10))
    assert result.reason.endswith("its worst 20 days are worse")


def test_days_that_do_not_vary_never_pass() -> None:
    flat = record(np.full(250, 0.02))
    assert not apply_gates(flat, record(np.full(250, 0.01)), THRESHOLDS).passed


def test_the_t_statistic_is_scipys() -> None:
    challenger, champion = noise(0)[:30], noise(1)[:30]
    assert t_statistic(challenger - champion) == pytest.approx(
        ttest_rel(challenger, champion).statistic, rel=1e-10
    )
    assert t_statistic(np.full(5, -0.5)) == -math.inf
    assert t_statistic(np.zeros(5)) == 0.0
    assert t_statistic(np.array([-1.0])) == 0.0


def test_a_shortfall_within_the_noise_holds() -> None:
    champion = record(np.array([0.05, 0.03, 0.04, 0.06, 0.02]))
    noisy = record(champion.ic + np.array([-0.3, 0.2, -0.2, 0.3, -0.05]))
    assert noisy.ic.mean() < 0.8 * champion.ic.mean()
    assert check_challenger(noisy, champion, THRESHOLDS).passed
    assert not check_challenger(record(champion.ic - 0.02), champion, THRESHOLDS).passed
    slightly = record(champion.ic * 0.85)
    assert check_challenger(slightly, champion, THRESHOLDS).passed
    assert check_challenger(TrackRecord.empty(), champion, THRESHOLDS).passed


@pytest.mark.parametrize(("loss", "days", "kept"), [(0.15, 20, True), (0.25, 20, False)])
def test_more_than_a_fifth_below_does_not_keep_up(loss: float, days: int, kept: bool) -> None:
    champion = noise(0, 0.1)[:days]
    submitted = champion - loss * champion.mean()
    assert check_submitted(record(submitted), record(champion), THRESHOLDS).passed is kept
    assert check_submitted(record(submitted[:9]), record(champion[:9]), THRESHOLDS).passed


def test_only_the_newest_days_count() -> None:
    champion = noise(0, 0.1)[:60]
    submitted = champion.copy()
    submitted[:40] -= 0.1
    assert check_submitted(record(submitted), record(champion), THRESHOLDS).passed


def test_constant_ics_score_zero() -> None:
    assert score_of_record(np.full(3, 0.1)) == 0.0
