"""Folds are purged, judged by known labels only, and never moved."""

import numpy as np
import pytest

from quant_assets.core.errors import NotEnoughHistoryError
from quant_assets.models.protocol import Observations
from quant_assets.tuning.folds import Folds

SMALL = Folds(first_fit_after=200, validation_days=60, step_days=40)


def test_the_default_folds() -> None:
    folds = Folds().split(1961)
    assert [fold.fit_row for fold in folds] == list(range(504, 1867, 30))
    assert {fold.stop_row - fold.fit_row for fold in folds} == {90}
    assert folds[-1].known_row < 1961 <= folds[-1].known_row + 30


def test_later_days_add_folds_and_move_none() -> None:
    longest = Folds().split(1961)
    for rows in range(599, 1961, 13):
        shorter = Folds().split(rows)
        assert shorter == longest[: len(shorter)]
        assert shorter[-1].known_row < rows


def test_too_few_days_are_refused() -> None:
    assert len(Folds().split(599)) == 1
    with pytest.raises(NotEnoughHistoryError, match="at least 599"):
        Folds().split(598)


def test_no_price_of_a_training_label_is_later_than_one_of_a_label_judged(
    observations: Observations,
) -> None:
    """A label of day s and lag k is computed from the prices of s + 1 and of s + k + 1."""
    for fold in SMALL.split(len(observations.days)):
        training = ~np.isnan(observations.rows(0, fold.fit_row + 1).labels())
        day, target = np.nonzero(training)
        last_price = (day + observations.lags[target] + 1).max()
        assert last_price == fold.fit_row
        first_price_judged = fold.fit_row + 1
        assert last_price < first_price_judged


def test_every_label_judged_is_known_in_time(observations: Observations) -> None:
    for fold in SMALL.split(len(observations.days)):
        judged = slice(fold.fit_row, fold.stop_row)
        known = observations.rows(0, fold.known_row + 1).labels()[judged]
        np.testing.assert_array_equal(known, observations.labels()[judged])
        a_day_before = observations.rows(0, fold.known_row).labels()[judged]
        assert np.isnan(a_day_before).sum() > np.isnan(known).sum()
