"""Pictures of performance, as small PNG files in memory."""

from io import BytesIO

import pandas as pd


def cumulated_ic(ic: pd.DataFrame) -> bytes:
    """Cumulated daily IC of each family over time.

    Args:
        ic: rows of ``monitoring.performance``.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.0, 3.2), layout="constrained")
    axes = figure.subplots()
    for name, daily in ic.groupby("family"):
        ordered = daily.sort_values("trading_day")
        style = {"ensemble": "-", "oracle": ":"}.get(str(name), "--")
        axes.plot(ordered["trading_day"], ordered["ic"].cumsum(), style, label=name, linewidth=1.4)
    axes.axhline(0.0, color="black", linewidth=0.6)
    axes.set_ylabel("cumulated daily IC")
    axes.legend(frameon=False, fontsize="small")
    axes.spines[["top", "right"]].set_visible(False)
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=90)
    return buffer.getvalue()
