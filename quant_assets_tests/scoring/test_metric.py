"""The metric against the competition's own, row by row, and its edge cases."""

from collections.abc import Callable

import numpy as np
import pytest

from quant_assets.core.typing import FloatArray
from quant_assets.scoring.metric import competition_score, daily_ic, score_of_ic
from quant_assets_tests.support.metric_reference import row_by_row_ic, row_by_row_score

Score = Callable[[FloatArray, FloatArray], float]


def random_days(
    days: int, targets: int, seed: int, decimals: int = 12
) -> tuple[FloatArray, FloatArray]:
    """Forecasts that correlate with the labels, a fifth of which are empty."""
    random = np.random.default_rng(seed)
    truth = random.standard_t(3, size=(days, targets)).round(decimals)
    forecast = (0.2 * truth + random.normal(size=truth.shape)).round(decimals)
    truth[random.random(truth.shape) < 0.2] = np.nan
    return forecast, truth


@pytest.mark.parametrize(("targets", "decimals"), [(424, 12), (424, 1), (37, 0), (5, 12)])
def test_metric_is_the_competitions(targets: int, decimals: int) -> None:
    forecast, truth = random_days(25, targets, seed=targets + decimals, decimals=decimals)
    expected = row_by_row_ic(forecast, truth)
    np.testing.assert_allclose(daily_ic(forecast, truth), expected, rtol=0, atol=1e-12)
    score = row_by_row_score(forecast, truth)
    np.testing.assert_allclose(competition_score(forecast, truth), score, rtol=1e-12)


def test_only_ranks_count_and_their_sign() -> None:
    forecast, truth = random_days(10, 60, seed=0)
    ic = daily_ic(forecast, truth)
    np.testing.assert_array_equal(daily_ic(np.exp(forecast), 100 * truth), ic)
    np.testing.assert_array_equal(daily_ic(-forecast, truth), -ic)
    np.testing.assert_array_equal(daily_ic(truth, truth), np.ones(10))


def test_a_forecast_may_be_missing_where_the_truth_is() -> None:
    forecast, truth = random_days(10, 60, seed=1)
    partial = np.where(np.isnan(truth), np.nan, forecast)
    np.testing.assert_array_equal(daily_ic(partial, truth), daily_ic(forecast, truth))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_missing_forecast_for_a_known_truth_is_refused(value: float) -> None:
    forecast, truth = random_days(10, 60, seed=2)
    truth[4, 7] = 0.1
    forecast[4, 7] = value
    with pytest.raises(ValueError, match="row 4, column 7"):
        daily_ic(forecast, truth)


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"\(2, 3\).*\(2, 4\)"):
        daily_ic(np.zeros((2, 3)), np.zeros((2, 4)))


@pytest.mark.parametrize("constant", ["forecast", "truth"])
@pytest.mark.parametrize("score", [competition_score, row_by_row_score])
def test_a_constant_day_has_no_score(constant: str, score: Score) -> None:
    forecast, truth = random_days(10, 60, seed=3)
    days = {"forecast": forecast, "truth": truth}
    days[constant][6] = np.where(np.isnan(days[constant][6]), np.nan, 0.25)
    with pytest.raises(ZeroDivisionError):
        score(forecast, truth)
    expected = row_by_row_ic(np.delete(forecast, 6, 0), np.delete(truth, 6, 0))
    ic = daily_ic(forecast, truth)
    assert np.isnan(ic[6])
    np.testing.assert_allclose(np.delete(ic, 6), expected, rtol=0, atol=1e-12)


def test_a_day_with_one_truth_has_no_score() -> None:
    forecast, truth = random_days(10, 60, seed=4)
    truth[3, 1:] = np.nan
    truth[3, 0] = 0.1
    for score in (competition_score, row_by_row_score):
        with pytest.raises(ZeroDivisionError):
            score(forecast, truth)


@pytest.mark.parametrize("score", [competition_score, row_by_row_score])
def test_a_day_without_truths_is_refused(score: Score) -> None:
    forecast, truth = random_days(10, 60, seed=5)
    truth[2] = np.nan
    with pytest.raises(ValueError, match="known"):
        score(forecast, truth)


def test_no_days_are_refused() -> None:
    with pytest.raises(ValueError, match="known"):
        competition_score(np.empty((0, 3)), np.empty((0, 3)))


@pytest.mark.parametrize("score", [competition_score, row_by_row_score])
def test_correlations_that_do_not_vary_have_no_score(score: Score) -> None:
    truth = np.tile(np.arange(5.0), (4, 1))
    with pytest.raises(ZeroDivisionError):
        score(truth, truth)


def test_the_spread_is_that_of_the_population() -> None:
    assert score_of_ic(np.array([0.0, 1.0, 0.0, 1.0])) == 1.0
