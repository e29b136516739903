"""Every feature equals its slow, independent definition."""

import numpy as np
import pytest

from quant_assets.features.catalogue import Level, features_of
from quant_assets_tests.support import feature_oracle
from quant_assets_tests.support.random_market import Features, Market


@pytest.fixture(scope="module")
def expected(small_market: Market) -> Features:
    panel, pairs, known_labels = small_market.panel, small_market.pairs, small_market.known_labels
    own = feature_oracle.instruments(panel)
    groups, shared = feature_oracle.groups(panel, own), feature_oracle.market(own)
    targets = feature_oracle.targets(panel, own, shared, pairs, known_labels)
    return {"instrument": own, "group": groups, "market": shared, "target": targets}


@pytest.mark.parametrize("level", ["instrument", "group", "market", "target"])
def test_features_equal_their_plain_definition(
    level: Level, small_features: Features, expected: Features
) -> None:
    for name in features_of(level):
        np.testing.assert_allclose(
            small_features[level][name],
            expected[level][name],
            rtol=1e-9,
            atol=1e-11,
            err_msg=name,
        )


def test_the_market_exercises_every_feature(small_features: Features) -> None:
    for level, arrays in small_features.items():
        for name, values in arrays.items():
            observed = np.isfinite(values)
            assert observed.sum() > 50, (level, name)
            assert name == "lag" or not observed.all(), (level, name)


def test_winsorised_returns_are_clipped_somewhere(small_market: Market, expected: Features) -> None:
    close = np.log(small_market.panel.close)
    raw = close - feature_oracle.later(close, 1)
    clipped = expected["instrument"]["ret_1"] != raw
    assert (clipped & ~np.isnan(raw)).sum() >= 3
