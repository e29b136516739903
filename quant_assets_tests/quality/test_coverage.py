"""Summaries of gaps in a cleaned table."""

from datetime import date

import numpy as np

from quant_assets.core.typing import FloatArray
from quant_assets.market.calendar import trading_days
from quant_assets.market.description.listings import Listing
from quant_assets.market.instruments import list_competition_series
from quant_assets.quality.cleaning import CleanedTable, clean
from quant_assets.quality.coverage import ended_series, missing_rates, stale_series
from quant_assets.quality.members import find_member_cells
from quant_assets.sources.deliveries import PriceTable

COLUMNS = ("US_Stock_CVX_adj_close", "US_Stock_CVX_adj_volume", "FX_USDJPY", "LME_CA_Close")
VOLUME, FX, LME = 1, 2, 3


def cleaned_of(values: FloatArray) -> CleanedTable:
    days = trading_days(date(2018, 1, 2), date(2019, 1, 1))[: len(values)]
    return clean(
        PriceTable(days, np.arange(len(values)), list_competition_series(COLUMNS), values), "test"
    )


def test_what_a_table_lacks() -> None:
    values = np.repeat(np.arange(1.0, 61.0)[:, None], 4, axis=1)
    values[::2, VOLUME] = np.nan
    values[30:, LME] = np.nan
    values[45:, FX] = 3.0
    values[10:16, FX] = np.nan
    cleaned = cleaned_of(values)
    assert missing_rates(cleaned) == {"LME": 0.5, "US": 0.0, "FX": 0.1, "all": 0.2}
    late = missing_rates(cleaned, cleaned.days[30].item())
    assert late == {"LME": 1.0, "US": 0.0, "FX": 0.0, "all": 1 / 3}
    assert stale_series(cleaned) == ("FX_USDJPY",)
    assert ended_series(cleaned) == {"LME_CA_Close": cleaned.days[29].item()}
    values[:, LME] = np.nan
    assert ended_series(cleaned_of(values)) == {"LME_CA_Close": None}
    assert ended_series(cleaned_of(values[:10])) == {}


def test_only_members_count() -> None:
    values = np.repeat(np.arange(1.0, 61.0)[:, None], 4, axis=1)
    values[30:, LME] = np.nan
    values[45:, FX] = 3.0
    cleaned = cleaned_of(values)
    members = np.ones(values.shape, dtype=bool)
    members[40:, LME], members[50:, FX] = False, False
    assert missing_rates(cleaned, members=members) == {
        "LME": 0.25,
        "US": 0.0,
        "FX": 0.0,
        "all": 10 / 150,
    }
    assert stale_series(cleaned, members) == ()
    assert ended_series(cleaned, members=members) == {}


def test_members_follow_closes_and_listings() -> None:
    values = np.ones((30, 4))
    values[:10, FX] = np.nan
    values[12:, LME] = np.nan
    table = cleaned_of(values)
    prices = PriceTable(table.days, table.date_ids, table.series, values)
    cvx = Listing(table.days[3].item(), table.days[24].item())
    members = find_member_cells(prices, {"US_Stock_CVX": cvx}, 5, 25)
    assert members is not None
    days = {name: np.flatnonzero(members[:, at]) + 5 for at, name in enumerate(COLUMNS)}
    assert {name: (rows[0], rows[-1]) for name, rows in days.items()} == {
        COLUMNS[0]: (5, 24),
        COLUMNS[VOLUME]: (5, 24),
        COLUMNS[FX]: (10, 29),
        COLUMNS[LME]: (5, 15),
    }
    assert find_member_cells(prices, {}, None, 25) is None
