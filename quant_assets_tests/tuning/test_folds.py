"""Folds are purged, judged by known labels only, and never moved."""

import numpy as np
import pytest

from quant_assets.core.errors import NotEnoughHistoryError
from quant_assets.market.targets import delay_of
from quant_assets.models.protocol import Observations
from quant_assets.tuning.folds import Folds
from quant_assets_tests.support import synthetic

SMALL = Folds(first_fit_after=200, validation_days=60, step_days=40)
DELAY = 5


@pytest.fixture(scope="module", params=[(1, 2, 3, 4), (1, 5, 20)], ids=str)
def market(request: pytest.FixtureRequest) -> Observations:
    """Return all days of the small market, with targets of some horizons."""
    return synthetic.observe(synthetic.prices(), request.param)


def test_the_default_folds() -> None:
    folds = Folds().split(1961, DELAY)
    assert [fold.fit_row for fold in folds] == list(range(504, 1867, 30))
    assert {fold.stop_row - fold.fit_row for fold in folds} == {90}
    assert folds[-1].known_row < 1961 <= folds[-1].known_row + 30


def test_later_days_add_folds_and_move_none() -> None:
    longest = Folds().split(1961, DELAY)
    for rows in range(599, 1961, 13):
        shorter = Folds().split(rows, DELAY)
        assert shorter == longest[: len(shorter)]
        assert shorter[-1].known_row < rows


def test_too_few_days_are_refused() -> None:
    assert len(Folds().split(599, DELAY)) == 1
    with pytest.raises(NotEnoughHistoryError, match="at least 599"):
        Folds().split(598, DELAY)


def test_a_longer_delay_leaves_the_fits_and_needs_more_days() -> None:
    short, long = (Folds().split(1961, delay) for delay in (DELAY, 21))
    fits = [(fold.fit_row, fold.stop_row) for fold in short]
    assert [(fold.fit_row, fold.stop_row) for fold in long] == fits[: len(long)]
    assert {a.known_row - b.known_row for a, b in zip(long, short, strict=False)} == {16}
    with pytest.raises(NotEnoughHistoryError, match="at least 615"):
        Folds().split(614, 21)


def test_no_price_of_a_training_label_is_later_than_one_of_a_label_judged(
    market: Observations,
) -> None:
    """A label of day s and lag k is computed from the prices of s + 1 and of s + k + 1."""
    for fold in SMALL.split(len(market.days), delay_of(market.lags)):
        training = ~np.isnan(market.rows(0, fold.fit_row + 1).labels())
        day, target = np.nonzero(training)
        last_price = (day + market.lags[target] + 1).max()
        assert last_price == fold.fit_row
        first_price_judged = fold.fit_row + 1
        assert last_price < first_price_judged


def test_every_label_judged_is_known_in_time(market: Observations) -> None:
    for fold in SMALL.split(len(market.days), delay_of(market.lags)):
        judged = slice(fold.fit_row, fold.stop_row)
        known = market.rows(0, fold.known_row + 1).labels()[judged]
        np.testing.assert_array_equal(known, market.labels()[judged])
        a_day_before = market.rows(0, fold.known_row).labels()[judged]
        assert np.isnan(a_day_before).sum() > np.isnan(known).sum()
