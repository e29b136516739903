"""Pictures of data quality, drift, regimes and anomalies, as small PNG files in memory."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from quant_assets.evaluation.plots import new_figure, png

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SHOWN_DAYS = 60


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
    figure, axes = new_figure(0.8 + 0.16 * len(shown))
    axes.imshow(shown, aspect="auto", cmap="Reds", vmin=0.0, vmax=1.0, interpolation="none")
    axes.set_yticks(range(len(shown)), [" ".join(key) for key in shown.index], fontsize=7)
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
    figure.autofmt_xdate()
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
    figure.autofmt_xdate()
    return png(figure)


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
    figure.autofmt_xdate()
    return png(figure)


def _day_ticks(axes: "Axes", days: pd.Index) -> None:
    at = np.unique(np.linspace(0, len(days) - 1, 5).astype(int))
    axes.set_xticks(at, [f"{pd.Timestamp(days[i]):%Y-%m-%d}" for i in at])
