"""Layer promotion: releases, and what of them is published.

One step a day: its tables follow from one another. Rules belong in ``quant_assets.promotion``.
"""

from collections.abc import Iterator, Sequence
from datetime import date

import dagster as dg
import pandas as pd

from quant_assets.core.errors import PromotionError
from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.promotion_tables import (
    DECISIONS,
    PROMOTION_DAILY,
    RELEASE_FORECASTS,
    RELEASES,
    SUBMITTED_FORECASTS,
)
from quant_assets.lake.schemas.tables import (
    ENSEMBLE_FORECASTS,
    FEATURES,
    LABELS,
    fits_table,
    forecasts_table,
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
from quant_assets.promotion.daily_promotion import PromotionResult, promote_days
from quant_assets.promotion.release_creation import register_release
from quant_assets.promotion.release_store import lock_promotion
from quant_assets.promotion.submitted_days import find_unsubmitted_parts

_OF_HISTORY = frozenset({"load_history", "walk_forward"})
_COMPLETE, _CHAMPION, _OTHERS = "complete", "champion_forecasts", "others_forecast"
_SHOWN = ("trading_day", "action", "release", "stage_before", "stage_after", "reason")


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """The assets of the layer."""
    return [_releases(partitions, families), _daily(partitions, families)]


def _releases(partitions: dg.PartitionsDefinition, families: Sequence[str]) -> dg.AssetsDefinition:
    @table_asset(
        RELEASES,
        kinds={"numpy"},
        deps=[*map(fits_table, families)],
        about="Of a range of days the last one only.",
        partitions=partitions,
        checks=[
            check_spec(
                RELEASES,
                _COMPLETE,
                "Every family has a fit as of the day, and its model is there. If not, there is no "
                "release of this day, and what is in force stays.",
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
            made = register_release(lake, settings, families, as_of)
        except PromotionError as error:
            context.log.warning(str(error))
            missing = make_check_result(
                RELEASES, _COMPLETE, False, blocking=False, reason=str(error)
            )
            return dg.MaterializeResult(asset_key=asset_key_of(RELEASES), check_results=[missing])
        complete = make_check_result(RELEASES, _COMPLETE, True, blocking=False, release=made.name)
        return record_result(
            RELEASES,
            WriteResult(len(made.fits), lake.snapshot_id()),
            {"release": made.name, "walk_forward": made.no_record or "recorded"},
            checks=[complete],
        )

    return releases


def _daily(partitions: dg.PartitionsDefinition, families: Sequence[str]) -> dg.AssetsDefinition:
    inputs = [*FEATURES, LABELS, ENSEMBLE_FORECASTS, RELEASES, *map(forecasts_table, families)]

    @dg.multi_asset(
        name="promotion__daily",
        specs=[describe_asset(table, kinds={"numpy"}, deps=inputs) for table in PROMOTION_DAILY],
        check_specs=[
            check_spec(
                SUBMITTED_FORECASTS,
                _CHAMPION,
                "The champion forecast. If not, the champion before it is published and in force, "
                "else its challenger, else the ensemble; the day is submitted all the same.",
                blocking=False,
            ),
            check_spec(
                RELEASE_FORECASTS,
                _OTHERS,
                "The challenger, or the champion before, forecast. If not, it is out.",
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
    ) -> Iterator[dg.MaterializeResult]:
        days = run_day_range(context)
        # Whoever asks for a day again by itself means it; history as a whole goes over all days.
        parts = (
            find_unsubmitted_parts(lake, *days) if context.run.job_name in _OF_HISTORY else [days]
        )
        courses = [_gone_through(lake, settings, *part) for part in parts]
        if not courses:
            context.log.info("every day was published by a release: all stay as submitted")
        for failure in (one for course in courses for one in course.failures):
            context.log.error(str(failure))
        made = [one for course in courses for one in course.decisions]
        if made:
            shown = pd.DataFrame([{x: getattr(one, x) for x in _SHOWN} for one in made])
            show_last(context, DECISIONS, {"decisions": to_markdown(shown)})
        checks = {
            SUBMITTED_FORECASTS: _champion_forecasts(courses),
            RELEASE_FORECASTS: _others_do(courses),
        }
        for table in PROMOTION_DAILY:
            found = [checks[table]] if table in checks else []
            figures = _figures(courses) if table is SUBMITTED_FORECASTS else {}
            rows = sum(len(next(iter(one.rows[table].values()))) for one in courses)
            yield record_result(table, WriteResult(rows, lake.snapshot_id()), figures, checks=found)

    return daily


def _gone_through(lake: Lake, settings: Settings, start: date, end: date) -> PromotionResult:
    with lock_promotion(settings):
        course = promote_days(lake, settings, start, end)
        for table in PROMOTION_DAILY:
            if table not in course.unchanged:
                lake.replace_days(table, start, end, course.rows[table])
    return course


def _figures(courses: Sequence[PromotionResult]) -> dict[str, str | float]:
    published = [one for course in courses for one in course.submitted]
    if not published:
        return {}
    newest = published[-1]
    return {
        "champion": newest.champion or "none",
        "challenger": newest.challenger or "none",
        "share": newest.share,
    }


def _failures(courses: Sequence[PromotionResult], *, of_champion: bool) -> list[str]:
    failures = [one for course in courses for one in course.failures]
    return [str(one) for one in failures if one.was_champion == of_champion]


def _champion_forecasts(courses: Sequence[PromotionResult]) -> dg.AssetCheckResult:
    failed = _failures(courses, of_champion=True)
    return dg.AssetCheckResult(
        passed=not failed,
        asset_key=asset_key_of(SUBMITTED_FORECASTS),
        check_name=_CHAMPION,
        # Urgent, and yet nothing waits: what is published instead is as good as the day before's.
        severity=dg.AssetCheckSeverity.ERROR,
        metadata={"failures": "\n".join(failed) or "none"},
    )


def _others_do(courses: Sequence[PromotionResult]) -> dg.AssetCheckResult:
    failed = _failures(courses, of_champion=False)
    failures = "\n".join(failed) or "none"
    return make_check_result(
        RELEASE_FORECASTS, _OTHERS, not failed, blocking=False, failures=failures
    )
