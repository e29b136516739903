"""Sections about the state of the markets: regime, and what is unusual in them."""

from typing import Any

import pandas as pd

from quant_assets.lake.schemas.monitoring_tables import ANOMALIES, REGIMES
from quant_assets.market.calendar import trading_days
from quant_assets.market.instruments import MARKETS
from quant_assets.reports.blocks import (
    ActionItem,
    Cell,
    Grid,
    Section,
    State,
    format_count,
    format_day,
    format_number,
    format_percent,
    frame_records,
    newest_day_in,
    text_row,
    to_date,
    unknown_section,
    unwatched_section,
)
from quant_assets.reports.charts import draw_lines
from quant_assets.reports.scope import ReportScope

_WORST, _REGIME_DAYS = 10, 250
_TURBULENT = 0.5
_LEVELS: dict[str, State] = {"critical": "critical", "warning": "warning"}


def regime_section(scope: ReportScope) -> Section:
    """Whether the markets are turbulent, and how volatile and alike they are."""
    title = "Regime"
    rows = scope.last_days(REGIMES, _REGIME_DAYS, "ORDER BY trading_day")
    if rows.empty:
        return unwatched_section(title, "The markets' state was not estimated yet")
    rows = rows.set_index("trading_day").drop(columns=["date_id", "fit_as_of"]).astype(float)
    now = rows.iloc[-1]
    word = "turbulent" if now["turbulence"] > _TURBULENT else "calm"
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
    volatility = Grid(
        MARKETS,
        (text_row(*(format_percent(now[f"volatility_{market}"], 1) for market in MARKETS)),),
        labels=0,
        caption="Annualised volatility of 20 days",
    )
    return Section(title, summary, (chart, volatility), as_of=to_date(rows.index[-1]))


def anomalies_section(scope: ReportScope) -> Section:
    """Days and series of the period that are unlike the others."""
    title = "Anomalies"
    days = scope.rows(ANOMALIES, select="DISTINCT trading_day")
    newest = newest_day_in(days)
    if newest is None:
        return unwatched_section(title, "Nothing was looked through for anomalies yet")
    if newest < scope.first:
        return unknown_section(title, f"Nothing was looked through {scope.period.within}.", newest)
    found = scope.rows(
        ANOMALIES,
        "AND trading_day >= ? AND severity <> 'info'"
        ' ORDER BY trading_day DESC, series IS NOT NULL, score / "limit" DESC, market, series,'
        " kind",
        [scope.first],
    )
    of_markets = found[found["series"].isna() & (found["trading_day"] == pd.Timestamp(scope.day))]
    needs = tuple(
        ActionItem(_LEVELS[one.severity], f"{_of(one)}, {one.kind}: {_text(one.text)}")
        for one in frame_records(of_markets)
    )
    summary = f"{_counts(found)} {scope.period.within}.{_looked_through(scope, days)}"
    blocks = (_conspicuous(found),) if len(found) else ()
    return Section(title, summary, blocks, needs, watched=ANOMALIES.name, as_of=newest)


def _counts(found: pd.DataFrame) -> str:
    if found.empty:
        return "Nothing beyond its limit"
    markets = format_count(int(found["series"].isna().sum()), "market")
    series = format_count(int(found["series"].notna().sum()), "series", "series")
    return f"{markets} and {series} beyond their limits"


def _looked_through(scope: ReportScope, days: pd.DataFrame) -> str:
    """On how many days of the period it was looked, where not on all."""
    every = len(trading_days(scope.first, scope.day))
    looked = int((days["trading_day"] >= pd.Timestamp(scope.first)).sum())
    if looked >= every:
        return ""
    return f" {looked} of {format_count(every, 'trading day')} were looked through."


def _conspicuous(found: pd.DataFrame) -> Grid:
    cells = tuple(
        text_row(
            format_day(one.trading_day),
            _of(one),
            str(one.kind),
            Cell(format_number(one.score), _LEVELS.get(str(one.severity))),
            format_number(one.limit),
        )
        for one in frame_records(found.head(_WORST))
    )
    head = ("day", "of", "kind", "score", "limit")
    return Grid(head, cells, labels=3, caption=f"The first {len(cells)}")


def _of(one: Any) -> str:
    market = "all markets" if one.market == "all" else str(one.market)
    return market if pd.isna(one.series) else f"{one.series}, {market}"


def _text(value: Any) -> str:
    return "unusual" if pd.isna(value) else str(value)
