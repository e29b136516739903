"""What every asset shares: how it is described, and what its materialisation records."""

import base64
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import dagster as dg
import pandas as pd

from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import WriteResult, to_arrow
from quant_assets.orchestration.assets.partitions import SINGLE_RUN
from quant_assets.quality.expectations import Suite
from quant_assets.quality.worker import validate_in_worker

OWNER = "team:quant-research"
WRITER = "quant/written_by"
"""Tag of an asset: which jobs it is in, see ``Table.written_by``."""


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
    """The asset that writes a table: description, group, columns and upstream tables."""
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
    """Decorator: the asset that writes one table; a range of days is one run."""
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
    """A materialisation: rows, snapshot, and further details, numbers being plotted over time."""
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
    """Record tables and pictures with the last partition of a range only.

    Each of a load's thousands of partitions would keep a copy of its own.
    """
    if details:
        context.add_asset_metadata(details, asset_key_of(table), context.partition_key_range.end)


def check_spec(table: Table, name: str, description: str, *, blocking: bool) -> dg.AssetCheckSpec:
    """A check that the table's own asset reports; a blocking one stops what is downstream."""
    return dg.AssetCheckSpec(
        name, asset=asset_key_of(table), description=description, blocking=blocking
    )


def make_check_result(
    table: Table, name: str, passed: bool, *, blocking: bool, **details: Any
) -> dg.AssetCheckResult:
    """The outcome of a check; a failure is an error if it blocks and a warning if not."""
    return dg.AssetCheckResult(
        passed=passed,
        asset_key=asset_key_of(table),
        check_name=name,
        severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
        metadata=details,
    )


def suite_spec(table: Table, suite: Suite, *, blocking: bool) -> dg.AssetCheckSpec:
    """A Great Expectations suite as a check."""
    return check_spec(table, suite.name, suite.description, blocking=blocking)


def run_suite(
    table: Table, suite: Suite, data: Mapping[str, Any], *, blocking: bool
) -> dg.AssetCheckResult:
    """Run a suite over rows of the table; the check's metadata say first what did not pass."""
    found = validate_in_worker(suite, to_frame(table, data))
    outcomes = pd.DataFrame([vars(outcome) for outcome in found.outcomes])
    return make_check_result(
        table,
        suite.name,
        found.passed,
        blocking=blocking,
        rows=found.rows,
        expectations=to_markdown(outcomes.sort_values("passed", kind="stable")),
        failing_rows=to_markdown(found.failing),
    )


def to_columns(rows: pd.DataFrame) -> dict[str, Any]:
    """A frame's columns by name, as the lake takes them."""
    return {str(name): column.tolist() for name, column in rows.items()}


def to_frame(table: Table, data: Mapping[str, Any]) -> pd.DataFrame:
    """Rows of the table as a frame, repeated text as categories."""
    rows: pd.DataFrame = to_arrow(table, data).to_pandas(date_as_object=False)
    return rows


def to_markdown(rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """A frame as a table in the UI."""
    return dg.MetadataValue.md("none" if rows.empty else rows.to_markdown(index=False))


def draw_pictures(
    settings: Settings, **draw: Callable[[], bytes | None]
) -> dict[str, dg.MarkdownMetadataValue]:
    """Draw small images for the UI, by name; none where QUANT_PICTURES is off.

    Args:
        settings: say whether pictures are drawn.
        draw: make the PNG of each picture, or None where there is nothing to draw.
    """
    if not settings.pictures:
        return {}
    drawn = {name: make() for name, make in draw.items()}
    return {name: _to_image(png) for name, png in drawn.items() if png is not None}


def _to_image(png: bytes) -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md(f"![plot](data:image/png;base64,{base64.b64encode(png).decode()})")
