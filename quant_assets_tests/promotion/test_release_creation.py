"""The walk-forward record that a release gets when it is made."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from quant_assets.lake.schemas.promotion_tables import DECISIONS, RECORDS
from quant_assets.lake.schemas.scoring_tables import PERFORMANCE
from quant_assets.promotion.decision_log import DayDecisions
from quant_assets.promotion.gates import Thresholds
from quant_assets.promotion.promotion_state import PromotionState
from quant_assets.promotion.release_creation import register_release
from quant_assets.promotion.release_store import Release, decision_rows, read_releases
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.fitted_lake import FittedLake, day, open_lake, store_fit

FIRST_RELEASE = 210


@pytest.fixture
def fitted(tmp_path: Path) -> Iterator[FittedLake]:
    """A lake with a fit as of its last day."""
    opened = open_lake(tmp_path, synthetic.until(synthetic.prices(), FIRST_RELEASE))
    store_fit(opened, "ridge", FIRST_RELEASE)
    yield opened
    opened.lake.close()


def register(fitted: FittedLake) -> Release:
    return register_release(fitted.lake, fitted.settings, ("ridge",), day(fitted, FIRST_RELEASE))


def store_walk_forward(fitted: FittedLake) -> None:
    """Store a walk-forward of the day before the last, whose IC is known."""
    judged, known = day(fitted, FIRST_RELEASE - 1), day(fitted, FIRST_RELEASE)
    row = (judged, FIRST_RELEASE - 1, None, 0.1, known, None)
    columns = {column.name: [x] * 2 for column, x in zip(PERFORMANCE.columns, row, strict=True)}
    columns["family"] = ["ridge", "ensemble"]
    fitted.lake.replace_days(PERFORMANCE, known, known, columns)


def test_a_release_made_again_gets_the_record_that_it_lacked(fitted: FittedLake) -> None:
    before = register(fitted)
    assert before.no_record
    store_walk_forward(fitted)
    after = register(fitted)
    assert (after.name, after.place, after.no_record) == (before.name, before.place, None)
    assert read_releases(fitted.lake) == [after]
    records = fitted.lake.query(f"FROM {RECORDS.quoted}")
    assert records[["release", "ic"]].to_numpy().tolist() == [[after.name, 0.1]]


def test_a_release_with_a_decision_gets_no_record_any_more(fitted: FittedLake) -> None:
    """Otherwise days done again would be decided on what was not known then."""
    before = register(fitted)
    day_decisions = DayDecisions(day(fitted, FIRST_RELEASE), PromotionState(), Thresholds())
    day_decisions.decide("gates_refused", before.name, "no record", refused=True)
    rows = decision_rows(day_decisions.decisions, datetime.now(UTC))
    fitted.lake.replace_matching(DECISIONS, "decision", rows)
    store_walk_forward(fitted)
    assert register(fitted) == before
