"""Digests of prices by series and block of days: equal digests, equal prices.

A digest is a sum over days, so that a block's digest needs its own days only. What differs between
two tables is found in ``revisions.differences``.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quant_assets.core.typing import DayArray, IntArray
from quant_assets.sources.deliveries import PriceTable

BLOCK_DAYS = 64
"""Calendar days of a block."""
Hashes = NDArray[np.uint64]
_EMPTY = np.float64(np.nan).view(np.uint64)
# The finaliser of SplitMix64: Steele, Lea and Flood (2014), Fast Splittable Pseudorandom Number
# Generators.
_FACTORS = (np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB))
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))


@dataclass(frozen=True)
class BlockDigests:
    """Digests of a table.

    Attributes:
        blocks: (b,) first calendar day of each block, ascending.
        values: (b, c + 1) digests of the c series, and last those of the numbers of the days.
    """

    blocks: DayArray
    values: IntArray


def digest_blocks(table: PriceTable) -> BlockDigests:
    """Digest every series of a table, and its numbers of days, by block of days.

    Two tables have the same digest of a series and block exactly if they have the same days, values
    and texts there, up to collisions of 64 bits. Empty cells of a day count; so does the day.
    """
    number = table.days.astype(np.int64)
    blocks, first = np.unique(number // BLOCK_DAYS, return_index=True)
    if not len(blocks):
        return BlockDigests(table.days, np.empty((0, len(table.columns) + 1), np.int64))
    hashes = _mix(cell_bits(table) ^ _mix(number.astype(np.uint64))[:, None])
    sums = np.add.reduceat(hashes, first, axis=0)
    return BlockDigests((blocks * BLOCK_DAYS).astype("datetime64[D]"), sums.view(np.int64))


def digest_days(table: PriceTable) -> IntArray:
    """Digest each of the n days of a table over all series, in any order. Returns (n,) digests."""
    names = np.array([_hash_text(name) for name in (*table.columns, "")], dtype=np.uint64)
    digests: IntArray = _mix(cell_bits(table) ^ _mix(names)).sum(axis=1).view(np.int64)
    return digests


def cell_bits(table: PriceTable) -> Hashes:
    """Return (n, c + 1) bits that are equal exactly if two cells are; the last are the numbers.

    All empty cells are equal. A cell with text is equal to a cell with the same text. A close with
    a split or dividend is equal to one with the same.
    """
    bits = np.empty((len(table.days), len(table.columns) + 1), dtype=np.uint64)
    bits[:, :-1] = np.where(np.isnan(table.values), _EMPTY, table.values.view(np.uint64))
    bits[:, -1] = table.date_ids.astype(np.uint64)
    position = {name: i for i, name in enumerate(table.columns)}
    for cell in table.unread:
        bits[cell.row, position[cell.column]] = _hash_text(cell.text)
    for action in table.actions:
        close = table.series.close_of[action.instrument]
        bits[action.row, close] ^= np.uint64(_hash_text(f"{action.split!r} {action.dividend!r}"))
    return bits


def _hash_text(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")


def _mix(values: Hashes) -> Hashes:
    mixed = values ^ (values >> _SHIFTS[0])
    mixed *= _FACTORS[0]
    mixed ^= mixed >> _SHIFTS[1]
    mixed *= _FACTORS[1]
    mixed ^= mixed >> _SHIFTS[2]
    return mixed
