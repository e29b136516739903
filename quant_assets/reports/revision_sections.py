"""The section about the past: whether the submission was live, and what was revised since."""

import pandas as pd

from quant_assets.lake.readers.origins import read_origins
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.revision_tables import REVISIONS, SET_ASIDE
from quant_assets.lake.schemas.table import HISTORY, LIVE, RESUBMITTED
from quant_assets.reports.blocks import (
    DASH,
    ActionItem,
    Grid,
    Section,
    format_count,
    format_day,
    frame_records,
    text_row,
    unknown_section,
)
from quant_assets.reports.scope import ReportScope

_SHOWN_ROWS = 10
_DIGITS = 6
_ORIGINS = {
    LIVE: "was submitted live",
    RESUBMITTED: "was submitted live, and again by a person",
    HISTORY: "was computed when later prices were known",
}


def revisions_section(scope: ReportScope) -> Section:
    """Say how the day was submitted, and what the source has changed since in what was known."""
    title = "Revised since"
    origin = read_origins(scope.lake, SUBMISSIONS, scope.day, scope.day).get(scope.day)
    if not scope.lake.has(REVISIONS) and origin is None:
        return unknown_section(
            title, "No submission is stored yet: run load_history or refresh_daily."
        )
    rows = scope.read_rows(
        REVISIONS,
        "AND until >= ? AND known_at >= ? ORDER BY known_at, trading_day, instrument, field",
        [scope.first_day, scope.end.replace(tzinfo=None)],
    )
    aside = scope.read_rows(SET_ASIDE, "AND trading_day >= ?", [scope.first_day])
    submitted = f"The forecast {_ORIGINS[origin]}. " if origin else ""
    summary = f"{submitted}{_count_revisions(rows)} {scope.period.within}."
    before = scope.read_rows(
        REVISIONS,
        "AND until < ? AND known_at >= ?",
        [scope.first_day, scope.end.replace(tzinfo=None)],
    )
    if len(before):
        summary += f" {format_count(len(before), 'change')} of earlier days came since."
    items = tuple(
        ActionItem("warning", f"the prices of {format_day(row.trading_day)} are set aside")
        for row in frame_records(aside)
    )
    return Section(title, summary, (_list_revisions(rows),) if len(rows) else (), items)


def _count_revisions(rows: pd.DataFrame) -> str:
    if rows.empty:
        return "The source has since changed no price of a day"
    counts = rows["kind"].value_counts().sort_index()
    kinds = ", ".join(f"{count} {kind}" for kind, count in counts.items())
    return f"What was known has changed: {kinds}; {format_count(len(rows), 'change')}"


def _list_revisions(rows: pd.DataFrame) -> Grid:
    cells = tuple(
        text_row(
            f"{row.known_at:%Y-%m-%d %H:%M}",
            row.kind,
            f"{row.instrument} {row.field}" if row.field else DASH,
            _format_range(row.trading_day, row.until),
            _format_value(row.before),
            _format_value(row.after),
        )
        for row in frame_records(rows.head(_SHOWN_ROWS))
    )
    return Grid(("known since", "change", "series", "days", "before", "after"), cells, labels=4)


def _format_range(first: pd.Timestamp, last: pd.Timestamp) -> str:
    return format_day(first) + ("" if first == last else f" to {format_day(last)}")


def _format_value(value: float) -> str:
    return DASH if pd.isna(value) else f"{value:.{_DIGITS}g}"
