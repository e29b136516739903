"""Pictures of a family's search for parameters, as small PNG files in memory."""

import numpy as np

from quant_assets.scoring.plots import new_figure, to_png
from quant_assets.tuning.study import TuningResult


def plot_history(result: TuningResult) -> bytes:
    """Plot the value of each trial in order, the best so far, and the value of the defaults."""
    figure, axes = new_figure(3.2)
    default = result.default_value
    values = np.array([np.nan if trial.value is None else trial.value for trial in result.trials])
    numbers = np.arange(1, len(values) + 1)
    stages = np.array([trial.stage for trial in result.trials])
    for stage, colour in (("broad", "tab:blue"), ("narrow", "tab:orange")):
        of_stage = stages == stage
        axes.scatter(numbers[of_stage], values[of_stage], s=14, color=colour, label=stage)
    pruned = numbers[np.isnan(values)]
    bottom = np.full(len(pruned), np.nanmin(values))
    axes.scatter(pruned, bottom, s=14, marker="x", color="tab:gray", label="pruned")
    best = np.fmax.accumulate(values)
    axes.plot(numbers, best, color="tab:green", linewidth=1.4, label="best")
    axes.axhline(default, color="black", linewidth=0.6, linestyle=":", label="defaults")
    axes.set_xlabel("trial")
    axes.set_ylabel("stable mean / std of the daily IC")
    axes.legend(frameon=False, fontsize="small", ncols=5, loc="lower right")
    return to_png(figure)


def plot_importance(result: TuningResult) -> bytes:
    """Plot how much each parameter distinguishes the best trials, the largest share on top."""
    shares = dict(reversed(list(result.importance.items())))
    figure, axes = new_figure(0.8 + 0.28 * max(len(shares), 2), list(shares))
    axes.barh(list(shares), list(shares.values()), color="tab:blue")
    if not shares:
        axes.set_yticks([])
        axes.text(0.5, 0.5, "too few trials", ha="center", transform=axes.transAxes)
    axes.set_xlim(0.0, 1.0)
    axes.set_xlabel("importance")
    return to_png(figure)
