"""Decisions about prices that are not applied to the stored prices yet.

A decision changes the past as a correction by the source does, and is applied by the same runs.
"""

from collections.abc import Sequence
from typing import Any

from quant_assets.core.typing import DayArray
from quant_assets.lake.readers.series import read_series
from quant_assets.lake.schemas.price_tables import (
    RAW_PRICES,
    VALIDATED_PRICES,
    VALIDATED_QUARANTINE,
)
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import InstrumentSeries
from quant_assets.quality.review_decisions import (
    REJECTED_BY,
    CellKey,
    ReviewDecision,
    keep_in_force,
)
from quant_assets.revisions.differences import Revision


def find_unapplied_decisions(
    lake: Lake, decisions: Sequence[ReviewDecision], days: DayArray
) -> list[Revision]:
    """Find the stored cells that are cleaned otherwise than the decisions in force say.

    The stored flags and reasons show which decision a cell was cleaned with, so that a decision
    that is made while a run goes on is not missed.

    Args:
        lake: has raw and validated prices.
        decisions: all decisions about prices, oldest first.
        days: days whose prices can be cleaned again.

    Returns:
        A revision of kind reviewed for each cell, in the order of days.
    """
    if not decisions or not lake.has(VALIDATED_PRICES):
        return []
    in_force, series = keep_in_force(decisions), read_series(lake)
    known = set(days.tolist())
    cells = sorted({each.cell for each in decisions if each.trading_day in known})
    rejected, stored = _read_rejected(lake, cells), _read_stored(lake, cells)
    revisions = []
    for row in stored:
        cell = row["trading_day"], row["instrument"], row["field"]
        decision = in_force.get((cell, row["raw"]))
        column = series.column_of(InstrumentSeries(*cell[1:]))
        applied = _name_applied(row["flag"] or "", rejected.get((cell[0], column), ""))
        if applied != _name_wanted(decision):
            revisions.append(_build_revision(row, decision, column))
    return revisions


def _name_applied(flags: str, reason: str) -> str:
    """Name the decision that a stored cell was cleaned with; empty for none."""
    if "reviewed" not in flags:
        return ""
    return reason if "rejected" in flags else "accept"


def _name_wanted(decision: ReviewDecision | None) -> str:
    if decision is None:
        return ""
    return decision.quarantine_reason if decision.decision == "reject" else "accept"


def _build_revision(row: dict[str, Any], decision: ReviewDecision | None, column: str) -> Revision:
    # The source's number, as the accepted value may be multiplied by splits and dividends.
    day, before = row["trading_day"], row["raw"] if row["value"] is not None else None
    rejects = decision is not None and decision.decision == "reject"
    return Revision(
        "reviewed",
        day,
        day,
        column,
        float("nan") if before is None else before,
        float("nan") if rejects else row["raw"],
        cells=1,
    )


def _read_stored(lake: Lake, cells: Sequence[CellKey]) -> list[dict[str, Any]]:
    """Read the source's number, the accepted value and the flags of cells; text is left out."""
    if not cells:
        return []
    keys = "trading_day, instrument, field"
    wanted = (
        "SELECT unnest(?::DATE[]) AS trading_day, unnest(?::VARCHAR[]) AS instrument,"
        " unnest(?::VARCHAR[]) AS field"
    )
    rows: list[dict[str, Any]] = lake.arrow(
        f"SELECT {keys}, r.value AS raw, v.value, v.flag FROM ({wanted})"
        f" JOIN {RAW_PRICES.quoted} r USING ({keys}) JOIN {VALIDATED_PRICES.quoted} v"
        f" USING ({keys}) WHERE r.trading_day BETWEEN ? AND ? AND v.trading_day BETWEEN ? AND ?"
        f" AND r.value IS NOT NULL ORDER BY {keys}",
        [*(list(part) for part in zip(*cells, strict=True)), *([cells[0][0], cells[-1][0]] * 2)],
    ).to_pylist()
    return rows


def _read_rejected(lake: Lake, cells: Sequence[CellKey]) -> dict[tuple[Any, str], str]:
    """Read why people rejected cells of some days, by day and name of the series in the source."""
    if not cells or not lake.has(VALIDATED_QUARANTINE):
        return {}
    rows = lake.arrow(
        f'SELECT trading_day, "column", reason FROM {VALIDATED_QUARANTINE.quoted}'
        " WHERE trading_day BETWEEN ? AND ? AND starts_with(reason, ?)",
        [cells[0][0], cells[-1][0], REJECTED_BY],
    ).to_pylist()
    return {(row["trading_day"], row["column"]): row["reason"] for row in rows}
