"""Layer validated: prices after cleaning, and the cells that cleaning rejected."""

from collections.abc import Iterator, Sequence

import dagster as dg
import numpy as np

from quant_assets.core.settings import Settings
from quant_assets.lake.readers.prices import find_history_start, read_raw
from quant_assets.lake.schemas.tables import RAW_PRICES, VALIDATED_PRICES, VALIDATED_QUARANTINE
from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.assets.partitions import SINGLE_RUN, run_day_range
from quant_assets.orchestration.assets.table_assets import (
    describe_asset,
    record_result,
    run_suite,
    suite_spec,
)
from quant_assets.quality.cleaning import CleaningRules, clean
from quant_assets.quality.coverage import ended_series, missing_rates, stale_series
from quant_assets.quality.rows import quarantine_rows, validated_rows
from quant_assets.quality.suites import VALIDATED_PRICES_SUITE
from quant_assets.sources.protocol import Source


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build the assets of the layer; the families do not matter."""

    @dg.multi_asset(
        name="validated",
        specs=[
            describe_asset(VALIDATED_QUARANTINE, kinds={"numpy"}, deps=[RAW_PRICES]),
            describe_asset(VALIDATED_PRICES, kinds={"numpy"}, deps=[RAW_PRICES]),
        ],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        check_specs=[suite_spec(VALIDATED_PRICES, VALIDATED_PRICES_SUITE, blocking=True)],
    )
    def validated(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        source: dg.ResourceParam[Source],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[dg.MaterializeResult]:
        start, end = run_day_range(context)
        rules = CleaningRules(fill_limit=settings.fill_limit, jump_z=settings.jump_z)
        raw = read_raw(lake, find_history_start(lake, RAW_PRICES, start, rules.history), end)
        cleaned = clean(raw, source.name, rules)
        rejected = quarantine_rows(cleaned, start)
        yield record_result(
            VALIDATED_QUARANTINE,
            lake.replace_days(VALIDATED_QUARANTINE, start, end, rejected),
            {"rejected_cells": len(rejected["row"])},
        )
        rows = validated_rows(cleaned, start)
        yield record_result(
            VALIDATED_PRICES,
            lake.replace_days(VALIDATED_PRICES, start, end, rows),
            {
                "filled_share": float((np.isnan(rows["value"]) & ~np.isnan(rows["filled"])).mean()),
                **{f"missing_{name}": rate for name, rate in missing_rates(cleaned, start).items()},
                "stale_series": len(stale_series(cleaned)),
                "ended_series": ", ".join(ended_series(cleaned)) or "none",
            },
            checks=[run_suite(VALIDATED_PRICES, VALIDATED_PRICES_SUITE, rows, blocking=True)],
        )

    return [validated]
