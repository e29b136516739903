"""Scores of the networks, what networks can learn, and their inputs."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch

from quant_assets.core.ranks import standardised_ranks
from quant_assets.core.typing import AnyArray
from quant_assets.models.neural.networks import PairTransformer, PooledMlp, PooledRnn, RegimeLstm
from quant_assets.models.neural.optimisation import reproducible
from quant_assets.models.neural.scaler import fit_scaler
from quant_assets.models.neural.scores import forecast_scores
from quant_assets.models.neural.training import NetworkInput, NetworkSpec, train_networks
from quant_assets_tests.support.planted_signal import DAYS, OPTIONS, planted_signal


@pytest.mark.parametrize("pooled", [True, False])
def test_inputs_are_standardised(pooled: bool) -> None:
    random = np.random.default_rng(4)
    x = random.normal(3.0, 5.0, size=(300, 6, 2)).astype(np.float32)
    x[random.random(x.shape) < 0.2] = np.nan
    x[..., 1] = np.nan
    axes = (0, 1) if pooled else (0,)
    scaler = fit_scaler(x, 2.0, pooled=pooled)
    first = x[..., 0].astype(np.float64)
    np.testing.assert_allclose(scaler.mean[..., 0], np.nanmean(first, axis=axes))
    np.testing.assert_allclose(scaler.scale[..., 0], np.nanstd(first, axis=axes))
    z = scaler.apply(x)
    assert z.dtype == np.float32
    assert (z[np.isnan(x)] == 0).all()
    assert np.abs(z).max() == 2.0


def scores_of(legs: list[list[int]], periods: list[int]) -> AnyArray:
    """Scores of a random transformer, whose head is drawn as well."""
    with reproducible(1):
        network = PairTransformer(
            np.array(legs),
            np.array(periods),
            instruments=5,
            features=3,
            width=8,
            heads=2,
            layers=2,
            dropout=0.5,
        ).eval()
        torch.nn.init.normal_(network.head.weight)
        with torch.inference_mode():
            scores: AnyArray = network(torch.randn(4, 1, 5, 3)).numpy()
    return scores


def test_a_target_is_leg_a_minus_leg_b() -> None:
    legs = [[0, 1], [1, 0], [0, -1], [1, -1], [2, 2], [0, 1]]
    ab, ba, a, b, nothing, longer = scores_of(legs, [0, 0, 0, 0, 0, 1]).T
    np.testing.assert_array_equal(ab, -ba)
    np.testing.assert_array_equal(ab, a - b)
    np.testing.assert_array_equal(nothing, 0)
    assert (longer != ab).all()


def follows_the_regime(build: Callable[[], torch.nn.Module], *market: NetworkInput) -> float:
    """Mean correlation with labels whose dependence on an input changes with the market."""
    x, _ = planted_signal()
    sign = np.where(np.arange(DAYS) // 5 % 2, 1.0, -1.0)
    labels = standardised_ranks(sign[:, None] * x[..., 1])
    specs = [NetworkSpec(build, (NetworkInput(x, ("a", "b", "c")), *market))]
    trained = train_networks(specs, labels, 1, replace(OPTIONS, epochs=20, learning_rate=0.05), 7)
    scores = forecast_scores(specs, [trained[0].weights], 60)
    pairs = zip(scores, labels[-60:], strict=True)
    return float(np.mean([np.corrcoef(*pair)[0, 1] for pair in pairs]))


def test_weights_follow_the_regime() -> None:
    sign = np.where(np.arange(DAYS) // 5 % 2, 1.0, -1.0).astype(np.float32)
    market = NetworkInput(np.zeros((DAYS, 1), np.float32), ("m",), 3)
    windows = np.lib.stride_tricks.sliding_window_view(np.append([0, 0], sign), 3)
    regime = NetworkInput(windows[..., None].astype(np.float32), ("turbulence",))
    assert follows_the_regime(partial(RegimeLstm, 3, 2, 4, 0.0), market, regime) > 0.9
    assert abs(follows_the_regime(partial(PooledMlp, 3, (4,), 0.0))) < 0.3


def test_a_recurrent_network_remembers_the_days_before() -> None:
    x, _ = planted_signal()
    labels = standardised_ranks(np.roll(x[..., 0], 2, axis=0))
    for steps, learnt in ((4, True), (1, False)):
        specs = [
            NetworkSpec(partial(PooledRnn, 3, 8, 0.0), (NetworkInput(x, ("a", "b", "c"), steps),))
        ]
        trained = train_networks(specs, labels, 1, replace(OPTIONS, epochs=20, patience=20), 7)
        assert (trained[0].curve.min() < 0.5) == learnt
