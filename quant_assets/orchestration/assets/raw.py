"""Layer raw: the values of the source, unchanged. Cleaning belongs in the layer validated.

Every load writes here first, so the data directory is bound to the market before that.
"""

from collections.abc import Sequence

import dagster as dg
import numpy as np

from quant_assets.core.errors import SourceError
from quant_assets.core.settings import Settings, hold_market
from quant_assets.lake.readers.prices import pairs_rows, raw_rows
from quant_assets.lake.schemas.tables import RAW_PRICES, RAW_TARGET_PAIRS
from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.assets.partitions import run_day_range
from quant_assets.orchestration.assets.table_assets import (
    record_result,
    run_suite,
    suite_spec,
    table_asset,
)
from quant_assets.quality.suites import RAW_PRICES_SUITE, TARGET_PAIRS_SUITE
from quant_assets.sources.protocol import Source


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build the assets of the layer; the families do not matter."""

    @table_asset(
        RAW_TARGET_PAIRS,
        kinds={"csv"},
        partitions=partitions,
        checks=[suite_spec(RAW_TARGET_PAIRS, TARGET_PAIRS_SUITE, blocking=True)],
    )
    def target_pairs(
        lake: dg.ResourceParam[Lake],
        source: dg.ResourceParam[Source],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        rows = pairs_rows(source.pairs())
        hold_market(settings)
        written = lake.replace_all(RAW_TARGET_PAIRS, rows)
        check = run_suite(RAW_TARGET_PAIRS, TARGET_PAIRS_SUITE, rows, blocking=True)
        return record_result(RAW_TARGET_PAIRS, written, checks=[check])

    @table_asset(
        RAW_PRICES,
        kinds={"csv"},
        deps=[RAW_TARGET_PAIRS],
        about="Prices are stored only if the target pairs of the source passed their check.",
        partitions=partitions,
        checks=[suite_spec(RAW_PRICES, RAW_PRICES_SUITE, blocking=True)],
    )
    def prices(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        source: dg.ResourceParam[Source],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        start, end = run_day_range(context)
        table = source.prices(start, end)
        if not len(table.days):
            raise SourceError(
                "the source has no prices for these days",
                where=source.name,
                expected=f"days from {source.first_day} to {source.last_day}",
                found=f"{start} to {end}",
                hint="materialise days that the source has",
            )
        rows = raw_rows(table, source.name)
        hold_market(settings)
        written = lake.replace_days(RAW_PRICES, start, end, rows)
        return record_result(
            RAW_PRICES,
            written,
            {
                "empty_share": float(np.isnan(table.values).mean()),
                "unread_cells": len(table.unread),
            },
            checks=[run_suite(RAW_PRICES, RAW_PRICES_SUITE, rows, blocking=True)],
        )

    return [target_pairs, prices]
