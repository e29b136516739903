"""What a person compares a flagged close with: its past, the closes around it, and its group.

Pure functions of arrays of prices. Which cells are flagged is in ``review.queue``.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from quant_assets.core.typing import FloatArray, IntArray
from quant_assets.market.targets import shift
from quant_assets.quality.jumps import compute_returns, measure_past, view_past

_ALIKE = 0.5
"""Share of a move that another instrument must move by, in the same direction, to move alike."""


@dataclass(frozen=True)
class MoveContext:
    """The moves of b flagged closes and what surrounds them.

    Attributes:
        move: (b,) simple return against the last close; NaN without an earlier close.
        deviations: (b,) distance of the log return from the median of the returns before it, in
            their robust standard deviations; signed.
        previous: (b,) last close before the day, carried forward over short gaps.
        following: (b,) next close after the day; NaN if there is none yet.
        group_move: (b,) mean simple return of the other instruments of the group on the day; NaN
            if none of them has a return.
        others: (b,) number of other instruments of the group with a return on the day.
        alike: (b,) how many of them moved in the same direction by at least half as much.
    """

    move: FloatArray
    deviations: FloatArray
    previous: FloatArray
    following: FloatArray
    group_move: FloatArray
    others: IntArray
    alike: IntArray


def describe_moves(
    value: FloatArray,
    filled: FloatArray,
    groups: Sequence[str],
    cells: tuple[IntArray, IntArray],
    window: int,
) -> MoveContext:
    """Describe the moves of flagged closes. Later closes are read for ``following`` only.

    Args:
        value: (n, k) closes; NaN where there is none.
        filled: (n, k) closes, carried forward over short gaps.
        groups: group of each of the k instruments.
        cells: rows and columns of the b flagged closes.
        window: number of rows before a day with which its return is compared.
    """
    rows, columns = cells
    logs = compute_returns(value, filled)
    middle, deviation, _ = measure_past(view_past(logs, window)[rows, columns])
    with np.errstate(divide="ignore", invalid="ignore"):
        deviations = (logs[rows, columns] - middle) / deviation
    returns = np.expm1(logs)
    of_group = np.array(groups)[columns][:, None] == np.array(groups)
    of_group[np.arange(len(columns)), columns] = False
    others = np.where(of_group, returns[rows], np.nan)
    count = np.isfinite(others).sum(axis=1)
    move = returns[rows, columns]
    same = np.sign(move)[:, None] * others >= _ALIKE * np.abs(move)[:, None]
    return MoveContext(
        move,
        deviations,
        shift(filled, 1)[rows, columns],
        _find_following(value, rows, columns),
        np.where(count > 0, np.nansum(others, axis=1) / np.maximum(count, 1), np.nan),
        count,
        same.sum(axis=1),
    )


def _find_following(value: FloatArray, rows: IntArray, columns: IntArray) -> FloatArray:
    """Return the (b,) first value after each cell; NaN if there is none."""
    later = (
        value[row + 1 :, column][~np.isnan(value[row + 1 :, column])]
        for row, column in zip(rows, columns, strict=True)
    )
    return np.array([values[0] if len(values) else np.nan for values in later], dtype=np.float64)
