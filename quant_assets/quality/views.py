"""What the suites check besides a table's own rows: parts and summaries of it.

A view is computed once for all expectations that share it. Rows are labelled uniquely, so that a
failing one can be shown.
"""

from functools import partial

import numpy as np
import pandas as pd

from quant_assets.market.instruments import PRICE_FIELDS
from quant_assets.quality.expectations import View


def distinct(*columns: str) -> View:
    """The first row of each combination of the columns."""
    return partial(_distinct, columns=columns)


def _distinct(frame: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    return frame.drop_duplicates(list(columns))


def days(frame: pd.DataFrame) -> pd.DataFrame:
    """The days and their numbers, in order of day."""
    return frame.drop_duplicates(["trading_day", "date_id"]).sort_values(["trading_day", "date_id"])


def price_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of prices."""
    return frame[frame["field"].isin(PRICE_FIELDS)]


def other_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of volumes and open interests."""
    return frame[~frame["field"].isin(PRICE_FIELDS)]


def closes(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of closes."""
    return frame[frame["field"] == "close"]


def with_rejected(frame: pd.DataFrame) -> pd.DataFrame:
    """All rows, and whether the value given was ``rejected``."""
    flags = [flag for flag in frame["flag"].astype("category").cat.categories if "rejected" in flag]
    return frame.assign(rejected=frame["flag"].isin(flags))


def numbered(frame: pd.DataFrame) -> pd.DataFrame:
    """All rows, and the ``distance`` of the target's number from its place."""
    numbers = pd.to_numeric(frame["target"].astype(str).str.removeprefix("target_"), "coerce")
    return frame.assign(distance=numbers - range(len(frame)))


def feature_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Each row's ``empty_share`` of features and count of ``infinite`` ones."""
    keys = ["trading_day", "date_id", "target"]
    values = frame.drop(columns=keys).to_numpy(dtype="float64", na_value=np.nan)
    return frame[keys].assign(
        empty_share=np.isnan(values).mean(axis=1), infinite=np.isinf(values).sum(axis=1)
    )


def forecast_days(frame: pd.DataFrame) -> pd.DataFrame:
    """Number of ``targets`` of each day, and the ``spread`` of their values."""
    days = frame.groupby("trading_day", sort=False)["value"].agg(["size", "min", "max"])
    return pd.DataFrame(
        {
            "trading_day": days.index,
            "targets": days["size"].to_numpy(),
            "spread": (days["max"] - days["min"]).to_numpy(),
        }
    )
