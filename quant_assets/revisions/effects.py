"""What a revision did to the labels that were known: how many moved, and by how much."""

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from quant_assets.core.typing import BoolArray, DayArray
from quant_assets.lake.readers.point_in_time import read_known_days, read_known_labels
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.schemas.revision_tables import REVISIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.targets import TargetPairs, horizons_of


@dataclass(frozen=True)
class LabelMoves:
    """How labels moved with a revision.

    Attributes:
        labels: number of labels that moved by more than the limit, or came or went.
        worst: largest absolute move of a label; 0 if none moved.
    """

    labels: int
    worst: float


def compare_known_labels(
    lake: Lake, before: int, since: datetime, days: tuple[date, date], limit: float
) -> LabelMoves:
    """Compare the labels that are stored now with those of an earlier snapshot.

    A label both of whose prices were restated by one factor is left out: it moves within the
    rounding of the vendor's decimals. If whole days came or went, all labels that became known on
    other days are compared.

    Args:
        lake: the lake, after the labels were computed again.
        before: snapshot before the prices changed.
        since: when the prices changed, UTC.
        days: first and last day on which a label became known.
        limit: move of a label above which it counts.

    Raises:
        LakeError: the snapshot has expired.
    """
    pairs, (start, end) = read_pairs(lake), days
    with lake.as_of(before) as earlier:
        old_days = read_known_days(earlier, end)
        old_days = old_days[old_days >= np.datetime64(start)]
        if not len(old_days):
            return LabelMoves(0, 0.0)
        old = read_known_labels(earlier, old_days, pairs)
    new_days = read_known_days(lake, end)
    new_days = new_days[new_days >= np.datetime64(start)]
    new = read_known_labels(lake, new_days, pairs) if len(new_days) else old[:0]
    _, in_old, in_new = np.intersect1d(old_days, new_days, return_indices=True)
    counts = _find_counting_labels(lake, pairs, since, read_known_days(lake, end))[-len(new_days) :]
    a, b = (np.where(counts[in_new], labels, np.nan) for labels in (old[in_old], new[in_new]))
    moved = np.abs(a - b)
    came_or_went = np.isnan(a) != np.isnan(b)
    worst = float(np.nanmax(moved, initial=0.0)) if np.isfinite(moved).any() else 0.0
    return LabelMoves(int((moved > limit).sum() + came_or_went.sum()), worst)


def _find_counting_labels(
    lake: Lake, pairs: TargetPairs, since: datetime, days: DayArray
) -> BoolArray:
    """Return (n, m) whether a label may have moved beyond rounding, by the day it became known.

    That is a label of a target with a corrected or reviewed leg, or with another split or dividend
    of a leg, or one whose first and last price
    lie on different sides of an end of a restated range; or any label if whole days changed.
    """
    everything = np.ones((len(days), len(pairs)), dtype=np.bool_)
    if not lake.has(REVISIONS):
        return everything
    rows = lake.arrow(
        f"SELECT kind, instrument, trading_day, until, factor FROM {REVISIONS.quoted}"
        " WHERE known_at >= ? AND (field IS NULL OR field = 'close')",
        [since],
    ).to_pylist()
    if any(row["kind"] in ("withdrawn", "inserted") for row in rows):
        return everything
    instruments = sorted({leg for leg in (*pairs.leg_a, *pairs.leg_b) if leg})
    place = {name: i for i, name in enumerate(instruments)}
    corrected = np.zeros(len(instruments), dtype=np.bool_)
    # The product of the factors that a day's price was multiplied by, as a logarithm.
    scale = np.zeros((len(days), len(instruments)))
    for row in rows:
        if (column := place.get(row["instrument"])) is None:
            continue
        if row["kind"] in ("corrected", "reviewed", "split", "dividend"):
            corrected[column] = True
        elif row["kind"] == "restated":
            first = np.searchsorted(days, np.datetime64(row["trading_day"]))
            stop = np.searchsorted(days, np.datetime64(row["until"]), side="right")
            scale[first:stop, column] += np.log(row["factor"])
    counts = np.zeros_like(everything)
    legs = pairs.legs(instruments)
    for lag in horizons_of(pairs.lags):
        of_lag = pairs.lags == lag
        crosses = np.zeros_like(scale, dtype=np.bool_)
        crosses[lag:] = scale[lag:] != scale[:-lag]
        crosses |= corrected
        # A target without a second leg has the column of False that is added.
        padded = np.column_stack([crosses, np.zeros(len(days), dtype=np.bool_)])
        counts[:, of_lag] = padded[:, legs[0][of_lag]] | padded[:, legs[1][of_lag]]
    return counts
