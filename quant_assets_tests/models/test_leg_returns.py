"""Returns of legs and scores of targets, against loops over days and targets."""

import numpy as np
import pytest

from quant_assets.models.leg_returns import (
    label_width,
    last_returns,
    return_deviations,
    standardised_returns,
    to_target_scores,
)
from quant_assets_tests.support import leg_market


def holed() -> np.ndarray:
    """Some returns are missing; one instrument has no returns, and another only zeros."""
    returns = 0.01 * np.random.default_rng(1).normal(size=(300, 4))
    returns[40:60, 1] = np.nan
    returns[:, 2] = np.nan
    returns[:, 3] = 0.0
    return returns


def test_standardised_returns_have_a_deviation_of_one() -> None:
    observations = leg_market.observe(holed())
    deviation = return_deviations(observations)
    returns = standardised_returns(observations, deviation)
    np.testing.assert_allclose(np.nanstd(returns[:, :2], axis=0), 1.0)
    np.testing.assert_array_equal(deviation[2:], 0.0)
    assert np.isnan(returns[:, 2:]).all()
    np.testing.assert_array_equal(np.isnan(returns[:, 1]), np.isnan(holed()[:, 1]))


def test_days_before_the_first_are_unknown() -> None:
    observations = leg_market.observe(holed())
    deviation = return_deviations(observations)
    past = last_returns(observations, 300, 5, deviation)
    assert past.shape == (305, 4)
    assert np.isnan(past[:5]).all()
    np.testing.assert_array_equal(past[5:], standardised_returns(observations, deviation))
    np.testing.assert_array_equal(last_returns(observations, 3, 5, deviation), past[-8:])


@pytest.mark.parametrize("horizons", [(1, 2, 3, 4), (1, 3, 10), (5, 20)])
def test_moves_become_spreads_of_the_targets_lag(horizons: tuple[int, ...]) -> None:
    observations = leg_market.observe(holed(), horizons)
    moves = np.random.default_rng(2).normal(size=(6, len(horizons), 4))
    spreads = to_target_scores(moves, observations)
    for target, (lag, (first, second)) in enumerate(
        zip(observations.lags, observations.legs, strict=True)
    ):
        of_lag = moves[:, horizons.index(lag)]
        expected = of_lag[:, first] - (of_lag[:, second] if second >= 0 else 0.0)
        np.testing.assert_array_equal(spreads[:, target], expected)


@pytest.mark.parametrize("horizons", [(1, 2, 3, 4), (1, 3, 10), (5, 20)])
def test_moves_are_labels_when_returns_are_foreseen(horizons: tuple[int, ...]) -> None:
    """A label's window holds the returns of two to lag + 1 days ahead."""
    returns = 0.01 * np.random.default_rng(3).normal(size=(60, 4))
    observations = leg_market.observe(returns, horizons)
    foreseen = np.zeros((60 - horizons[-1] - 1, len(horizons), 4))
    for row in range(len(foreseen)):
        for position, lag in enumerate(horizons):
            foreseen[row, position] = returns[row + 2 : row + lag + 2].sum(axis=0)
    labels = observations.labels()[: len(foreseen)]
    np.testing.assert_allclose(to_target_scores(foreseen, observations), labels, rtol=0, atol=1e-14)


def test_width_makes_expected_ranks_of_expected_labels() -> None:
    """Expected ranks of labels that differ in mean and deviation, against simulated ranks."""
    random = np.random.default_rng(4)
    observations = leg_market.observe(np.zeros((50_000, 4)))
    m = len(observations.targets)
    deviation, mean = random.uniform(0.005, 0.05, size=m), random.normal(scale=0.003, size=m)
    observations.known_labels[:] = mean + deviation * random.normal(
        size=observations.known_labels.shape
    )
    labels = observations.labels()[:-5]
    wins = (labels[:, :, None] > labels[:, None, :]).mean(axis=(0, 2))

    def agreement(score: np.ndarray) -> float:
        return float(np.corrcoef(score, wins)[0, 1])

    ours = agreement(mean / label_width(observations, prior_days=20))
    assert ours > 0.99
    assert ours > max(agreement(mean), agreement(mean / deviation))


def test_width_of_an_unknown_target_is_the_pooled_one() -> None:
    returns = 0.01 * np.random.default_rng(5).normal(size=(300, 4))
    observations = leg_market.observe(returns)
    observations.known_labels[:, 3] = np.nan
    width = label_width(observations, prior_days=20)
    assert width[3] == pytest.approx(np.sqrt(2.0) * np.nanstd(observations.known_labels), rel=0.01)
    assert width.min() < width[3] < width.max()


def test_width_is_positive_when_no_price_moves() -> None:
    observations = leg_market.observe(np.zeros((100, 4)))
    np.testing.assert_array_equal(label_width(observations, prior_days=20), 1.0)
