"""The suites of bars and of their features.

Only declarations belong here; ``quality.expectations`` validates them.
"""

from quant_assets.quality.conditions import FINITE, between, is_name, once, present
from quant_assets.quality.expectations import Expectation, Suite

_BAR_KEY = ("trading_day", "instrument", "bar_start")
_FEATURE_KEY = ("trading_day", "instrument")


def _ordered(larger: str, smaller: str) -> Expectation:
    return Expectation(
        "ExpectColumnPairValuesAToBeGreaterThanB",
        (larger, smaller),
        f"{larger} is not below {smaller}, in 19 of 20 bars",
        {"or_equal": True, "ignore_row_if": "either_value_is_missing", "mostly": 0.95},
    )


RAW_BARS_SUITE = Suite(
    "raw_bars",
    "Bars have the right form, and most of them hold prices that fit each other.",
    _BAR_KEY,
    (
        *present(*_BAR_KEY, "date_id", "minutes", "source"),
        once(*_BAR_KEY),
        is_name("instrument"),
        between("minutes", "a bar lasts a minute to a day", min_value=1, max_value=1440),
        *(
            between(
                name,
                f"the {name} of a bar is above zero and finite, in 19 of 20 bars",
                min_value=0.0,
                max_value=FINITE,
                strict_min=True,
                mostly=0.95,
            )
            for name in ("open", "high", "low", "close")
        ),
        between(
            "volume",
            "a volume is finite and not below zero, in 19 of 20 bars",
            min_value=0.0,
            max_value=FINITE,
            mostly=0.95,
        ),
        *(_ordered("high", name) for name in ("open", "close", "low")),
        *(_ordered(name, "low") for name in ("open", "close")),
    ),
    ("open", "high", "low", "close", "volume"),
)
BAR_FEATURES_SUITE = Suite(
    "bar_features",
    "Features from bars are within their bounds, and none is infinite.",
    _FEATURE_KEY,
    (
        *present(*_FEATURE_KEY, "date_id"),
        once(*_FEATURE_KEY),
        *(
            between(name, f"{name} is finite and not below zero", min_value=0, max_value=FINITE)
            for name in ("realised_variance", "realised_range", "bipower_variation", "amihud")
        ),
        *(
            between(name, f"{name} lies between 0 and 1", min_value=0, max_value=1)
            for name in ("jump_share", "volume_share_first", "volume_share_last", "bars_present")
        ),
        between("order_imbalance", "order_imbalance is a share", min_value=-1, max_value=1),
        *(
            between(name, f"{name} is finite", min_value=-FINITE, max_value=FINITE)
            for name in ("overnight_return", "intraday_return", "close_to_vwap")
        ),
        between(
            "bars_present",
            "in 9 of 10 rows at least half of the bars are present",
            min_value=0.5,
            mostly=0.9,
        ),
    ),
)
