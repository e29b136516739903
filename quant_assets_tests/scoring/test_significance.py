"""Coverage of the confidence interval of a score."""

import numpy as np
import pytest

from quant_assets.scoring.significance import block_bootstrap


def test_interval_covers_the_true_score_of_white_noise() -> None:
    random = np.random.default_rng(0)
    true, n, draws = 0.3, 300, 150
    intervals = [
        block_bootstrap(random.normal(0.03, 0.1, size=n), draws=400, seed=i) for i in range(draws)
    ]
    covered = np.mean([low < true < high for low, high in intervals])
    assert 0.86 < covered <= 0.99
    width = np.mean([high - low for low, high in intervals])
    # Standard error of a ratio of mean to deviation: sqrt((1 + score^2 / 2) / n).
    assert width == pytest.approx(2 * 1.96 * np.sqrt((1 + true**2 / 2) / n), rel=0.12)


def test_dependent_days_widen_the_interval() -> None:
    random = np.random.default_rng(1)
    noise = random.normal(size=2004)
    overlapping = np.convolve(noise, np.ones(5) / np.sqrt(5), mode="valid")
    (low, high), (low_1, high_1) = (block_bootstrap(overlapping, block=b) for b in (20, 1))
    assert high - low > 1.5 * (high_1 - low_1)


def test_the_seed_decides() -> None:
    ic = np.random.default_rng(2).normal(0.02, 0.1, size=100)
    assert block_bootstrap(ic, seed=3) == block_bootstrap(ic, seed=3)
    assert block_bootstrap(ic, seed=3) != block_bootstrap(ic, seed=4)


def test_a_lower_level_is_narrower() -> None:
    ic = np.random.default_rng(2).normal(0.02, 0.1, size=100)
    (low, high), (low_80, high_80) = (block_bootstrap(ic, level=x) for x in (0.95, 0.8))
    assert low < low_80 < high_80 < high


@pytest.mark.parametrize("days", [0, 1, 39])
def test_too_few_days_have_no_interval(days: int) -> None:
    assert np.isnan(block_bootstrap(np.arange(days, dtype=float))).all()


def test_equal_days_have_no_interval() -> None:
    assert np.isnan(block_bootstrap(np.full(100, 0.1))).all()


def test_every_day_is_drawn_as_often() -> None:
    """Blocks are circular: the position of a single different day does not matter."""
    scores = []
    for at in (0, 50, 99):
        ic = np.zeros(100)
        ic[at] = 1.0
        scores.append(block_bootstrap(ic, block=10, draws=4000)[1])
    assert np.ptp(scores) < 0.02
