"""Views: parts and summaries of a table that suites check besides the table itself.

A view is computed once for all expectations that share it. Its row labels are unique, so that a
failing row can be shown.
"""

from collections.abc import Mapping
from datetime import date
from functools import partial

import numpy as np
import pandas as pd

from quant_assets.market.instruments import PRICE_FIELDS
from quant_assets.quality.expectations import View


def distinct(*columns: str) -> View:
    """Return a view with the first row of each combination of values of the columns."""
    return partial(_distinct, columns=columns)


def _distinct(frame: pd.DataFrame, columns: tuple[str, ...]) -> pd.DataFrame:
    return frame.drop_duplicates(list(columns))


def days(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each day and date_id, sorted by day."""
    return frame.drop_duplicates(["trading_day", "date_id"]).sort_values(["trading_day", "date_id"])


def price_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of price fields."""
    return frame[frame["field"].isin(PRICE_FIELDS)]


def other_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of volumes and open interests."""
    return frame[~frame["field"].isin(PRICE_FIELDS)]


def closes(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of closes."""
    return frame[frame["field"] == "close"]


def with_rejected(frame: pd.DataFrame) -> pd.DataFrame:
    """Return all rows, with a column ``rejected`` that says whether the rules rejected the cell.

    Cells that a person rejected are not counted: they say nothing against the rest of the data.
    """
    flags = frame["flag"].astype("category").cat.categories
    by_rules = [flag for flag in flags if "rejected" in flag and "reviewed" not in flag]
    return frame.assign(rejected=frame["flag"].isin(by_rules))


def rejected_by_day(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the share of rejected cells of each day, in a column ``rejected_share``."""
    shares = with_rejected(frame).groupby("trading_day", sort=False)["rejected"].mean()
    return shares.rename("rejected_share").reset_index()


def numbered(frame: pd.DataFrame) -> pd.DataFrame:
    """Return all rows, with the ``distance`` between a target's position and its row."""
    return frame.assign(distance=frame["position"] - range(len(frame)))


def feature_rows(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the share of empty features and the number of infinite features of each row.

    The columns are ``empty_share`` and ``infinite``.
    """
    keys = ["trading_day", "date_id", "target"]
    values = frame.drop(columns=keys).to_numpy(dtype="float64", na_value=np.nan)
    return frame[keys].assign(
        empty_share=np.isnan(values).mean(axis=1), infinite=np.isinf(values).sum(axis=1)
    )


def forecast_days(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the number of ``targets`` of each day, and the ``spread`` between their values."""
    days = frame.groupby("trading_day", sort=False)["value"].agg(["size", "min", "max"])
    return pd.DataFrame(
        {
            "trading_day": days.index,
            "targets": days["size"].to_numpy(),
            "spread": (days["max"] - days["min"]).to_numpy(),
        }
    )


def absent_forecasts(expected: Mapping[date, int]) -> View:
    """Return a view with the number of ``absent`` forecasts of each day that should have some."""
    return partial(_absent_forecasts, expected=expected)


def _absent_forecasts(frame: pd.DataFrame, expected: Mapping[date, int]) -> pd.DataFrame:
    wanted = pd.Series(expected, dtype="int64")
    wanted.index = pd.DatetimeIndex(wanted.index)
    counts = frame.groupby("trading_day", sort=False).size()
    counts.index = pd.DatetimeIndex(counts.index)
    absent = wanted.sub(counts, fill_value=0).astype("int64")
    return absent.rename_axis("trading_day").rename("absent").reset_index()
