"""The walk-forward record that a release gets when it is made."""

from collections.abc import Iterator
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
from quant_assets_tests.support.fitted_lake import Desk, open_desk
from quant_assets_tests.training.test_fits import day, store_fit

BORN = 210


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A lake with a fit as of its last day."""
    opened = open_desk(tmp_path, synthetic.until(synthetic.prices(), BORN))
    store_fit(opened, "ridge", BORN)
    yield opened
    opened.lake.close()


def register(desk: Desk) -> Release:
    return register_release(desk.lake, desk.settings, ("ridge",), day(desk, BORN))


def store_walk_forward(desk: Desk) -> None:
    """Store a walk-forward of the day before the last, whose IC is known."""
    judged, known = day(desk, BORN - 1), day(desk, BORN)
    row = (judged, BORN - 1, None, 0.1, known)
    columns = {column.name: [x] * 2 for column, x in zip(PERFORMANCE.columns, row, strict=True)}
    columns["family"] = ["ridge", "ensemble"]
    desk.lake.replace_days(PERFORMANCE, known, known, columns)


def test_a_release_made_again_gets_the_record_that_it_lacked(desk: Desk) -> None:
    before = register(desk)
    assert before.no_record
    store_walk_forward(desk)
    after = register(desk)
    assert (after.name, after.place, after.no_record) == (before.name, before.place, None)
    assert read_releases(desk.lake) == [after]
    records = desk.lake.query(f"FROM {RECORDS.quoted}")
    assert records[["release", "ic"]].to_numpy().tolist() == [[after.name, 0.1]]


def test_a_release_with_a_decision_gets_no_record_any_more(desk: Desk) -> None:
    """Otherwise days done again would be decided on what was not known then."""
    before = register(desk)
    day_decisions = DayDecisions(day(desk, BORN), PromotionState(), Thresholds())
    day_decisions.decide("gates_refused", before.name, "no record", refused=True)
    desk.lake.replace_matching(DECISIONS, "decision", decision_rows(day_decisions.decisions))
    store_walk_forward(desk)
    assert register(desk) == before
