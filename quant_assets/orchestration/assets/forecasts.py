"""Layer forecasts: an asset for each model family, the track record, the ensemble and intervals."""

from collections.abc import Iterator, Sequence
from datetime import date

import dagster as dg
import numpy as np
import pandas as pd

from quant_assets.core.clock import Clock
from quant_assets.core.settings import Settings
from quant_assets.ensemble.blend import blend_forecasts
from quant_assets.ensemble.interval_rows import interval_rows
from quant_assets.lake.readers.forecasts import Forecasts, forecast_rows
from quant_assets.lake.readers.origins import stamp_origin
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.readers.universe import find_begun_targets, find_expected_targets
from quant_assets.lake.schemas.feature_tables import FEATURES, LABELS, MARKET_FEATURES
from quant_assets.lake.schemas.forecast_tables import (
    ADAPTATION,
    ENSEMBLE_FORECASTS,
    INTERVALS,
    fits_table,
    forecasts_table,
)
from quant_assets.lake.schemas.scoring_tables import TRACK_RECORD
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.changes import replace_days
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import load_family
from quant_assets.orchestration.assets.partitions import SINGLE_RUN, run_day_range
from quant_assets.orchestration.assets.table_assets import (
    asset_key_of,
    check_spec,
    describe_asset,
    make_check_result,
    record_result,
    run_suite,
    table_asset,
    to_columns,
)
from quant_assets.orchestration.jobs.names import RESUBMISSION_TAG
from quant_assets.quality.suites import FORECASTS_CHECK, forecasts_suite
from quant_assets.scoring.daily_performance import (
    mean_ic,
    performance_rows,
    read_other_track_records,
)
from quant_assets.scoring.judged_days import read_scored_forecasts
from quant_assets.training.forecasting import make_forecasts


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build the assets of the layer."""
    return [
        _build_family_forecasts(partitions, families),
        _build_track_record(partitions, families),
        _build_ensemble(partitions, families),
        _build_intervals(partitions),
    ]


def _build_family_forecasts(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> dg.AssetsDefinition:
    """Build the forecasts of all families as one step, because they read the same features.

    A run may select any of the families.
    """
    tables = {name: forecasts_table(name) for name in families}

    @dg.multi_asset(
        name="forecasts__families",
        specs=[
            describe_asset(
                table,
                kinds={load_family(name).library},
                deps=[fits_table(name), *FEATURES],
            )
            for name, table in tables.items()
        ],
        check_specs=[check_spec(t, *FORECASTS_CHECK, blocking=False) for t in tables.values()],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        can_subset=True,
    )
    def forecasts(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[dg.MaterializeResult]:
        selected = [n for n, t in tables.items() if asset_key_of(t) in context.selected_asset_keys]
        for name, result in make_forecasts(lake, settings, selected, *run_day_range(context)):
            if isinstance(result, Forecasts):
                yield _store_forecasts(context, lake, tables[name], result)
            else:
                yield _report_missing(context, tables[name], str(result))

    return forecasts


def _build_track_record(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> dg.AssetsDefinition:
    @table_asset(
        TRACK_RECORD,
        kinds={"numpy"},
        deps=[LABELS, MARKET_FEATURES, *(forecasts_table(name) for name in families)],
        partitions=partitions,
    )
    def track_record(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> dg.MaterializeResult:
        start, end = run_day_range(context)
        rows = performance_rows(read_scored_forecasts(lake, families, start, end))
        others = read_other_track_records(lake, families, start, end)
        all_rows = pd.concat([part for part in (rows, others) if len(part)] or [rows])
        written = lake.replace_days(TRACK_RECORD, start, end, to_columns(all_rows))
        return record_result(TRACK_RECORD, written, mean_ic(rows))

    return track_record


def _build_ensemble(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> dg.AssetsDefinition:
    @table_asset(
        ENSEMBLE_FORECASTS,
        kinds={"numpy"},
        deps=[TRACK_RECORD, *(forecasts_table(name) for name in families)],
        about="The ensemble's forecast is the weighted mean of the families' ranks.",
        partitions=partitions,
        checks=[check_spec(ENSEMBLE_FORECASTS, *FORECASTS_CHECK, blocking=False)],
    )
    def ensemble(
        context: dg.AssetExecutionContext, lake: dg.ResourceParam[Lake]
    ) -> dg.MaterializeResult:
        return _store_forecasts(
            context,
            lake,
            ENSEMBLE_FORECASTS,
            blend_forecasts(lake, families, *run_day_range(context)),
        )

    return ensemble


def _build_intervals(partitions: dg.PartitionsDefinition) -> dg.AssetsDefinition:
    @table_asset(
        INTERVALS,
        kinds={"numpy"},
        deps=[LABELS, ENSEMBLE_FORECASTS],
        about="The intervals are conformal and adapt to the labels that they missed.",
        partitions=partitions,
    )
    def intervals_asset(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        clock: dg.ResourceParam[Clock],
    ) -> dg.MaterializeResult:
        start, end = run_day_range(context)
        reason = context.run.tags.get(RESUBMISSION_TAG, "")
        computed, state = interval_rows(lake, start, end)
        rows = stamp_origin(lake, computed, clock.now(), resubmitted=bool(reason))
        width = rows["upper_80"] - rows["lower_80"]
        changes = [replace_days(INTERVALS, start, end, rows, reason)]
        if len(state["trading_day"]):
            first = state["trading_day"][0].item()
            changes.append(replace_days(ADAPTATION, first, date.max, state))
        written, *_ = lake.change(*changes)
        return record_result(
            INTERVALS,
            written,
            {"mean_width_80": float(np.nanmean(width)) if np.isfinite(width).any() else 0.0},
        )

    return intervals_asset


def _store_forecasts(
    context: dg.AssetExecutionContext, lake: Lake, table: Table, forecasts: Forecasts
) -> dg.MaterializeResult:
    """Store forecasts of the run's days, and check them."""
    rows = forecast_rows(lake, forecasts)
    suite = forecasts_suite(len(forecasts.targets), _count_expected(lake, table, forecasts))
    return record_result(
        table,
        lake.replace_days(table, *run_day_range(context), rows),
        {"dispersion": _mean_dispersion(forecasts)},
        checks=[run_suite(table, suite, rows, blocking=False)],
    )


def _mean_dispersion(forecasts: Forecasts) -> float:
    if np.isfinite(forecasts.values).all():
        return float(forecasts.values.std(axis=1).mean()) if len(forecasts.days) else 0.0
    return float(np.nanmean(np.nanstd(forecasts.values, axis=1)))


def _count_expected(lake: Lake, table: Table, forecasts: Forecasts) -> dict[date, int] | None:
    """Count the forecasts that each day should have; None if it is all targets on every day."""
    pairs = read_pairs(lake)
    # Families forecast every target that their fit knows; the ensemble, those in the universe.
    if table == ENSEMBLE_FORECASTS:
        known = find_expected_targets(lake, pairs, forecasts.days, forecasts.fit_as_of)
    else:
        known = find_begun_targets(lake, pairs, forecasts.fit_as_of)
    if known.all():
        return None
    return dict(zip(forecasts.days.tolist(), known.sum(axis=1).tolist(), strict=True))


def _report_missing(
    context: dg.AssetExecutionContext, table: Table, reason: str
) -> dg.MaterializeResult:
    """Report that a family has no forecasts; its table is unchanged, and the ensemble continues."""
    context.log.warning(f"{table.name}: {reason}")
    failed = make_check_result(table, FORECASTS_CHECK[0], False, blocking=False, reason=reason)
    return dg.MaterializeResult(asset_key=asset_key_of(table), check_results=[failed])
