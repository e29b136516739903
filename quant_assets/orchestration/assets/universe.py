"""The universe of each day, in the layer validated."""

from collections.abc import Sequence

import dagster as dg
import numpy as np
import pyarrow as pa

from quant_assets.lake.readers.arrays import repeat_days, tile_units
from quant_assets.lake.readers.prices import find_history_start, read_panel
from quant_assets.lake.readers.universe import read_first_closes
from quant_assets.lake.schemas.price_tables import UNIVERSE, VALIDATED_PRICES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.listings import listing_days
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.universe import UniverseState, find_states, find_unlisted
from quant_assets.orchestration.assets.partitions import run_day_range
from quant_assets.orchestration.assets.table_assets import record_result, table_asset


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build the asset of the universe; the families do not matter."""

    @table_asset(UNIVERSE, kinds={"numpy"}, deps=[VALIDATED_PRICES], partitions=partitions)
    def universe(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        market: dg.ResourceParam[MarketDescription],
    ) -> dg.MaterializeResult:
        start, end = run_day_range(context)
        limit = market.universe
        history = find_history_start(lake, VALIDATED_PRICES, start, (limit or 1) - 1)
        panel = read_panel(lake, "value", history, end, fields=("close",))
        days = panel.days[panel.days >= np.datetime64(start)]
        if limit is None:
            days = days[:0]
        first = read_first_closes(lake, panel.instruments, end)
        states = find_states(days, first, panel.close, limit or 1)
        unlisted = find_unlisted(days, *listing_days(panel.instruments, market.listings))
        states = np.where(unlisted == UniverseState.LISTED, states, unlisted)
        texts = [state.text(limit or 1) for state in UniverseState]
        rows = {
            "trading_day": repeat_days(days, len(panel.instruments)),
            "instrument": tile_units(panel.instruments, len(days)),
            "member": states.ravel() == UniverseState.LISTED,
            "why": pa.DictionaryArray.from_arrays(
                pa.array(states.ravel().astype(np.int32)), pa.array(texts)
            ),
        }
        newest = states[-1:] == UniverseState.LISTED
        return record_result(
            UNIVERSE,
            lake.replace_days(UNIVERSE, start, end, rows),
            {"members": int(newest.sum()) if len(days) else len(panel.instruments)},
        )

    return [universe]
