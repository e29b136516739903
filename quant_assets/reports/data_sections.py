"""Sections about data quality, and about the drift of features and forecasts."""

from collections.abc import Iterator
from datetime import timedelta

import numpy as np
import pandas as pd

from quant_assets.lake.readers.series import sort_groups
from quant_assets.lake.schemas.monitoring_tables import DATA_QUALITY, DRIFT
from quant_assets.lake.schemas.source_tables import DISAGREEMENTS
from quant_assets.monitoring.data.disagreement import MEASURE as DISAGREEMENT
from quant_assets.monitoring.drift.drift import (
    SEVERITY_LIMIT,
    drift_severity,
    select_severe_columns,
    share_drifted,
)
from quant_assets.reports.blocks import (
    ActionItem,
    Cell,
    Grid,
    Section,
    find_newest_day,
    format_count,
    format_day,
    format_number,
    format_percent,
    frame_records,
    never_watched_section,
    text_row,
    to_date,
)
from quant_assets.reports.charts import draw_lines
from quant_assets.reports.scope import ReportScope

_SHARE_MEASURES = ("missing", "outliers", DISAGREEMENT)
"""Measures that are shares; the others are counts."""
_SHOWN_ROWS, _NAMED_COLUMNS = 10, 3
_DRIFT_DAYS = 60
_DISAGREEMENT_SPAN = timedelta(days=7)
"""Calendar days before a report's day of which it shows disagreements: a source may be late."""


def data_health_section(scope: ReportScope) -> Section:
    """Say which limits the markets' prices keep, and which series break them."""
    title = "Data health"
    rows = scope.read_newest(DATA_QUALITY)
    if rows.empty:
        return never_watched_section(title, "Prices have not been checked yet")
    day = to_date(rows["trading_day"].iloc[0])
    of_markets, of_series = rows[rows["series"].isna()], rows[rows["series"].notna()]
    broken = of_markets[~of_markets["within"].astype(bool)]
    items = tuple(
        ActionItem(
            "warning",
            f"Prices of {row.market}: {row.figure} is {_format_measure(row.figure, row.value, 2)}, "
            f"{_format_measure(row.figure, row.allowed, 2)} is allowed",
        )
        for row in frame_records(broken)
    )
    markets = sort_groups(scope.lake, set(of_markets["market"]))
    blocks = [_market_grid(of_markets, markets)]
    if len(of_series):
        blocks.append(_series_grid(of_series))
    kept = f"{len(of_markets) - len(broken)} of {len(of_markets)} limits are kept on {day}."
    agreement = ""
    if scope.lake.has(DISAGREEMENTS):
        since = min(scope.first_day, day - _DISAGREEMENT_SPAN)
        differing = scope.read_rows(DISAGREEMENTS, "AND trading_day >= ?", [since])
        agreement = f" Sources differ in {format_count(len(differing), 'cell')} since {since}."
        blocks += [_disagreement_grid(differing)] if len(differing) else []
    return Section(
        title,
        kept + _count_broken_days(scope) + agreement,
        tuple(blocks),
        items,
        checked_table=DATA_QUALITY.name,
        as_of=day,
    )


def drift_section(scope: ReportScope) -> Section:
    """Say what share of the features differs from their training days, and which differ most."""
    title = "Drift"
    rows = scope.read_last_days(DRIFT, _DRIFT_DAYS, "ORDER BY trading_day, level, name")
    if rows.empty:
        return never_watched_section(title, "Features have not been compared yet")
    share, day = share_drifted(rows), rows["trading_day"].max()
    newest = rows[rows["trading_day"] == day]
    worst = newest.loc[drift_severity(newest).nlargest(_SHOWN_ROWS).index]
    forecasts = newest[(newest["level"] == "forecast") & newest["drifted"].astype("boolean")]
    drifted = share.get(day, np.nan)
    of_features = f"{format_percent(drifted)} of the features have drifted on {format_day(day)}"
    if np.isnan(drifted):
        of_features = f"No feature could be compared on {format_day(day)}"
    return Section(
        title,
        f"{of_features}. Drifted forecasts: {len(forecasts)}.",
        (
            draw_lines({"share": share}, "Share of the features that have drifted", floor=0.0),
            _distance_grid(worst),
        ),
        tuple(_drift_items(drifted, newest, scope.drift_share)),
        checked_table=DRIFT.name,
        as_of=find_newest_day(rows),
    )


def _drift_items(share: float, newest: pd.DataFrame, allowed: float) -> Iterator[ActionItem]:
    """Make an action item for each reason for which the day's check fails.

    Args:
        share: of the features that have drifted.
        newest: rows of the day.
        allowed: largest share that is no concern.
    """
    if share > allowed:
        drifted, limit = format_percent(share), format_percent(allowed)
        text = f"{drifted} of the features have drifted, {limit} are allowed"
        yield ActionItem("warning", text)
    severe = select_severe_columns(newest).sort_values(["level", "name"])["name"].tolist()
    if severe:
        more = len(severe) - _NAMED_COLUMNS
        names = ", ".join(severe[:_NAMED_COLUMNS]) + (f" and {more} more" if more > 0 else "")
        text = f"Drift over {SEVERITY_LIMIT:g} times the limit: {names}"
        yield ActionItem("warning", text)


def _format_measure(name: str, value: float, digits: int = 1) -> str:
    """Format a measure: a share in per cent, a count without decimals."""
    return format_percent(value, digits) if name in _SHARE_MEASURES else format_number(value, 0)


def _market_grid(rows: pd.DataFrame, markets: tuple[str, ...]) -> Grid:
    """Show measures in rows and markets in columns, in their order; a broken limit stands out."""
    by_key = {(row.figure, row.market): row for row in frame_records(rows)}
    measures = sorted({measure for measure, _ in by_key})
    grid_rows = []
    for measure in measures:
        of_measure = [by_key.get((measure, market)) for market in markets]
        limits = [_format_measure(measure, row.allowed) for row in of_measure if row is not None]
        cells = [
            Cell("")
            if row is None
            else Cell(_format_measure(measure, row.value), None if row.within else "warning")
            for row in of_measure
        ]
        limit = " / ".join(limits if len(set(limits)) > 1 else limits[:1])
        grid_rows.append(text_row(measure, *cells, limit))
    return Grid(("measure", *markets, "allowed"), tuple(grid_rows))


def _series_grid(rows: pd.DataFrame) -> Grid:
    """Show the series that break a limit, those farthest beyond it first."""
    shown = rows.assign(times_limit=rows["value"] / rows["allowed"].clip(lower=1e-9))
    shown = shown.sort_values(["times_limit", "series"], ascending=[False, True])
    shown = shown.head(_SHOWN_ROWS)
    cells = tuple(
        text_row(str(row.series), str(row.figure), _format_measure(str(row.figure), row.value))
        for row in frame_records(shown)
    )
    caption = f"Series beyond a limit: {len(shown)} of {len(rows)}"
    return Grid(("series", "measure", "value"), cells, labels=2, caption=caption)


def _disagreement_grid(rows: pd.DataFrame) -> Grid:
    """Show the cells in which two sources differ, the largest differences first."""
    order = ["difference", "trading_day", "instrument", "field", "other_source"]
    shown = rows.sort_values(order, ascending=[False, False, True, True, True]).head(_SHOWN_ROWS)
    cells = tuple(
        text_row(
            f"{row.instrument} {row.field}",
            format_day(row.trading_day),
            f"{row.value:g} of {row.source}",
            f"{row.other_value:g} of {row.other_source}",
            format_percent(row.difference, 2),
        )
        for row in frame_records(shown)
    )
    caption = f"Cells in which sources differ: {len(shown)} of {len(rows)}"
    head = ("series", "day", "taken", "other", "difference")
    return Grid(head, cells, labels=4, caption=caption)


def _count_broken_days(scope: ReportScope) -> str:
    """Say on how many days of a longer period a limit was broken; nothing for a single day."""
    if scope.first_day == scope.day:
        return ""
    days = scope.read_rows(
        DATA_QUALITY,
        "AND trading_day >= ? AND series IS NULL",
        [scope.first_day],
        select="count(DISTINCT trading_day) AS n, "
        "count(DISTINCT trading_day) FILTER (NOT within) AS broken",
    ).iloc[0]
    checked, word = format_count(int(days["n"]), "day"), scope.period.word
    return f" In the {word}, a limit was broken on {int(days['broken'])} of {checked}."


def _distance_grid(rows: pd.DataFrame) -> Grid:
    """Show the distances of the columns that drifted most, beside their limits."""
    cells = tuple(
        text_row(
            str(row.name),
            str(row.level),
            Cell(
                f"{format_number(row.psi)} / {format_number(row.psi_limit)}",
                "warning" if row.drifted else None,
            ),
            f"{format_number(row.ks)} / {format_number(row.ks_limit)}",
        )
        for row in frame_records(rows)
    )
    caption = f"The {len(cells)} columns that drifted most, distance / limit; marked: drifted"
    return Grid(("column", "level", "PSI", "KS"), cells, labels=2, caption=caption)
