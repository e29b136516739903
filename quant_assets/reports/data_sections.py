"""Sections about the state of data, features and forecasts."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from quant_assets.lake.schemas.monitoring_tables import DATA_QUALITY, DRIFT
from quant_assets.market.instruments import MARKETS
from quant_assets.monitoring.data.disagreement import FIGURE as DISAGREEMENT
from quant_assets.monitoring.drift.drift import FAR, select_far_columns, severity, share_drifted
from quant_assets.reports.blocks import (
    ActionItem,
    Cell,
    Grid,
    Section,
    format_count,
    format_day,
    format_number,
    format_percent,
    frame_records,
    newest_day_in,
    text_row,
    to_date,
    unwatched_section,
)
from quant_assets.reports.charts import draw_lines
from quant_assets.reports.scope import ReportScope

_SHARES = ("missing", "outliers", DISAGREEMENT)
_WORST, _NAMED = 10, 3
_DRIFT_DAYS = 60


def data_health_section(scope: ReportScope) -> Section:
    """Which limits the markets' prices keep, and the series that break them."""
    title = "Data health"
    rows = scope.newest(DATA_QUALITY)
    if rows.empty:
        return unwatched_section(title, "Prices were not judged yet")
    day = to_date(rows["trading_day"].iloc[0])
    of_markets, of_series = rows[rows["series"].isna()], rows[rows["series"].notna()]
    broken = of_markets[~of_markets["within"].astype(bool)]
    needs = tuple(
        ActionItem(
            "warning",
            f"Prices of {one.market}: {one.figure} is {_figure(one.figure, one.value, 2)}, "
            f"{_figure(one.figure, one.allowed, 2)} is allowed",
        )
        for one in frame_records(broken)
    )
    blocks = [_limits(of_markets)]
    if len(of_series):
        blocks.append(_series(of_series))
    kept = f"{len(of_markets) - len(broken)} of {len(of_markets)} limits are kept on {day}."
    summary, watched = kept + _in_period(scope), DATA_QUALITY.name
    return Section(title, summary, tuple(blocks), needs, watched=watched, as_of=day)


def drift_section(scope: ReportScope) -> Section:
    """How many features are not what their fits were trained on, and which most."""
    title = "Drift"
    rows = scope.last_days(DRIFT, _DRIFT_DAYS, "ORDER BY trading_day, level, name")
    if rows.empty:
        return unwatched_section(title, "Features were not compared yet")
    share, day = share_drifted(rows), rows["trading_day"].max()
    newest = rows[rows["trading_day"] == day]
    worst = newest.loc[severity(newest).nlargest(_WORST).index]
    forecasts = newest[(newest["level"] == "forecast") & newest["drifted"].astype("boolean")]
    drifted = share.get(day, np.nan)
    of_features = f"{format_percent(drifted)} of the features have drifted on {format_day(day)}"
    if np.isnan(drifted):
        of_features = f"No feature could be compared on {format_day(day)}"
    return Section(
        title,
        f"{of_features}; of the forecasts {len(forecasts)}.",
        (
            draw_lines({"share": share}, "Share of the features that have drifted", floor=0.0),
            _distances(worst),
        ),
        tuple(_adrift(drifted, newest, scope.drift_share)),
        watched=DRIFT.name,
        as_of=newest_day_in(rows),
    )


def _adrift(share: float, newest: pd.DataFrame, allowed: float) -> Iterator[ActionItem]:
    """What the day's check fails for."""
    if share > allowed:
        drifted, limit = format_percent(share), format_percent(allowed)
        text = f"{drifted} of the features have drifted, {limit} are allowed"
        yield ActionItem("warning", text)
    far = select_far_columns(newest).sort_values(["level", "name"])["name"].tolist()
    if far:
        others = f" and {len(far) - _NAMED} more" if len(far) > _NAMED else ""
        names = ", ".join(far[:_NAMED]) + others
        yield ActionItem("warning", f"Over {FAR:g} times their limit from what they were: {names}")


def _figure(name: str, value: float, digits: int = 1) -> str:
    return format_percent(value, digits) if name in _SHARES else format_number(value, 0)


def _limits(rows: pd.DataFrame) -> Grid:
    """Figures down, markets across; a broken limit stands out."""
    by = {(one.figure, one.market): one for one in frame_records(rows)}
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
            text_row(figure, *shown, " / ".join(allowed if len(set(allowed)) > 1 else allowed[:1]))
        )
    return Grid(("figure", *markets, "allowed"), tuple(cells))


def _series(rows: pd.DataFrame) -> Grid:
    shown = rows.assign(times=rows["value"] / rows["allowed"].clip(lower=1e-9))
    shown = shown.sort_values(["times", "series"], ascending=[False, True]).head(_WORST)
    cells = tuple(
        text_row(str(one.series), str(one.figure), _figure(str(one.figure), one.value))
        for one in frame_records(shown)
    )
    caption = f"Series behind it: {min(len(rows), _WORST)} of {len(rows)}"
    return Grid(("series", "figure", "value"), cells, labels=2, caption=caption)


def _in_period(scope: ReportScope) -> str:
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
    judged = format_count(int(days["n"]), "day")
    return f" In the {scope.period.word} one was broken on {int(days['broken'])} of {judged}."


def _distances(rows: pd.DataFrame) -> Grid:
    cells = tuple(
        text_row(
            str(one.name),
            str(one.level),
            Cell(
                f"{format_number(one.psi)} / {format_number(one.psi_limit)}",
                "warning" if one.drifted else None,
            ),
            f"{format_number(one.ks)} / {format_number(one.ks_limit)}",
        )
        for one in frame_records(rows)
    )
    caption = f"The {len(cells)} farthest from what they were, beside their limits; marked: drifted"
    return Grid(("column", "level", "PSI", "KS"), cells, labels=2, caption=caption)
