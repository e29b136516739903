"""Layer monitoring: whether prices, features and forecasts are as they used to be.

How good the forecasts turned out belongs in ``assets.monitoring``.
"""

from collections.abc import Sequence

import dagster as dg
import numpy as np

from quant_assets.assets.partitions import day_range
from quant_assets.assets.results import (
    check,
    check_spec,
    columns_of,
    markdown,
    picture,
    result,
    show,
    table_asset,
)
from quant_assets.lake.lake import Lake
from quant_assets.lake.monitoring_tables import DATA_QUALITY
from quant_assets.lake.prices import history_start
from quant_assets.lake.tables import RAW_PRICES, VALIDATED_PRICES
from quant_assets.monitoring.cells import read_cells
from quant_assets.monitoring.data_quality import HISTORY, data_quality
from quant_assets.monitoring.plots import SHOWN_DAYS, limits_kept

_WITHIN = "within_limits"


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """The assets of the module."""
    return [_data_quality(partitions)]


def _data_quality(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @table_asset(
        DATA_QUALITY,
        kinds={"numpy", "matplotlib"},
        deps=[RAW_PRICES, VALIDATED_PRICES],
        partitions=partitions,
        checks=[
            check_spec(
                DATA_QUALITY,
                _WITHIN,
                "On the last day each market's figures are within their limits: less than 1 % of "
                "the closes due are missing and 0.5 % of the cells jumps or rejected, no cell is "
                "wrong, no market silent for over 5 trading days, no series stale or ended.",
                blocking=False,
            )
        ],
    )
    def data_quality_asset(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> dg.MaterializeResult:
        start, end = day_range(context)
        first = history_start(lake, VALIDATED_PRICES, start, HISTORY + SHOWN_DAYS)
        cells = read_cells(lake, first, end)
        kept = int((cells.days >= np.datetime64(start)).sum())
        recent = data_quality(cells, min(len(cells.days), max(kept, SHOWN_DAYS)))
        rows = recent[recent["trading_day"] >= np.datetime64(start)]
        written = lake.replace_days(DATA_QUALITY, start, end, columns_of(rows))
        newest = rows[rows["trading_day"] == rows["trading_day"].max()]
        broken = newest[~newest["within"]].drop(columns=["trading_day", "date_id", "within"])
        if len(rows):
            show(context, DATA_QUALITY, {"limits": picture(limits_kept(recent))})
        return result(
            DATA_QUALITY,
            written,
            {"limits_broken": int(broken["series"].isna().sum())},
            checks=[
                check(
                    DATA_QUALITY,
                    _WITHIN,
                    broken.empty,
                    blocking=False,
                    day=str(end),
                    broken=markdown(broken),
                )
            ],
        )

    return data_quality_asset
