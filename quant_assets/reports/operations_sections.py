"""Sections about open alerts, the champion and its challenger, and how fresh each layer is."""

import json
from collections.abc import Hashable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import numpy as np
import pandas as pd

from quant_assets.alerts.alert_lifecycle import LEVELS
from quant_assets.lake.schemas.alert_tables import ALERTS
from quant_assets.lake.schemas.declared import watched_tables
from quant_assets.lake.schemas.promotion_tables import DECISIONS, SUBMITTED_FORECASTS
from quant_assets.lake.schemas.scoring_tables import ATTRIBUTION, PERFORMANCE
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.schemas.tables import (
    ENSEMBLE_FORECASTS,
    LABELS,
    MARKET_FEATURES,
    RAW_PRICES,
    SUBMISSIONS,
    VALIDATED_PRICES,
    fits_table,
)
from quant_assets.lake.store.contents import read_contents
from quant_assets.market.calendar import trading_days
from quant_assets.reports.blocks import (
    NOTHING,
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
_DECISIONS = 8


def alerts_section(scope: ReportScope) -> Section:
    """Alerts that are open at the end of the day, and those of the period that have ended.

    An alert's subject and text are rewritten each time it is seen. Only what stays is shown, and
    its level as it was: a page made later says the same.
    """
    title = "Alerts"
    if not scope.lake.has(ALERTS):
        return unknown_section(
            title, "No alert was ever raised; the sensor watch_runs raises them."
        )
    rows = _alerts(scope)
    still = rows["closed_at"].isna() | (rows["closed_at"] >= scope.end.replace(tzinfo=None))
    opened, ended = rows[still], rows[~still]
    ended = ended[ended["closed_at"] >= pd.Timestamp(scope.first)]
    needs = tuple(
        ActionItem(
            one.level,
            f"{_words(str(one.key))}, since {one.opened_at:%Y-%m-%d %H:%M} UTC",
            told=_table_of(str(one.key)),
        )
        for one in frame_records(opened)
        if one.level != "info"
    )
    counts = [f"{int((opened['level'] == level).sum())} {level}" for level in LEVELS]
    summary = (
        f"{format_count(len(opened), 'alert')} open: {', '.join(counts)}. "
        f"{len(ended)} ended {scope.period.within}."
    )
    if rows.empty:
        return Section(title, summary)
    shown = pd.concat([opened, ended])
    shown["ended"] = shown["closed_at"].where(~still)
    cells = tuple(
        text_row(
            Cell(str(one.level), one.level if one.level != "info" and pd.isna(one.ended) else None),
            _words(str(one.key)),
            f"{one.opened_at:%Y-%m-%d %H:%M}",
            NOTHING if pd.isna(one.ended) else f"{one.ended:%Y-%m-%d %H:%M}",
        )
        for one in frame_records(shown)
    )
    grid = Grid(("level", "condition", "opened", "ended"), cells, labels=4)
    return Section(title, summary, (grid,) if cells else (), needs)


def promotion_section(scope: ReportScope) -> Section:
    """Who is champion, what the challenger is at, and the last decisions."""
    title = "Promotion"
    rows = scope.rows(DECISIONS, "ORDER BY trading_day DESC, sequence DESC LIMIT ?", [_DECISIONS])
    if rows.empty:
        return unknown_section(title, "No release was decided on yet.")
    summary = _in_force(scope, rows.iloc[0])
    cells = tuple(
        text_row(
            format_day(one["trading_day"]), _deed(one), f"{_text(one['reason'])}{_numbers(one)}"
        )
        for one in rows.to_dict("records")
    )
    grid = Grid(("day", "decision", "why"), cells, labels=3, caption="Last decisions")
    return Section(title, summary, (grid,))


def _deed(one: Mapping[Hashable, Any]) -> str:
    """What was decided, and by whom unless by the rules."""
    stages = f"{_text(one['stage_before'])} → {_text(one['stage_after'])}"
    by = "" if one["made_by"] == "rules" else f", by {_text(one['made_by'])}"
    return f"{_text(one['action'])} {_text(one['release'])}: {stages}{by}"


def _in_force(scope: ReportScope, decision: pd.Series) -> str:
    """Champion and challenger of the newest published forecast, else after the last decision."""
    found = scope.newest(SUBMITTED_FORECASTS, "ORDER BY target LIMIT 1")
    if found.empty:
        return f"Champion: {_text(decision['champion'])}; nothing is published yet."
    now = found.iloc[0]
    day = format_day(now["trading_day"])
    if pd.isna(now["challenger"]):
        return f"Champion on {day}: {_text(now['champion'])}; no challenger."
    challenger = f"{now['challenger']} has a share of {format_percent(now['share'])}"
    return f"Champion on {day}: {_text(now['champion'])}; challenger {challenger}."


def freshness_section(scope: ReportScope) -> Section:
    """The newest day of each layer, and how many trading days it is behind."""
    layers = (*_LAYERS, *watched_tables())
    tables = [*layers, *map(fits_table, scope.families)]
    newest = _newest_days(scope, [one for one in tables if scope.lake.has(one)])
    cells = []
    for table in tables:
        day = newest.get(table.name)
        behind = NOTHING if day is None else str(max(len(trading_days(day, scope.day)) - 1, 0))
        cells.append(text_row(table.name, format_day(day), behind))
    current = sum(cell[-1].text == "0" for cell in cells[: len(layers)])
    summary = f"{current} of {len(layers)} layers are as of {scope.day}."
    grid = Grid(("table", "newest day", "trading days behind"), tuple(cells))
    return Section("Freshness", summary, (grid,))


def _newest_days(scope: ReportScope, tables: Sequence[Table]) -> dict[str, date]:
    """The newest day of each table that has one by the report's."""
    newest = {one: content.newest for one, content in read_contents(scope.lake, tables).items()}
    later = [one for one, day in newest.items() if day and day > scope.day]
    each = (
        f"SELECT '{one.name}' AS name, max(\"{one.day_column}\") AS newest FROM {one.quoted}"
        f' WHERE "{one.day_column}" <= ?'
        for one in later
    )
    found = {one.name: day for one, day in newest.items() if day and day <= scope.day}
    if later:
        rows = scope.lake.query(" UNION ALL ".join(each), [scope.day] * len(later)).dropna()
        found |= {str(one.name): to_date(one.newest) for one in frame_records(rows)}
    return found


def _alerts(scope: ReportScope) -> pd.DataFrame:
    """Alerts opened by the end of the day, most urgent first, with their level as it was then."""
    end = scope.end.replace(tzinfo=None)
    rows = scope.lake.query(f"FROM {ALERTS.quoted} WHERE opened_at < ?", [end])
    rows["level"] = _level_then(rows, end)
    rows["rank"] = rows["level"].map(LEVELS.index)
    return rows.sort_values(["rank", "opened_at", "key"], ignore_index=True)


def _level_then(rows: pd.DataFrame, end: datetime) -> pd.Series:
    """The level at a moment; of an alert from before these moments were stored, the highest."""
    moments = rows.reindex(columns=["warning_at", "critical_at"]).astype("datetime64[us]")
    reached = moments < end
    level = np.select(
        [reached["critical_at"], reached["warning_at"]], ["critical", "warning"], "info"
    )
    return rows["level"].where(moments.isna().all(axis=1), level)


def _words(key: str) -> str:
    """A condition's key as words: ``run_failed/refresh_daily`` is "run failed: refresh_daily"."""
    kind, _, rest = key.partition("/")
    return f"{kind.replace('_', ' ')}: {rest}" if rest else kind.replace("_", " ")


def _table_of(key: str) -> str:
    """The table whose check an alert is about; empty for any other."""
    kind, *parts = key.split("/")
    return ".".join(parts[:2]) if kind == "check_failed" else ""


def _text(value: Any) -> str:
    return NOTHING if pd.isna(value) else str(value)


def _numbers(one: Mapping[Hashable, Any]) -> str:
    """The numbers of a decision, from their JSON, as words; nothing where there are none."""
    text = one["numbers"]
    if pd.isna(text) or not text:
        return ""
    found = json.loads(text)
    if not isinstance(found, dict):
        return ""
    shown = [f"{name} {_short(value)}" for name, value in sorted(found.items())]
    return f" ({', '.join(shown)})" if shown else ""


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
