"""The scoreboard: scores over all days, with their confidence intervals.

Functions take frames of daily figures and return frames of summary rows. Nothing is chosen by
these figures here: families choose their parameters, and ``ensemble.weights`` weighs the families.
"""

from collections.abc import Iterator, Mapping

import numpy as np
import pandas as pd

from quant_assets.core.typing import FloatArray
from quant_assets.lake.schemas.scoring_tables import BREAKDOWN, COMPARISON, SCOREBOARD
from quant_assets.scoring.metric import score_of_ic
from quant_assets.scoring.significance import block_bootstrap, paired_bootstrap

_FORECAST_FIGURES = ("forecast", "interval")
"""Kinds of rows of ``monitoring.slices`` whose values are not ICs."""
BASELINES = ("rank_prior", "ensemble")


def scoreboard_rows(
    ic: pd.DataFrame, slices: pd.DataFrame, fit_seconds: Mapping[str, float]
) -> pd.DataFrame:
    """Compute rows of ``monitoring.scoreboard``, the highest score first.

    Args:
        ic: rows of ``monitoring.performance``.
        slices: rows of ``monitoring.slices``.
        fit_seconds: mean duration of a fit in seconds, by family.
    """
    figures = slices[slices["by"].isin(_FORECAST_FIGURES)]
    means = figures.groupby(["family", "part"])["value"].mean()
    oracle = score_or_nan(ic.loc[ic["family"] == "oracle", "ic"].to_numpy())
    rows = []
    for name, daily in ic.sort_values("trading_day").groupby("family"):
        row = _score_row(str(name), daily)
        row["turnover"] = means.get((name, "turnover"), np.nan)
        row["dispersion"] = means.get((name, "dispersion"), np.nan)
        row["coverage_80"] = means.get((name, "80"), np.nan)
        row["coverage_95"] = means.get((name, "95"), np.nan)
        row["fit_seconds"] = fit_seconds.get(str(name), np.nan)
        row["share_of_oracle"] = score_or_nan(daily["ic"].to_numpy()) / oracle
        rows.append(row)
    board = pd.DataFrame(rows, columns=[column.name for column in SCOREBOARD.columns])
    return board.sort_values("score", ascending=False, ignore_index=True)


def _score_row(name: str, daily: pd.DataFrame) -> dict[str, object]:
    ic = daily["ic"].to_numpy()
    low, high = block_bootstrap(ic)
    return {
        "family": name,
        "score": score_or_nan(ic),
        "low": low,
        "high": high,
        "mean_ic": float(ic.mean()),
        "std_ic": float(ic.std()),
        "score_250": score_or_nan(ic[-250:]),
        "score_90": score_or_nan(ic[-90:]),
        "days": len(ic),
        "first_day": daily["trading_day"].iloc[0],
        "last_day": daily["trading_day"].iloc[-1],
    }


def breakdown_rows(ic: pd.DataFrame, slices: pd.DataFrame, regime: pd.Series) -> pd.DataFrame:
    """Compute rows of ``monitoring.breakdown``: scores over parts of the targets and of the days.

    Args:
        ic: rows of ``monitoring.performance``.
        slices: rows of ``monitoring.slices``.
        regime: name of the regime by trading day.
    """
    day = pd.to_datetime(ic["trading_day"])
    order = ic.groupby("family")["trading_day"].rank(method="first") - 1
    size = ic.groupby("family")["trading_day"].transform("size")
    by_time = {
        "year": day.dt.year.astype(str),
        "regime": day.map(regime),
        "third": (order * 3 // size + 1).astype(int).astype(str),
        # Only the submitted forecast has an origin: what was live is judged apart from history.
        "origin": ic.get("origin"),
    }
    daily = [
        ic.assign(by=by, part=part, value=ic["ic"])[["family", "by", "part", "value"]]
        for by, part in by_time.items()
    ]
    is_ic = ~slices["by"].isin(_FORECAST_FIGURES)
    by_target = slices.loc[is_ic, ["family", "by", "part", "value"]]
    ics = pd.concat([*daily, by_target]).dropna(subset="part")
    rows = [
        {
            "family": family,
            "by": by,
            "part": part,
            "score": score_or_nan(values.to_numpy()),
            "mean_ic": float(values.mean()),
            "std_ic": float(values.std(ddof=0)),
            "days": len(values),
        }
        for (family, by, part), values in ics.groupby(["family", "by", "part"])["value"]
    ]
    return pd.DataFrame(rows, columns=[column.name for column in BREAKDOWN.columns])


def comparison_rows(ic: pd.DataFrame, agreement: pd.DataFrame) -> pd.DataFrame:
    """Compute rows of ``monitoring.comparison``: each family against each baseline.

    A pair is compared on the days on which both have an IC.

    Args:
        ic: rows of ``monitoring.performance``.
        agreement: rows of ``monitoring.agreement``.
    """
    daily = ic.pivot(index="trading_day", columns="family", values="ic").sort_index()
    both_ways = [agreement, agreement.rename(columns={"family": "other", "other": "family"})]
    correlation = pd.concat(both_ways).groupby(["family", "other"])["value"].mean()
    rows = list(_compare(daily, correlation))
    return pd.DataFrame(rows, columns=[column.name for column in COMPARISON.columns])


def _compare(daily: pd.DataFrame, correlation: pd.Series) -> Iterator[dict[str, object]]:
    for other in (name for name in BASELINES if name in daily):
        for family in (name for name in daily if name not in (other, "oracle")):
            both = daily[[family, other]].dropna().to_numpy()
            low, high = paired_bootstrap(both[:, 0], both[:, 1])
            yield {
                "family": family,
                "other": other,
                "difference": score_or_nan(both[:, 0]) - score_or_nan(both[:, 1]),
                "low": low,
                "high": high,
                "correlation": correlation.get((family, other), np.nan),
                "days": len(both),
            }


def score_or_nan(ic: FloatArray) -> float:
    """Compute the score of (n,) daily ICs; NaN for fewer than two ICs and for equal ICs."""
    return score_of_ic(ic) if len(ic) > 1 and np.ptp(ic) > 0 else float("nan")
