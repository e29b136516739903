"""Estimates of missing closes, in the layer validated; only where the description asks for them.

The arithmetic belongs in ``features.imputation``. Features use the estimates; labels never do.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

import dagster as dg
import numpy as np

from quant_assets.core.settings import Settings
from quant_assets.features.imputation import imputation_lookback, impute_closes
from quant_assets.lake.readers.arrays import day_blocks, tile_units
from quant_assets.lake.readers.prices import find_history_start, read_panel
from quant_assets.lake.readers.universe import read_members
from quant_assets.lake.schemas.price_tables import IMPUTED, UNIVERSE, VALIDATED_PRICES
from quant_assets.lake.store.lake import Lake
from quant_assets.lake.store.spool import collect
from quant_assets.market.description.market import MarketDescription
from quant_assets.orchestration.assets.partitions import run_day_range
from quant_assets.orchestration.assets.table_assets import record_result, table_asset


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build the asset of estimated closes; the families do not matter."""

    @table_asset(IMPUTED, kinds={"numpy"}, deps=[VALIDATED_PRICES, UNIVERSE], partitions=partitions)
    def imputed(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
        market: dg.ResourceParam[MarketDescription],
    ) -> dg.MaterializeResult:
        start, end = run_day_range(context)
        window = market.imputation.window
        rows = collect(IMPUTED, _impute_blocks(lake, start, end, window, settings.fill_limit))
        return record_result(IMPUTED, lake.replace_days(IMPUTED, start, end, rows))

    return [imputed]


def _impute_blocks(
    lake: Lake, start: date, end: date, window: int, limit: int
) -> Iterator[dict[str, Any]]:
    """Yield the rows of the days from ``start`` to ``end``, in blocks of days."""
    lookback = imputation_lookback(window, limit)
    history = find_history_start(lake, VALIDATED_PRICES, start, lookback)
    panel = read_panel(lake, "value", history, end, fields=("close",))
    first = int(np.searchsorted(panel.days, np.datetime64(start)))
    for block in day_blocks(len(panel.days) - first, len(panel.instruments)):
        stop = first + block.stop
        part = panel.rows(max(first + block.start - lookback, 0), stop)
        estimates = impute_closes(part.close, window, limit, block.stop - block.start)
        own = panel.rows(first + block.start, stop)
        members = read_members(lake, own.days, own.instruments)
        day, instrument = np.nonzero(members & ~np.isnan(estimates.value))
        yield {
            "trading_day": own.days[day],
            "instrument": tile_units(own.instruments, 1).take(instrument),
            "close": estimates.value[day, instrument],
            "standard_error": estimates.standard_error[day, instrument],
        }
