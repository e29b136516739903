"""The source of each price, where several sources deliver the prices of a market."""

from datetime import date

import numpy as np
import pyarrow as pa

from quant_assets.core.typing import IntArray
from quant_assets.lake.readers.arrays import tile_units
from quant_assets.lake.schemas.price_tables import RAW_PRICES
from quant_assets.lake.store.lake import Lake
from quant_assets.sources.deliveries import JoinedPrices, PriceTable


def name_sources(table: PriceTable, source: str) -> pa.Array:
    """Return the name of the source of each of the n * c cells of a table.

    Args:
        table: the prices.
        source: name of the source of all of them, unless several deliver them.
    """
    if not isinstance(table, JoinedPrices):
        return tile_units([source], table.values.size)
    places = table.places.ravel().astype(np.int32)
    return pa.DictionaryArray.from_arrays(places, pa.array(table.names, pa.string()))


def read_places(lake: Lake, day: date, table: JoinedPrices) -> IntArray:
    """Read the sources of the stored cells of a day.

    Returns (c,) positions among the sources of a table; the first for a source that it lacks.

    Args:
        lake: the lake.
        day: a stored day.
        table: prices of several sources, whose series and sources are wanted.
    """
    rows = lake.arrow(
        f"SELECT instrument, field, source FROM {RAW_PRICES.quoted} WHERE trading_day = ?", [day]
    ).to_pylist()
    places = {name: place for place, name in enumerate(table.names)}
    stored = {(row["instrument"], row["field"]): places.get(row["source"], 0) for row in rows}
    wanted = [stored.get((each.instrument, each.field), 0) for each in table.series.series]
    return np.array(wanted, dtype=np.int64)
