"""Validation of tables that cannot be evaluated, and imports of the suites."""

import subprocess
import sys

import pandas as pd

from quant_assets.quality.expectations import Expectation, Suite, validate_suite
from quant_assets_tests.support.price_tables import RAW_PRICES_SUITE, raw_prices


def test_a_missing_column_is_the_only_thing_said() -> None:
    result = validate_suite(RAW_PRICES_SUITE, raw_prices().drop(columns=["value", "field"]))
    assert {(o.expectation, o.column): o.unexpected_count for o in result.outcomes} == {
        ("expect_column_to_exist", "field"): None,
        ("expect_column_to_exist", "value"): None,
    }
    assert result.failing["column"].tolist() == ["field", "value"]
    assert result.failing["reason"].tolist() == ["column missing"] * 2


def test_what_cannot_be_evaluated_has_not_passed() -> None:
    above = Expectation(
        "ExpectColumnValuesToBeBetween", ("value",), "value is positive", {"min_value": 0}
    )
    frame = pd.DataFrame({"key": ["a", "b"], "value": ["x", 1]})
    result = validate_suite(Suite("mixed", "", ("key",), (above,)), frame)
    assert not result.passed
    assert (
        result.failing["reason"].str.contains("value is positive; could not be evaluated: ").all()
    )


def test_importing_the_suites_does_not_import_great_expectations() -> None:
    code = (
        "import sys, quant_assets.quality.suites as s;"
        "sys.exit('great_expectations' in sys.modules or not s.forecasts_suite(9).expectations)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
