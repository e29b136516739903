"""Layer monitoring: the daily, weekly and monthly reports, an asset for each period.

The contents of the pages belong in ``quant_assets.reports``.
"""

from collections.abc import Sequence

import dagster as dg

from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.declared import watched_tables
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.promotion_tables import DECISIONS, SUBMITTED_FORECASTS
from quant_assets.lake.schemas.scoring_tables import ATTRIBUTION, PERFORMANCE
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.market import MarketDescription
from quant_assets.orchestration.assets.partitions import SINGLE_RUN, run_day_range
from quant_assets.orchestration.assets.table_assets import OWNER, asset_key_of
from quant_assets.orchestration.execution.submission_times import read_submission_time
from quant_assets.reports.page import store_report
from quant_assets.reports.periods import PERIODS, Period
from quant_assets.reports.scope import ReportScope

_SHOWN_TABLES = (SUBMISSIONS, SUBMITTED_FORECASTS, DECISIONS, PERFORMANCE, ATTRIBUTION)


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build the assets of this module."""
    return [_build_report(period, partitions, families) for period in PERIODS.values()]


def _build_report(
    period: Period, partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> dg.AssetsDefinition:
    @dg.asset(
        key=dg.AssetKey(period.key),
        deps=list(map(asset_key_of, (*_SHOWN_TABLES, *watched_tables()))),
        description=f"`{period.name}/<{period.word}>.html` in the reports folder: submission, "
        "performance, attribution, data, drift, regime, alerts and promotion of the "
        f"{period.word} that ends with the day. A run over a range makes the report of its last "
        "day only.",
        group_name="monitoring",
        owners=[OWNER],
        kinds={"html"},
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
    )
    def report(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
        market: dg.ResourceParam[MarketDescription],
    ) -> dg.MaterializeResult:
        _, end = run_day_range(context)
        submitted_at = read_submission_time(context.instance, end)
        scope = ReportScope(
            lake,
            period,
            end,
            tuple(families),
            settings.drift_share,
            market.calendar,
            submitted_at,
        )
        report_content, page = store_report(scope, settings.reports_dir)
        shown = {
            "page": dg.MetadataValue.path(page),
            "summary": dg.MetadataValue.md(report_content.markdown()),
        }
        context.add_asset_metadata(shown, dg.AssetKey(period.key), context.partition_key_range.end)
        return dg.MaterializeResult(metadata={"needs": len(report_content.action_items)})

    return report
