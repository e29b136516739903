"""What every asset shares: how it is described, and what its materialisation records."""

import base64
from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg

from quant_assets.lake.lake import Written
from quant_assets.lake.schema import Table
from quant_assets.quality.expectations import SuiteResult

OWNER = "team:quant-research"


def key_of(table: Table) -> dg.AssetKey:
    """The asset key of a table: its name, by parts."""
    return dg.AssetKey(table.name.split("."))


def described(table: Table, *, kinds: set[str], deps: Sequence[Table] = ()) -> dg.AssetSpec:
    """The asset that writes a table: description, group, columns and upstream tables."""
    columns = [dg.TableColumn(c.name, c.type, c.description) for c in table.columns]
    return dg.AssetSpec(
        key_of(table),
        deps=[key_of(upstream) for upstream in deps],
        description=f"`{table.name}`: {table.description}",
        group_name=table.name.split(".", 1)[0],
        owners=[OWNER],
        kinds={"duckdb", *kinds},
        metadata={
            "dagster/column_schema": dg.TableSchema(columns=columns),
            "dagster/table_name": f"lake.{table.name}",
        },
    )


def result(
    table: Table,
    written: Written,
    *,
    plot: Mapping[str, float] | None = None,
    checks: Sequence[dg.AssetCheckResult] = (),
    **details: Any,
) -> dg.MaterializeResult[None]:
    """A materialisation with rows, snapshot, and the numbers worth plotting over time."""
    return dg.MaterializeResult(
        asset_key=key_of(table),
        metadata={
            "dagster/row_count": written.rows,
            "snapshot": written.snapshot,
            **(plot or {}),
            **details,
        },
        check_results=checks,
    )


def check_spec(table: Table, name: str, description: str, *, blocking: bool) -> dg.AssetCheckSpec:
    """A check that the table's own asset reports; a blocking one stops what is downstream."""
    return dg.AssetCheckSpec(name, asset=key_of(table), description=description, blocking=blocking)


def suite_outcome(table: Table, found: SuiteResult, *, blocking: bool) -> dg.AssetCheckResult:
    """A Great Expectations suite as a check, with its failing rows."""
    outcomes = "\n".join(
        f"| {o.expectation} | {o.column} | {'yes' if o.passed else 'NO'} | {o.unexpected_count} |"
        for o in found.outcomes
    )
    return dg.AssetCheckResult(
        passed=found.passed,
        asset_key=key_of(table),
        check_name=found.name,
        severity=dg.AssetCheckSeverity.ERROR if blocking else dg.AssetCheckSeverity.WARN,
        metadata={
            "rows": found.rows,
            "expectations": dg.MarkdownMetadataValue(
                f"| expectation | column | met | rows against |\n|---|---|---|---|\n{outcomes}"
            ),
            "failing_rows": dg.MarkdownMetadataValue(
                "none" if found.failing.empty else found.failing.to_markdown(index=False)
            ),
        },
    )


def picture(png: bytes) -> dg.MarkdownMetadataValue:
    """A small image, shown in the UI."""
    return dg.MetadataValue.md(f"![plot](data:image/png;base64,{base64.b64encode(png).decode()})")
