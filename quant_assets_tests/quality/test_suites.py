"""The suites: a sound table passes, a corrupted one fails and names the rows."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from quant_assets.quality.expectations import SuiteResult, validate_suite
from quant_assets.quality.suites import (
    TARGET_FEATURES_SUITE,
    TARGET_PAIRS_SUITE,
    VALIDATED_PRICES_SUITE,
    forecasts_suite,
)
from quant_assets_tests.support.price_tables import (
    DAYS,
    RAW_PRICES_SUITE,
    forecasts,
    raw_prices,
    target_features,
    target_pairs,
    validated_prices,
)

Change = Callable[[pd.DataFrame], pd.DataFrame]
SOUND = {
    "raw_prices": (RAW_PRICES_SUITE, raw_prices),
    "validated_prices": (VALIDATED_PRICES_SUITE, validated_prices),
    "target_pairs": (TARGET_PAIRS_SUITE, target_pairs),
    "target_features": (TARGET_FEATURES_SUITE, target_features),
    "forecasts": (forecasts_suite(424), forecasts),
}


def put(row: int, column: str, value: Any) -> Change:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype({column: object}) if isinstance(value, str) else frame
        frame.loc[row, column] = value
        return frame

    return change


def repeat(row: int) -> Change:
    return lambda frame: pd.concat([frame, frame.iloc[[row]]])


def broken(result: SuiteResult) -> dict[tuple[str, str], int | None]:
    return {
        (outcome.expectation, outcome.column): outcome.unexpected_count
        for outcome in result.outcomes
        if not outcome.passed
    }


@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("text", ["object", "category"])
def test_a_sound_table_passes(name: str, text: str) -> None:
    suite, make = SOUND[name]
    frame = make()
    strings = frame.select_dtypes("object").columns
    typed = frame.astype(dict.fromkeys(strings, text))
    before = typed.copy()
    result = validate_suite(suite, typed)
    assert broken(result) == {}
    assert (result.name, result.passed, result.rows) == (name, True, len(frame))
    assert len(result.outcomes) == len(suite.expectations)
    assert result.failing.empty
    pd.testing.assert_frame_equal(typed, before)


def test_any_horizon_from_one_day_on_is_sound() -> None:
    frame = target_pairs()
    frame["lag"] = np.resize([1, 5, 20, 250], len(frame))
    assert broken(validate_suite(TARGET_PAIRS_SUITE, frame)) == {}


# name: (suite, change, expectation, column, rows that break it, shown value, shown keys)
FAULTS: dict[str, tuple[str, Change, str, str, int | None, str | None, list[object]]] = {
    "no rows": (
        "raw_prices",
        lambda f: f.head(0),
        "expect_table_row_count_to_be_between",
        "",
        None,
        None,
        [],
    ),
    "no day": (
        "raw_prices",
        put(6, "trading_day", pd.NaT),
        "expect_column_values_to_not_be_null",
        "trading_day",
        1,
        "NaT",
        ["US_Stock_CVX", "volume"],
    ),
    "repeated row": (
        "raw_prices",
        repeat(2),
        "expect_compound_columns_to_be_unique",
        "trading_day, instrument, field",
        2,
        None,
        ["FX_USDJPY", "close", DAYS[0]],
    ),
    "unknown field": (
        "raw_prices",
        put(4, "field", "mid"),
        "expect_column_values_to_be_in_set",
        "field",
        1,
        "mid",
        [DAYS[0], "JPX_Gold_Rolling-Spot_Futures"],
    ),
    "instrument with a control character": (
        "raw_prices",
        put(5, "instrument", "NYSE\tCVX"),
        "expect_column_values_to_match_regex",
        "instrument",
        1,
        "NYSE\tCVX",
        [DAYS[1], "close"],
    ),
    "value as text": (
        "raw_prices",
        put(5, "value", "12"),
        "expect_column_values_to_be_of_type",
        "value",
        None,
        None,
        [],
    ),
    "day of another century": (
        "raw_prices",
        lambda f: f.assign(
            trading_day=f["trading_day"].where(f["date_id"] < 3, pd.Timestamp("2118-01-05"))
        ),
        "expect_column_values_to_be_between",
        "trading_day",
        1,
        "2118-01-05 00:00:00",
        ["US_Stock_CVX"],
    ),
    "two ids of a day": (
        "raw_prices",
        put(14, "date_id", 9),
        "expect_column_values_to_be_unique",
        "trading_day",
        2,
        "2018-01-04 00:00:00",
        [],
    ),
    "ids out of order": (
        "raw_prices",
        lambda f: f.assign(date_id=f["date_id"].replace({1: 2, 2: 1})),
        "expect_column_values_to_be_increasing",
        "date_id",
        1,
        "1",
        [DAYS[2]],
    ),
    "zero price": (
        "validated_prices",
        put(5, "value", 0.0),
        "expect_column_values_to_be_between",
        "value",
        1,
        "0.0",
        [DAYS[1], "US_Stock_CVX", "close"],
    ),
    "infinite fill": (
        "validated_prices",
        put(7, "filled", np.inf),
        "expect_column_values_to_be_between",
        "filled",
        1,
        "inf",
        [DAYS[1], "FX_USDJPY"],
    ),
    "negative volume": (
        "validated_prices",
        put(6, "value", -1.0),
        "expect_column_values_to_be_between",
        "value",
        1,
        "-1.0",
        [DAYS[1], "volume"],
    ),
    "another fill": (
        "validated_prices",
        put(5, "filled", 99.0),
        "expect_column_pair_values_to_be_equal",
        "value, filled",
        1,
        "6.0, 99.0",
        [DAYS[1], "US_Stock_CVX"],
    ),
    "no closes": (
        "validated_prices",
        lambda f: f.assign(filled=f["filled"].where(f["field"] != "close")),
        "expect_column_values_to_not_be_null",
        "filled",
        12,
        "nan",
        [DAYS[0], "US_Stock_CVX"],
    ),
    "too much rejected": (
        "validated_prices",
        put(12, "flag", "rejected"),
        "expect_column_values_to_be_in_set",
        "rejected",
        2,
        "True",
        [DAYS[1], "FX_USDJPY"],
    ),
    "repeated price": (
        "validated_prices",
        repeat(2),
        "expect_compound_columns_to_be_unique",
        "trading_day, instrument, field",
        2,
        None,
        [DAYS[0], "FX_USDJPY"],
    ),
    "no targets": (
        "target_pairs",
        lambda f: f.head(0),
        "expect_table_row_count_to_be_between",
        "",
        None,
        None,
        [],
    ),
    "lag 0": (
        "target_pairs",
        put(423, "lag", 0),
        "expect_column_values_to_be_between",
        "lag",
        1,
        "0",
        ["target_423"],
    ),
    "target twice": (
        "target_pairs",
        put(9, "target", "target_8"),
        "expect_column_values_to_be_unique",
        "target",
        2,
        "target_8",
        ["target_8"],
    ),
    "other order": (
        "target_pairs",
        lambda f: f.iloc[::-1],
        "expect_column_values_to_be_in_set",
        "distance",
        424,
        None,
        ["target_423"],
    ),
    "leg without a name": (
        "target_pairs",
        put(9, "leg_b", ""),
        "expect_column_values_to_match_regex",
        "leg_b",
        1,
        "",
        ["target_9"],
    ),
    "infinite feature": (
        "target_features",
        put(500, "feature_2", -np.inf),
        "expect_column_values_to_be_between",
        "infinite",
        1,
        "1",
        [DAYS[1], "target_76"],
    ),
    "empty features": (
        "target_features",
        lambda f: f.assign(feature_1=np.nan, feature_2=np.nan, feature_3=np.nan),
        "expect_column_values_to_be_between",
        "empty_share",
        1696,
        "1.0",
        ["target_0"],
    ),
    "no forecast": (
        "forecasts",
        put(425, "value", np.nan),
        "expect_column_values_to_not_be_null",
        "value",
        1,
        "nan",
        [DAYS[1], "target_1"],
    ),
    "infinite forecast": (
        "forecasts",
        put(425, "value", np.inf),
        "expect_column_values_to_be_between",
        "value",
        1,
        "inf",
        [DAYS[1], "target_1"],
    ),
    "423 of a day": (
        "forecasts",
        lambda f: f.drop(index=500),
        "expect_column_values_to_be_in_set",
        "targets",
        1,
        "423",
        [DAYS[1]],
    ),
    "constant day": (
        "forecasts",
        lambda f: f.assign(value=f["value"].where(f["date_id"] != 2, 0.5)),
        "expect_column_values_to_be_between",
        "spread",
        1,
        "0.0",
        [DAYS[2]],
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_corrupted_table_fails_and_names_the_rows(name: str) -> None:
    table, change, expectation, column, count, value, keys = FAULTS[name]
    suite, make = SOUND[table]
    result = validate_suite(suite, change(make()))
    assert not result.passed
    assert (expectation, column) in broken(result)
    failing = result.failing[result.failing["column"] == column]
    assert list(failing.columns) == [*suite.keys, "column", "value", "reason"]
    if value is not None:
        failing = failing[failing["value"] == value]
    assert len(failing)
    assert len(result.failing) <= 20
    shown = failing.iloc[0].tolist()
    assert [key for key in keys if key not in shown] == []
    if count is not None:
        counts = [
            o.unexpected_count
            for o in result.outcomes
            if (o.expectation, o.column) == (expectation, column) and not o.passed
        ]
        assert count in counts


def test_every_broken_expectation_shows_rows() -> None:
    frame = validated_prices().assign(value=-1.0, filled=5.0, trading_day=DAYS[0], field="close")
    result = validate_suite(VALIDATED_PRICES_SUITE, frame)
    assert len(broken(result)) == 3
    assert len(result.failing) == 18
    assert result.failing["reason"].value_counts().tolist() == [6, 6, 6]
