"""The lake as it was known at a moment: which snapshot that is, and what is not kept."""

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path

import pytest

from quant_assets.core.errors import LakeError
from quant_assets.lake.store.lake import Lake
from quant_assets.lake.store.snapshots import find_snapshot
from quant_assets_tests.support.lake_processes import MARKS, day

SECOND = timedelta(seconds=1)


def write_marks(root: Path) -> list[tuple[int, datetime]]:
    """Write three rows one after the other, and return all snapshots with their moments."""
    with Lake(root) as lake:
        for mark in range(3):
            rows = {"trading_day": [day(0)], "mark": [float(mark)]}
            lake.replace_days(MARKS, day(0), day(0), rows)
        stored = lake.arrow(
            "SELECT snapshot_id, snapshot_time FROM ducklake_snapshots('lake') ORDER BY 1"
        ).to_pylist()
    return [(row["snapshot_id"], row["snapshot_time"]) for row in stored]


def test_what_was_known_is_the_newest_snapshot_until_then(tmp_path: Path) -> None:
    snapshots = write_marks(tmp_path)
    for (snapshot, at), (_, later) in pairwise(snapshots):
        assert find_snapshot(tmp_path, at) == snapshot
        assert find_snapshot(tmp_path, later - timedelta(microseconds=1)) == snapshot
    newest, at = snapshots[-1]
    assert find_snapshot(tmp_path, at + timedelta(days=400)) == newest
    with Lake(tmp_path, snapshot=find_snapshot(tmp_path, snapshots[-2][1])) as lake:
        assert lake.query(f"FROM {MARKS.quoted}")["mark"].tolist() == [1.0]


@pytest.mark.parametrize("hours", [-11, 0, 11])
def test_moments_of_any_offset_are_compared_as_moments(tmp_path: Path, hours: int) -> None:
    snapshots = write_marks(tmp_path)
    there = timezone(timedelta(hours=hours))
    for snapshot, at in snapshots:
        assert find_snapshot(tmp_path, at.astimezone(there)) == snapshot


def test_before_the_first_kept_snapshot_nothing_is_known(tmp_path: Path) -> None:
    write_marks(tmp_path)
    with Lake(tmp_path) as lake:
        lake.maintain(retention_days=0)
        (first,) = lake.arrow("SELECT min(snapshot_time) AS t FROM ducklake_snapshots('lake')")[0]
    kept: datetime = first.as_py()
    with pytest.raises(LakeError, match="QUANT_RETENTION_DAYS") as refused:
        find_snapshot(tmp_path, kept - SECOND)
    assert kept.astimezone(UTC).isoformat() in str(refused.value.expected)
    assert refused.value.found == (kept - SECOND).astimezone(UTC).isoformat()
    assert find_snapshot(tmp_path, kept) > 0
