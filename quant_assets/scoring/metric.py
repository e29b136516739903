"""The competition's metric, vectorised over days. No files, no dates: arrays only.

Source: the competition's published metric, mean over population standard deviation of the daily
Spearman correlation.
"""

import numpy as np

from quant_assets.core.ranks import average_ranks
from quant_assets.core.typing import BoolArray, FloatArray


def daily_ic(forecast: FloatArray, truth: FloatArray) -> FloatArray:
    """(n,) Spearman correlation of forecast and truth over the targets whose truth is known.

    Args:
        forecast: (n, m) scores; finite wherever the truth is.
        truth: (n, m) labels; NaN where empty.

    NaN on a day without truths, and on one whose forecasts or truths are all equal. Known when the
    day's last label is released.

    Raises:
        ValueError: shapes differ, or a forecast is missing for a known truth.
    """
    if forecast.shape != truth.shape:
        raise ValueError(f"forecast has shape {forecast.shape}, truth {truth.shape}")
    known = ~np.isnan(truth)
    missing = known & ~np.isfinite(forecast)
    if missing.any():
        row, column = np.argwhere(missing)[0]
        raise ValueError(f"forecast missing in row {row}, column {column} although truth is known")
    a = _centred_ranks(np.where(known, forecast, np.nan), known)
    b = _centred_ranks(truth, known)
    norm = np.sqrt(np.einsum("ij,ij->i", a, a) * np.einsum("ij,ij->i", b, b))
    result = np.full(len(truth), np.nan)
    np.divide(np.einsum("ij,ij->i", a, b), norm, out=result, where=norm > 0)
    return result


def competition_score(forecast: FloatArray, truth: FloatArray) -> float:
    """Mean of the daily correlations over their population standard deviation, not annualised.

    Raises:
        ValueError: a day has no truths at all.
        ZeroDivisionError: a day's forecasts or truths are all equal, or the daily correlations
            do not vary.
    """
    if not len(truth) or np.isnan(truth).all(axis=1).any():
        raise ValueError("a scored day has no known truth")
    ic = daily_ic(forecast, truth)
    if np.isnan(ic).any():
        raise ZeroDivisionError("all forecasts or all truths of a day are equal")
    return score_of_ic(ic)


def score_of_ic(ic: FloatArray) -> float:
    """The metric from (n,) daily correlations.

    Raises:
        ZeroDivisionError: the correlations do not vary.
    """
    spread = float(np.std(ic))
    if spread == 0:
        raise ZeroDivisionError("the daily correlations do not vary")
    return float(np.mean(ic)) / spread


def _centred_ranks(values: FloatArray, known: BoolArray) -> FloatArray:
    """(n, m) average ranks less the mean rank; 0 where not known."""
    ranks = average_ranks(values)
    ranks -= (known.sum(axis=1, keepdims=True) + 1) / 2.0
    ranks[~known] = 0.0
    return ranks
