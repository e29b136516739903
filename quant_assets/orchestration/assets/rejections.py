"""Rows that a blocking check keeps out of a table: where they are kept, and what the UI says."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import numpy as np

from quant_assets.core.clock import Clock
from quant_assets.lake.schemas.table import Table
from quant_assets.orchestration.assets.table_assets import asset_key_of


def mark_rejected(
    rows: Mapping[str, Any], count: int, context: dg.AssetExecutionContext, clock: Clock
) -> dict[str, Any]:
    """Add to rows of a table what its table of rejected rows has besides.

    Args:
        rows: columns by name.
        count: number of rows.
        context: the run that gave them.
        clock: says when they were rejected.
    """
    moment = clock.now().replace(tzinfo=None)
    return {
        **rows,
        "rejected_at": np.full(count, moment, dtype="datetime64[us]"),
        "dagster_run": [context.run.run_id] * count,
    }


def report_rejected(
    table: Table, rejected: Table, checks: Sequence[dg.AssetCheckResult]
) -> dg.MaterializeResult:
    """Report that nothing was stored in a table, and where the rejected rows are."""
    return dg.MaterializeResult(
        asset_key=asset_key_of(table),
        check_results=checks,
        metadata={"nothing_stored": f"the rows are in {rejected.name}"},
    )
