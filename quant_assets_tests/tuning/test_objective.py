"""What a set of parameters is judged by."""

from dataclasses import replace

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from quant_assets.core.errors import FitError, NotEnoughHistoryError
from quant_assets.core.typing import FloatArray
from quant_assets.models.protocol import Observations, Resources
from quant_assets.models.registry import load_family
from quant_assets.tuning.folds import Fold
from quant_assets.tuning.objective import objective_value, validate_fold
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.metric_reference import row_by_row_ic

FOLD = Fold(200, 260)


def judged(seen: Observations, name: str = "ridge", fold: Fold = FOLD) -> FloatArray:
    chosen = load_family(name)
    return validate_fold(seen, fold, chosen, chosen.defaults, Resources())


def test_a_fold_is_judged_as_the_host_would(seen: Observations) -> None:
    chosen = load_family("ridge")
    with threadpool_limits(1, user_api="blas"):
        model = chosen.fit(seen.rows(0, FOLD.fit + 1), chosen.defaults, Resources())
        forecast = model.forecast(seen.rows(0, FOLD.stop), FOLD.stop - FOLD.fit)
    expected = row_by_row_ic(forecast, seen.labels()[FOLD.fit : FOLD.stop])
    np.testing.assert_allclose(judged(seen), expected, rtol=1e-9, atol=1e-12)


def test_stability_is_worth_half_a_deviation() -> None:
    folds = [np.array([0.1, 0.3]), np.array([-0.1, 0.2, 0.5])]
    metrics = [f.mean() / f.std() for f in folds]
    whole = np.concatenate(folds)
    expected = whole.mean() / whole.std() - 0.5 * abs(metrics[0] - metrics[1]) / 2
    assert objective_value(folds) == pytest.approx(expected)
    assert objective_value(folds[:1]) == pytest.approx(metrics[0])


@pytest.mark.parametrize("name", ["rank_prior", "ridge"])
def test_nothing_after_the_last_label_judged_matters(name: str, seen: Observations) -> None:
    altered = synthetic.observe(synthetic.altered_after(synthetic.prices(), FOLD.known_on))
    np.testing.assert_array_equal(judged(altered, name), judged(seen, name))
    a_day_sooner = synthetic.observe(synthetic.altered_after(synthetic.prices(), FOLD.known_on - 1))
    assert not np.array_equal(judged(a_day_sooner, name), judged(seen, name))


def test_a_day_without_labels_is_left_out(seen: Observations) -> None:
    labels = seen.labels()
    known_labels = seen.known_labels.copy()
    for lag in range(1, 5):
        known_labels[230 + lag + 1, seen.lags == lag] = np.nan
    holed = judged(replace(seen, known_labels=known_labels))
    whole = judged(seen)
    assert not np.isnan(labels[230]).all()
    np.testing.assert_array_equal(holed, np.delete(whole, 230 - FOLD.fit))


def test_without_labels_there_is_nothing_to_judge_by(seen: Observations) -> None:
    known_labels = seen.known_labels.copy()
    known_labels[FOLD.fit + 1 :] = np.nan
    with pytest.raises(NotEnoughHistoryError, match="too few validation days"):
        judged(replace(seen, known_labels=known_labels))


def test_one_score_for_all_targets_is_a_failed_fit(seen: Observations) -> None:
    chosen = load_family("lightgbm")
    alike = {**chosen.defaults, "min_data_in_leaf": 5000, "bagging_fraction": 0.1, "shrinkage": 1.0}
    with pytest.raises(FitError, match="scores all targets of a day alike") as caught:
        validate_fold(seen, FOLD, chosen, alike, Resources())
    assert str(seen.days[FOLD.fit]) in str(caught.value)
