"""Layer forecasts: one asset per model family, and their blend."""

from collections.abc import Iterator, Sequence

import dagster as dg
import numpy as np
import pandas as pd

from quant_assets.core.settings import Settings
from quant_assets.ensemble.blend import blend
from quant_assets.ensemble.interval_rows import interval_rows
from quant_assets.lake.readers.forecasts import Forecasts, forecast_rows
from quant_assets.lake.schemas.scoring_tables import TRACK_RECORD
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.schemas.tables import (
    ENSEMBLE,
    FEATURES,
    INTERVALS,
    LABELS,
    fits_table,
    forecasts_table,
)
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import family
from quant_assets.orchestration.assets.partitions import SINGLE_RUN, day_range
from quant_assets.orchestration.assets.table_assets import (
    check,
    columns_of,
    described,
    key_of,
    result,
    suite_outcome,
    suite_spec,
    table_asset,
)
from quant_assets.quality.suites import FORECASTS_SUITE
from quant_assets.scoring.daily_performance import mean_ic, performance, track_record_of_others
from quant_assets.scoring.judged_days import judge
from quant_assets.training.fits import forecast


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """The assets of the layer, one a family and their blend."""
    return [
        _families(partitions, families),
        _track_record(partitions, families),
        _ensemble(partitions, families),
        _intervals(partitions),
    ]


def _families(partitions: dg.PartitionsDefinition, families: Sequence[str]) -> dg.AssetsDefinition:
    """All families in one step, since they read the same features; any of them alone as well."""
    tables = {name: forecasts_table(name) for name in families}

    @dg.multi_asset(
        name="forecasts__families",
        specs=[
            described(
                table,
                kinds={family(name).library},
                deps=[fits_table(name), *FEATURES],
            )
            for name, table in tables.items()
        ],
        check_specs=[suite_spec(t, FORECASTS_SUITE, blocking=False) for t in tables.values()],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        can_subset=True,
    )
    def forecasts(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[dg.MaterializeResult]:
        wanted = [n for n, t in tables.items() if key_of(t) in context.selected_asset_keys]
        for name, made in forecast(lake, settings, wanted, *day_range(context)):
            if isinstance(made, Forecasts):
                yield _stored(context, lake, tables[name], made)
            else:
                yield _left(context, tables[name], str(made))

    return forecasts


def _track_record(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> dg.AssetsDefinition:
    @table_asset(
        TRACK_RECORD,
        kinds={"numpy"},
        deps=[LABELS, *(forecasts_table(name) for name in families)],
        partitions=partitions,
    )
    def track_record(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> dg.MaterializeResult:
        start, end = day_range(context)
        rows = performance(judge(lake, families, start, end))
        others = track_record_of_others(lake, families, start, end)
        kept = pd.concat([part for part in (rows, others) if len(part)] or [rows])
        written = lake.replace_days(TRACK_RECORD, start, end, columns_of(kept))
        return result(TRACK_RECORD, written, mean_ic(rows))

    return track_record


def _ensemble(partitions: dg.PartitionsDefinition, families: Sequence[str]) -> dg.AssetsDefinition:
    @table_asset(
        ENSEMBLE,
        kinds={"numpy"},
        deps=[TRACK_RECORD, *(forecasts_table(name) for name in families)],
        about="The weighted mean of the families' ranks.",
        partitions=partitions,
        checks=[suite_spec(ENSEMBLE, FORECASTS_SUITE, blocking=False)],
    )
    def ensemble(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> dg.MaterializeResult:
        return _stored(context, lake, ENSEMBLE, blend(lake, families, *day_range(context)))

    return ensemble


def _intervals(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @table_asset(
        INTERVALS,
        kinds={"numpy"},
        deps=[LABELS, ENSEMBLE],
        about="Conformal, and adapted to their own misses.",
        partitions=partitions,
    )
    def intervals_asset(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> dg.MaterializeResult:
        start, end = day_range(context)
        rows = interval_rows(lake, start, end)
        width = rows["upper_80"] - rows["lower_80"]
        return result(
            INTERVALS,
            lake.replace_days(INTERVALS, start, end, rows),
            {"mean_width_80": float(np.nanmean(width)) if np.isfinite(width).any() else 0.0},
        )

    return intervals_asset


def _stored(
    context: dg.AssetExecutionContext, lake: Lake, table: Table, made: Forecasts
) -> dg.MaterializeResult:
    rows = forecast_rows(lake, made)
    return result(
        table,
        lake.replace_days(table, *day_range(context), rows),
        {"dispersion": float(made.values.std(axis=1).mean()) if len(made.days) else 0.0},
        checks=[suite_outcome(table, FORECASTS_SUITE, rows, blocking=False)],
    )


def _left(context: dg.AssetExecutionContext, table: Table, reason: str) -> dg.MaterializeResult:
    """A table left as it is; the ensemble goes on with the other families."""
    context.log.warning(f"{table.name}: {reason}")
    missed = check(table, FORECASTS_SUITE.name, False, blocking=False, reason=reason)
    return dg.MaterializeResult(asset_key=key_of(table), check_results=[missed])
