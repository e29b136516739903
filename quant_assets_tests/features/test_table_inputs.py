"""Inputs from tables equal their plain definition; versions follow from their names."""

import numpy as np
import pytest

from quant_assets.features.catalogue import CATALOGUE_VERSION, EQUAL_VERSIONS
from quant_assets.features.further_inputs import (
    FurtherInputs,
    is_same_version,
    list_every_input,
    version_of_inputs,
)
from quant_assets.features.table_inputs import (
    LOOKBACK,
    RANK,
    TableField,
    instrument_inputs,
    leg_differences,
    market_inputs,
)

FIELDS = (TableField("rates", "DGS10", False), TableField("f", "value", True))


def draw_values(shape: tuple[int, ...]) -> np.ndarray:
    random = np.random.default_rng(3)
    values = np.cumsum(random.normal(0, 0.05, shape), axis=0).round(2)
    values[random.random(shape) < 0.1] = np.nan
    return values


def test_market_inputs_equal_their_plain_definition() -> None:
    values = draw_values((600,))
    values[300:430] = np.nan
    inputs = market_inputs(values)
    for row in range(len(values)):
        window = values[max(0, row - 249) : row + 1]
        known = window[~np.isnan(window)]
        z = change = np.nan
        if len(known) >= 125:
            z = (values[row] - known.mean()) / known.std()
            change = (values[row] - values[row - 20]) / known.std()
        np.testing.assert_allclose(inputs["z_250"][row], z, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(inputs["change_20"][row], change, rtol=1e-9, atol=1e-12)
    assert np.isfinite(inputs["z_250"]).sum() > 150


def test_a_constant_series_has_no_inputs() -> None:
    inputs = market_inputs(np.full(300, 4.2))
    assert all(np.isnan(values).all() for values in inputs.values())


def test_days_alone_have_the_bits_of_all_days() -> None:
    values = draw_values((700,))
    whole = market_inputs(values)
    for row in (260, 450, 699):
        alone = market_inputs(values[row + 1 - LOOKBACK : row + 1])
        for name, of_all in whole.items():
            assert alone[name][-1].tobytes() == of_all[row].tobytes(), (name, row)


def test_ranks_of_instruments_and_differences_of_legs() -> None:
    values = np.array([[3.0, 1.0, np.nan, 2.0], [1.0, 1.0, np.nan, np.nan]])
    ranks = instrument_inputs(values)[RANK]
    third = 1 / 3
    np.testing.assert_allclose(ranks, [[third, -third, np.nan, 0], [0, 0, np.nan, np.nan]])
    legs = np.array([[0, 1], [0, -1], [1, 2], [3, 3]])
    differences = leg_differences(ranks[:, :, None], legs)[:, :, 0]
    nan = np.nan
    np.testing.assert_allclose(differences, [[2 * third, third, nan, 0], [0, 0, nan, nan]])


def test_without_tables_and_bars_the_version_is_that_of_the_catalogue() -> None:
    assert version_of_inputs() == CATALOGUE_VERSION
    assert is_same_version(CATALOGUE_VERSION)
    assert is_same_version(EQUAL_VERSIONS[0])
    assert not is_same_version("others")
    assert not is_same_version(None)


@pytest.mark.parametrize("bars", [False, True])
@pytest.mark.parametrize("fields", [FIELDS, FIELDS[:1], FIELDS[::-1]])
def test_the_version_follows_from_the_inputs(fields: tuple[TableField, ...], bars: bool) -> None:
    further = FurtherInputs(fields, bars)
    version = version_of_inputs(further)
    assert is_same_version(version, further)
    assert is_same_version(version.replace(CATALOGUE_VERSION, EQUAL_VERSIONS[0]), further)
    assert not is_same_version(version)
    assert not is_same_version(CATALOGUE_VERSION, further)
    of_all = version_of_inputs(FurtherInputs(FIELDS, bars))
    assert (version == of_all) == (set(fields) == set(FIELDS))
    assert not is_same_version(version, FurtherInputs((TableField("rates", "DGS2", False),), bars))
    assert not is_same_version(version, FurtherInputs(fields, not bars))


def test_bars_add_inputs_of_targets() -> None:
    own = list_every_input(())
    added = list_every_input((), FurtherInputs(bars=True))
    names = [name for level, name in added if (level, name) not in own]
    assert names[:2] == ["diff_log_realised_variance", "diff_log_realised_range"]
    assert len(names) == len(added) - len(own) == 15
    assert {added["target", name].group for name in names} == {"bars"}
