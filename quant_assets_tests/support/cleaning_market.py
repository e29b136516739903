"""A few series of every kind, of which tables to be cleaned are made."""

from datetime import date

import numpy as np

from quant_assets.core.typing import FloatArray
from quant_assets.market.calendar import trading_days
from quant_assets.market.instruments import list_competition_series
from quant_assets.sources.deliveries import PriceTable, UnreadCell

BAR = tuple(f"US_Stock_CVX_adj_{field}" for field in ("open", "high", "low", "close", "volume"))
COLUMNS = (
    *BAR,
    "JPX_Gold_Mini_Futures_settlement_price",
    "JPX_Gold_Mini_Futures_open_interest",
    "FX_USDJPY",
    "LME_CA_Close",
)
SERIES = list_competition_series(COLUMNS)
CLOSE, VOLUME, SETTLEMENT, INTEREST, FX, LME = 3, 4, 5, 6, 7, 8


def table_of(values: FloatArray, *unread: UnreadCell) -> PriceTable:
    days = trading_days(date(2018, 1, 2), date(2029, 1, 1))[: len(values)]
    return PriceTable(days, np.arange(len(values)), SERIES, values, unread)


def market(rows: int, seed: int = 3) -> FloatArray:
    """Consistent bars and random walks, with holidays."""
    random = np.random.default_rng(seed)
    values = 100 * np.exp(np.cumsum(random.normal(0, 0.01, (rows, len(COLUMNS))), axis=0))
    values[:, 1] = values[:, [0, 3]].max(axis=1) * 1.01
    values[:, 2] = values[:, [0, 3]].min(axis=1) * 0.99
    values[random.random((rows, len(COLUMNS))) < 0.05] = np.nan
    return values
