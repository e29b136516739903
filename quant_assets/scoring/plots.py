"""Plots of performance, as small PNG files in memory."""

from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_INCHES = 7.0
_INCHES_A_LETTER = 0.083
_LEFT, _BESIDE_NAMES, _BELOW, _ABOVE = 0.75, 0.2, 0.55, 0.12
_DATES = 5
_WIDE = 0.08
"""Share of a bar that its name fits into."""


def plot_cumulated_ic(ic: pd.DataFrame) -> bytes:
    """Draw the cumulated daily IC of each family over time, as PNG; empty axes without a day.

    Args:
        ic: rows of ``monitoring.performance``.
    """
    figure, axes = new_figure(3.2)
    for name, daily in ic.groupby("family"):
        ordered = daily.sort_values("trading_day")
        style = {"ensemble": "-", "oracle": ":"}.get(str(name), "--")
        axes.plot(ordered["trading_day"], ordered["ic"].cumsum(), style, label=name, linewidth=1.4)
    axes.axhline(0.0, color="black", linewidth=0.6)
    axes.set_ylabel("cumulated daily IC")
    if len(ic):
        mark_dates(axes, np.unique(ic["trading_day"]))
        axes.legend(frameon=False, fontsize="small")
    return to_png(figure)


def plot_scores(board: pd.DataFrame) -> bytes:
    """Draw each family's score with its confidence interval, the best on top, as PNG.

    Args:
        board: rows of ``monitoring.scoreboard``.
    """
    shown = board[board["family"] != "oracle"].dropna(subset="score").iloc[::-1]
    figure, axes = new_figure(0.8 + 0.28 * len(shown), shown["family"].tolist())
    rows = np.arange(len(shown))
    colours = np.where(shown["family"] == "ensemble", "tab:green", "tab:blue").tolist()
    axes.hlines(rows, shown["low"], shown["high"], colours, linewidth=2.0, alpha=0.4)
    axes.scatter(shown["score"], rows, c=colours, zorder=3)
    axes.set_yticks(rows, shown["family"])
    axes.axvline(0.0, color="black", linewidth=0.6)
    axes.set_xlabel("mean / std of the daily IC, with its 95 % interval")
    return to_png(figure)


def plot_shares(rows: pd.DataFrame) -> bytes:
    """Draw the attribution of a day: a bar for each family, negative shares to the left, as PNG.

    Args:
        rows: rows of ``monitoring.attribution`` of one day.
    """
    from matplotlib import colormaps

    by_family = rows.pivot_table(index="family", columns="inputs", values="share", sort=False)
    by_family = by_family.fillna(0.0).iloc[::-1]
    figure, axes = new_figure(0.8 + 0.3 * len(by_family), by_family.index.tolist())
    right, left = np.zeros(len(by_family)), np.zeros(len(by_family))
    for i, (name, share) in enumerate(by_family.items()):
        begin = np.where(share >= 0, right, left)
        colour = colormaps["Set3"](i % 12)
        bars = axes.barh(by_family.index, share, left=begin, color=colour, height=0.8)
        names = [str(name) if abs(part) >= _WIDE else "" for part in share]
        axes.bar_label(bars, names, label_type="center", fontsize=7)
        right, left = right + np.maximum(share, 0.0), left + np.minimum(share, 0.0)
    axes.axvline(0.0, color="black", linewidth=0.6)
    axes.set_xlabel("share of the day's forecast")
    return to_png(figure)


def new_figure(height: float, names: Sequence[str] = ()) -> "tuple[Figure, Axes]":
    """Create a figure as wide as a page of the UI, and its axes.

    The margins are set by hand, and :func:`mark_dates` labels the dates: matplotlib's automatic
    layout and dates take several times as long.

    Args:
        height: height of the figure in inches.
        names: labels of the rows, for which the left margin is made wide enough; empty if the
            vertical axis has numbers.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_INCHES, height))
    room = _INCHES_A_LETTER * max(map(len, names), default=0)
    left = max(_LEFT, _BESIDE_NAMES + room) / _INCHES
    figure.subplots_adjust(left, _BELOW / height, 0.94, 1.0 - _ABOVE / height)
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    return figure, axes


def mark_dates(axes: "Axes", days: Any, *, named: bool = True) -> None:
    """Set the horizontal axis to the given days and label a few of them.

    Args:
        axes: the axes.
        days: (n,) days shown, ascending.
        named: whether dates are written beside the ticks.
    """
    shown = np.asarray(days, "datetime64[D]")
    at = shown[np.unique(np.linspace(0, len(shown) - 1, _DATES).astype(int))]
    axes.set_xticks(at, np.datetime_as_string(at, "D").tolist() if named else [""] * len(at))
    axes.set_xlim(shown[0], shown[-1] + np.timedelta64(1, "D"))


def to_png(figure: "Figure") -> bytes:
    """Return the content of a PNG file of the figure."""
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()
