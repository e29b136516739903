"""Features from bars equal their plain definitions, and hard bars give no wrong number."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_assets.features.bar_arrays import Bars
from quant_assets.features.bar_catalogue import BAR_CATALOGUE, BAR_CATALOGUE_VERSION, BAR_LOOKBACK
from quant_assets.features.bar_inputs import bar_inputs
from quant_assets.features.bars import bar_features
from quant_assets.features.catalogue import CATALOGUE
from quant_assets_tests.support import bar_oracle
from quant_assets_tests.support.bar_market import FIELDS, copy_fields, random_bars, with_sessions

NAMES = [feature.name for feature in BAR_CATALOGUE]
OF_VOLUME = {feature.name for feature in BAR_CATALOGUE if feature.needs_volume}


def assert_equals_oracle(bars: Bars) -> None:
    computed, expected = bar_features(bars), bar_oracle.features(bars)
    assert list(computed) == NAMES
    assert set(expected) == set(NAMES)
    for name in NAMES:
        np.testing.assert_allclose(
            computed[name], expected[name], rtol=1e-12, atol=1e-12, err_msg=name
        )


def assert_same_bits(
    first: dict[str, np.ndarray], second: dict[str, np.ndarray], rows: slice = slice(None)
) -> None:
    for name in NAMES:
        bits = [each[name][rows].tobytes() for each in (first, second)]
        assert bits[0] == bits[1], name


def test_features_equal_their_plain_definition() -> None:
    assert_equals_oracle(random_bars())


@pytest.mark.parametrize(("slots", "missing"), [(7, 0.3), (34, 0.45), (13, 0.6), (1, 0.2), (2, 0)])
def test_sessions_of_other_lengths_do_too(slots: int, missing: float) -> None:
    assert_equals_oracle(random_bars(slots=slots, missing=missing, seed=slots))


def test_every_feature_has_values_and_the_market_tests_each_rule() -> None:
    features = bar_features(random_bars(days=60, missing=0.4))
    for name, values in features.items():
        assert np.isfinite(values).sum() > 20, name
        assert name == "bars_present" or np.isnan(values).any(), name
    assert (features["jump_share"] > 0).any()
    assert (features["roll_spread_20"] > 0).any()


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_bars_equal_their_plain_definition(data: st.DataObject) -> None:
    days, slots, instruments = data.draw(st.tuples(*(st.integers(1, most) for most in (24, 5, 2))))
    price = st.sampled_from([1.0, 1.01, 1.02, 2.0, 0.5, 50.0, np.nan, 0.0, -1.0, np.inf])
    volume = st.sampled_from([0.0, 1.0, 7.0, 1e9, np.nan, -3.0, np.inf])
    cells = days * slots * instruments
    drawn = [
        data.draw(st.lists(each, min_size=cells, max_size=cells)) for each in [price] * 4 + [volume]
    ]
    fields = {
        name: np.array(each).reshape(days, slots, instruments)
        for name, each in zip(FIELDS, drawn, strict=True)
    }
    prices = np.stack([fields[name] for name in FIELDS[:4]])
    fields["high"], fields["low"] = prices.max(axis=0), prices.min(axis=0)
    bars = with_sessions(fields, data.draw(st.integers(0, slots)))
    assert_equals_oracle(bars)


def test_all_missing_gives_no_value() -> None:
    bars = random_bars(missing=1.0)
    for name, values in bar_features(bars).items():
        expected = 0.0 if name == "bars_present" else np.nan
        np.testing.assert_array_equal(values, np.full(values.shape, expected), name)


def test_a_day_with_one_bar_of_many_has_no_value() -> None:
    bars = random_bars(missing=0)
    fields = copy_fields(bars)
    for values in fields.values():
        values[25, 1:] = np.nan
    features = bar_features(with_sessions(fields))
    for name in NAMES:
        present = np.isfinite(features[name][25])
        assert not present.any() or name in {"bars_present", "kyle_lambda_20", "roll_spread_20"}
    assert np.isnan(features["overnight_return"][26]).all()


def test_a_session_of_one_bar_has_a_variance_but_no_jump() -> None:
    features = bar_features(random_bars(slots=1, missing=0))
    assert np.isfinite(features["realised_variance"]).all()
    for name in ("bipower_variation", "jump_share", "corwin_schultz_spread", "roll_spread_20"):
        assert np.isnan(features[name]).all(), name


def test_a_constant_price_has_no_variance_and_no_ratio() -> None:
    fields = copy_fields(random_bars(missing=0))
    for name in FIELDS[:4]:
        fields[name][:] = 20.0
    features = bar_features(with_sessions(fields))
    for name in ("realised_variance", "realised_range", "bipower_variation", "amihud"):
        assert (features[name] == 0).all(), name
    for name in ("jump_share", "kyle_lambda_20", "order_imbalance"):
        assert np.isnan(features[name]).all(), name
    np.testing.assert_allclose(features["close_to_vwap"], 0, atol=1e-15)


@pytest.mark.parametrize("volume", [0.0, np.nan])
def test_without_volume_only_features_of_prices_have_values(volume: float) -> None:
    bars = random_bars(days=40, missing=0)
    features = bar_features(replace(bars, volume=np.full(bars.close.shape, volume)))
    complete = bar_features(bars)
    for name in NAMES:
        if name in OF_VOLUME:
            assert np.isnan(features[name]).all(), name
        else:
            np.testing.assert_array_equal(features[name], complete[name], name)


def test_an_early_close_counts_as_a_whole_session() -> None:
    fields = copy_fields(random_bars(missing=0))
    for values in fields.values():
        values[20, 14:] = np.nan
    bars = with_sessions(fields)
    bars.slots[20] = 14
    features = bar_features(bars)
    assert (features["bars_present"] == 1).all()
    assert all(np.isfinite(features[name][20]).all() for name in NAMES)
    volume = fields["volume"][20]
    expected = volume[12:14].sum(axis=0) / volume[:14].sum(axis=0)
    np.testing.assert_allclose(features["volume_share_last"][20], expected, rtol=1e-12)
    assert_equals_oracle(bars)


def test_empty_slots_after_the_session_change_no_bit() -> None:
    bars = random_bars()
    empty = np.full((30, 9, 4), np.nan)
    longer = [np.concatenate([getattr(bars, name), empty], axis=1) for name in FIELDS]
    assert_same_bits(bar_features(bars), bar_features(Bars(*longer, bars.slots)))


def test_a_price_outside_of_its_range_makes_the_bar_missing() -> None:
    fields = copy_fields(random_bars(missing=0))
    without = {name: values.copy() for name, values in fields.items()}
    fields["high"][25, 3] = fields["open"][25, 3] * 0.99
    for values in without.values():
        values[25, 3] = np.nan
    assert_same_bits(bar_features(with_sessions(fields)), bar_features(with_sessions(without)))


def test_one_day_alone_equals_all_days_at_once_bit_for_bit() -> None:
    bars = random_bars(days=70)
    together = bar_features(bars)
    for row in (0, 5, 20, 21, 40, 69):
        begin = max(row - BAR_LOOKBACK, 0)
        alone = bar_features(bars.rows(slice(begin, row + 1)))
        for name in NAMES:
            assert alone[name][-1].tobytes() == together[name][row].tobytes(), name


def test_one_instrument_alone_equals_all_bit_for_bit() -> None:
    bars = random_bars(days=40, instruments=7)
    together = bar_features(bars)
    alone = bar_features(
        Bars(*(getattr(bars, name)[..., 3:4] for name in FIELDS), bars.slots[:, 3:4])
    )
    for name in NAMES:
        assert alone[name][:, 0].tobytes() == together[name][:, 3].tobytes(), name


def test_no_day_depends_on_a_later_one() -> None:
    bars, random = random_bars(days=50), np.random.default_rng(9)
    fields = copy_fields(bars)
    for values in fields.values():
        values[30:] *= random.uniform(0.1, 3.0, values[30:].shape)
    assert_same_bits(bar_features(bars), bar_features(with_sessions(fields)), slice(0, 30))


def test_scales_of_prices_and_units_do_what_the_units_say() -> None:
    bars = random_bars(days=40)
    before = bar_features(bars)
    prices = {name: getattr(bars, name) * 8.0 for name in FIELDS[:4]}
    after = bar_features(replace(bars, **prices))
    for name in NAMES:
        factor = 1 / 8 if name in {"amihud", "kyle_lambda_20"} else 1.0
        np.testing.assert_allclose(after[name], before[name] * factor, rtol=1e-9, atol=1e-9)


def test_inputs_are_logs_of_variances_and_ranks_of_spreads() -> None:
    features = bar_features(random_bars(days=40))
    inputs = bar_inputs(features)
    assert len(inputs) == len(NAMES)
    np.testing.assert_array_equal(
        inputs["log_realised_variance"], np.log(features["realised_variance"])
    )
    assert np.nanmax(np.abs(inputs["rank_amihud"])) < 1
    alone = bar_inputs({name: each[30:31] for name, each in features.items()})
    for name, values in inputs.items():
        assert values[30].tobytes() == alone[name][0].tobytes(), name


def test_the_catalogue_says_what_each_feature_is() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert not set(NAMES) & {feature.name for feature in CATALOGUE}
    assert all(each.formula and each.unit and each.group for each in BAR_CATALOGUE)
    assert len(BAR_CATALOGUE_VERSION) == 12
