"""The suites: a sound table passes, a corrupted one fails and names the rows."""

import subprocess
import sys
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from quant_assets.quality.expectations import Expect, Suite, SuiteResult, validate
from quant_assets.quality.suites import (
    FORECASTS_SUITE,
    RAW_PRICES_SUITE,
    TARGET_FEATURES_SUITE,
    TARGET_PAIRS_SUITE,
    VALIDATED_PRICES_SUITE,
)

Change = Callable[[pd.DataFrame], pd.DataFrame]
SERIES = [
    ("US_Stock_CVX", "close"),
    ("US_Stock_CVX", "volume"),
    ("FX_USDJPY", "close"),
    ("LME_CA", "close"),
    ("JPX_Gold_Rolling-Spot_Futures", "settlement"),
]
DAYS = pd.to_datetime(["2018-01-02", "2018-01-03", "2018-01-04", "2018-01-05"])


def raw_prices() -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "trading_day": np.repeat(DAYS, len(SERIES)),
            "date_id": np.repeat(np.arange(len(DAYS)), len(SERIES)),
            "instrument": [name for name, _ in SERIES] * len(DAYS),
            "field": [field for _, field in SERIES] * len(DAYS),
            "value": np.arange(1.0, 1 + len(DAYS) * len(SERIES)),
            "source": "test",
            "unread": None,
        }
    )
    # Bad cells are a matter of cleaning, not of form.
    frame.loc[[3, 7, 8], "value"] = [np.nan, -1.0, np.inf]
    return frame


def validated_prices() -> pd.DataFrame:
    frame = raw_prices().drop(columns=["source", "unread"])
    frame["value"] = np.arange(1.0, 1 + len(frame))
    frame["filled"] = frame["value"]
    frame["flag"] = None
    frame.loc[1, ["value", "filled"]] = 0.0
    frame.loc[7, ["value", "flag"]] = [np.nan, "filled,rejected"]
    return frame


def target_pairs() -> pd.DataFrame:
    numbers = np.arange(424)
    return pd.DataFrame(
        {
            "target": [f"target_{i}" for i in numbers],
            "lag": 1 + numbers // 106,
            "leg_a": "FX_USDJPY",
            "leg_b": [None if i % 106 == 0 else "LME_CA" for i in numbers],
        }
    )


def forecasts() -> pd.DataFrame:
    targets = [f"target_{i}" for i in range(424)]
    return pd.DataFrame(
        {
            "trading_day": np.repeat(DAYS, 424),
            "date_id": np.repeat(np.arange(len(DAYS)), 424),
            "target": targets * len(DAYS),
            "value": np.random.default_rng(1).normal(size=424 * len(DAYS)),
            "fit_as_of": DAYS[0],
        }
    )


def target_features() -> pd.DataFrame:
    frame = forecasts().drop(columns=["value", "fit_as_of"])
    features = np.random.default_rng(2).normal(size=(len(frame), 4))
    features[::7, 0] = np.nan
    return frame.assign(**{f"feature_{i}": features[:, i] for i in range(4)})


SOUND = {
    "raw_prices": (RAW_PRICES_SUITE, raw_prices),
    "validated_prices": (VALIDATED_PRICES_SUITE, validated_prices),
    "target_pairs": (TARGET_PAIRS_SUITE, target_pairs),
    "target_features": (TARGET_FEATURES_SUITE, target_features),
    "forecasts": (FORECASTS_SUITE, forecasts),
}


def put(row: int, column: str, value: object) -> Change:
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
    given = frame.astype(dict.fromkeys(strings, text))
    before = given.copy()
    result = validate(suite, given)
    assert broken(result) == {}
    assert (result.name, result.passed, result.rows) == (name, True, len(frame))
    assert len(result.outcomes) == len(suite.expectations)
    assert result.failing.empty
    pd.testing.assert_frame_equal(given, before)


# name: (suite, what is done, expectation, column, rows that break it, value shown, keys shown)
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
    "unknown instrument": (
        "raw_prices",
        put(5, "instrument", "NYSE_CVX"),
        "expect_column_values_to_match_regex",
        "instrument",
        1,
        "NYSE_CVX",
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
        ["LME_CA"] * 0,
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
        ["FX_USDJPY"],
    ),
    "too much rejected": (
        "validated_prices",
        put(12, "flag", "rejected"),
        "expect_column_values_to_be_in_set",
        "rejected",
        2,
        "True",
        [DAYS[2], "FX_USDJPY"],
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
    "a target too few": (
        "target_pairs",
        lambda f: f.head(423),
        "expect_table_row_count_to_be_between",
        "",
        None,
        None,
        [],
    ),
    "lag 5": (
        "target_pairs",
        put(423, "lag", 5),
        "expect_column_values_to_be_in_set",
        "lag",
        1,
        "5",
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
    "leg of nothing": (
        "target_pairs",
        put(9, "leg_b", "Gold"),
        "expect_column_values_to_match_regex",
        "leg_b",
        1,
        "Gold",
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
    result = validate(suite, change(make()))
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


def test_a_missing_column_is_the_only_thing_said() -> None:
    result = validate(RAW_PRICES_SUITE, raw_prices().drop(columns=["value", "field"]))
    assert broken(result) == {
        ("expect_column_to_exist", "field"): None,
        ("expect_column_to_exist", "value"): None,
    }
    assert result.failing["column"].tolist() == ["field", "value"]
    assert result.failing["reason"].tolist() == ["column missing"] * 2


def test_what_cannot_be_evaluated_has_not_passed() -> None:
    above = Expect(
        "ExpectColumnValuesToBeBetween", ("value",), "value is positive", {"min_value": 0}
    )
    frame = pd.DataFrame({"key": ["a", "b"], "value": ["x", 1]})
    result = validate(Suite("mixed", "", ("key",), (above,)), frame)
    assert not result.passed
    assert (
        result.failing["reason"].str.contains("value is positive; could not be evaluated: ").all()
    )


def test_importing_the_suites_does_not_import_great_expectations() -> None:
    code = (
        "import sys, quant_assets.quality.suites as s;"
        "sys.exit('great_expectations' in sys.modules or not s.RAW_PRICES_SUITE.expectations)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
