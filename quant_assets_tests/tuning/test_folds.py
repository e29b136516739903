"""Folds are purged, judged by released labels only, and never moved."""

import numpy as np
import pytest

from quant_assets.core.errors import NotEnoughHistoryError
from quant_assets.models.protocol import Observations
from quant_assets.tuning.folds import Folds

SMALL = Folds(first_fit_after=200, validation_days=60, step_days=40)


def test_the_grid() -> None:
    folds = Folds().of(1961)
    assert [fold.fit for fold in folds] == list(range(504, 1867, 30))
    assert {fold.stop - fold.fit for fold in folds} == {90}
    assert folds[-1].known_on < 1961 <= folds[-1].known_on + 30


def test_later_days_add_folds_and_move_none() -> None:
    longest = Folds().of(1961)
    for rows in range(599, 1961, 13):
        shorter = Folds().of(rows)
        assert shorter == longest[: len(shorter)]
        assert shorter[-1].known_on < rows


def test_too_few_days_are_refused() -> None:
    assert len(Folds().of(599)) == 1
    with pytest.raises(NotEnoughHistoryError, match="at least 599"):
        Folds().of(598)


def test_no_price_of_a_training_label_is_later_than_one_of_a_label_judged(
    seen: Observations,
) -> None:
    """A label of day s and lag k is made of the prices of s + 1 and of s + k + 1."""
    for fold in SMALL.of(len(seen.days)):
        training = ~np.isnan(seen.rows(0, fold.fit + 1).labels())
        day, target = np.nonzero(training)
        last_price = (day + seen.lags[target] + 1).max()
        assert last_price == fold.fit
        first_price_judged = fold.fit + 1
        assert last_price < first_price_judged


def test_every_label_judged_is_released_in_time(seen: Observations) -> None:
    for fold in SMALL.of(len(seen.days)):
        judged = slice(fold.fit, fold.stop)
        known = seen.rows(0, fold.known_on + 1).labels()[judged]
        np.testing.assert_array_equal(known, seen.labels()[judged])
        a_day_before = seen.rows(0, fold.known_on).labels()[judged]
        assert np.isnan(a_day_before).sum() > np.isnan(known).sum()
