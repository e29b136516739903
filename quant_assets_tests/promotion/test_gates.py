"""Figures of two records, against plain arithmetic and scipy."""

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

LIMITS = Thresholds()


def record(ic: np.ndarray, first: int = 0) -> TrackRecord:
    return TrackRecord(DAYS[first : first + len(ic)], ic)


def test_only_common_days_are_compared() -> None:
    one, other = record(noise(0)[:100]), record(noise(1)[:100], first=60)
    left, right = pair_records(one, other)
    np.testing.assert_array_equal(left.days, DAYS[60:100])
    np.testing.assert_array_equal(left.days, right.days)
    np.testing.assert_array_equal(left.ic, one.ic[60:])
    np.testing.assert_array_equal(right.ic, other.ic[:40])


def test_the_figures_of_the_gates() -> None:
    one, other = noise(0, 0.03)[:400], noise(1, 0.02)[:400]
    figures = apply_gates(record(one), record(other), LIMITS).figures
    one, other = one[-250:], other[-250:]
    assert figures["days"] == 250
    assert figures["score"] == pytest.approx(score_of_ic(one), rel=1e-12)
    assert figures["improvement"] == pytest.approx(
        score_of_ic(one) / score_of_ic(other) - 1, rel=1e-12
    )
    assert (figures["low"], figures["high"]) == paired_bootstrap(one, other)
    means = [one[i : i + 20].mean() for i in range(231)]
    assert figures["worst_20"] == pytest.approx(min(means), rel=1e-12)
    assert worst_mean(one[:5]) == pytest.approx(one[:5].mean())


@pytest.mark.parametrize(
    ("better_by", "passes"), [(0.0, False), (0.0005, False), (0.01, True), (0.05, True)]
)
def test_better_has_to_be_five_percent(better_by: float, passes: bool) -> None:
    """A constant gain is a sure one, so only its size decides."""
    other = noise(0, 0.02)[:250]
    assert apply_gates(record(other + better_by), record(other), LIMITS).passed is passes


def test_a_gain_that_may_be_chance_does_not_pass() -> None:
    other = noise(0, 0.02)[:250]
    found = apply_gates(record(other + noise(1, 0.003, 0.1)[:250]), record(other), LIMITS)
    assert "lower bound" in found.reason
    assert not found.passed


def test_a_champion_worth_less_than_nothing_does_not_let_a_worse_one_in() -> None:
    other = noise(0, -0.02)[:250]
    assert not apply_gates(record(other - 0.01), record(other), LIMITS).passed
    assert apply_gates(record(other + 0.02), record(other), LIMITS).passed


def test_a_long_bad_stretch_is_not_stable() -> None:
    other = noise(0, 0.02, 0.02)[:250]
    one = other + 0.03
    one[100:120] = -0.05
    found = apply_gates(record(one), record(other), Thresholds(deviation=10))
    assert found.reason.endswith("its worst 20 days are worse")


def test_days_that_do_not_vary_never_pass() -> None:
    flat = record(np.full(250, 0.02))
    assert not apply_gates(flat, record(np.full(250, 0.01)), LIMITS).passed


def test_the_t_statistic_is_scipys() -> None:
    one, other = noise(0)[:30], noise(1)[:30]
    assert t_statistic(one - other) == pytest.approx(ttest_rel(one, other).statistic, rel=1e-10)
    assert t_statistic(np.full(5, -0.5)) == -math.inf
    assert t_statistic(np.zeros(5)) == 0.0
    assert t_statistic(np.array([-1.0])) == 0.0


def test_a_shortfall_within_the_noise_holds() -> None:
    champion = record(np.array([0.05, 0.03, 0.04, 0.06, 0.02]))
    noisy = record(champion.ic + np.array([-0.3, 0.2, -0.2, 0.3, -0.05]))
    assert noisy.ic.mean() < 0.8 * champion.ic.mean()
    assert check_challenger(noisy, champion, LIMITS).passed
    assert not check_challenger(record(champion.ic - 0.02), champion, LIMITS).passed
    slightly = record(champion.ic * 0.85)
    assert check_challenger(slightly, champion, LIMITS).passed
    assert check_challenger(TrackRecord.empty(), champion, LIMITS).passed


@pytest.mark.parametrize(("loss", "days", "kept"), [(0.15, 20, True), (0.25, 20, False)])
def test_more_than_a_fifth_below_does_not_keep_up(loss: float, days: int, kept: bool) -> None:
    champion = noise(0, 0.1)[:days]
    published = champion - loss * champion.mean()
    assert check_submitted(record(published), record(champion), LIMITS).passed is kept
    assert check_submitted(record(published[:9]), record(champion[:9]), LIMITS).passed


def test_the_newest_days_are_what_counts() -> None:
    champion = noise(0, 0.1)[:60]
    published = champion.copy()
    published[:40] -= 0.1
    assert check_submitted(record(published), record(champion), LIMITS).passed


def test_no_variation_scores_nothing() -> None:
    assert score_of_record(np.full(3, 0.1)) == 0.0
