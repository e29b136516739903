"""The value of a set of parameters."""

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from quant_assets.core.errors import FitError, NotEnoughHistoryError
from quant_assets.core.typing import FloatArray
from quant_assets.market.targets import horizons_of
from quant_assets.models.protocol import Observations, Resources
from quant_assets.models.registry import load_family
from quant_assets.tuning.folds import Fold
from quant_assets.tuning.objective import objective_value, validate_fold
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.metric_reference import row_by_row_ic

FOLD = Fold(200, 260, 264)


def judge(observations: Observations, name: str = "ridge", fold: Fold = FOLD) -> FloatArray:
    family = load_family(name)
    return validate_fold(observations, fold, family, family.defaults, Resources())


def test_a_fold_is_judged_by_the_competitions_metric(observations: Observations) -> None:
    family = load_family("ridge")
    with threadpool_limits(1, user_api="blas"):
        model = family.fit(observations.rows(0, FOLD.fit_row + 1), family.defaults, Resources())
        forecast = model.forecast(observations.rows(0, FOLD.stop_row), FOLD.stop_row - FOLD.fit_row)
    expected = row_by_row_ic(forecast, observations.labels()[FOLD.fit_row : FOLD.stop_row])
    np.testing.assert_allclose(judge(observations), expected, rtol=1e-9, atol=1e-12)


def test_instability_costs_half_a_standard_deviation() -> None:
    folds = [np.array([0.1, 0.3]), np.array([-0.1, 0.2, 0.5])]
    metrics = [f.mean() / f.std() for f in folds]
    whole = np.concatenate(folds)
    expected = whole.mean() / whole.std() - 0.5 * abs(metrics[0] - metrics[1]) / 2
    assert objective_value(folds) == pytest.approx(expected)
    assert objective_value(folds[:1]) == pytest.approx(metrics[0])


@pytest.mark.parametrize("name", ["rank_prior", "ridge"])
def test_nothing_after_the_last_label_judged_matters(name: str, observations: Observations) -> None:
    altered = synthetic.observe(synthetic.altered_after(synthetic.prices(), FOLD.known_row))
    np.testing.assert_array_equal(judge(altered, name), judge(observations, name))
    a_day_sooner = synthetic.observe(
        synthetic.altered_after(synthetic.prices(), FOLD.known_row - 1)
    )
    assert not np.array_equal(judge(a_day_sooner, name), judge(observations, name))


def test_a_day_without_labels_is_left_out(observations: Observations) -> None:
    labels = observations.labels()
    known_labels = observations.known_labels.copy()
    for lag in horizons_of(observations.lags):
        known_labels[230 + lag + 1, observations.lags == lag] = np.nan
    with_gap = judge(replace(observations, known_labels=known_labels))
    whole = judge(observations)
    assert not np.isnan(labels[230]).all()
    np.testing.assert_array_equal(with_gap, np.delete(whole, 230 - FOLD.fit_row))


def test_without_labels_there_is_nothing_to_judge_by(observations: Observations) -> None:
    known_labels = observations.known_labels.copy()
    known_labels[FOLD.fit_row + 1 :] = np.nan
    with pytest.raises(NotEnoughHistoryError, match="too few validation days"):
        judge(replace(observations, known_labels=known_labels))


def test_the_same_score_for_all_targets_is_a_failed_fit(observations: Observations) -> None:
    family = load_family("lightgbm")
    constant = {
        **family.defaults,
        "min_data_in_leaf": 5000,
        "bagging_fraction": 0.1,
        "shrinkage": 1.0,
    }
    with pytest.raises(FitError, match="gives all targets of a day the same score") as caught:
        validate_fold(observations, FOLD, family, constant, Resources())
    assert str(observations.days[FOLD.fit_row]) in str(caught.value)


def test_targets_outside_of_the_universe_are_not_judged(observations: Observations) -> None:
    family, shape = load_family("ridge"), (len(observations.days), len(observations.targets))
    members = np.random.default_rng(5).random(shape) < 0.7
    members[: FOLD.fit_row] = False
    ics = validate_fold(observations, FOLD, family, family.defaults, Resources(), members)
    with threadpool_limits(1, user_api="blas"):
        model = family.fit(observations.rows(0, FOLD.fit_row + 1), family.defaults, Resources())
        forecast = model.forecast(observations.rows(0, FOLD.stop_row), FOLD.stop_row - FOLD.fit_row)
    labels = np.where(members[: len(observations.labels())], observations.labels(), np.nan)
    expected = row_by_row_ic(forecast, labels[FOLD.fit_row : FOLD.stop_row])
    np.testing.assert_allclose(ics, expected, rtol=1e-9, atol=1e-12)
    everywhere = np.ones(shape, dtype=bool)
    np.testing.assert_array_equal(
        validate_fold(observations, FOLD, family, family.defaults, Resources(), everywhere),
        judge(observations),
    )
