"""Estimates of missing closes equal a plain solution, and know nothing later."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.covariance import ledoit_wolf_shrinkage as shrinkage_of_scikit_learn

from quant_assets.core.typing import FloatArray
from quant_assets.features.imputation import (
    ImputedCloses,
    imputation_lookback,
    impute_closes,
    ledoit_wolf_shrinkage,
)
from quant_assets.features.instruments import winsorised_returns
from quant_assets.market.instruments import parse_column

WINDOW, LIMIT = 80, 3
DAYS, LATE, ENDING = 260, 3, 5


@pytest.fixture(scope="module")
def close() -> FloatArray:
    """Twelve instruments with a common factor: gaps, closed days, a late start and an end."""
    random = np.random.default_rng(4)
    factor = random.normal(0, 0.01, (DAYS, 1)) * random.uniform(0.5, 1.5, 12)
    moves = factor + random.normal(0, 0.005, (DAYS, 12)) * random.uniform(0.3, 3, 12)
    close = 50 * np.exp(moves.cumsum(axis=0))
    close[random.random(close.shape) < 0.06] = np.nan
    close[np.ix_(random.random(DAYS) < 0.08, [0, 1, 2])] = np.nan
    close[150:153] = np.nan
    close[:190, LATE] = np.nan
    close[200:, ENDING] = np.nan
    close[:, 7] = 20.0
    return close


@pytest.fixture(scope="module")
def estimates(close: FloatArray) -> ImputedCloses:
    return impute_closes(close, WINDOW, LIMIT, DAYS)


def estimate_plainly(close: FloatArray, day: int, i: int) -> tuple[float, float]:
    """Estimate a return and its variance with the whole covariance matrix; 0 and NaN for none."""
    returns = winsorised_returns(np.log(close))
    past = returns[max(day - WINDOW, 0) : day]
    count, zeros = (~np.isnan(past)).sum(axis=0), np.nan_to_num(past)
    usable = (count >= WINDOW / 2) & (np.abs(zeros).sum(axis=0) > 0)
    given = np.flatnonzero(usable & ~np.isnan(returns[day]))
    # The day's other missing instruments count in the shrinkage.
    gap = [age_of_close(close, day, j) for j in range(close.shape[1])]
    asked = np.flatnonzero(usable & [0 < age <= LIMIT for age in gap])
    if not usable[i]:
        return 0.0, np.nan
    both = np.concatenate([given, asked])
    z = zeros[:, both] / np.sqrt((zeros[:, both] ** 2).mean(axis=0))
    shrinkage = shrinkage_of_scikit_learn(z, assume_centered=True)
    matrix = (1 - shrinkage) * z.T @ z / len(z) + shrinkage * np.eye(len(both))
    deviation = np.sqrt((zeros[:, both] ** 2).sum(axis=0) / count[both])
    covariance = matrix * np.outer(deviation, deviation)
    at, known = int(np.flatnonzero(both == i)[-1]), np.arange(len(given))
    weights = np.linalg.solve(covariance[np.ix_(known, known)], covariance[known, at])
    return weights @ returns[day, given], covariance[at, at] - weights @ covariance[known, at]


def age_of_close(close: FloatArray, day: int, i: int) -> int:
    """Return the number of days since the last close; a large number if there is none."""
    rows = np.flatnonzero(~np.isnan(close[: day + 1, i]))
    return day - int(rows[-1]) if len(rows) else DAYS


def test_estimates_equal_the_plain_solution(close: FloatArray, estimates: ImputedCloses) -> None:
    compared = {0: 0, 1: 0, 2: 0, 3: 0}
    for day in range(DAYS):
        for i in range(close.shape[1]):
            age = age_of_close(close, day, i)
            if not 0 < age <= LIMIT:
                assert np.isnan(estimates.value[day, i])
                assert np.isnan(estimates.standard_error[day, i])
                continue
            parts = [estimate_plainly(close, each, i) for each in range(day - age + 1, day + 1)]
            mean, variance = np.sum(parts, axis=0)
            expected = close[day - age, i] * np.exp(mean)
            np.testing.assert_allclose(estimates.value[day, i], expected, rtol=1e-10)
            error = estimates.standard_error[day, i]
            np.testing.assert_allclose(error, np.sqrt(variance), rtol=1e-9)
            compared[0 if np.isnan(error) else age] += 1
    assert min(compared.values()) > 5, compared


def test_shrinkage_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(1)
    for days, columns in ((30, 2), (60, 200), (250, 40)):
        z = random.standard_t(4, (days, columns)) + random.normal(size=(days, 1))
        z /= np.sqrt((z * z).mean(axis=0))
        expected = shrinkage_of_scikit_learn(z, assume_centered=True)
        assert ledoit_wolf_shrinkage(z @ z.T, columns) == pytest.approx(expected, rel=1e-10)
    equal = np.tile(z[:, :1], 2)
    assert 0 < ledoit_wolf_shrinkage(equal @ equal.T, 2) < 0.1
    assert ledoit_wolf_shrinkage(z[:, :1] @ z[:, :1].T, 1) == 1


@pytest.mark.parametrize("day", [100, 151, 200, 259])
def test_a_day_knows_nothing_later_and_its_lookback_is_enough(
    close: FloatArray, estimates: ImputedCloses, day: int
) -> None:
    changed = close.copy()
    random = np.random.default_rng(day)
    changed[day + 1 :] = np.exp(random.normal(size=changed[day + 1 :].shape))
    bulk = impute_closes(changed, WINDOW, LIMIT, DAYS)
    first = max(day - imputation_lookback(WINDOW, LIMIT), 0)
    alone = impute_closes(close[first : day + 1], WINDOW, LIMIT, 1)
    for name in ("value", "standard_error"):
        expected = getattr(estimates, name)[: day + 1]
        np.testing.assert_array_equal(getattr(bulk, name)[: day + 1], expected)
        np.testing.assert_array_equal(getattr(alone, name), expected[-1:])


def test_an_instrument_without_closes_changes_nothing(
    close: FloatArray, estimates: ImputedCloses
) -> None:
    wider = np.insert(close, 4, np.nan, axis=1)
    again = impute_closes(np.asfortranarray(wider), WINDOW, LIMIT, DAYS)
    np.testing.assert_array_equal(np.delete(again.value, 4, axis=1), estimates.value)
    assert np.isnan(again.value[:, 4]).all()


def test_a_day_without_any_close_has_the_last_closes(close: FloatArray) -> None:
    for rows in (close[:150], close[:40]):
        last = pd.DataFrame(rows).ffill(limit=1).to_numpy()
        empty = np.vstack([rows, np.full(12, np.nan)])
        of_day = impute_closes(empty, WINDOW, LIMIT, 1).value[0]
        known = ~np.isnan(rows[-1])
        np.testing.assert_array_equal(of_day[known], last[-1][known])


def test_estimates_are_nearer_than_the_last_close_on_the_real_market(real_market: Path) -> None:
    table = pd.read_csv(real_market / "train.csv", index_col="date_id").iloc[-700:]
    closes = [name for name in table if parse_column(name).field == "close"]
    close = table[closes].to_numpy()
    hidden = (np.random.default_rng(2).random(close.shape) < 0.02) & ~np.isnan(close)
    shown = np.where(hidden, np.nan, close)
    estimates = impute_closes(shown, 250, 5, 400)
    judged = hidden[-400:] & ~np.isnan(estimates.standard_error)
    last = pd.DataFrame(shown).ffill(limit=5).to_numpy()[-400:]
    truth = np.log(close[-400:][judged])
    error, before = (np.log(x[judged]) - truth for x in (estimates.value, last))
    assert judged.sum() > 800
    assert np.sqrt((error**2).mean() / (before**2).mean()) < 0.8
