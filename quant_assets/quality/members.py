"""The members among the cells of prices that are about to be stored.

The universe of stored days is computed from stored prices, after these have passed their checks.
"""

from collections.abc import Mapping

import numpy as np

from quant_assets.core.typing import AnyArray, BoolArray
from quant_assets.market.description.listings import Listing, listing_days
from quant_assets.market.instruments import SeriesList
from quant_assets.market.universe import UniverseState, find_states, find_unlisted
from quant_assets.sources.deliveries import PriceTable


def find_listing_states(table: PriceTable, listings: Mapping[str, Listing]) -> AnyArray | None:
    """Find the (n, c) states of cells by what a description says; None if it says nothing.

    Args:
        table: n days of prices of c series.
        listings: what a description says of listings, by instrument.
    """
    if not listings:
        return None
    instruments = [each.instrument for each in table.series.series]
    return find_unlisted(table.days, *listing_days(instruments, listings))


def find_member_cells(
    table: PriceTable, listings: Mapping[str, Listing], limit: int | None, rows: int
) -> BoolArray | None:
    """Find the cells of instruments that are in the universe, on the last days of a table.

    Returns an array of shape (rows, c); None if all instruments count on all days. Prices are
    those of the source, so that a close which cleaning rejects counts as well.

    Args:
        table: n days of prices of c series, from the beginning of the history on.
        listings: what a description says of listings, by instrument.
        limit: days without a close after which an instrument has left; None if none ever does.
        rows: number of last days.
    """
    if limit is None or not rows:
        return None
    close_of = table.series.close_of
    close = table.values[:, list(close_of.values())]
    close = np.where((close > 0) & np.isfinite(close), close, np.nan)
    unlisted = find_unlisted(table.days, *listing_days(list(close_of), listings))
    close[unlisted != UniverseState.LISTED] = np.nan
    known = ~np.isnan(close)
    first = np.where(known.any(axis=0), table.days[known.argmax(axis=0)], np.datetime64("NaT"))
    states = find_states(table.days[-rows:], first, close, limit)
    members = (states == UniverseState.LISTED) & (unlisted[-rows:] == UniverseState.LISTED)
    return np.asarray(members[:, _find_instruments(table.series)])


def _find_instruments(series: SeriesList) -> list[int]:
    """Return the place of each series' instrument among those that have a close."""
    place = {name: i for i, name in enumerate(series.close_of)}
    return [place[each.instrument] for each in series.series]
