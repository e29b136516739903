"""What a revision did to the labels that were known: how many moved, and by how much."""

from dataclasses import dataclass
from datetime import date, datetime

import numpy as np

from quant_assets.core.typing import BoolArray
from quant_assets.lake.readers.point_in_time import read_known_days, read_known_labels
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.schemas.revision_tables import REVISIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.targets import TargetPairs


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

    Labels of targets whose legs were only restated by a factor are left out: they move within the
    rounding of the vendor's decimals. A label of a withdrawn or inserted day counts.

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
    wanted = _find_corrected_targets(lake, pairs, since)
    a, b = old[in_old][:, wanted], new[in_new][:, wanted]
    moved = np.abs(a - b)
    came_or_went = np.isnan(a) != np.isnan(b)
    worst = float(np.nanmax(moved, initial=0.0)) if np.isfinite(moved).any() else 0.0
    return LabelMoves(int((moved > limit).sum() + came_or_went.sum()), worst)


def _find_corrected_targets(lake: Lake, pairs: TargetPairs, since: datetime) -> BoolArray:
    """Return (m,) whether a target has a leg with more than a restatement, or days changed."""
    if not lake.has(REVISIONS):
        return np.ones(len(pairs), dtype=np.bool_)
    rows = lake.arrow(
        f"SELECT DISTINCT kind, instrument, field FROM {REVISIONS.quoted}"
        " WHERE known_at >= ? AND (field IS NULL OR field = 'close')",
        [since],
    ).to_pylist()
    if any(row["kind"] in ("withdrawn", "inserted") for row in rows):
        return np.ones(len(pairs), dtype=np.bool_)
    corrected = {row["instrument"] for row in rows if row["kind"] == "corrected"}
    legs = zip(pairs.leg_a, pairs.leg_b, strict=True)
    return np.array([bool(corrected & {a, b}) for a, b in legs])
