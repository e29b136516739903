"""The competition's metric as its host wrote it: day after day, with its column names.

It is slow and obvious on purpose; scores of the package must equal its scores.
"""

import numpy as np
import pandas as pd

from quant_assets.core.typing import FloatArray

FILLER = -999999.0


def row_by_row_ic(forecast: FloatArray, truth: FloatArray) -> FloatArray:
    """Return the (n,) Spearman correlations of days over the targets that are not empty."""
    columns = range(truth.shape[1])
    solution = pd.DataFrame(truth, columns=[f"target_{i}" for i in columns])
    solution = solution.fillna(FILLER).replace(FILLER, np.nan)
    submission = pd.DataFrame(forecast, columns=[f"prediction_{i}" for i in columns])
    both = pd.concat([solution, submission], axis="columns")
    return np.array([_correlation(row) for _, row in both.iterrows()])


def row_by_row_score(forecast: FloatArray, truth: FloatArray) -> float:
    """Return the mean of the daily correlations over their population standard deviation."""
    daily = pd.Series(row_by_row_ic(forecast, truth))
    spread = daily.std(ddof=0)
    if spread == 0:
        raise ZeroDivisionError("the correlations do not vary")
    return float(daily.mean() / spread)


def _correlation(row: pd.Series) -> float:
    targets = [name for name in row.index if name.startswith("target_")]
    targets = [name for name in targets if not pd.isnull(row[name])]
    if not targets:
        raise ValueError("no target is known")
    truths = row[targets]
    predictions = row[[name.replace("target", "prediction") for name in targets]]
    if truths.std(ddof=0) == 0 or predictions.std(ddof=0) == 0:
        raise ZeroDivisionError("all values are equal")
    ranks = predictions.rank(method="average"), truths.rank(method="average")
    return float(np.corrcoef(*ranks)[0, 1])
