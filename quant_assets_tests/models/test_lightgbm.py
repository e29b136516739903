"""Seeds, weights and labels of the pooled LightGBM, against the library used directly."""

import lightgbm
import numpy as np
import pytest

from quant_assets.core.typing import FloatArray
from quant_assets.models.families import lightgbm as lightgbm_family
from quant_assets.models.label_transforms import day_weights, standardised_labels
from quant_assets.models.protocol import Observations, Resources

QUICK = {**lightgbm_family.defaults, "num_boost_round": 5}


def forecast(observations: Observations, seed: int, **changed: object) -> FloatArray:
    parameters = {**QUICK, "shrinkage": 1.0, **changed}
    return lightgbm_family.fit(observations, parameters, Resources(seed)).forecast(observations, 30)


def test_seeds_are_averaged(observations: Observations) -> None:
    alone = [forecast(observations, seed, seeds=1) for seed in (11, 12, 13)]
    assert not np.array_equal(alone[0], alone[1])
    together = forecast(observations, 11, seeds=3)
    np.testing.assert_allclose(together, np.mean(alone, axis=0), rtol=1e-12, atol=1e-15)


def test_one_seed_is_the_library_s_booster(observations: Observations) -> None:
    labels = standardised_labels(observations, QUICK["label_clip"])
    known = ~np.isnan(labels)
    rows = np.argwhere(known)
    per_day = known.sum(axis=1)
    weight = np.array([1.0 / per_day[day] for day, _ in rows])
    own = ("seeds", "num_boost_round", "label_clip", "shrinkage")
    options = {key: value for key, value in QUICK.items() if key not in own}
    options |= {"seed": 5, "num_threads": 1, "deterministic": True, "verbosity": -1}
    options |= {"force_row_wise": True}
    data = lightgbm.Dataset(
        np.stack([observations.target.values[day, target] for day, target in rows]),
        np.array([labels[day, target] for day, target in rows]),
        weight=weight * len(rows) / weight.sum(),
        params={"max_bin": QUICK["max_bin"]},
    )
    booster = lightgbm.train(options, data, num_boost_round=QUICK["num_boost_round"])
    expected = booster.predict(observations.target.values[-1])
    np.testing.assert_allclose(
        forecast(observations, 5, seeds=1)[-1], expected, rtol=1e-12, atol=1e-15
    )


def test_each_day_weighs_the_same() -> None:
    labels = np.array([[1.0, np.nan, np.nan], [1.0, 2.0, 3.0], [np.nan] * 3])
    weights = day_weights(labels)
    assert weights[0] == pytest.approx(weights[1:].sum())
    assert weights.mean() == pytest.approx(1.0)


def test_labels_are_in_units_of_their_day_and_volatility(observations: Observations) -> None:
    ours = standardised_labels(observations, clip=100.0)
    days = (~np.isnan(ours)).sum(axis=1) > 1
    np.testing.assert_allclose(np.nanmean(ours[days], axis=1), 0.0, atol=1e-12)
    np.testing.assert_allclose(np.nanstd(ours[days], axis=1), 1.0)
    assert np.nanmax(np.abs(standardised_labels(observations, clip=1.5))) == 1.5
    day = len(observations.days) - 50
    scaled = observations.labels()[day] / observations.target.column("spread_volatility")[day]
    both = ~np.isnan(scaled)
    assert np.corrcoef(scaled[both], ours[day, both])[0, 1] == pytest.approx(1.0)
    assert np.array_equal(np.isnan(ours[day]), np.isnan(scaled))
