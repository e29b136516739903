"""Reading what the scoreboard needs besides daily figures: durations of fits, and regimes."""

from collections.abc import Sequence

import pandas as pd

from quant_assets.lake.schemas.feature_tables import MARKET_FEATURES
from quant_assets.lake.schemas.forecast_tables import fits_table
from quant_assets.lake.store.lake import Lake


def read_fit_seconds(lake: Lake, families: Sequence[str]) -> dict[str, float]:
    """Read the mean duration of a fit in seconds, for each family that has a fit."""
    tables = {name: fits_table(name) for name in families}
    return {
        name: float(lake.columns(f"SELECT avg(seconds) AS mean FROM {table.quoted}")["mean"][0])
        for name, table in tables.items()
        if lake.has(table)
    }


def read_regimes(lake: Lake) -> pd.Series:
    """Read the regime of each trading day, as known at its close.

    A day is ``volatile`` if the market's volatility of the last 20 days is above that of the last
    250 days, else ``calm``. A day on which the ratio is unknown has no regime.
    """
    rows = lake.query(
        "SELECT trading_day, volatility_ratio_20_250 > 1 AS volatile"
        f" FROM {MARKET_FEATURES.quoted} WHERE volatility_ratio_20_250 IS NOT NULL"
    )
    names = rows["volatile"].map({True: "volatile", False: "calm"})
    return pd.Series(names.to_numpy(), index=pd.DatetimeIndex(rows["trading_day"]))
