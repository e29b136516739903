"""Walk-forward of all families over a whole history: its time, memory and scores.

On the simulated market, a score is shown as a share of the oracle's score. On a folder's market,
the ensemble is compared with its best member and with other weights.
"""

import json
import tempfile
import time
from datetime import date
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.figures import Figure, memory_of_children, peak_of
from benchmarks.pipeline import command
from quant_assets.core.settings import Settings
from quant_assets.core.typing import FloatArray, IntArray
from quant_assets.ensemble.blend import rank_average
from quant_assets.ensemble.weights import learned_weights
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import FAMILIES
from quant_assets.scoring.judged_days import ScoredForecasts, read_scored_forecasts
from quant_assets.scoring.metric import daily_ic, score_of_ic
from quant_assets.scoring.scoreboard_inputs import read_regimes

ALL_TIME = date(1900, 1, 1), date(2100, 1, 1)
BOARD = "SELECT family, score, share_of_oracle, coverage_80 FROM monitoring.scoreboard"


def run(market: Path | None) -> list[Figure]:
    """Measure the walk-forward on the simulated market, and on a folder's market."""
    with tempfile.TemporaryDirectory() as data:
        figures = walk("simulated", [], Path(data))
        figures += [
            Figure(
                f"simulated: {row['family']}, share of the oracle's score", row["share_of_oracle"]
            )
            for row in board_of(Path(data))
            if row["family"] != "oracle"
        ]
    if market is not None:
        with tempfile.TemporaryDirectory() as data:
            figures += walk("folder", [str(market)], Path(data))
            figures += judged(Path(data))
    return figures


def walk(name: str, arguments: list[str], data: Path) -> list[Figure]:
    """Measure the walk-forward of all families after a demo, which loads fast families only.

    Args:
        name: name of the market in the figures.
        arguments: arguments of ``demo``.
        data: an empty data directory.
    """
    command(data, "demo", *arguments)
    everything = partial(command, data, "walk-forward", "--families", "all")
    started = time.perf_counter()
    peak = peak_of(memory_of_children, everything, 0.2)
    first = time.perf_counter() - started
    started = time.perf_counter()
    everything()
    again = time.perf_counter() - started
    return [
        Figure(f"{name}: walk-forward of all families", first, "s", at_most=2400.0),
        Figure(f"{name}: its peak memory, all processes", peak, "GB", at_most=6.0),
        Figure(f"{name}: walk-forward again, all fits there", again, "s"),
    ]


def board_of(data: Path) -> list[dict[str, float]]:
    """Return the rows of the scoreboard."""
    scored: list[dict[str, float]] = json.loads(command(data, "sql", BOARD, "--format", "json"))
    return scored


def judged(data: Path) -> list[Figure]:
    """Compare the ensemble with its best member, and with other weights of its members."""
    board = {row["family"]: row for row in board_of(data)}
    best = max((row for row in board if row != "ensemble"), key=lambda row: board[row]["score"])
    with Lake(Settings(data_dir=data).lake_dir, read_only=True) as lake:
        scored = read_scored_forecasts(lake, FAMILIES, *ALL_TIME)
        assert scored
        others = weighed(scored, read_regimes(lake))
    return [
        Figure("folder: ensemble, score", board["ensemble"]["score"], at_least=0.10),
        Figure(f"folder: its best member, {best}, score", board[best]["score"]),
        Figure("folder: labels within the 80 % interval", board["ensemble"]["coverage_80"]),
        *(Figure(f"folder: members {how}, score", score) for how, score in others.items()),
    ]


def weighed(scored: ScoredForecasts, regime: pd.Series) -> dict[str, float]:
    """Score blends of the members with equal weights, learnt weights, and weights by regime."""
    has = np.isfinite(scored.forecasts["rank_prior"]).all(axis=1)
    forecasts = [values[has] for values in scored.forecasts.values()]
    truth, days, released = scored.labels[has], scored.days[has], scored.released_on[has]
    ic = np.stack([daily_ic(forecast, truth) for forecast in forecasts], axis=1)
    volatile = (regime.reindex(days) == "volatile").to_numpy()

    def known(rows: IntArray) -> FloatArray:
        """Return the (n, k) weights of each day, learnt from ICs of some rows known by then."""
        learnt = learned_weights(ic[rows])
        place = np.searchsorted(released[rows], days, side="right")
        return np.concatenate([np.ones((1, ic.shape[1])), learnt])[place]

    of_regime = [known(np.flatnonzero(volatile == which)) for which in (False, True)]
    weights = {
        "weighed equally": np.ones_like(ic),
        "weighed as learnt": known(np.arange(len(ic))),
        "weighed as learnt by regime": np.where(volatile[:, None], of_regime[1], of_regime[0]),
    }
    return {
        how: score_of_ic(daily_ic(rank_average(forecasts, weight), truth))
        for how, weight in weights.items()
    }
