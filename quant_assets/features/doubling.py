"""Windows of rows that are built by doubling, so that a row's bits depend on its window alone.

The rounding of running totals and recursive means depends on the first row. Here a window is built
from blocks of 1, 2, 4, ... rows instead: ``S[2k](t) = S[k](t) + S[k](t-k)``, joined along the bits
of its length. The order of the operations is then fixed, and takes O(log w) passes. The statistics
of windows are in ``features.kernels``.
"""

from collections.abc import Callable, Sequence

import numpy as np

from quant_assets.core.typing import AnyArray

Parts = tuple[AnyArray, ...]
"""What is known of each row's block, such as its sum: arrays of shape (n, columns)."""
Join = Callable[[Parts, Parts, int, Parts], None]
"""Joins newer blocks with the blocks that lie some rows before them, and writes the result."""


def build_by_doubling(
    single: Parts, windows: Sequence[int], join: Join, rows: int
) -> dict[int, Parts]:
    """Build windows that end on the last rows; rows before the first count as missing.

    Returns arrays of shape (rows, columns) by window length.

    Args:
        single: (n, columns) blocks of one row.
        windows: window lengths in rows.
        join: joins blocks; it gets newer and older blocks, the rows from these to those, and the
            arrays for the result.
        rows: number of last rows, n at most.
    """
    if rows == 1 and len(single[0]) >= max(windows):
        return {window: _build_last(single, window, join) for window in windows}
    result: dict[int, Parts] = {}
    block, size = single, 1
    while True:
        for window in windows:
            if window & size:
                covered = window & (size - 1)
                if covered:
                    result[window] = _join_shifted(result[window], block, covered, join)
                else:
                    result[window] = tuple(part[len(part) - rows :] for part in block)
        if 2 * size > max(windows):
            return result
        block, size = _join_shifted(block, block, size, join), 2 * size


def join_with(operation: np.ufunc) -> Join:
    """Return the join of blocks with one part each, by an operation such as ``np.add``."""

    def join(newer: Parts, older: Parts, _: int, result: Parts) -> None:
        operation(newer[0], older[0], out=result[0])

    return join


def _join_shifted(newer: Parts, older: Parts, gap: int, join: Join) -> Parts:
    """Join the last rows of blocks with the blocks ``gap`` rows before; keep rows without such.

    Args:
        newer: (rows, columns) blocks of the last rows.
        older: (n, columns) blocks of all rows.
        gap: number of rows.
        join: joins blocks.
    """
    n, rows = len(older[0]), len(newer[0])
    alone = min(max(gap - (n - rows), 0), rows)
    result = tuple(np.empty_like(part) for part in newer)
    for target, part in zip(result, newer, strict=True):
        target[:alone] = part[:alone]
    if alone < rows:
        before = slice(n - rows - gap + alone, n - gap)
        join(
            tuple(part[alone:] for part in newer),
            tuple(part[before] for part in older),
            gap,
            tuple(part[alone:] for part in result),
        )
    return result


def _build_last(single: Parts, window: int, join: Join) -> Parts:
    """Build the window that ends on the last row, with the order of operations of all rows.

    Only the blocks that this window needs are built: O(w) operations instead of O(n log w).
    """
    end, size = len(single[0]), 1
    result: Parts = ()
    while size <= window:
        if window & size:
            block, gap = tuple(part[end - size : end] for part in single), 1
            while len(block[0]) > 1:
                older, newer = (tuple(part[i::2] for part in block) for i in (0, 1))
                block = _join(newer, older, gap, join)
                gap *= 2
            covered = window & (size - 1)
            result = _join(result, block, covered, join) if covered else block
            end -= size
        size *= 2
    return result


def _join(newer: Parts, older: Parts, gap: int, join: Join) -> Parts:
    result = tuple(np.empty_like(part) for part in newer)
    join(newer, older, gap, result)
    return result
