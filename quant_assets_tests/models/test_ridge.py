"""Ridge against regressions solved one day left out at a time, and its reduced rank."""

from dataclasses import replace

import numpy as np
import pytest

from quant_assets.core.typing import FloatArray
from quant_assets.models.families import ridge
from quant_assets.models.protocol import Observations, Resources


def fitted(observations: Observations, **changed: object) -> ridge.Ridge:
    parameters = {**ridge.defaults, "shrinkage": 1.0, **changed}
    return ridge.fit(observations, parameters, Resources())


def solved(x: FloatArray, y: FloatArray, penalty: float) -> FloatArray:
    return np.asarray(np.linalg.solve(x.T @ x + penalty * np.eye(x.shape[1]), x.T @ y))


@pytest.mark.parametrize("penalty", [0.5, 30.0])
def test_the_error_is_that_of_leaving_out_each_day(penalty: float) -> None:
    random = np.random.default_rng(2)
    x, y = random.normal(size=(40, 12)), random.normal(size=(40, 5))
    slow = 0.0
    for day in range(40):
        others = np.arange(40) != day
        slow += np.sum((y[day] - x[day] @ solved(x[others], y[others], penalty)) ** 2)
    u, s, _ = np.linalg.svd(x, full_matrices=False)
    assert ridge._press_error(y, u, s, u.T @ y, penalty) == pytest.approx(slow, rel=1e-10)


def test_the_penalty_is_weak_for_a_strong_signal_and_strong_for_none(
    observations: Observations,
) -> None:
    random = np.random.default_rng(3)
    noise = random.normal(size=observations.known_labels.shape)
    driver = np.asarray(np.nan_to_num(observations.market.values).sum(axis=1))
    exposure = random.normal(size=len(observations.targets))
    signal = np.zeros_like(noise)
    for target, lag in enumerate(observations.lags.tolist()):
        signal[lag + 1 :, target] = driver[: -lag - 1] * exposure[target]
    penalties = [
        fitted(replace(observations, known_labels=labels)).penalty
        for labels in (10 * signal + noise, noise)
    ]
    assert penalties[0] < 1e4 < penalties[1]


def test_the_fitted_values_have_the_rank_asked_for(observations: Observations) -> None:
    whole = fitted(observations, rank=None, penalties=(10.0,))
    ranks = {
        rank: np.linalg.matrix_rank(fitted(observations, rank=rank, penalties=(10.0,)).coefficients)
        for rank in (1, 3, 40)
    }
    assert ranks == {1: 1, 3: 3, 40: np.linalg.matrix_rank(whole.coefficients)}
    every_direction = fitted(observations, rank=40, penalties=(10.0,))
    np.testing.assert_allclose(every_direction.coefficients, whole.coefficients, atol=1e-10)


def test_the_directions_kept_are_the_best_of_their_number() -> None:
    """Eckart and Young: no approximation of that rank is nearer to the fitted values."""
    random = np.random.default_rng(4)
    x, coefficients = random.normal(size=(60, 8)), random.normal(size=(8, 6))
    values = x @ coefficients
    singular = np.linalg.svd(values, compute_uv=False)
    error = np.sum((values - x @ ridge._reduce_rank(coefficients, x, 2)) ** 2)
    assert error == pytest.approx(np.sum(singular[2:] ** 2))
