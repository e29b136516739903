"""The catalogue and the arrays agree, and say what is left out."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.code_digest import PACKAGE
from quant_assets.features import catalogue
from quant_assets.features.catalogue import (
    CATALOGUE,
    LABEL_LOOKBACK,
    Level,
    features_of,
    find_left_out,
    list_market_inputs,
)
from quant_assets.market.instruments import FIELDS, Group
from quant_assets_tests.support.random_market import Features, Market


@pytest.mark.parametrize("level", ["instrument", "group", "market", "target"])
def test_outputs_are_the_catalogues_columns_in_order(
    level: Level, small_features: Features
) -> None:
    assert tuple(small_features[level]) == features_of(level)


def test_shapes_are_one_column_per_unit(small_market: Market, small_features: Features) -> None:
    days, targets = small_market.known_labels.shape
    shapes = {"instrument": (days, len(small_market.panel.instruments)), "market": (days,)}
    shapes["group"] = (days, len(small_market.panel.all_groups))
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
        assert feature.window <= LABEL_LOOKBACK, feature.name


def test_version_follows_names_levels_and_order() -> None:
    *others, last = CATALOGUE
    assert catalogue.version_of(CATALOGUE) == catalogue.CATALOGUE_VERSION
    for changed in (
        (*others, replace(last, name="holding_period")),
        (*others, replace(last, level="market")),
        (last, *others),
        tuple(others),
    ):
        assert catalogue.version_of(changed) != catalogue.CATALOGUE_VERSION


def test_words_leave_the_version_as_it_is() -> None:
    reworded = tuple(replace(each, formula="in other words", group="other") for each in CATALOGUE)
    assert catalogue.version_of(reworded) == catalogue.CATALOGUE_VERSION


def test_version_follows_the_arithmetic(tmp_path: Path) -> None:
    package = tmp_path / "copy"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))

    def version_after(file: str, old: str, new: str) -> str:
        path = package / file
        content = path.read_text()
        assert old in content
        path.write_text(content.replace(old, new, 1))
        version = catalogue.version_of(CATALOGUE, package)
        path.write_text(content)
        return version

    names = "features/catalogue.py"
    same = [
        version_after(names, "sum of r over", "total of r over"),
        version_after("features/kernels.py", "NEGLIGIBLE = ", "# A comment.\nNEGLIGIBLE = "),
    ]
    assert set(same) == {catalogue.CATALOGUE_VERSION}
    other = [
        version_after(names, "BETA_WINDOW = 250", "BETA_WINDOW = 251"),
        version_after("features/kernels.py", "NEGLIGIBLE = ", "NEGLIGIBLE = 2 * "),
        version_after("features/spreads.py", "return 0.5 *", "return 0.4 *"),
        version_after("core/ranks.py", "2.0 * ranks", "3.0 * ranks"),
        version_after("market/targets.py", "result[rows:] = ", "result[rows:] = 2 * "),
    ]
    assert len({*other, catalogue.CATALOGUE_VERSION}) == len(other) + 1


def test_fits_of_equal_versions_are_used_until_the_arithmetic_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """If this fails, the code of features has changed.

    Where it was only reworded and the features are the same bit for bit, add the version before to
    ``EQUAL_VERSIONS`` and renew ``_EQUAL_SINCE``; otherwise empty both.
    """
    assert catalogue.is_same_arithmetic(catalogue.CATALOGUE_VERSION)
    assert all(map(catalogue.is_same_arithmetic, catalogue.EQUAL_VERSIONS))
    assert not catalogue.is_same_arithmetic("another")
    assert not catalogue.is_same_arithmetic(None)
    monkeypatch.setattr(catalogue, "CATALOGUE_VERSION", "of other arithmetic")
    assert not any(map(catalogue.is_same_arithmetic, catalogue.EQUAL_VERSIONS))


def test_nothing_is_left_out_of_a_full_market(small_market: Market) -> None:
    assert find_left_out(small_market.panel) == {}


def test_left_out_names_exactly_the_empty_features(small_market: Market) -> None:
    closes = replace(small_market.panel, fields={"close": small_market.panel.close})
    reasons = find_left_out(closes)
    arrays = Market(closes, small_market.pairs, small_market.known_labels).features()
    empty = {n for level in arrays.values() for n, x in level.items() if np.isnan(x).all()}
    assert set(reasons) == empty
    assert reasons["parkinson_20"] == "no high, no low"
    assert reasons["diff_volume_z_20"] == "no volume"


def test_without_a_leader_leads_are_left_out(small_market: Market) -> None:
    panel = small_market.panel
    followers = tuple(replace(group, leader=None) for group in panel.all_groups)
    reasons = find_left_out(replace(panel, all_groups=followers))
    assert reasons == dict.fromkeys(("lead_1", "lead_5"), "no group has a leader")


def test_inputs_of_the_market_are_named_by_groups() -> None:
    names = [name for name, *_ in list_market_inputs((Group("oil"), Group("solar", "oil")))]
    assert names == [
        *(f"factor_{group}_{w}" for group in ("oil", "solar", "all") for w in (1, 5, 20)),
        *("dispersion_1", "dispersion_20", "volatility_ratio_20_250"),
        *("oil_minus_solar_1", "oil_minus_solar_5"),
    ]


def test_a_market_without_groups_has_the_inputs_of_the_whole_alone() -> None:
    names = [name for name, *_ in list_market_inputs((Group("all"),))]
    assert names == list(features_of("market"))


def test_a_groups_features_follow_its_instruments_alone(small_market: Market) -> None:
    """Other prices of another group leave them as they are, bit for bit."""
    panel = small_market.panel
    of_us = [name == "US" for name in panel.groups]
    moved = {name: values.copy() for name, values in panel.fields.items()}
    moved["close"][:, of_us] *= np.linspace(1, 2, len(panel.days))[:, None]
    place = [group.name for group in panel.all_groups].index("FX")
    before, after = (
        Market(each, small_market.pairs, small_market.known_labels).features()["group"]
        for each in (panel, replace(panel, fields=moved))
    )
    for w in (1, 5, 20):
        np.testing.assert_array_equal(
            before[f"factor_{w}"][:, place], after[f"factor_{w}"][:, place]
        )
    assert not np.array_equal(before["lead_5"], after["lead_5"], equal_nan=True)
