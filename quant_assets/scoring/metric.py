"""The competition's metric, vectorised over days. Arrays only: files and dates belong elsewhere.

Source: the metric that the competition publishes, which is the mean of the daily Spearman
correlations over their population standard deviation.
"""

import numpy as np

from quant_assets.core.ranks import average_ranks
from quant_assets.core.typing import BoolArray, FloatArray


def daily_ic(forecast: FloatArray, labels: FloatArray) -> FloatArray:
    """Compute each day's Spearman correlation of forecast and labels over the labelled targets.

    Returns an array of shape (n,), each value between -1 and 1; NaN on a day without labels and on
    a day whose forecasts or labels are all equal. A value is known once the day's last label is.

    Args:
        forecast: (n, m) scores; finite wherever the label is not NaN.
        labels: (n, m) labels by forecast day; NaN where empty.

    Raises:
        ValueError: shapes differ, or a forecast is missing although its label is known.

    Examples:
        The second day's third target has no label and does not count; the third day's forecasts
        are all equal:

        >>> forecast = np.array([[0.1, 0.2, 0.3], [0.1, 0.2, 0.3], [0.5, 0.5, 0.5]])
        >>> labels = np.array([[-1.0, 0.0, 1.0], [1.0, 0.0, np.nan], [-1.0, 0.0, 1.0]])
        >>> daily_ic(forecast, labels)
        array([ 1., -1., nan])
    """
    if forecast.shape != labels.shape:
        raise ValueError(f"forecast has shape {forecast.shape}, labels have shape {labels.shape}")
    known = ~np.isnan(labels)
    missing = known & ~np.isfinite(forecast)
    if missing.any():
        row, column = np.argwhere(missing)[0]
        raise ValueError(f"forecast missing in row {row}, column {column}, whose label is known")
    forecast_ranks = _centred_ranks(np.where(known, forecast, np.nan), known)
    label_ranks = _centred_ranks(labels, known)
    products = np.einsum("ij,ij->i", forecast_ranks, label_ranks)
    norm = np.sqrt(
        np.einsum("ij,ij->i", forecast_ranks, forecast_ranks)
        * np.einsum("ij,ij->i", label_ranks, label_ranks)
    )
    result = np.full(len(labels), np.nan)
    np.divide(products, norm, out=result, where=norm > 0)
    return result


def competition_score(forecast: FloatArray, labels: FloatArray) -> float:
    """Compute the competition's score, the mean of the daily ICs over their standard deviation.

    The standard deviation is the population's, and the score is not annualised.

    Args:
        forecast: (n, m) scores; finite wherever the label is not NaN.
        labels: (n, m) labels by forecast day; NaN where empty.

    Raises:
        ValueError: a day has no label at all.
        ZeroDivisionError: a day's forecasts or labels are all equal, or the daily ICs do not vary.

    Examples:
        Two days with ICs of 1 and 0.5, whose mean is 0.75 and whose standard deviation is 0.25:

        >>> forecast = np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]])
        >>> labels = np.array([[-1.0, 0.0, 1.0], [0.0, -1.0, 1.0]])
        >>> round(competition_score(forecast, labels), 6)
        3.0
    """
    if not len(labels) or np.isnan(labels).all(axis=1).any():
        raise ValueError("a scored day has no known label")
    ic = daily_ic(forecast, labels)
    if np.isnan(ic).any():
        raise ZeroDivisionError("all forecasts or all labels of a day are equal")
    return score_of_ic(ic)


def score_of_ic(ic: FloatArray) -> float:
    """Compute the competition's score from (n,) daily ICs, none NaN.

    Raises:
        ZeroDivisionError: the correlations do not vary.
    """
    spread = float(np.std(ic))
    if spread == 0:
        raise ZeroDivisionError("the daily correlations do not vary")
    return float(np.mean(ic)) / spread


def _centred_ranks(values: FloatArray, known: BoolArray) -> FloatArray:
    """Compute (n, m) average ranks less each row's mean rank; 0 where ``known`` is false."""
    ranks = average_ranks(values)
    ranks -= (known.sum(axis=1, keepdims=True) + 1) / 2.0
    ranks[~known] = 0.0
    return ranks
