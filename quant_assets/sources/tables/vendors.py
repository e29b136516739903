"""Reading the series of a table from FRED or from the EIA.

The vintages of FRED say when a value was known. Where a table has a release lag, FRED is asked
without a key, and the values are those of today.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from quant_assets.market.description.moments import known_after
from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.market.description.tables import WHOLE_MARKET, TableRule, TableSeries
from quant_assets.sources.http import eia, fred
from quant_assets.sources.http.observations import Observations
from quant_assets.sources.http.responses import ResponseStore
from quant_assets.sources.http.waiting import WaitingClock
from quant_assets.sources.tables.rows import TableRows, build_rows


def read_vendor(
    rule: TableRule, place: TableSeries, folder: Path, calendar: MarketCalendar
) -> TableRows:
    """Ask a vendor for the series of a table.

    Args:
        rule: the table.
        place: where its rows are, ``rule.place``.
        folder: the folder in which answers are kept.
        calendar: the market's calendar.

    Raises:
        SourceError: the vendor does not answer, or :func:`build_rows` refuses the rows.
        SettingsError: a key is missing.
    """
    store, clock = ResponseStore(folder / place.vendor), WaitingClock()
    if place.vendor == eia.NAME:
        client = eia.open_eia(store, clock)
        route, url = place.route or eia.PETROLEUM_SPOT, place.url or eia.URL
        series = [eia.read_eia(client, name, route, url) for name in rule.fields]
    elif rule.release_lag_days is None:
        client = fred.open_fred(store, clock)
        series = [fred.read_fred(client, name, place.url or fred.API_URL) for name in rule.fields]
    else:
        client, url = fred.open_fred(store, clock, keyed=False), place.url or fred.GRAPH_URL
        series = [fred.read_fred_graph(client, name, url) for name in rule.fields]
    frame = pd.concat(_to_frame(each, rule.release_lag_days, calendar) for each in series)
    return build_rows(frame, place.vendor, place.vendor)


def _to_frame(series: Observations, lag: int | None, calendar: MarketCalendar) -> pd.DataFrame:
    """Return the rows of a series; a vintage is a day without a time."""
    days, lag = (series.known_on, 1) if lag is None else (series.days, lag)
    moments = [known_after(calendar, day, lag) for day in days.tolist()]
    return pd.DataFrame(
        {
            "field": series.series,
            "instrument": WHOLE_MARKET,
            "observed_on": series.days.astype("datetime64[us]"),
            "known_at": np.array(moments, dtype="datetime64[us]"),
            "value": series.values,
        }
    )
