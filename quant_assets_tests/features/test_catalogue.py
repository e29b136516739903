"""The catalogue and the arrays agree, and say what is left out."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.code_digest import PACKAGE
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
    days, targets = small_market.known_labels.shape
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


def test_absent_market_is_named(small_market: Market) -> None:
    panel = small_market.panel
    kept = [i for i, name in enumerate(panel.instruments) if not name.startswith("LME")]
    fields = {name: values[:, kept] for name, values in panel.fields.items()}
    names = tuple(panel.instruments[i] for i in kept)
    reasons = find_left_out(replace(panel, instruments=names, fields=fields))
    assert reasons["factor_LME_5"] == "no LME instrument"
    assert "factor_US_5" not in reasons
