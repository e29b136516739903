"""Models stored by an earlier version forecast what they forecast then.

The models beside this module were fitted on random observations by the code before the features had
the present version, and the forecasts beside them made by it. Take both out when fits of that
version are no longer accepted.
"""

from pathlib import Path

import numpy as np
import pytest

from quant_assets.features.catalogue import (
    EQUAL_VERSIONS,
    Level,
    features_of,
    list_market_inputs,
)
from quant_assets.market.instruments import COMPETITION_GROUPS
from quant_assets.models.protocol import FeatureBlock, Observations
from quant_assets.models.registry import load_family
from quant_assets.training.fitting import require_features
from quant_assets_tests.support.random_observations import random_arrays

STORED = Path(__file__).with_name("stored")
NAMES = sorted(file.stem for file in STORED.glob("*.model"))
LEVELS: tuple[Level, ...] = ("target", "instrument", "market")


@pytest.fixture(scope="module")
def seen() -> Observations:
    names: dict[Level, tuple[str, ...]] = {level: features_of(level) for level in LEVELS}
    names["market"] = tuple(name for name, *_ in list_market_inputs(COMPETITION_GROUPS))
    arrays = random_arrays(names)
    return Observations(**arrays | {level: FeatureBlock(*arrays[level]) for level in LEVELS})


def test_there_are_some() -> None:
    assert NAMES == ["autoregressive", "bayesian_svar", "rank_prior", "ridge"]


@pytest.mark.parametrize("name", NAMES)
def test_a_stored_model_forecasts_as_it_did(name: str, seen: Observations) -> None:
    require_features(name, EQUAL_VERSIONS[0])
    model = load_family(name).load((STORED / f"{name}.model").read_bytes())
    forecasts = np.loadtxt(STORED / f"{name}.txt")
    np.testing.assert_allclose(model.forecast(seen, len(forecasts)), forecasts, rtol=1e-9)
