"""What the families learn: labels made comparable across days and targets."""

import numpy as np

from quant_assets.errors import NotEnoughHistoryError
from quant_assets.models.base import Observations
from quant_assets.ranks import standardised_ranks
from quant_assets.typing import FloatArray

MIN_DAYS = 60


def ranked_labels(seen: Observations) -> FloatArray:
    """(n, m) each day's labels as ranks in (-1, 1), by the day they are forecast on.

    NaN where a label is empty or not yet released.

    Raises:
        NotEnoughHistoryError: fewer than MIN_DAYS days have a released label.
    """
    ranks = standardised_ranks(seen.labels())
    days = int((~np.isnan(ranks)).any(axis=1).sum())
    if days < MIN_DAYS:
        raise NotEnoughHistoryError(
            "too few days with released labels to fit on",
            where=f"as of {seen.days[-1]}",
            expected=f"at least {MIN_DAYS}",
            found=days,
            hint="materialise features.labels of earlier days, or fit on a later day",
        )
    return ranks
