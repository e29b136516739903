"""Versions of submissions: what was sent, what replaced it, and what differs."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import LakeError
from quant_assets.lake.readers.prices import pairs_rows
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.price_tables import RAW_TARGET_PAIRS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.targets import TargetPairs
from quant_assets.submission.versions import compare_versions, list_versions

N_TARGETS = 424
TARGETS = tuple(f"target_{i}" for i in range(N_TARGETS))
PAIRS = TargetPairs(TARGETS, np.ones(N_TARGETS, np.int64), ("A",) * N_TARGETS, (None,) * N_TARGETS)
DAYS = [date(2024, 1, 2), date(2024, 1, 3)]
SENT = datetime.combine(DAYS[1], datetime.min.time()) + timedelta(hours=22)


def submit(lake: Lake, day: date, values: np.ndarray, at: datetime, supersede: str = "") -> None:
    about = {"trading_day": day, "date_id": 7, "origin": "live", "stored_at": at}
    rows = {"target": list(PAIRS.targets), "value": values}
    rows |= {name: [value] * N_TARGETS for name, value in about.items()}
    lake.replace_days(SUBMISSIONS, day, day, rows, supersede=supersede)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    values = np.arange(float(N_TARGETS))
    swapped = values.copy()
    swapped[[3, 300]] = swapped[[300, 3]]
    with Lake(tmp_path) as opened:
        opened.replace_all(RAW_TARGET_PAIRS, pairs_rows(PAIRS))
        submit(opened, DAYS[0], values, SENT - timedelta(days=1))
        submit(opened, DAYS[1], values, SENT)
        submit(opened, DAYS[1], swapped, SENT + timedelta(hours=1), supersede="two legs swapped")
        yield opened


def test_versions_are_listed_newest_day_first_and_in_order(lake: Lake) -> None:
    rows = list_versions(lake)
    listed = zip(rows["trading_day"].dt.date, rows["version"], strict=True)
    assert list(listed) == [(DAYS[1], 1), (DAYS[1], 2), (DAYS[0], 1)]
    assert rows["reason"].tolist()[0] == "two legs swapped"
    assert rows["replaced_at"].notna().tolist() == [True, False, False]
    assert list_versions(lake, limit=1)["version"].tolist() == [1, 2]
    assert len(list_versions(lake, DAYS[0])) == 1


def test_two_versions_are_compared_target_by_target(lake: Lake) -> None:
    rows = compare_versions(lake, DAYS[1], 1, 2)
    assert len(rows) == N_TARGETS
    moved = rows[rows["moved"] != 0]
    assert moved.set_index("target")["moved"].to_dict() == {"target_3": 297, "target_300": -297}
    assert (rows["moved"].abs().diff().dropna() <= 0).all()


def test_a_version_that_does_not_exist_is_refused(lake: Lake) -> None:
    with pytest.raises(LakeError, match="versions 1, 2"):
        compare_versions(lake, DAYS[1], 1, 3)


def test_before_the_first_submission_there_is_nothing_to_list(tmp_path: Path) -> None:
    with Lake(tmp_path) as empty, pytest.raises(LakeError, match="nothing was submitted"):
        list_versions(empty)
