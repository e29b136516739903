"""Loading and querying features of many stocks in the lake and in plain Parquet files.

The plain files have a row group for each block of rows, in the order of days, as a user writes
them with pyarrow and reads them with DuckDB. The lake syncs its files to the disk; they are not.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
from pyarrow.parquet import write_table

from benchmarks.features import Market
from benchmarks.figures import Figure, extra_memory, medians, seconds
from quant_assets.features.instruments import instrument_features
from quant_assets.lake.readers.arrays import long_rows
from quant_assets.lake.schemas.feature_tables import INSTRUMENT_FEATURES
from quant_assets.lake.schemas.table import to_arrow
from quant_assets.lake.store.lake import Lake

REPEATS = 5
QUERIES = {
    "a day": "SELECT * FROM {table} WHERE trading_day = ? ORDER BY instrument",
    "an instrument": "SELECT * FROM {table} WHERE instrument = ? ORDER BY trading_day",
    "a mean a day": "SELECT trading_day, avg(vol_20) AS mean FROM {table} GROUP BY ALL ORDER BY 1",
}


def compare_stores(market: Market, folder: Path) -> list[Figure]:
    """Measure a write of all features of instruments, and three queries, in both stores.

    Args:
        market: the market.
        folder: an empty folder.

    Raises:
        AssertionError: a query gives other rows.
    """
    panel = market.panel
    values = instrument_features(panel)
    rows = long_rows(panel.days, panel.date_ids, values, "instrument", panel.instruments)
    file = folder / "features.parquet"
    middle = panel.days[len(panel.days) // 2].item(), panel.instruments[len(panel.instruments) // 2]
    bound = {"a day": [middle[0]], "an instrument": [middle[1]], "a mean a day": []}
    days = panel.days[0].item(), panel.days[-1].item()
    with Lake(folder / "lake") as lake, duckdb.connect() as connection:

        def write_lake() -> None:
            lake.replace_days(INSTRUMENT_FEATURES, *days, rows)

        def write_plain() -> None:
            write_table(to_arrow(INSTRUMENT_FEATURES, rows), file)

        def ask_lake(name: str) -> Any:
            return lake.arrow(QUERIES[name].format(table=INSTRUMENT_FEATURES.quoted), bound[name])

        def ask_plain(name: str) -> Any:
            sql = QUERIES[name].format(table=f"'{file}'")
            return connection.execute(sql, bound[name]).to_arrow_table()

        works: dict[str, Callable[[], None]] = {"lake": write_lake, "plain Parquet": write_plain}
        memory = {name: extra_memory(work) for name, work in works.items()}
        taken = {name: seconds(work) for name, work in works.items()}
        what = f"write {len(rows['date_id']) / 1e6:.2f} million rows x {len(values)} features"
        figures = [
            *(Figure(f"{what}, {name}", value, "s") for name, value in taken.items()),
            *(Figure(f"{what}, memory, {name}", value, "GB") for name, value in memory.items()),
        ]
        for name in QUERIES:
            assert equal_rows(ask_lake(name), ask_plain(name)), name
            asks = {"lake": partial(ask_lake, name), "plain Parquet": partial(ask_plain, name)}
            times = medians(asks, REPEATS)
            figures += [Figure(f"read {name}, {x}", t * 1e3, "ms") for x, t in times.items()]
    return figures


def equal_rows(first: Any, second: Any) -> bool:
    """Return whether two tables have equal numbers, but for the order of additions in a mean."""
    return first.num_rows == second.num_rows and all(
        np.allclose(
            first[name].to_numpy().astype(np.float64),
            second[name].to_numpy().astype(np.float64),
            rtol=1e-12,
            atol=0.0,
            equal_nan=True,
        )
        for name in first.column_names
        if first[name].type in ("double", "int64")
    )
