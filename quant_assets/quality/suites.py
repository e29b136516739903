"""The suites: conditions that a table meets before downstream assets may use it.

Only declarations belong here; ``quality.expectations`` validates them. The raw suite does not check
single values, because ``quality.cleaning`` rejects bad cells.
"""

from collections.abc import Mapping
from datetime import date

import pandas as pd

from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.market.instruments import FIELDS
from quant_assets.quality import views
from quant_assets.quality.conditions import FINITE, between, is_name, once, present, row_count
from quant_assets.quality.expectations import Expectation, Suite

MOST_REJECTED = 0.05
"""Largest share of rejected cells of prices that are stored."""
_SERIES_KEY = ("trading_day", "instrument", "field")
_TARGET_KEY = ("trading_day", "target")


def _known_fields() -> Expectation:
    return Expectation(
        "ExpectColumnValuesToBeInSet",
        ("field",),
        f"field is one of {', '.join(FIELDS)}",
        {"value_set": list(FIELDS)},
        views.distinct("field"),
    )


RAW_PRICES_CHECK = (
    "raw_prices",
    "Prices have the right form: keys, names, types and days. Single values are not judged.",
)
"""Name and description of the suite for raw prices."""


def raw_prices_suite(calendar: MarketCalendar) -> Suite:
    """Return the suite for raw prices.

    Args:
        calendar: calendar of the market; prices lie within its reach.
    """
    first_day, last_day = calendar.reach
    return Suite(
        *RAW_PRICES_CHECK,
        _SERIES_KEY,
        (
            row_count("there are prices", min_value=1),
            *present("trading_day", "date_id", "instrument", "field", "source"),
            once(*_SERIES_KEY),
            Expectation(
                "ExpectColumnValuesToBeOfType",
                ("value",),
                "value is a number",
                {"type_": "float64"},
            ),
            _known_fields(),
            is_name("instrument"),
            between(
                "trading_day",
                f"trading_day lies between {first_day} and {last_day}",
                views.days,
                min_value=pd.Timestamp(first_day),
                max_value=pd.Timestamp(last_day),
            ),
            Expectation(
                "ExpectColumnValuesToBeUnique",
                ("trading_day",),
                "a day has one date_id",
                view=views.days,
            ),
            Expectation(
                "ExpectColumnValuesToBeIncreasing",
                ("date_id",),
                "date_id rises with trading_day",
                {"strictly": True},
                views.days,
            ),
        ),
        ("date_id", "value", "source"),
    )


TARGET_PAIRS_SUITE = Suite(
    "target_pairs",
    "The targets in submission order, each with a lag and one or two legs.",
    ("target",),
    (
        row_count("there are targets", min_value=1),
        *present("target", "position", "lag", "leg_a"),
        Expectation("ExpectColumnValuesToBeUnique", ("target",), "target occurs once"),
        Expectation(
            "ExpectColumnValuesToBeInSet",
            ("distance",),
            "positions count from 0 in order",
            {"value_set": [0]},
            views.numbered,
        ),
        between("lag", "lag is 1 or more", min_value=1),
        *(is_name(column) for column in ("target", "leg_a", "leg_b")),
    ),
    ("position", "lag", "leg_a", "leg_b"),
)
VALIDATED_PRICES_SUITE = Suite(
    "validated_prices",
    "Every price can be computed with, and neither too few are left nor too many were rejected.",
    _SERIES_KEY,
    (
        *present(*_SERIES_KEY),
        once(*_SERIES_KEY),
        _known_fields(),
        *(
            between(
                name,
                f"the {name} of a price is above zero and finite",
                views.price_rows,
                min_value=0.0,
                max_value=FINITE,
                strict_min=True,
            )
            for name in ("value", "filled")
        ),
        between(
            "value",
            "a volume or open interest is finite and not below zero",
            views.other_rows,
            min_value=0.0,
            max_value=FINITE,
        ),
        Expectation(
            "ExpectColumnPairValuesToBeEqual",
            ("value", "filled"),
            "filled is the value where there is one",
            {"ignore_row_if": "either_value_is_missing"},
        ),
        Expectation(
            "ExpectColumnValuesToNotBeNull",
            ("filled",),
            "at least half of the closes are known or carried",
            {"mostly": 0.5},
            views.closes,
        ),
        between(
            "rejected_share",
            "on no day more than a quarter of the cells is rejected",
            views.rejected_by_day,
            max_value=0.25,
        ),
        Expectation(
            "ExpectColumnValuesToBeInSet",
            ("rejected",),
            "at most 5 % of the cells are rejected",
            {"value_set": [False], "mostly": 1 - MOST_REJECTED},
            views.with_rejected,
        ),
    ),
    ("value", "filled", "flag"),
)
TARGET_FEATURES_SUITE = Suite(
    "target_features",
    "Most features of most targets are known, and none is infinite.",
    _TARGET_KEY,
    (
        row_count("there are features", min_value=1),
        *present(*_TARGET_KEY),
        once(*_TARGET_KEY),
        between(
            "empty_share",
            "in 9 of 10 rows at most half of the features are empty",
            views.feature_rows,
            min_value=0.0,
            max_value=0.5,
            mostly=0.9,
        ),
        between("infinite", "no feature is infinite", views.feature_rows, max_value=0),
    ),
    ("date_id",),
)
FORECASTS_CHECK = ("forecasts", "Each day ranks all targets.")
"""Name and description of the suite for forecasts."""


def _all_targets(targets: int) -> Expectation:
    return Expectation(
        "ExpectColumnValuesToBeInSet",
        ("targets",),
        f"a day has {targets} forecasts",
        {"value_set": [targets]},
        views.forecast_days,
    )


def _targets_of_days(expected: Mapping[date, int]) -> Expectation:
    return Expectation(
        "ExpectColumnValuesToBeInSet",
        ("absent",),
        "a day has a forecast of every target in the universe",
        {"value_set": [0]},
        views.absent_forecasts(expected),
    )


def forecasts_suite(targets: int, expected: Mapping[date, int] | None = None) -> Suite:
    """Return the suite for forecasts.

    Args:
        targets: number of the market's targets.
        expected: number of forecasts of each day, if some days have fewer than the targets.
    """
    count = _targets_of_days(expected) if expected else _all_targets(targets)
    return Suite(
        *FORECASTS_CHECK,
        _TARGET_KEY,
        (
            row_count("there are forecasts", min_value=1),
            *present(*_TARGET_KEY, "value"),
            once(*_TARGET_KEY),
            between("value", "value is finite", min_value=-FINITE, max_value=FINITE),
            is_name("target"),
            count,
            between(
                "spread",
                "a day's forecasts differ",
                views.forecast_days,
                min_value=0.0,
                strict_min=True,
            ),
        ),
        ("date_id", "value"),
    )
