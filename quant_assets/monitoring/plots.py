"""Pictures of what is watched, as small PNG files in memory."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from quant_assets.evaluation.plots import date_axis, new_figure, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SHOWN_DAYS = 60
SHOWN_PARTS = 20


def limits_kept(rows: pd.DataFrame) -> bytes:
    """Each market's figures over time, as squares: dark where a limit is broken.

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
    _day_ticks(axes, shown.columns)
    axes.set_xlabel("dark: above its limit")
    return png(figure)


def drifting(share: pd.Series) -> bytes:
    """Share of the features that have drifted, over time.

    Args:
        share: of each day, by day.
    """
    ordered = share.sort_index()
    figure, axes = new_figure(2.4)
    axes.plot(ordered.index, ordered, ".-", linewidth=1.2)
    axes.set_ylim(0.0, max(0.1, 1.1 * float(ordered.max())))
    axes.set_ylabel("share of features drifted")
    date_axis(axes, ordered.index)
    return png(figure)


def states(rows: pd.DataFrame) -> bytes:
    """Turbulence as an area, correlation and each market's volatility as lines, over time.

    Args:
        rows: of ``monitoring.regimes``.
    """
    ordered = rows.sort_values("trading_day")
    days = ordered["trading_day"]
    figure, axes = new_figure(3.2)
    turbulence = ordered["turbulence"].astype(float)
    axes.fill_between(days, turbulence, alpha=0.2, linewidth=0, label="turbulence")
    axes.plot(days, ordered["correlation"], "k:", linewidth=1.2, label="correlation")
    for name in ordered.filter(like="volatility_"):
        label = str(name).replace("_", " ")
        axes.plot(days, ordered[name].astype(float), linewidth=1.2, label=label)
    axes.set_ylim(0.0, None)
    axes.set_ylabel("probability, correlation, volatility")
    axes.legend(frameon=False, fontsize="small", ncols=2)
    date_axis(axes, days)
    return png(figure)


def rolling_scores(rows: pd.DataFrame) -> bytes:
    """The score over each window over time, what is expected, and where levels begin.

    Args:
        rows: of ``monitoring.rolling``, of one family and all targets.
    """
    shown = [
        (f"{window!s} days", of_window.rename(columns={"score": "value", "limit": "low"}))
        for window, of_window in rows.groupby("window")
        if window
    ]
    figure, panels = _panels(shown)
    for axes, (_, of_window) in zip(panels, shown, strict=True):
        expected = of_window["expected"].astype(float)
        _expect(axes, of_window["trading_day"], of_window["low"], expected, expected)
        _line(axes, of_window)
        for level, colour in (("warning", "tab:orange"), ("critical", "tab:red")):
            marked = of_window[of_window["level"] == level]
            axes.plot(marked["trading_day"], marked["value"], ".", color=colour)
    panels[-1].set_xlabel("score; dotted: expected; grey: chance; dots: warning, critical")
    return png(figure)


def figures_within(rows: pd.DataFrame) -> bytes:
    """Figures over time, a panel each, with what is expected and what is no cause for concern.

    Args:
        rows: of ``monitoring.health``, of one family.
    """
    shown = [
        (f"{key[0]}\n{key[1]} days".replace("_", " "), of_figure)
        for key, of_figure in rows.groupby(["figure", "window"])
        if isinstance(key, tuple)
    ]
    figure, panels = _panels(shown)
    for axes, (_, one) in zip(panels, shown, strict=True):
        _expect(axes, one["trading_day"], one["low"], one["high"], one["expected"])
        _line(axes, one)
    panels[-1].set_xlabel("dotted: expected; grey: no cause for concern")
    return png(figure)


def part_scores(rows: pd.DataFrame) -> bytes:
    """Scores of families and of their parts that are worst for what is expected, worst on top.

    Args:
        rows: of ``monitoring.rolling``, of one day and window, that have a score; ``SHOWN_PARTS``
            of them are drawn.
    """
    beyond = (rows["score"] - rows["limit"]).astype(float)
    shown = rows.loc[beyond.nsmallest(SHOWN_PARTS).index[::-1]]
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
    return png(figure)


def _panels(shown: Sequence[tuple[str, pd.DataFrame]]) -> "tuple[Figure, list[Axes]]":
    """Panels above each other over the same days, with names."""
    from matplotlib.figure import Figure

    height = 0.8 + 0.85 * len(shown)
    figure = Figure(figsize=(7.0, height))
    figure.subplots_adjust(0.12, 0.6 / height, 0.94, 1.0 - 0.1 / height, hspace=0.15)
    days = np.unique(np.concatenate([rows["trading_day"] for _, rows in shown]))
    panels = [figure.add_subplot(len(shown), 1, i + 1) for i in range(len(shown))]
    for axes, (name, _) in zip(panels, shown, strict=True):
        axes.spines[["top", "right"]].set_visible(False)
        axes.set_ylabel(name, fontsize="small")
        axes.tick_params(labelsize="small")
        date_axis(axes, days, named=axes is panels[-1])
    return figure, panels


def _line(axes: "Axes", rows: pd.DataFrame) -> None:
    axes.plot(rows["trading_day"], rows["value"].astype(float), linewidth=1.4)


def _expect(
    axes: "Axes", days: pd.Series, low: pd.Series, high: pd.Series, expected: pd.Series
) -> None:
    low, high = low.astype(float), high.astype(float)
    axes.fill_between(days, low, high, color="black", alpha=0.1, linewidth=0)
    axes.plot(days, expected.astype(float), "k:", linewidth=1.2)


def unusual(rows: pd.DataFrame) -> bytes:
    """How near its limit the worst market is for each detector, and how many series are beyond.

    Args:
        rows: of ``monitoring.anomalies``, at least one of them a market's.
    """
    of_market = rows["series"].isna()
    times = (rows["score"] / rows["limit"])[of_market]
    worst = times.groupby([rows["kind"], rows["trading_day"]]).max().unstack(0)
    beyond = rows[~of_market].groupby("trading_day").size().reindex(worst.index, fill_value=0)
    figure, axes = new_figure(2.4)
    axes.bar(worst.index, 0.1 * beyond, color="tab:gray", width=1.0, label="series beyond / 10")
    for kind in worst:
        axes.plot(worst.index, worst[kind], linewidth=1.2, label=str(kind).replace("_", " "))
    axes.axhline(1.0, color="tab:red", linewidth=0.8)
    axes.set_ylim(0.0, None)
    axes.set_ylabel("worst market, limit 1")
    axes.legend(frameon=False, fontsize="small", ncols=3)
    date_axis(axes, worst.index)
    return png(figure)


def _day_ticks(axes: "Axes", days: pd.Index) -> None:
    at = np.unique(np.linspace(0, len(days) - 1, 5).astype(int))
    axes.set_xticks(at, [f"{pd.Timestamp(days[i]):%Y-%m-%d}" for i in at])
