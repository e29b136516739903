"""Sections about alerts, the champion and its challenger, and the newest day of each layer."""

import json
from collections.abc import Hashable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from quant_assets.alerts.alert_lifecycle import LEVELS
from quant_assets.lake.schemas.alert_tables import ALERTS
from quant_assets.lake.schemas.declared import watched_tables
from quant_assets.lake.schemas.feature_tables import LABELS, MARKET_FEATURES
from quant_assets.lake.schemas.forecast_tables import ENSEMBLE_FORECASTS, SUBMISSIONS, fits_table
from quant_assets.lake.schemas.price_tables import RAW_PRICES, VALIDATED_PRICES
from quant_assets.lake.schemas.promotion_tables import DECISIONS, SUBMITTED_FORECASTS
from quant_assets.lake.schemas.scoring_tables import ATTRIBUTION, PERFORMANCE
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.contents import read_contents
from quant_assets.reports.blocks import (
    DASH,
    ActionItem,
    Cell,
    Grid,
    Section,
    format_count,
    format_day,
    format_percent,
    frame_records,
    text_row,
    to_date,
    unknown_section,
)
from quant_assets.reports.scope import ReportScope

_LAYERS = (
    *(
        RAW_PRICES,
        VALIDATED_PRICES,
        MARKET_FEATURES,
        LABELS,
        ENSEMBLE_FORECASTS,
        SUBMITTED_FORECASTS,
        SUBMISSIONS,
    ),
    *(PERFORMANCE, ATTRIBUTION),
)
_SHOWN_DECISIONS = 8


def alerts_section(scope: ReportScope) -> Section:
    """Say which alerts are open at the end of the day, and which ended in the period.

    An alert's subject and text are rewritten each time its condition is met. The section shows only
    what does not change, and the level at the end of the day, so that a page made later is equal.
    """
    title = "Alerts"
    if not scope.lake.has(ALERTS):
        return unknown_section(
            title, "No alert has been raised yet; the sensor watch_runs raises them."
        )
    rows = _read_alerts(scope)
    is_open = rows["closed_at"].isna() | (rows["closed_at"] >= scope.end.replace(tzinfo=None))
    opened, ended = rows[is_open], rows[~is_open]
    ended = ended[ended["closed_at"] >= pd.Timestamp(scope.first_day)]
    items = tuple(
        ActionItem(
            row.level,
            f"{_describe_condition(str(row.key))}, since {row.opened_at:%Y-%m-%d %H:%M} UTC",
            failed_table=_failed_table(str(row.key)),
        )
        for row in frame_records(opened)
        if row.level != "info"
    )
    counts = [f"{int((opened['level'] == level).sum())} {level}" for level in LEVELS]
    summary = (
        f"{format_count(len(opened), 'alert')} open: {', '.join(counts)}. "
        f"{len(ended)} ended {scope.period.within}."
    )
    if rows.empty:
        return Section(title, summary)
    shown = pd.concat([opened, ended])
    shown["ended"] = shown["closed_at"].where(~is_open)
    cells = tuple(
        text_row(
            Cell(str(row.level), row.level if row.level != "info" and pd.isna(row.ended) else None),
            _describe_condition(str(row.key)),
            f"{row.opened_at:%Y-%m-%d %H:%M}",
            DASH if pd.isna(row.ended) else f"{row.ended:%Y-%m-%d %H:%M}",
        )
        for row in frame_records(shown)
    )
    grid = Grid(("level", "condition", "opened", "ended"), cells, labels=4)
    return Section(title, summary, (grid,) if cells else (), items)


def promotion_section(scope: ReportScope) -> Section:
    """Name the champion, the challenger and its share, and the last decisions."""
    title = "Promotion"
    rows = scope.read_rows(
        DECISIONS, "ORDER BY trading_day DESC, sequence DESC LIMIT ?", [_SHOWN_DECISIONS]
    )
    if rows.empty:
        return unknown_section(title, "There is no decision about a release yet.")
    summary = _describe_champion(scope, rows.iloc[0])
    cells = tuple(
        text_row(
            format_day(row["trading_day"]),
            _describe_decision(row),
            f"{_text(row['reason'])}{_format_numbers(row)}",
        )
        for row in rows.to_dict("records")
    )
    grid = Grid(("day", "decision", "why"), cells, labels=3, caption="Last decisions")
    return Section(title, summary, (grid,))


def _describe_decision(decision: Mapping[Hashable, Any]) -> str:
    """Say what was decided, and by whom unless by the rules."""
    stages = f"{_text(decision['stage_before'])} → {_text(decision['stage_after'])}"
    by = "" if decision["made_by"] == "rules" else f", by {_text(decision['made_by'])}"
    return f"{_text(decision['action'])} {_text(decision['release'])}: {stages}{by}"


def _describe_champion(scope: ReportScope, decision: pd.Series) -> str:
    """Name champion and challenger of the newest submitted forecast, else of the last decision."""
    newest = scope.read_newest(SUBMITTED_FORECASTS, "ORDER BY target LIMIT 1")
    if newest.empty:
        return f"Champion: {_text(decision['champion'])}; no forecast is submitted yet."
    now = newest.iloc[0]
    day = format_day(now["trading_day"])
    if pd.isna(now["challenger"]):
        return f"Champion on {day}: {_text(now['champion'])}; no challenger."
    challenger = f"{now['challenger']} has a share of {format_percent(now['share'])}"
    return f"Champion on {day}: {_text(now['champion'])}; challenger {challenger}."


def freshness_section(scope: ReportScope) -> Section:
    """Show the newest day of each layer, and how many trading days it is behind."""
    layers = (*_LAYERS, *watched_tables())
    tables = [*layers, *map(fits_table, scope.families)]
    newest = _read_newest_days(scope, [table for table in tables if scope.lake.has(table)])
    cells = []
    for table in tables:
        day = newest.get(table.name)
        behind = DASH
        if day is not None:
            behind = str(max(len(scope.calendar.trading_days(day, scope.day)) - 1, 0))
        cells.append(text_row(table.name, format_day(day), behind))
    current = sum(cell[-1].text == "0" for cell in cells[: len(layers)])
    summary = f"{current} of {len(layers)} layers are up to date on {scope.day}."
    grid = Grid(("table", "newest day", "trading days behind"), tuple(cells))
    return Section("Freshness", summary, (grid,))


def _read_newest_days(scope: ReportScope, tables: Sequence[Table]) -> dict[str, date]:
    """Read the newest day of each table, up to the report's; tables without one are left out."""
    contents = read_contents(scope.lake, tables)
    newest = {table: content.newest for table, content in contents.items()}
    later = [table for table, day in newest.items() if day and day > scope.day]
    selects = (
        f"SELECT '{table.name}' AS name, max(\"{table.day_column}\") AS newest"
        f' FROM {table.quoted} WHERE "{table.day_column}" <= ?'
        for table in later
    )
    result = {table.name: day for table, day in newest.items() if day and day <= scope.day}
    if later:
        rows = scope.lake.query(" UNION ALL ".join(selects), [scope.day] * len(later)).dropna()
        result |= {str(row.name): to_date(row.newest) for row in frame_records(rows)}
    return result


def _read_alerts(scope: ReportScope) -> pd.DataFrame:
    """Read alerts opened by the end of the day, most urgent first, with their level at the time."""
    end = scope.end.replace(tzinfo=None)
    rows = scope.lake.query(f"FROM {ALERTS.quoted} WHERE opened_at < ?", [end])
    rows["level"] = _level_at(rows, end)
    rows["rank"] = rows["level"].map(LEVELS.index)
    return rows.sort_values(["rank", "opened_at", "key"], ignore_index=True)


def _level_at(rows: pd.DataFrame, end: datetime) -> pd.Series:
    """Compute the level of alerts at a time.

    Alerts that were stored without the times of their levels have their present level.

    Args:
        rows: of alerts.
        end: the time, in UTC.
    """
    level_times = rows.reindex(columns=["warning_at", "critical_at"]).astype("datetime64[us]")
    reached = level_times < end
    level = np.select(
        [reached["critical_at"], reached["warning_at"]], ["critical", "warning"], "info"
    )
    return rows["level"].where(level_times.isna().all(axis=1), level)


def _describe_condition(key: str) -> str:
    """Turn a condition's key into words: ``run_failed/x`` becomes "run failed: x"."""
    kind, _, rest = key.partition("/")
    return f"{kind.replace('_', ' ')}: {rest}" if rest else kind.replace("_", " ")


def _failed_table(key: str) -> str:
    """Name the table of an alert about a failed check; empty for any other alert."""
    kind, *parts = key.split("/")
    return ".".join(parts[:2]) if kind == "check_failed" else ""


def _text(value: Any) -> str:
    return DASH if pd.isna(value) else str(value)


def _format_numbers(decision: Mapping[Hashable, Any]) -> str:
    """Format the numbers of a decision, which are JSON; an empty text if there are none."""
    text = decision["numbers"]
    if pd.isna(text) or not text:
        return ""
    numbers = json.loads(text)
    if not isinstance(numbers, dict):
        return ""
    shown = [f"{name} {_format_value(value)}" for name, value in sorted(numbers.items())]
    return f" ({', '.join(shown)})" if shown else ""


def _format_value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
