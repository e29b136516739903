"""Sections about the state of data, features and forecasts."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from quant_assets.lake.schemas.monitoring_tables import DATA_QUALITY, DRIFT
from quant_assets.market.instruments import MARKETS
from quant_assets.monitoring.data.disagreement import FIGURE as DISAGREEMENT
from quant_assets.monitoring.drift.drift import FAR, far_off, severity, share_drifted
from quant_assets.reports.blocks import (
    Cell,
    Grid,
    Need,
    Section,
    as_date,
    counted,
    day_text,
    newest_of,
    number,
    percent,
    records,
    row,
    unwatched,
)
from quant_assets.reports.charts import lines
from quant_assets.reports.scope import Scope

_SHARES = ("missing", "outliers", DISAGREEMENT)
_WORST, _NAMED = 10, 3
_DRIFT_DAYS = 60


def data_health(scope: Scope) -> Section:
    """Which limits the markets' prices keep, and the series that break them."""
    title = "Data health"
    rows = scope.newest(DATA_QUALITY)
    if rows.empty:
        return unwatched(title, "Prices were not judged yet")
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
    rows = scope.last_days(DRIFT, _DRIFT_DAYS, "ORDER BY trading_day, level, name")
    if rows.empty:
        return unwatched(title, "Features were not compared yet")
    share, day = share_drifted(rows), rows["trading_day"].max()
    newest = rows[rows["trading_day"] == day]
    worst = newest.loc[severity(newest).nlargest(_WORST).index]
    forecasts = newest[(newest["level"] == "forecast") & newest["drifted"].astype("boolean")]
    drifted = share.get(day, np.nan)
    of_features = f"{percent(drifted)} of the features have drifted on {day_text(day)}"
    if np.isnan(drifted):
        of_features = f"No feature could be compared on {day_text(day)}"
    return Section(
        title,
        f"{of_features}; of the forecasts {len(forecasts)}.",
        (
            lines({"share": share}, "Share of the features that have drifted", floor=0.0),
            _distances(worst),
        ),
        tuple(_adrift(drifted, newest, scope.drift_share)),
        watched=DRIFT.name,
        as_of=newest_of(rows),
    )


def _adrift(share: float, newest: pd.DataFrame, allowed: float) -> Iterator[Need]:
    """What the day's check fails for."""
    if share > allowed:
        text = f"{percent(share)} of the features have drifted, {percent(allowed)} are allowed"
        yield Need("warning", text)
    far = far_off(newest).sort_values(["level", "name"])["name"].tolist()
    if far:
        others = f" and {len(far) - _NAMED} more" if len(far) > _NAMED else ""
        names = ", ".join(far[:_NAMED]) + others
        yield Need("warning", f"Over {FAR:g} times their limit from what they were: {names}")


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
