"""Inputs of the factor booster, and its stored bytes, which are XGBoost's own model."""

import numpy as np
import pytest
import xgboost

from quant_assets.market.instruments import market_of
from quant_assets.models.families import xgboost as xgboost_family
from quant_assets.models.packing import unpack
from quant_assets.models.protocol import Observations, Resources


@pytest.fixture(scope="module")
def model(observations: Observations) -> xgboost_family.FactorBooster:
    return xgboost_family.fit(observations, xgboost_family.defaults, Resources())


def test_explained_and_residual_make_up_the_move(observations: Observations) -> None:
    names, x = xgboost_family.factor_inputs(observations)
    for window in (5, 20):
        parts = (
            x[..., names.index(f"explained_{window}")] + x[..., names.index(f"residual_{window}")]
        )
        known = ~np.isnan(parts)
        assert known.mean() > 0.3
        move = observations.target.column(f"spread_move_{window}")
        np.testing.assert_allclose(parts[known], move[known], rtol=1e-3, atol=1e-4)


def test_the_explained_part_is_beta_times_the_factor(observations: Observations) -> None:
    names, x = xgboost_family.factor_inputs(observations)
    scale = (
        observations.target.column("spread_volatility") / np.sqrt(observations.lags) * np.sqrt(5.0)
    )
    expected = observations.target.column("beta_move_5") / scale
    ours = x[..., names.index("explained_5")]
    known = ~np.isnan(expected) & np.isfinite(expected)
    np.testing.assert_allclose(ours[known], expected[known], rtol=1e-4, atol=1e-6)


def test_markets_are_those_of_the_legs(observations: Observations) -> None:
    names, x = xgboost_family.factor_inputs(observations)
    ours, row = x[..., names.index("markets_5")], len(observations.days) - 1
    for target, legs in enumerate(observations.legs):
        moves = [
            observations.market.column(f"factor_{market_of(observations.instruments[leg])}_5")[row]
            for leg in legs
            if leg >= 0
        ]
        assert ours[row, target] == pytest.approx(moves[0] - sum(moves[1:]), rel=1e-5, abs=1e-6)


def test_the_stored_booster_is_the_library_s(
    model: xgboost_family.FactorBooster, observations: Observations
) -> None:
    arrays = unpack(model.to_bytes())
    booster = xgboost.Booster(model_file=bytearray(arrays["booster"].tobytes()))
    names, x = xgboost_family.factor_inputs(observations)
    scores = booster.predict(xgboost.DMatrix(x[-1], feature_names=list(names)))
    expected = scores.astype(np.float64) @ arrays["decorrelation"]
    np.testing.assert_allclose(model.forecast(observations, 1)[0], expected, rtol=1e-6, atol=1e-9)


def test_importance_names_every_input(
    model: xgboost_family.FactorBooster, observations: Observations
) -> None:
    assert tuple(model.importance()) == xgboost_family.factor_inputs(observations)[0]
