"""Layer monitoring: drift of features and forecasts, and its page.

Prices are judged in ``orchestration.assets.data_quality``, scores of forecasts in
``orchestration.assets.skill``.
"""

from collections.abc import Sequence
from functools import partial

import dagster as dg

from quant_assets.core.files import write_atomically
from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.feature_tables import FEATURES, MARKET_FEATURES
from quant_assets.lake.schemas.forecast_tables import ENSEMBLE_FORECASTS, forecasts_table
from quant_assets.lake.schemas.monitoring_tables import DRIFT, DRIFT_REPORT
from quant_assets.lake.schemas.price_tables import UNIVERSE
from quant_assets.lake.schemas.promotion_tables import DECISIONS
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.monitoring.drift.drift import (
    MAX_COMPARED_DAYS,
    SEVERITY_LIMIT,
    drift_rows,
    drift_severity,
    first_compared_day,
    select_severe_columns,
    share_drifted,
)
from quant_assets.monitoring.drift.evidently_page import (
    MAX_COLUMNS,
    delete_old_pages,
    read_worst_columns,
    render_page,
)
from quant_assets.monitoring.plots import plot_drift_share
from quant_assets.orchestration.assets.partitions import SINGLE_RUN, run_day_range, stored_day_range
from quant_assets.orchestration.assets.table_assets import (
    OWNER,
    asset_key_of,
    check_spec,
    draw_pictures,
    make_check_result,
    record_result,
    show_last,
    table_asset,
    to_columns,
    to_markdown,
)

_AS_TRAINED = "as_trained"
_WORST = 15
_SHOWN = ["level", "name", "psi", "psi_limit", "ks", "ks_limit", "missing_change", "drifted"]


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build the assets of this module."""
    return [_build_drift(partitions, families), _build_drift_report(partitions, families)]


def _compared_tables(families: Sequence[str]) -> list[Table]:
    """The tables from which drift is computed."""
    return [UNIVERSE, *FEATURES, ENSEMBLE_FORECASTS, DECISIONS, *map(forecasts_table, families)]


def _build_drift(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> dg.AssetsDefinition:
    @table_asset(
        DRIFT,
        kinds={"numpy", "matplotlib"},
        deps=_compared_tables(families),
        about=f"A run over a range computes its newest {MAX_COMPARED_DAYS} days only; its older "
        "days get no rows until they are run as a range of their own.",
        partitions=partitions,
        checks=[
            check_spec(
                DRIFT,
                _AS_TRAINED,
                f"On the last day no column's distance from its reference is {SEVERITY_LIMIT:g} "
                "times its limit, and the share of drifted features is not above the share from "
                "which models are retrained.",
                blocking=False,
            )
        ],
    )
    def drift_asset(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        start, end = stored_day_range(context, lake, MARKET_FEATURES)
        first = first_compared_day(lake, start, end)
        rows = drift_rows(lake, families, first, end, settings.artifacts_dir)
        written = lake.replace_days(DRIFT, start, end, to_columns(rows))
        newest = rows[rows["trading_day"] == rows["trading_day"].max()]
        share = share_drifted(lake.query(f"FROM {DRIFT.quoted} WHERE trading_day <= ?", [end]))
        if len(share):
            worst = newest.loc[drift_severity(newest).nlargest(_WORST).index, _SHOWN]
            pictures = draw_pictures(settings, share=partial(plot_drift_share, share))
            show_last(context, DRIFT, {"worst": to_markdown(worst.round(3)), **pictures})
        newest_share = share_drifted(newest)
        drifted_share = float(newest_share.iloc[0]) if len(newest_share) else 0.0
        severe = select_severe_columns(newest)
        drifted = newest[newest["drifted"].astype(bool)]
        return record_result(
            DRIFT,
            written,
            {
                "share_drifted": drifted_share,
                "forecasts_drifted": int((drifted["level"] == "forecast").sum()),
            },
            checks=[
                make_check_result(
                    DRIFT,
                    _AS_TRAINED,
                    severe.empty and drifted_share <= settings.drift_share,
                    blocking=False,
                    share_drifted=drifted_share,
                    far=to_markdown(severe[_SHOWN].round(3)),
                )
            ],
        )

    return drift_asset


def _build_drift_report(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> dg.AssetsDefinition:
    @dg.asset(
        key=dg.AssetKey(DRIFT_REPORT),
        deps=list(map(asset_key_of, (DRIFT, *_compared_tables(families)))),
        description=f"`drift/<day>.html` in the reports folder: Evidently's page about the "
        f"{MAX_COLUMNS} columns that drifted most, beside their references. A run over a range "
        "makes the page of its last day only; a day before the first fit has no page.",
        group_name="monitoring",
        owners=[OWNER],
        kinds={"evidently"},
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
    )
    def drift_report(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        _, end = run_day_range(context)
        worst = read_worst_columns(lake, end)
        if worst.empty:
            context.log.warning(f"no page was made: on {end} no column could be compared")
            return dg.MaterializeResult(metadata={"columns": 0})
        page = settings.reports_dir / "drift" / f"{end}.html"
        write_atomically(page, render_page(lake, families, end, worst))
        delete_old_pages(page.parent, settings.reports_kept, besides=page)
        shown = {"page": dg.MetadataValue.path(page), "worst": to_markdown(worst[_SHOWN].round(3))}
        context.add_asset_metadata(shown, DRIFT_REPORT, context.partition_key_range.end)
        return dg.MaterializeResult(metadata={"columns": len(worst)})

    return drift_report
