"""Sections about the state of data, features, forecasts and markets."""

from typing import Any

import pandas as pd

from quant_assets.lake.monitoring_tables import ANOMALIES, DATA_QUALITY, DRIFT, REGIMES
from quant_assets.market.calendar import trading_days
from quant_assets.market.instruments import MARKETS
from quant_assets.monitoring.disagreement import FIGURE as DISAGREEMENT
from quant_assets.monitoring.drift import severity, share_drifted
from quant_assets.reports.blocks import (
    Cell,
    Grid,
    Need,
    Section,
    State,
    as_date,
    counted,
    day_text,
    newest_of,
    number,
    percent,
    records,
    row,
    unknown,
)
from quant_assets.reports.charts import lines
from quant_assets.reports.scope import Scope

_SHARES = ("missing", "outliers", DISAGREEMENT)
_WORST = 10
_DRIFT_DAYS, _REGIME_DAYS = 60, 250
_LAST = "QUALIFY dense_rank() OVER (ORDER BY trading_day DESC) <= ?"
_TURBULENT = 0.5
_LEVELS: dict[str, State] = {"critical": "critical", "warning": "warning"}


def data_health(scope: Scope) -> Section:
    """Which limits the markets' prices keep, and the series that break them."""
    title = "Data health"
    rows = scope.newest(DATA_QUALITY)
    if rows.empty:
        return unknown(title, "Prices were not judged yet: run watch_daily.")
    day = as_date(rows["trading_day"].iloc[0])
    of_markets, of_series = rows[rows["series"].isna()], rows[rows["series"].notna()]
    broken = of_markets[~of_markets["within"].astype(bool)]
    needs = tuple(
        Need(
            "warning",
            f"Prices of {one.market}: {one.figure} is {_figure(one.figure, one.value, 2)}, "
            f"{_figure(one.figure, one.allowed, 2)} is allowed",
        )
        for one in records(broken)
    )
    blocks = [_limits(of_markets)]
    if len(of_series):
        blocks.append(_series(of_series))
    kept = f"{len(of_markets) - len(broken)} of {len(of_markets)} limits are kept on {day}."
    summary, watched = kept + _in_period(scope), DATA_QUALITY.name
    return Section(title, summary, tuple(blocks), needs, watched=watched, as_of=day)


def drift(scope: Scope) -> Section:
    """How many features are not what their fits were trained on, and which most."""
    title = "Drift"
    rows = scope.rows(DRIFT, f"{_LAST} ORDER BY trading_day, level, name", [_DRIFT_DAYS])
    share = share_drifted(rows) if len(rows) else pd.Series(dtype=float)
    if share.empty:
        return unknown(title, "Features were not compared yet: run watch_daily.")
    newest = rows[rows["trading_day"] == rows["trading_day"].max()]
    worst = newest.loc[severity(newest).nlargest(_WORST).index]
    forecasts = newest[(newest["level"] == "forecast") & newest["drifted"].astype("boolean")]
    summary = (
        f"{percent(share.iloc[-1])} of the features have drifted on {day_text(share.index[-1])}; "
        f"of the forecasts {len(forecasts)}."
    )
    chart = lines({"share": share}, "Share of the features that have drifted", floor=0.0)
    return Section(title, summary, (chart, _distances(worst)), as_of=newest_of(rows))


def regime(scope: Scope) -> Section:
    """Whether the markets are turbulent, and how volatile and alike they are."""
    title = "Regime"
    rows = scope.rows(REGIMES, f"{_LAST} ORDER BY trading_day", [_REGIME_DAYS])
    if rows.empty:
        return unknown(title, "The markets' state was not estimated yet: run watch_daily.")
    rows = rows.set_index("trading_day").drop(columns=["date_id", "fit_as_of"]).astype(float)
    now = rows.iloc[-1]
    word = "turbulent" if now["turbulence"] > _TURBULENT else "calm"
    if pd.isna(now["turbulence"]):
        word = "not known before the first fit"
    summary = (
        f"On {day_text(rows.index[-1])} the markets are {word}: turbulence "
        f"{number(now['turbulence'])}, mean correlation {number(now['correlation'])}."
    )
    chart = lines(
        {name: rows[name] for name in ("turbulence", "correlation")},
        "Probability of the turbulent regime, and mean correlation of the instruments",
        floor=0.0,
        area="turbulence",
    )
    volatility = Grid(
        MARKETS,
        (row(*(percent(now[f"volatility_{market}"], 1) for market in MARKETS)),),
        labels=0,
        caption="Annualised volatility of 20 days",
    )
    return Section(title, summary, (chart, volatility), as_of=as_date(rows.index[-1]))


def anomalies(scope: Scope) -> Section:
    """Days and series of the period that are unlike the others."""
    title = "Anomalies"
    days = scope.rows(ANOMALIES, select="DISTINCT trading_day")
    newest = newest_of(days)
    if newest is None:
        return unknown(title, "Nothing was looked through for anomalies yet: run watch_daily.")
    if newest < scope.first:
        return unknown(title, f"Nothing was looked through {scope.period.within}.", newest)
    found = scope.rows(
        ANOMALIES,
        "AND trading_day >= ? AND severity <> 'info'"
        ' ORDER BY trading_day DESC, series IS NOT NULL, score / "limit" DESC, market, series,'
        " kind",
        [scope.first],
    )
    of_markets = found[found["series"].isna() & (found["trading_day"] == pd.Timestamp(scope.day))]
    needs = tuple(
        Need(_LEVELS[one.severity], f"{_of(one)}, {one.kind}: {_text(one.text)}")
        for one in records(of_markets)
    )
    summary = f"{_counts(found)} {scope.period.within}.{_looked_through(scope, days)}"
    blocks = (_conspicuous(found),) if len(found) else ()
    return Section(title, summary, blocks, needs, watched=ANOMALIES.name, as_of=newest)


def _counts(found: pd.DataFrame) -> str:
    if found.empty:
        return "Nothing beyond its limit"
    markets = counted(int(found["series"].isna().sum()), "market")
    series = counted(int(found["series"].notna().sum()), "series", "series")
    return f"{markets} and {series} beyond their limits"


def _looked_through(scope: Scope, days: pd.DataFrame) -> str:
    """On how many days of the period it was looked, where not on all."""
    every = len(trading_days(scope.first, scope.day))
    looked = int((days["trading_day"] >= pd.Timestamp(scope.first)).sum())
    if looked >= every:
        return ""
    return f" {looked} of {counted(every, 'trading day')} were looked through."


def _conspicuous(found: pd.DataFrame) -> Grid:
    cells = tuple(
        row(
            day_text(one.trading_day),
            _of(one),
            str(one.kind),
            Cell(number(one.score), _LEVELS.get(str(one.severity))),
            number(one.limit),
        )
        for one in records(found.head(_WORST))
    )
    head = ("day", "of", "kind", "score", "limit")
    return Grid(head, cells, labels=3, caption=f"The first {len(cells)}")


def _of(one: Any) -> str:
    market = "all markets" if one.market == "all" else str(one.market)
    return market if pd.isna(one.series) else f"{one.series}, {market}"


def _text(value: Any) -> str:
    return "unusual" if pd.isna(value) else str(value)


def _figure(name: str, value: float, digits: int = 1) -> str:
    return percent(value, digits) if name in _SHARES else number(value, 0)


def _limits(rows: pd.DataFrame) -> Grid:
    """Figures down, markets across; a broken limit stands out."""
    by = {(one.figure, one.market): one for one in records(rows)}
    figures = sorted({figure for figure, _ in by})
    markets = [name for name in MARKETS if any(market == name for _, market in by)]
    cells = []
    for figure in figures:
        of_figure = [by.get((figure, market)) for market in markets]
        allowed = [_figure(figure, one.allowed) for one in of_figure if one is not None]
        shown = [
            Cell("")
            if one is None
            else Cell(_figure(figure, one.value), None if one.within else "warning")
            for one in of_figure
        ]
        cells.append(
            row(figure, *shown, " / ".join(allowed if len(set(allowed)) > 1 else allowed[:1]))
        )
    return Grid(("figure", *markets, "allowed"), tuple(cells))


def _series(rows: pd.DataFrame) -> Grid:
    shown = rows.assign(times=rows["value"] / rows["allowed"].clip(lower=1e-9))
    shown = shown.sort_values(["times", "series"], ascending=[False, True]).head(_WORST)
    cells = tuple(
        row(str(one.series), str(one.figure), _figure(str(one.figure), one.value))
        for one in records(shown)
    )
    caption = f"Series behind it: {min(len(rows), _WORST)} of {len(rows)}"
    return Grid(("series", "figure", "value"), cells, labels=2, caption=caption)


def _in_period(scope: Scope) -> str:
    """On how many days of a longer period a limit was broken."""
    if scope.first == scope.day:
        return ""
    days = scope.rows(
        DATA_QUALITY,
        "AND trading_day >= ? AND series IS NULL",
        [scope.first],
        select="count(DISTINCT trading_day) AS n, "
        "count(DISTINCT trading_day) FILTER (NOT within) AS broken",
    ).iloc[0]
    judged = counted(int(days["n"]), "day")
    return f" In the {scope.period.word} one was broken on {int(days['broken'])} of {judged}."


def _distances(rows: pd.DataFrame) -> Grid:
    cells = tuple(
        row(
            str(one.name),
            str(one.level),
            Cell(
                f"{number(one.psi)} / {number(one.psi_limit)}", "warning" if one.drifted else None
            ),
            f"{number(one.ks)} / {number(one.ks_limit)}",
        )
        for one in records(rows)
    )
    caption = f"The {len(cells)} farthest from what they were, beside their limits; marked: drifted"
    return Grid(("column", "level", "PSI", "KS"), cells, labels=2, caption=caption)
