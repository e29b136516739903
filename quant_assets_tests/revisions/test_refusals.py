"""Other names of targets are refused once a day was submitted live."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import SourceError
from quant_assets.lake.readers.prices import pairs_rows
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.price_tables import RAW_TARGET_PAIRS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.targets import TargetPairs
from quant_assets.revisions.refusals import refuse_renamed_targets

PAIRS = TargetPairs(("A_1d", "B_1d"), np.array([1, 1]), ("A", "B"), (None, None))
OTHER_LEGS = replace(PAIRS, leg_a=("B", "A"))
OTHER_NAMES = replace(PAIRS, targets=("A_1d", "B_2d"), lags=np.array([1, 2]))
DAY = datetime.fromisoformat("2024-01-02")


@dataclass(frozen=True)
class Targets:
    """A source of which nothing but the targets is asked."""

    targets: TargetPairs

    def pairs(self) -> TargetPairs:
        return self.targets


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake(tmp_path) as opened:
        opened.replace_all(RAW_TARGET_PAIRS, pairs_rows(PAIRS))
        yield opened


def submit(lake: Lake, origin: str) -> None:
    rows = {"trading_day": [DAY.date()], "date_id": [1], "target": ["A_1d"], "value": [0.5]}
    rows |= {"origin": [origin], "stored_at": [DAY]}
    lake.replace_days(SUBMISSIONS, DAY.date(), DAY.date(), rows)


def test_targets_that_were_submitted_live_keep_their_names(lake: Lake) -> None:
    submit(lake, "live")
    with pytest.raises(SourceError, match="gone: B_1d; new: B_2d"):
        refuse_renamed_targets(lake, Targets(OTHER_NAMES))
    refuse_renamed_targets(lake, Targets(OTHER_LEGS))
    refuse_renamed_targets(lake, Targets(PAIRS))


def test_before_a_live_submission_targets_may_change(lake: Lake) -> None:
    refuse_renamed_targets(lake, Targets(OTHER_NAMES))
    submit(lake, "history")
    refuse_renamed_targets(lake, Targets(OTHER_NAMES))
