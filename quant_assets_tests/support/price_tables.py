"""Small sound tables of the lake, as frames."""

import numpy as np
import pandas as pd

from quant_assets.quality.suites import raw_prices_suite
from quant_assets_tests.support.calendars import LONDON_AND_TOKYO

RAW_PRICES_SUITE = raw_prices_suite(LONDON_AND_TOKYO)
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
    frame.loc[7, "value"] = np.nan
    frame.loc[7, "flag"] = "filled,rejected"
    return frame


def target_pairs() -> pd.DataFrame:
    numbers = np.arange(424)
    return pd.DataFrame(
        {
            "target": [f"target_{i}" for i in numbers],
            "position": numbers,
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
