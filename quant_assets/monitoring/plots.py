"""Pictures of the monitoring tables, as small PNG files in memory."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from quant_assets.scoring.plots import mark_dates, new_figure, to_png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN_DAYS = 60
"""Newest days in the picture of data limits."""
SHOWN_PARTS = 20
"""Parts in the picture of part scores."""
_SCALED_COLUMNS = ("value", "expected", "low", "high")
_LANE_HEIGHT, _LANE_FLOOR = 0.74, 0.06
"""Height of the drawing in a lane, and of the space below it, of a lane of height 1."""
_LANE_TITLE: dict[str, Any] = {"fontsize": 7, "va": "top"}


def plot_limits(rows: pd.DataFrame) -> bytes:
    """Draw each market's measures over time as squares, dark where a limit is broken.

    Args:
        rows: of ``monitoring.data_quality``; the newest ``SHOWN_DAYS`` days are drawn.
    """
    of_markets = rows[rows["series"].isna()]
    broken = of_markets.assign(broken=~of_markets["within"]).pivot_table(
        index=["figure", "market"], columns="trading_day", values="broken", aggfunc="max"
    )
    shown = broken.iloc[:, -SHOWN_DAYS:].astype(float)
    names = [" ".join(key) for key in shown.index]
    figure, axes = new_figure(0.8 + 0.16 * len(shown), names)
    axes.imshow(shown, aspect="auto", cmap="Reds", vmin=0.0, vmax=1.0, interpolation="none")
    axes.set_yticks(range(len(shown)), names, fontsize=7)
    _set_day_ticks(axes, shown.columns)
    axes.set_xlabel("dark: above its limit")
    return to_png(figure)


def plot_drift_share(share: pd.Series) -> bytes:
    """Draw the share of the features that have drifted, over time.

    Args:
        share: a value for each day, by day.
    """
    ordered = share.sort_index()
    figure, axes = new_figure(2.4)
    axes.plot(ordered.index, ordered, ".-", linewidth=1.2)
    axes.set_ylim(0.0, max(0.1, 1.1 * float(ordered.max())))
    axes.set_ylabel("share of features drifted")
    mark_dates(axes, ordered.index)
    return to_png(figure)


def plot_regimes(rows: pd.DataFrame, volatility: pd.DataFrame) -> bytes:
    """Draw turbulence as an area, and correlation and each group's volatility as lines, over time.

    Args:
        rows: of ``monitoring.regimes``.
        volatility: rows of ``monitoring.group_volatility`` of the same days.
    """
    ordered = rows.sort_values("trading_day")
    days = ordered["trading_day"]
    figure, axes = new_figure(3.2)
    turbulence = ordered["turbulence"].astype(float)
    axes.fill_between(days, turbulence, alpha=0.2, linewidth=0, label="turbulence")
    axes.plot(days, ordered["correlation"], "k:", linewidth=1.2, label="correlation")
    for group, of_group in volatility.sort_values("trading_day").groupby("instrument_group"):
        label = f"volatility {group}"
        axes.plot(of_group["trading_day"], of_group["volatility"], linewidth=1.2, label=label)
    axes.set_ylim(0.0, None)
    axes.set_ylabel("probability, correlation, volatility")
    axes.legend(frameon=False, fontsize="small", ncols=2)
    mark_dates(axes, days)
    return to_png(figure)


def plot_rolling_scores(rows: pd.DataFrame) -> bytes:
    """Draw the rolling score of each window over time, a lane each, with limits and levels.

    Args:
        rows: of ``monitoring.rolling``, of one family and all targets.
    """
    shown = [
        (f"{window!s} days", of_window.rename(columns={"score": "value", "limit": "low"}))
        for window, of_window in rows.groupby("window")
        if window
    ]
    figure, axes, lanes = _draw_lanes(shown)
    for of_window in lanes:
        _draw_comparison(axes, of_window, of_window["expected"])
        for level, colour in (("warning", "tab:orange"), ("critical", "tab:red")):
            marked = of_window[of_window["level"] == level]
            axes.plot(marked["trading_day"], marked["value"], ".", color=colour)
    axes.set_xlabel("score; dotted: expected; grey: chance; dots: warning, critical")
    return to_png(figure)


def plot_health(rows: pd.DataFrame) -> bytes:
    """Draw the health measures over time, a lane each, with the values that are no concern.

    Args:
        rows: of ``monitoring.health``, of one family.
    """
    shown = [
        (f"{key[0]}, {key[1]} days".replace("_", " "), of_measure)
        for key, of_measure in rows.groupby(["figure", "window"])
        if isinstance(key, tuple)
    ]
    figure, axes, lanes = _draw_lanes(shown)
    for lane in lanes:
        _draw_comparison(axes, lane, lane["high"])
    axes.set_xlabel("dotted: expected; grey: no cause for concern")
    return to_png(figure)


def plot_part_scores(rows: pd.DataFrame) -> bytes:
    """Draw the scores of families and parts that are lowest beside their limits, lowest on top.

    Args:
        rows: of ``monitoring.rolling``, of one day and window, that have a score; ``SHOWN_PARTS``
            of them are drawn.
    """
    above_limit = (rows["score"] - rows["limit"]).astype(float)
    shown = rows.loc[above_limit.nsmallest(SHOWN_PARTS).index[::-1]]
    at = np.arange(len(shown))
    names = (shown["family"] + " " + shown["by"] + " " + shown["part"]).tolist()
    figure, axes = new_figure(0.8 + 0.2 * len(shown), names)
    colours = shown["level"].map({"warning": "tab:orange", "critical": "tab:red"})
    limit, expected = (shown[name].astype(float) for name in ("limit", "expected"))
    axes.hlines(at, limit, expected, "black", linewidth=6.0, alpha=0.1)
    axes.scatter(expected, at, marker="|", c="black")
    axes.scatter(shown["score"], at, c=colours.fillna("tab:blue").tolist(), s=16, zorder=3)
    axes.set_yticks(at, names, fontsize=7)
    axes.set_xlabel("score; bar: expected; grey: chance")
    return to_png(figure)


def _draw_lanes(
    shown: Sequence[tuple[str, pd.DataFrame]],
) -> "tuple[Figure, Axes, list[pd.DataFrame]]":
    """Draw a lane for each frame, with its name and a scale of its own, over the same days.

    All lanes share one pair of axes: a pair for each would take several times as long.

    Args:
        shown: name and rows of each lane, the top one first.

    Returns:
        The figure, its axes, and the frames with their values as heights in the axes.
    """
    figure, axes = new_figure(0.8 + 0.8 * len(shown))
    ticks: list[tuple[float, str]] = []
    lanes = []
    for bottom, (name, rows) in zip(range(len(shown))[::-1], shown, strict=True):
        lane, marks = _scale_to_heights(rows, bottom + _LANE_FLOOR)
        lanes.append(lane)
        ticks += marks
        axes.text(0.005, bottom + 0.96, name, transform=axes.get_yaxis_transform(), **_LANE_TITLE)
        axes.axhline(bottom + 1.0, color="black", linewidth=0.6)
    axes.set_ylim(0.0, len(shown))
    axes.set_yticks([height for height, _ in ticks], [text for _, text in ticks], fontsize=7)
    days = np.unique(np.concatenate([rows["trading_day"] for _, rows in shown]))
    mark_dates(axes, days)
    return figure, axes, lanes


def _scale_to_heights(
    rows: pd.DataFrame, floor: float
) -> tuple[pd.DataFrame, list[tuple[float, str]]]:
    """Return the rows with their values as heights above a floor, and the marks of their scale."""
    from matplotlib.ticker import MaxNLocator

    names = [name for name in _SCALED_COLUMNS if name in rows]
    values = rows[names].astype(float)
    low, high = float(values.min().min()), float(values.max().max())
    if not low < high:
        low, high = (low - 0.5, low + 0.5) if low == high else (0.0, 1.0)
    heights = floor + (values - low) * (_LANE_HEIGHT / (high - low))
    at = np.asarray(MaxNLocator(2, steps=[1, 2, 5, 10]).tick_values(low, high))
    at = at[(at >= low) & (at <= high)]
    marks = (floor + (at - low) * (_LANE_HEIGHT / (high - low))).tolist()
    return (
        rows.assign(**{name: heights[name] for name in names}),
        list(zip(marks, [f"{x:.10g}" for x in at.tolist()], strict=True)),
    )


def _draw_comparison(axes: "Axes", rows: pd.DataFrame, high: pd.Series) -> None:
    """Draw values as a line, expected values as a dotted line, and the range between limits."""
    days = rows["trading_day"]
    axes.fill_between(days, rows["low"], high, color="black", alpha=0.1, linewidth=0)
    axes.plot(days, rows["expected"], "k:", linewidth=1.2)
    axes.plot(days, rows["value"], color="tab:blue", linewidth=1.4)


def plot_anomalies(rows: pd.DataFrame) -> bytes:
    """Draw, for each detector, the market score nearest its limit, and count series beyond theirs.

    Args:
        rows: of ``monitoring.anomalies``, at least one of them a market's.
    """
    of_market = rows["series"].isna()
    times_limit = (rows["score"] / rows["limit"])[of_market]
    worst = times_limit.groupby([rows["kind"], rows["trading_day"]]).max().unstack(0)
    beyond = rows[~of_market].groupby("trading_day").size().reindex(worst.index, fill_value=0)
    figure, axes = new_figure(2.4)
    axes.bar(worst.index, 0.1 * beyond, color="tab:gray", width=1.0, label="series beyond / 10")
    for kind in worst:
        axes.plot(worst.index, worst[kind], linewidth=1.2, label=str(kind).replace("_", " "))
    axes.axhline(1.0, color="tab:red", linewidth=0.8)
    axes.set_ylim(0.0, None)
    axes.set_ylabel("worst market, limit 1")
    axes.legend(frameon=False, fontsize="small", ncols=3)
    mark_dates(axes, worst.index)
    return to_png(figure)


def _set_day_ticks(axes: "Axes", days: pd.Index) -> None:
    """Mark up to five evenly spaced days of a picture whose columns are days."""
    at = np.unique(np.linspace(0, len(days) - 1, 5).astype(int))
    axes.set_xticks(at, [f"{pd.Timestamp(days[i]):%Y-%m-%d}" for i in at])
