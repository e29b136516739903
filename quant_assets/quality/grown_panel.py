"""The panel of raw prices, multiplied forward by splits and dividends, bad cells included."""

from dataclasses import replace
from datetime import date

import numpy as np

from quant_assets.lake.readers.days import read_day_span
from quant_assets.lake.readers.prices import read_panel, read_raw
from quant_assets.lake.readers.series import read_series
from quant_assets.lake.schemas.price_tables import RAW_PRICES
from quant_assets.lake.schemas.source_tables import ACTIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import InstrumentSeries
from quant_assets.market.panel import PricePanel
from quant_assets.quality.growth import compute_growth


def read_grown_panel(lake: Lake, start: date, end: date) -> PricePanel:
    """Read the panel of raw prices of a range of days, comparable across splits and dividends.

    Without splits and dividends these are the raw prices.

    Args:
        lake: the lake.
        start: first day.
        end: last day.

    Raises:
        LakeError: no prices are stored.
    """
    panel = read_panel(lake, "value", start, end, RAW_PRICES)
    if not lake.has(ACTIONS):
        return panel
    first, _ = read_day_span(lake, RAW_PRICES) or (start, end)
    series = read_series(lake)
    names = lake.arrow(
        f"SELECT DISTINCT instrument FROM {ACTIONS.quoted} WHERE trading_day <= ?", [end]
    )["instrument"].to_pylist()
    closes = [series.column_of(InstrumentSeries(name, "close")) for name in sorted(names)]
    growth = compute_growth(read_raw(lake, first, end, series.select(closes))) if names else None
    if growth is None:
        return panel
    fields = {name: values.copy() for name, values in panel.fields.items()}
    days = len(panel.days)
    for instrument in growth.growth:
        column = panel.instruments.index(instrument)
        for name, values in fields.items():
            factors = np.broadcast_to(
                growth.factor(instrument, name), growth.growth[instrument].shape
            )
            values[:, column] *= factors[-days:]
    return replace(panel, fields=fields)
