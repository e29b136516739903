"""Days before those that a source gives: what cleaning, splits and dividends need of them."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import numpy as np

from quant_assets.lake.readers.prices import find_history_start, read_raw
from quant_assets.lake.schemas.price_tables import RAW_PRICES
from quant_assets.lake.schemas.source_tables import ACTIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import SeriesList
from quant_assets.quality.growth import GrowthState, compute_growth
from quant_assets.quality.review_decisions import ReviewDecision
from quant_assets.sources.deliveries import PriceTable

# More than any rule of cleaning looks back.
_CLEANING_DAYS = 250


def read_days_before(lake: Lake, first: date, series: SeriesList) -> PriceTable:
    """Read the last stored days before the source's first day, as many as cleaning needs."""
    start = find_history_start(lake, RAW_PRICES, first, _CLEANING_DAYS)
    return read_raw(lake, start, first - timedelta(days=1), series)


def read_growth_before(
    lake: Lake, first: date, given: PriceTable, decisions: Sequence[ReviewDecision]
) -> Mapping[str, GrowthState]:
    """Read what splits and dividends led to from the first stored day to the day before a table."""
    if not lake.has(ACTIONS) or given.days[0] <= np.datetime64(first):
        return {}
    end = given.days[0].item() - timedelta(days=1)
    growth = compute_growth(read_raw(lake, first, end, given.series), decisions)
    return growth.last if growth else {}
