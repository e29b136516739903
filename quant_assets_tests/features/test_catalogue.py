"""The catalogue and the arrays agree, and say what is left out."""

from dataclasses import replace

import numpy as np
import pytest

from quant_assets.features import catalogue
from quant_assets.features.catalogue import CATALOGUE, LOOKBACK, Level, features_of, find_left_out
from quant_assets.market.instruments import FIELDS, MARKETS
from quant_assets_tests.support.random_market import Features, Market


@pytest.mark.parametrize("level", ["instrument", "market", "target"])
def test_outputs_are_the_catalogues_columns_in_order(
    level: Level, small_features: Features
) -> None:
    assert tuple(small_features[level]) == features_of(level)


def test_shapes_are_one_column_per_unit(small_market: Market, small_features: Features) -> None:
    days, targets = small_market.released.shape
    shapes = {"instrument": (days, len(small_market.panel.instruments)), "market": (days,)}
    shapes["target"] = (days, targets)
    for level, arrays in small_features.items():
        assert {values.shape for values in arrays.values()} == {shapes[level]}
        assert all(values.flags.c_contiguous for values in arrays.values())


def test_entries_are_complete_and_consistent() -> None:
    assert len({feature.name for feature in CATALOGUE}) == len(CATALOGUE)
    for feature in CATALOGUE:
        assert feature.group, feature.name
        assert feature.formula, feature.name
        assert set(feature.inputs) <= set(FIELDS), feature.name
        assert set(feature.markets) <= set(MARKETS), feature.name
        assert feature.window < LOOKBACK, feature.name


def test_version_follows_every_entry() -> None:
    changed = replace(CATALOGUE[-1], version=CATALOGUE[-1].version + 1)
    assert catalogue.version_of(CATALOGUE) == catalogue.CATALOGUE_VERSION
    assert catalogue.version_of((*CATALOGUE[:-1], changed)) != catalogue.CATALOGUE_VERSION


def test_nothing_is_left_out_of_a_full_market(small_market: Market) -> None:
    assert find_left_out(small_market.panel) == {}


def test_left_out_names_exactly_the_empty_features(small_market: Market) -> None:
    closes = replace(small_market.panel, fields={"close": small_market.panel.close})
    reasons = find_left_out(closes)
    arrays = Market(closes, small_market.pairs, small_market.released).features()
    empty = {n for level in arrays.values() for n, x in level.items() if np.isnan(x).all()}
    assert set(reasons) == empty
    assert reasons["parkinson_20"] == "no high, no low"
    assert reasons["diff_volume_z_20"] == "no volume"


def test_absent_market_is_named(small_market: Market) -> None:
    panel = small_market.panel
    kept = [i for i, name in enumerate(panel.instruments) if not name.startswith("LME")]
    fields = {name: values[:, kept] for name, values in panel.fields.items()}
    names = tuple(panel.instruments[i] for i in kept)
    reasons = find_left_out(replace(panel, instruments=names, fields=fields))
    assert reasons["factor_LME_5"] == "no LME instrument"
    assert "factor_US_5" not in reasons
