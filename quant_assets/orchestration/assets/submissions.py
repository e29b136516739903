"""Layer submissions: the submission of each day, and the exported files."""

from collections.abc import Sequence

import dagster as dg
import numpy as np

from quant_assets.core.clock import Clock
from quant_assets.core.settings import Settings
from quant_assets.lake.readers.forecasts import read_forecasts
from quant_assets.lake.readers.origins import read_live_days, stamp_origin
from quant_assets.lake.readers.point_in_time import read_known_days
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.readers.universe import find_expected_targets
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.price_tables import RAW_TARGET_PAIRS
from quant_assets.lake.schemas.promotion_tables import SUBMITTED_FORECASTS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.market import MarketDescription
from quant_assets.orchestration.assets.partitions import SINGLE_RUN, run_day_range
from quant_assets.orchestration.assets.table_assets import (
    OWNER,
    asset_key_of,
    check_spec,
    make_check_result,
    record_result,
    table_asset,
    to_markdown,
)
from quant_assets.orchestration.jobs.names import RESUBMISSION_TAG
from quant_assets.submission.submission import export_submission, find_problems, submission_rows

EXPORT = dg.AssetKey(["submissions", "export"])
_COMPLETE = "complete"


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build the assets of the layer; the families do not matter."""

    @table_asset(
        SUBMISSIONS,
        kinds={"numpy"},
        deps=[SUBMITTED_FORECASTS, RAW_TARGET_PAIRS],
        partitions=partitions,
        checks=[
            check_spec(
                SUBMISSIONS,
                _COMPLETE,
                "Every day since the first forecast has a forecast of all targets, finite and not "
                "all equal. Targets count whose instruments were in the universe on the day and "
                "before the fit. If a day has not, the run stores and exports nothing.",
                blocking=True,
            )
        ],
    )
    def submission(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        clock: dg.ResourceParam[Clock],
    ) -> dg.MaterializeResult:
        start, end = run_day_range(context)
        days = read_known_days(lake, end)
        # The forecast of a day that was withdrawn after it was submitted stays, but not the day.
        pairs = read_pairs(lake)
        forecasts = read_forecasts(lake, SUBMITTED_FORECASTS, pairs.targets, start, end)
        forecasts = forecasts.select(days)
        first = forecasts.days[0] if len(forecasts.days) else np.datetime64(start)
        targets = find_expected_targets(lake, pairs, forecasts.days, forecasts.fit_as_of)
        problems = find_problems(forecasts, days[days >= first], targets)
        shown = problems.head(20)
        complete = make_check_result(
            SUBMISSIONS, _COMPLETE, problems.empty, blocking=True, problems=to_markdown(shown)
        )
        if not problems.empty:
            context.log.error(f"nothing is submitted: {shown.to_dict('records')}")
            return dg.MaterializeResult(
                asset_key=asset_key_of(SUBMISSIONS), check_results=[complete]
            )
        reason = context.run.tags.get(RESUBMISSION_TAG, "")
        rows = stamp_origin(
            lake, submission_rows(lake, forecasts), clock.now(), resubmitted=bool(reason)
        )
        kept = 0 if reason else len(read_live_days(lake, SUBMISSIONS, start, end))
        written = lake.replace_days(SUBMISSIONS, start, end, rows, supersede=reason)
        return record_result(SUBMISSIONS, written, {"live_days_kept": kept}, checks=[complete])

    @dg.asset(
        key=EXPORT,
        deps=[asset_key_of(SUBMISSIONS)],
        description="`submission.parquet` and `submission.csv` in the exports folder: every "
        "stored submission, in the market's layout. Each run replaces both files.",
        group_name="submissions",
        owners=[OWNER],
        kinds={"parquet", "csv"},
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
    )
    def export_files(
        lake: dg.ResourceParam[Lake],
        market: dg.ResourceParam[MarketDescription],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        exported = export_submission(lake, market.submission, settings.exports_dir)
        return dg.MaterializeResult(
            metadata={
                "days": exported.days,
                **{file.suffix[1:]: dg.MetadataValue.path(file) for file in exported.files},
            }
        )

    return [submission, export_files]
