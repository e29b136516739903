"""Layers raw and validated: the source's values unchanged, and the prices after cleaning.

Both are checked before they are stored, and come into force together. What is stored because the
source has changed the past belongs in ``revisions``. Every load writes here first, so the data
directory is bound to the market before that.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date
from functools import partial
from typing import Any

import dagster as dg
import numpy as np

from quant_assets.core.clock import Clock
from quant_assets.core.errors import SourceError
from quant_assets.core.settings import Settings, hold_market
from quant_assets.lake.schemas.price_tables import (
    RAW_PRICES,
    RAW_TARGET_PAIRS,
    VALIDATED_PRICES,
    VALIDATED_QUARANTINE,
)
from quant_assets.lake.schemas.revision_tables import (
    REJECTED_PRICES,
    REJECTED_VALIDATED,
)
from quant_assets.lake.store import changes
from quant_assets.lake.store.lake import Lake
from quant_assets.lake.store.spool import collect
from quant_assets.market.description.market import MarketDescription
from quant_assets.orchestration.assets.partitions import SINGLE_RUN, run_day_range
from quant_assets.orchestration.assets.rejections import mark_rejected, report_rejected
from quant_assets.orchestration.assets.source_comparison import compare_for_run
from quant_assets.orchestration.assets.table_assets import (
    asset_key_of,
    check_spec,
    describe_asset,
    make_check_result,
    record_result,
    run_suite_in_blocks,
    suite_spec,
)
from quant_assets.orchestration.jobs.names import LOAD, REVISE
from quant_assets.quality.cleaning import CleaningRules
from quant_assets.quality.coverage import ended_series, missing_rates, stale_series
from quant_assets.quality.expectations import Suite
from quant_assets.quality.suites import (
    RAW_PRICES_CHECK,
    VALIDATED_PRICES_SUITE,
    raw_prices_suite,
)
from quant_assets.revisions.changes import list_changes
from quant_assets.revisions.comparison import Comparison, extend_back
from quant_assets.revisions.differences import describe_differences
from quant_assets.revisions.responses import list_new_responses
from quant_assets.revisions.storing import (
    PriceUpdate,
    build_update,
    find_failing_days,
    set_days_aside,
)
from quant_assets.sources.deliveries import JoinedPrices
from quant_assets.sources.protocol import Source

Checks = list[dg.AssetCheckResult]


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build the assets of prices in both layers."""
    all_families = tuple(families)
    about = "Stored together with validated prices, once both passed their checks."

    @dg.multi_asset(
        name="prices",
        specs=[
            describe_asset(RAW_PRICES, kinds={"csv"}, deps=[RAW_TARGET_PAIRS], about=about),
            describe_asset(VALIDATED_QUARANTINE, kinds={"numpy"}, deps=[RAW_PRICES]),
            describe_asset(VALIDATED_PRICES, kinds={"numpy"}, deps=[RAW_PRICES]),
        ],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        check_specs=[
            check_spec(RAW_PRICES, *RAW_PRICES_CHECK, blocking=True),
            suite_spec(VALIDATED_PRICES, VALIDATED_PRICES_SUITE, blocking=True),
        ],
    )
    def prices(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        source: dg.ResourceParam[Source],
        settings: dg.ResourceParam[Settings],
        clock: dg.ResourceParam[Clock],
        market: dg.ResourceParam[MarketDescription],
    ) -> Iterator[dg.MaterializeResult]:
        start, end = run_day_range(context)
        check = partial(_check, raw_prices_suite(market.calendar))
        comparison = compare_for_run(context, lake, source, settings)
        _require_days(comparison, source, start, end)
        if context.run.job_name == LOAD:
            comparison = extend_back(comparison, source, start, end)
        build_rows = partial(
            build_update,
            source=source.name,
            rules=CleaningRules(fill_limit=settings.fill_limit, jump_z=settings.jump_z),
            listings=market.listings,
            limit=market.universe,
        )
        update = build_rows(comparison, start=start, end=end)
        checks = check(update)
        reasons: dict[date, str] = {}
        if not _all_passed(checks) and context.run.job_name == REVISE:
            reasons = _find_reasons(comparison, build_rows, check, update)
            comparison, refused = set_days_aside(lake, comparison, list(reasons))
            update = build_rows(comparison, start=start, end=end, refused=refused)
            checks = check(update)
        hold_market(settings)
        if not _all_passed(checks):
            yield from _reject(context, lake, clock, update, checks)
            return
        for day, reason in reasons.items():
            context.log.error(f"{day} is set aside: {reason}")
        if comparison.revisions:
            context.log.info(describe_differences(comparison.revisions))
        if isinstance(update.own, JoinedPrices) and (later := update.own.describe_later_sources()):
            context.log.warning(later)
        now = clock.now()
        written = lake.change(
            *list_changes(lake, comparison, update, all_families, reasons, now),
            *list_new_responses(lake, source),
        )
        details = (_describe_raw(update), _describe_quarantine(update), _describe_validated(update))
        tables = (RAW_PRICES, VALIDATED_QUARANTINE, VALIDATED_PRICES)
        for table, result, detail in zip(tables, written, details, strict=False):
            own = [check for check in checks if check.asset_key == asset_key_of(table)]
            yield record_result(table, result, detail, checks=own)

    return [prices]


def _require_days(comparison: Comparison, source: Source, start: date, end: date) -> None:
    """Refuse a run over days of which the source has none, unless it took them back."""
    days = comparison.given.days
    inside = (days >= np.datetime64(start)) & (days <= np.datetime64(end))
    span = comparison.span
    if inside.any() or (span and start <= span[1] and span[0] <= end):
        return
    raise SourceError(
        "the source has no prices for these days",
        where=source.name,
        expected=f"days from {source.first_day} to {source.last_day}",
        found=f"{start} to {end}",
        hint=source.waiting() or "materialise days that the source has",
    )


def _check(raw_suite: Suite, update: PriceUpdate) -> Checks:
    parts = (
        (RAW_PRICES, raw_suite, update.raw_blocks),
        (VALIDATED_PRICES, VALIDATED_PRICES_SUITE, update.member_blocks),
    )
    if not update.own.values.size:
        # Every day of the run was withdrawn.
        return [
            make_check_result(table, suite.name, True, blocking=True, rows=0)
            for table, suite, _ in parts
        ]
    return [run_suite_in_blocks(table, suite, rows()) for table, suite, rows in parts]


def _all_passed(checks: Checks) -> bool:
    return all(check.passed for check in checks)


def _find_reasons(
    comparison: Comparison,
    build_rows: Any,
    check: Callable[[PriceUpdate], Checks],
    update: PriceUpdate,
) -> dict[date, str]:
    """Find the days that do not pass their checks, and why, among the days of a run."""
    days = [day for day in update.given.days.tolist() if day >= update.start]

    def passes(first: date, last: date) -> bool:
        return _all_passed(check(build_rows(comparison, start=first, end=last)))

    failing = find_failing_days(days, passes)
    updates = {day: build_rows(comparison, start=day, end=day) for day in failing}
    return {day: _name_failed(check(of_day)) for day, of_day in updates.items()}


def _name_failed(checks: Checks) -> str:
    failed = [check for check in checks if not check.passed]
    return "; ".join(
        f"{each.check_name}: not met: {each.metadata['failed'].value}" for each in failed
    )


def _reject(
    context: dg.AssetExecutionContext,
    lake: Lake,
    clock: Clock,
    update: PriceUpdate,
    checks: Checks,
) -> Iterator[dg.MaterializeResult]:
    """Store the rows where they can be looked at, and nothing else."""
    parts = (
        (REJECTED_PRICES, update.raw_blocks()),
        (REJECTED_VALIDATED, update.validated_blocks()),
    )
    lake.change(
        *(
            changes.replace_days(
                table,
                update.start,
                update.end,
                collect(
                    table,
                    (mark_rejected(r, len(r["trading_day"]), context, clock) for r in blocks),
                ),
            )
            for table, blocks in parts
        )
    )
    raw, validated = checks
    yield report_rejected(RAW_PRICES, REJECTED_PRICES, [raw])
    yield dg.MaterializeResult(asset_key=asset_key_of(VALIDATED_QUARANTINE))
    yield report_rejected(VALIDATED_PRICES, REJECTED_VALIDATED, [validated])


def _describe_raw(update: PriceUpdate) -> dict[str, Any]:
    own = update.own
    details = {
        "empty_share": float(np.isnan(own.values).mean()) if own.values.size else 0.0,
        "unread_cells": len(own.unread),
    }
    if isinstance(own, JoinedPrices):
        details["prices_of_later_sources"] = int(own.is_later.sum())
    return details


def _describe_quarantine(update: PriceUpdate) -> dict[str, Any]:
    days = update.cleaned.quarantine["trading_day"].to_numpy().astype("datetime64[D]")
    return {"rejected_cells": int((days >= np.datetime64(update.start)).sum())}


def _describe_validated(update: PriceUpdate) -> dict[str, Any]:
    cleaned, members = update.cleaned, update.members
    own = cleaned.days >= np.datetime64(update.start)
    filled = np.isnan(cleaned.value[own]) & ~np.isnan(cleaned.filled[own])
    if members is not None:
        filled = filled[members[own]]
    missing = missing_rates(cleaned, update.start, members)
    return {
        "filled_share": float(filled.mean()) if filled.size else 0.0,
        **{f"missing_{name}": rate for name, rate in missing.items()},
        "stale_series": len(stale_series(cleaned, members)),
        "ended_series": ", ".join(ended_series(cleaned, members=members)) or "none",
    }
