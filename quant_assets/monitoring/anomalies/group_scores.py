"""Scores of groups of instruments: which groups have a score, and the mean score of each.

Arrays only; learning the limits of these scores belongs in ``monitoring.anomalies.detectors``.
"""

from collections.abc import Sequence

import numpy as np

from quant_assets.core.typing import BoolArray, FloatArray
from quant_assets.market.instruments import list_groups

ALL = "all"
"""Name of the group of all instruments; also the group of each instrument of an ungrouped market.
"""
_MIN_KNOWN_SHARE = 0.25


def list_scored_groups(groups: Sequence[str]) -> tuple[str, ...]:
    """Return the distinct groups of instruments, and last the group of all instruments.

    >>> list_scored_groups(["oil", "solar", "oil"])
    ('oil', 'solar', 'all')
    >>> list_scored_groups(["all", "all"])
    ('all',)
    """
    return (*(name for name in list_groups(groups) if name != ALL), ALL)


def group_members(scored: Sequence[str], groups: Sequence[str]) -> BoolArray:
    """(g, k) which instruments each scored group has.

    Args:
        scored: names of the g scored groups.
        groups: group of each of the k instruments.
    """
    of_instruments = np.array(groups, dtype=object)
    return np.array([(of_instruments == name) | (name == ALL) for name in scored])


def group_scores(scores: FloatArray, members: BoolArray) -> FloatArray:
    """Compute the mean score of each group, without its largest score.

    Leaving out the largest score keeps a single instrument from making a group unusual.

    Args:
        scores: (n, k); NaN where there is none.
        members: (g, k) which instruments each group has.

    Returns:
        (n, g) scores; NaN where fewer than two instruments, or less than a quarter of the group's,
        have a score.
    """
    known = ~np.isnan(scores)
    result = np.full((len(scores), len(members)), np.nan)
    for g, of_members in enumerate(members):
        # One memory layout, whatever the days are cut from, gives the same sums to the bit.
        of_group = np.ascontiguousarray(np.where(known, scores, 0.0)[:, of_members])
        count = known[:, of_members].sum(axis=1)
        enough = (count >= 2) & (count >= _MIN_KNOWN_SHARE * of_members.sum())
        for row in np.flatnonzero(enough):
            result[row, g] = (of_group[row].sum() - of_group[row].max()) / (count[row] - 1)
    return result
