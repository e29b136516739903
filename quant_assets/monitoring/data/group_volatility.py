"""The volatility of each group of instruments on each day: rows of ``monitoring.group_volatility``.

A day is judged by the returns up to it.
"""

from collections.abc import Sequence
from datetime import date

import numpy as np
import pandas as pd

from quant_assets.core.typing import FloatArray
from quant_assets.features.kernels import rolling_rms, row_mean
from quant_assets.lake.schemas.monitoring_tables import GROUP_VOLATILITY
from quant_assets.market.instruments import list_groups
from quant_assets.monitoring.data.daily_returns import DailyReturns

VOLATILITY_DAYS = 20
"""Days of a volatility."""
_TRADING_DAYS_A_YEAR = 252


def group_volatility_rows(returns: DailyReturns, start: date) -> pd.DataFrame:
    """Make rows of ``monitoring.group_volatility`` for every day from ``start`` on.

    A group has no row where its volatility is unknown: rows of a day do not show which groups have
    prices on later days only.
    """
    wanted = returns.rows_since(start)
    parts = [
        pd.DataFrame(
            {
                "trading_day": returns.days[wanted],
                "date_id": returns.date_ids[wanted],
                "instrument_group": group,
                "volatility": values[wanted],
            }
        )
        for group, values in volatilities(returns.values, returns.groups).items()
    ]
    names = [column.name for column in GROUP_VOLATILITY.columns]
    rows = pd.concat(parts) if parts else pd.DataFrame({name: [] for name in names})
    order = ["trading_day", "instrument_group"]
    return rows.dropna(subset="volatility").sort_values(order, ignore_index=True)[names]


def volatilities(returns: FloatArray, groups: Sequence[str]) -> dict[str, FloatArray]:
    """Compute the annualised volatility of each group's equally weighted return over 20 days.

    Args:
        returns: (n, k) daily log returns; NaN where there is none.
        groups: group of each of the k instruments.

    Returns:
        By group, (n,) root mean square times sqrt(252); NaN where less than half of the days have
        a return.
    """
    of_instruments = np.array(groups, dtype=object)
    result = {}
    for group in list_groups(groups):
        of_group = row_mean(returns[:, of_instruments == group])
        rms = rolling_rms(of_group, [VOLATILITY_DAYS])[VOLATILITY_DAYS]
        result[group] = np.sqrt(_TRADING_DAYS_A_YEAR) * rms
    return result
