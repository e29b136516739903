"""Report sections about the state of the markets: regime, and anomalies of prices."""

from collections.abc import Iterator
from datetime import date
from typing import Any

import pandas as pd

from quant_assets.lake.readers.series import sort_groups
from quant_assets.lake.schemas.monitoring_tables import (
    ANOMALIES,
    GROUP_VOLATILITY,
    REGIMES,
    TURBULENT,
)
from quant_assets.reports.blocks import (
    ActionItem,
    Cell,
    Grid,
    Section,
    State,
    find_newest_day,
    format_count,
    format_day,
    format_number,
    format_percent,
    frame_records,
    never_watched_section,
    text_row,
    to_date,
    unknown_section,
)
from quant_assets.reports.charts import draw_lines
from quant_assets.reports.scope import ReportScope

_SHOWN_ROWS, _REGIME_DAYS = 10, 250
_STATES: dict[str, State] = {"critical": "critical", "warning": "warning"}


def regime_section(scope: ReportScope) -> Section:
    """Say whether the markets are turbulent, how volatile they are, and how correlated."""
    title = "Regime"
    rows = scope.read_last_days(REGIMES, _REGIME_DAYS, "ORDER BY trading_day")
    if rows.empty:
        return never_watched_section(title, "The state of the markets has not been estimated yet")
    rows = rows.set_index("trading_day")[["turbulence", "correlation"]].astype(float)
    now = rows.iloc[-1]
    word = "turbulent" if now["turbulence"] > TURBULENT else "calm"
    if pd.isna(now["turbulence"]):
        word = "not known before the first fit"
    summary = (
        f"On {format_day(rows.index[-1])} the markets are {word}: turbulence "
        f"{format_number(now['turbulence'])}, mean correlation {format_number(now['correlation'])}."
    )
    chart = draw_lines(
        {name: rows[name] for name in ("turbulence", "correlation")},
        "Probability of the turbulent regime, and mean correlation of the instruments",
        floor=0.0,
        area="turbulence",
    )
    day = to_date(rows.index[-1])
    return Section(title, summary, (chart, *_volatility_grids(scope, day)), as_of=day)


def _volatility_grids(scope: ReportScope, day: date) -> Iterator[Grid]:
    """Yield a table of each group's volatility on a day; none if no volatility is stored."""
    rows = scope.read_rows(GROUP_VOLATILITY, "AND trading_day = ?", [day])
    if rows.empty:
        return
    by_group = dict(zip(rows["instrument_group"], rows["volatility"], strict=True))
    groups = sort_groups(scope.lake, by_group.keys())
    cells = text_row(*(format_percent(by_group[group], 1) for group in groups))
    yield Grid(groups, (cells,), labels=0, caption="Annualised volatility of 20 days")


def anomalies_section(scope: ReportScope) -> Section:
    """Say on which days of the period which markets and series are unusual."""
    title = "Anomalies"
    days = scope.read_rows(ANOMALIES, select="DISTINCT trading_day")
    newest = find_newest_day(days)
    if newest is None:
        return never_watched_section(title, "Prices have not been searched for anomalies yet")
    if newest < scope.first_day:
        return unknown_section(
            title, f"No prices were searched for anomalies {scope.period.within}.", newest
        )
    unusual = scope.read_rows(
        ANOMALIES,
        "AND trading_day >= ? AND severity <> 'info'"
        ' ORDER BY trading_day DESC, series IS NOT NULL, score / "limit" DESC, market, series,'
        " kind",
        [scope.first_day],
    )
    on_day = unusual[unusual["trading_day"] == pd.Timestamp(scope.day)]
    items = tuple(
        ActionItem(_STATES[row.severity], f"{_subject(row)}, {row.kind}: {_text(row.text)}")
        for row in frame_records(on_day[on_day["series"].isna()])
    )
    summary = f"{_count_unusual(unusual)} {scope.period.within}.{_count_searched(scope, days)}"
    blocks = (_anomaly_grid(unusual),) if len(unusual) else ()
    return Section(title, summary, blocks, items, checked_table=ANOMALIES.name, as_of=newest)


def _count_unusual(unusual: pd.DataFrame) -> str:
    """Count the rows of markets and of series beyond their limits."""
    if unusual.empty:
        return "Nothing beyond its limit"
    markets = format_count(int(unusual["series"].isna().sum()), "market")
    series = format_count(int(unusual["series"].notna().sum()), "series", "series")
    return f"{markets} and {series} beyond their limits"


def _count_searched(scope: ReportScope, days: pd.DataFrame) -> str:
    """Say on how many days of the period prices were searched, unless on all."""
    all_days = len(scope.calendar.trading_days(scope.first_day, scope.day))
    searched = int((days["trading_day"] >= pd.Timestamp(scope.first_day)).sum())
    if searched >= all_days:
        return ""
    return f" {searched} of {format_count(all_days, 'trading day')} were searched."


def _anomaly_grid(unusual: pd.DataFrame) -> Grid:
    """Show the first anomalies of the period: newest days first, then by score over limit."""
    cells = tuple(
        text_row(
            format_day(row.trading_day),
            _subject(row),
            str(row.kind),
            Cell(format_number(row.score), _STATES.get(str(row.severity))),
            format_number(row.limit),
        )
        for row in frame_records(unusual.head(_SHOWN_ROWS))
    )
    head = ("day", "market or series", "detector", "score", "limit")
    return Grid(head, cells, labels=3, caption=f"The newest {len(cells)}")


def _subject(row: Any) -> str:
    """Name the market, or the series and its market, that a row is about.

    A series whose market is ``all`` belongs to a market without groups.
    """
    if pd.isna(row.series):
        return "all instruments" if row.market == "all" else str(row.market)
    return str(row.series) if row.market == "all" else f"{row.series}, {row.market}"


def _text(value: Any) -> str:
    return "unusual" if pd.isna(value) else str(value)
