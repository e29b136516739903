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
    """Each detector's scores of the markets as multiples of their limits, and how many series are
    beyond theirs, over time.

    Args:
        rows: of ``monitoring.anomalies``, at least one of them a market's.
    """
    of_market = rows["series"].isna()
    times = (rows["score"] / rows["limit"])[of_market]
    kinds = sorted(rows["kind"].unique())
    days = np.sort(rows["trading_day"].unique())
    figure, axes = new_figure(2.2 * len(kinds))
    axes.remove()
    for axes, kind in zip(figure.subplots(len(kinds), sharex=True, squeeze=False)[:, 0], kinds):
        mine = rows["kind"] == kind
        for market, found in rows[of_market & mine].groupby("market"):
            style = {"color": "black"} if market == "all" else {}
            axes.plot(found["trading_day"], times[found.index], label=market, lw=1.0, **style)
        beyond = rows[~of_market & mine].groupby("trading_day").size()
        of_day = pd.Series(beyond, index=days).fillna(0.0)
        axes.axhline(1.0, color="tab:red", linewidth=0.8)
        counts = axes.twinx()
        counts.bar(days, of_day, color="tab:red", alpha=0.3, width=1.0)
        counts.set_ylim(0.0, max(10.0, float(of_day.max())))
        axes.set_title(f"{kind}: score over limit; bars: series beyond theirs", fontsize="small")
    axes.legend(frameon=False, fontsize="x-small", ncols=5)
    figure.autofmt_xdate()
    return png(figure)


def _day_ticks(axes: "Axes", days: pd.Index) -> None:
    at = np.unique(np.linspace(0, len(days) - 1, 5).astype(int))
    axes.set_xticks(at, [f"{pd.Timestamp(days[i]):%Y-%m-%d}" for i in at])
