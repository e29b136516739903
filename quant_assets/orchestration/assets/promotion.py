"""Layer promotion: the releases, and the forecast that is submitted each day.

All daily tables are computed in one step, because they depend on each other. Rules belong in
``quant_assets.promotion``.
"""

from collections.abc import Iterator, Sequence
from datetime import date
from functools import partial

import dagster as dg
import pandas as pd

from quant_assets.core.clock import Clock
from quant_assets.core.errors import PromotionError
from quant_assets.core.settings import Settings
from quant_assets.lake.readers.origins import stamp_origin
from quant_assets.lake.schemas.feature_tables import FEATURES, LABELS
from quant_assets.lake.schemas.forecast_tables import (
    ENSEMBLE_FORECASTS,
    fits_table,
    forecasts_table,
)
from quant_assets.lake.schemas.promotion_tables import (
    DECISIONS,
    PROMOTION_DAILY,
    RELEASE_FORECASTS,
    RELEASES,
    SUBMITTED_FORECASTS,
)
from quant_assets.lake.store.lake import Lake, WriteResult
from quant_assets.orchestration.assets.partitions import SINGLE_RUN, run_day_range
from quant_assets.orchestration.assets.table_assets import (
    asset_key_of,
    check_spec,
    describe_asset,
    make_check_result,
    record_result,
    show_last,
    table_asset,
    to_markdown,
)
from quant_assets.orchestration.jobs.names import RESUBMISSION_TAG
from quant_assets.promotion.daily_promotion import PromotionResult, promote_days
from quant_assets.promotion.release_creation import register_release
from quant_assets.promotion.release_store import lock_promotion
from quant_assets.promotion.submitted_days import find_open_parts

_HISTORY_JOBS = frozenset({"load_history", "walk_forward"})
_COMPLETE, _CHAMPION, _OTHERS = "complete", "champion_forecasts", "others_forecast"
_SHOWN = ("trading_day", "action", "release", "stage_before", "stage_after", "reason")


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build the assets of the layer."""
    return [_build_releases(partitions, families), _build_daily(partitions, families)]


def _build_releases(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> dg.AssetsDefinition:
    @table_asset(
        RELEASES,
        kinds={"numpy"},
        deps=[*map(fits_table, families)],
        about="A run over a range makes the release of its last day only.",
        partitions=partitions,
        checks=[
            check_spec(
                RELEASES,
                _COMPLETE,
                "Every family has a fit as of the day, with its artifact. If a fit is missing, the "
                "day gets no release, and the champion and the challenger stay.",
                blocking=False,
            )
        ],
    )
    def releases(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> dg.MaterializeResult:
        _, as_of = run_day_range(context)
        try:
            release = register_release(lake, settings, families, as_of)
        except PromotionError as error:
            context.log.warning(str(error))
            missing = make_check_result(
                RELEASES, _COMPLETE, False, blocking=False, reason=str(error)
            )
            return dg.MaterializeResult(asset_key=asset_key_of(RELEASES), check_results=[missing])
        complete = make_check_result(
            RELEASES, _COMPLETE, True, blocking=False, release=release.name
        )
        return record_result(
            RELEASES,
            WriteResult(len(release.fits), lake.snapshot_id()),
            {"release": release.name, "walk_forward": release.no_record or "recorded"},
            checks=[complete],
        )

    return releases


def _build_daily(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> dg.AssetsDefinition:
    inputs = [*FEATURES, LABELS, ENSEMBLE_FORECASTS, RELEASES, *map(forecasts_table, families)]

    @dg.multi_asset(
        name="promotion__daily",
        specs=[describe_asset(table, kinds={"numpy"}, deps=inputs) for table in PROMOTION_DAILY],
        check_specs=[
            check_spec(
                SUBMITTED_FORECASTS,
                _CHAMPION,
                "The champion gave a forecast. If it failed, the previous champion is in force "
                "again and its forecast is submitted. Without a previous champion, the "
                "challenger's forecast is submitted, or else the ensemble's.",
                blocking=False,
            ),
            check_spec(
                RELEASE_FORECASTS,
                _OTHERS,
                "The challenger, or the previous champion, gave a forecast. A release that failed "
                "takes no further part.",
                blocking=False,
            ),
        ],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
    )
    def daily(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
        clock: dg.ResourceParam[Clock],
    ) -> Iterator[dg.MaterializeResult]:
        days = run_day_range(context)
        reason = context.run.tags.get(RESUBMISSION_TAG, "")
        # The jobs over the history leave every submitted day as it is; any other run was requested
        # for its days, and computes those again that were not submitted live.
        history = context.run.job_name in _HISTORY_JOBS
        parts = [days] if reason else find_open_parts(lake, *days, history=history)
        store = partial(_promote_and_store, lake, settings, clock, reason)
        results = [store(*part) for part in parts]
        if not results:
            context.log.info("every day was submitted: no day is changed")
        for failure in (failure for result in results for failure in result.failures):
            context.log.error(str(failure))
        decisions = [decision for result in results for decision in result.decisions]
        if decisions:
            shown = pd.DataFrame(
                [{name: getattr(decision, name) for name in _SHOWN} for decision in decisions]
            )
            show_last(context, DECISIONS, {"decisions": to_markdown(shown)})
        checks = {
            SUBMITTED_FORECASTS: _check_champion(results),
            RELEASE_FORECASTS: _check_other_releases(results),
        }
        for table in PROMOTION_DAILY:
            of_table = [checks[table]] if table in checks else []
            details = _describe_newest_day(results) if table is SUBMITTED_FORECASTS else {}
            rows = sum(len(next(iter(result.rows[table].values()))) for result in results)
            written = WriteResult(rows, lake.snapshot_id())
            yield record_result(table, written, details, checks=of_table)

    return daily


def _promote_and_store(
    lake: Lake, settings: Settings, clock: Clock, reason: str, start: date, end: date
) -> PromotionResult:
    with lock_promotion(settings):
        result = promote_days(lake, settings, start, end)
        for table in PROMOTION_DAILY:
            rows = result.rows[table]
            if table.keeps_live:
                rows = stamp_origin(lake, rows, clock.now(), resubmitted=bool(reason))
            if table not in result.unchanged:
                supersede = reason if table.keeps_live else ""
                lake.replace_days(table, start, end, rows, supersede=supersede)
    return result


def _describe_newest_day(results: Sequence[PromotionResult]) -> dict[str, str | float]:
    """Champion, challenger and share of the newest submitted day; empty if no day was submitted."""
    submitted = [day for result in results for day in result.submitted]
    if not submitted:
        return {}
    newest = submitted[-1]
    return {
        "champion": newest.champion or "none",
        "challenger": newest.challenger or "none",
        "share": newest.share,
    }


def _select_failures(results: Sequence[PromotionResult], *, of_champion: bool) -> list[str]:
    failures = [failure for result in results for failure in result.failures]
    return [str(failure) for failure in failures if failure.was_champion == of_champion]


def _check_champion(results: Sequence[PromotionResult]) -> dg.AssetCheckResult:
    failed = _select_failures(results, of_champion=True)
    return dg.AssetCheckResult(
        passed=not failed,
        asset_key=asset_key_of(SUBMITTED_FORECASTS),
        check_name=_CHAMPION,
        # An error so that the alert is critical, although it blocks nothing: another forecast is
        # submitted instead.
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"failures": "\n".join(failed) or "none"},
    )


def _check_other_releases(results: Sequence[PromotionResult]) -> dg.AssetCheckResult:
    failed = _select_failures(results, of_champion=False)
    failures = "\n".join(failed) or "none"
    return make_check_result(
        RELEASE_FORECASTS, _OTHERS, not failed, blocking=False, failures=failures
    )
