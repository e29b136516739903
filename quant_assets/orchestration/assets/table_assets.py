"""Functions that all assets share: their descriptions, checks and materialisations."""

import base64
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
import pandas as pd

from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import WriteResult, to_arrow
from quant_assets.orchestration.assets.partitions import SINGLE_RUN
from quant_assets.quality.expectations import Suite, SuiteResult
from quant_assets.quality.in_turn import validate_blocks, validate_in_pieces

OWNER = "team:quant-research"
WRITER = "quant/written_by"
"""Tag of an asset, from which its jobs follow; see ``Table.written_by``."""


def asset_key_of(table: Table) -> dg.AssetKey:
    """The asset key of a table."""
    return dg.AssetKey(table.key)


def describe_asset(
    table: Table,
    *,
    kinds: set[str],
    deps: Sequence[Table] = (),
    about: str = "",
) -> dg.AssetSpec:
    """Describe the asset that writes a table.

    Args:
        table: the table.
        kinds: libraries and formats that the UI shows with the asset.
        deps: tables that the asset reads.
        about: sentences that are added to the table's description.
    """
    columns = [dg.TableColumn(c.name, c.type, c.description) for c in table.columns]
    return dg.AssetSpec(
        asset_key_of(table),
        deps=[asset_key_of(upstream) for upstream in deps],
        description=f"{table.description} {about}".strip(),
        group_name=table.name.split(".", 1)[0],
        owners=[OWNER],
        kinds={"duckdb", *kinds},
        tags={WRITER: table.written_by},
        metadata={
            "dagster/column_schema": dg.TableSchema(columns=columns),
            "dagster/table_name": f"lake.{table.name}",
        },
    )


def table_asset(
    table: Table,
    *,
    kinds: set[str],
    partitions: dg.PartitionsDefinition,
    deps: Sequence[Table] = (),
    checks: Sequence[dg.AssetCheckSpec] = (),
    about: str = "",
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Decorate a function as the asset that writes a table; a range of days is one run.

    Args:
        table: the table.
        kinds: libraries and formats that the UI shows with the asset.
        partitions: the trading days.
        deps: tables that the asset reads.
        checks: checks that the asset reports itself.
        about: sentences that are added to the table's description.
    """
    spec = describe_asset(table, kinds=kinds, deps=deps, about=about)
    return dg.asset(
        key=spec.key,
        deps=list(spec.deps),
        description=spec.description,
        group_name=spec.group_name,
        owners=list(spec.owners),
        kinds=spec.kinds,
        tags={WRITER: table.written_by},
        metadata=spec.metadata,
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
        check_specs=checks,
    )


def record_result(
    table: Table,
    written: WriteResult,
    details: Mapping[str, Any] | None = None,
    *,
    checks: Sequence[dg.AssetCheckResult] = (),
) -> dg.MaterializeResult:
    """Build the materialisation of a table.

    Args:
        table: the table.
        written: number of rows and snapshot of the lake.
        details: further metadata; the UI plots numbers over time.
        checks: results of the asset's checks.
    """
    return dg.MaterializeResult(
        asset_key=asset_key_of(table),
        metadata={
            "dagster/row_count": written.rows,
            "snapshot": written.snapshot,
            **(details or {}),
        },
        check_results=checks,
    )


def show_last(context: dg.AssetExecutionContext, table: Table, details: Mapping[str, Any]) -> None:
    """Record tables and pictures with the last partition of a run only.

    Otherwise each of the thousands of partitions of a load would keep its own copy.

    Args:
        context: the run.
        table: the table of the asset.
        details: the metadata, by name; nothing is recorded if empty.
    """
    if details:
        context.add_asset_metadata(details, asset_key_of(table), context.partition_key_range.end)


def check_spec(table: Table, name: str, description: str, *, blocking: bool) -> dg.AssetCheckSpec:
    """Build a check that the table's own asset reports.

    Args:
        table: the table.
        name: name of the check.
        description: what has to hold, and what happens if it does not.
        blocking: whether a failure stops the assets downstream.
    """
    return dg.AssetCheckSpec(
        name, asset=asset_key_of(table), description=description, blocking=blocking
    )


def make_check_result(
    table: Table, name: str, passed: bool, *, blocking: bool, **details: Any
) -> dg.AssetCheckResult:
    """Build the result of a check.

    Args:
        table: the table.
        name: name of the check.
        passed: whether it passed.
        blocking: whether a failure is an error, rather than a warning.
        details: metadata that the UI shows.
    """
    return dg.AssetCheckResult(
        passed=passed,
        asset_key=asset_key_of(table),
        check_name=name,
        severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
        metadata=details,
    )


def suite_spec(table: Table, suite: Suite, *, blocking: bool) -> dg.AssetCheckSpec:
    """Build the check that runs a Great Expectations suite."""
    return check_spec(table, suite.name, suite.description, blocking=blocking)


def run_suite(
    table: Table, suite: Suite, data: Mapping[str, Any], *, blocking: bool
) -> dg.AssetCheckResult:
    """Run a suite over rows of a table. The metadata show failed expectations first.

    Args:
        table: the table.
        suite: the expectations.
        data: columns by name.
        blocking: whether a failure stops the assets downstream.
    """
    result = validate_in_pieces(suite, to_frame(table, data))
    return report_suite(table, suite, result, blocking=blocking)


def run_suite_in_blocks(
    table: Table, suite: Suite, blocks: Iterable[Mapping[str, Any]]
) -> dg.AssetCheckResult:
    """Run a blocking suite over blocks of whole days of a table, of which there is one at least.

    Args:
        table: the table.
        suite: the expectations.
        blocks: columns by name.
    """
    result = validate_blocks(suite, (to_frame(table, block) for block in blocks))
    if result is None:
        return make_check_result(table, suite.name, True, blocking=True, rows=0)
    return report_suite(table, suite, result, blocking=True)


def report_suite(
    table: Table, suite: Suite, result: SuiteResult, *, blocking: bool
) -> dg.AssetCheckResult:
    """Build the check result of a suite. The metadata show failed expectations first.

    Args:
        table: the table.
        suite: the expectations.
        result: their result.
        blocking: whether a failure is an error, rather than a warning.
    """
    outcomes = pd.DataFrame([vars(outcome) for outcome in result.outcomes])
    return make_check_result(
        table,
        suite.name,
        result.passed,
        blocking=blocking,
        rows=result.rows,
        failed="; ".join(outcomes.loc[~outcomes["passed"], "meaning"]) or "none",
        expectations=to_markdown(outcomes.sort_values("passed", kind="stable")),
        failing_rows=to_markdown(result.failing),
    )


def to_columns(rows: pd.DataFrame) -> dict[str, Any]:
    """Convert a frame to columns by name, as the lake stores them."""
    return {str(name): column.tolist() for name, column in rows.items()}


def to_frame(table: Table, data: Mapping[str, Any]) -> pd.DataFrame:
    """Convert columns of a table to a frame; repeated text becomes categories."""
    rows: pd.DataFrame = to_arrow(table, data).to_pandas(date_as_object=False)
    return rows


def to_markdown(rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Convert a frame to a table for the UI; "none" if it has no rows."""
    return dg.MetadataValue.md("none" if rows.empty else rows.to_markdown(index=False))


def draw_pictures(
    settings: Settings, **draw: Callable[[], bytes | None]
) -> dict[str, dg.MarkdownMetadataValue]:
    """Draw small images for the UI. Returns them by name; empty if QUANT_PICTURES is off.

    Args:
        settings: say whether pictures are drawn.
        draw: functions that return the PNG of a picture, or None if there is nothing to draw.
    """
    if not settings.pictures:
        return {}
    pictures = {name: draw_picture() for name, draw_picture in draw.items()}
    return {name: _to_image(png) for name, png in pictures.items() if png is not None}


def _to_image(png: bytes) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(f"![plot](data:image/png;base64,{base64.b64encode(png).decode()})")
