"""What the sensor tells of revisions and of days that are set aside."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from quant_assets.alerts.alert_lifecycle import ConditionCleared, ConditionRaised, apply_event
from quant_assets.lake.schemas.alert_tables import ALERTS
from quant_assets.lake.schemas.forecast_tables import fits_table
from quant_assets.lake.schemas.revision_tables import REVISION_RUNS, SET_ASIDE
from quant_assets.lake.store.changes import append, replace_all
from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.run_requests.retrain_triggers import find_triggers
from quant_assets.orchestration.sensors.revision_sensor import RevisionCursor, find_events
from quant_assets_tests.support.scheduler import Scheduler

DAY = date(2023, 12, 1)
NOW = datetime(2023, 12, 29, 22, 5, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake(tmp_path) as opened:
        yield opened


def revise(lake: Lake, at: datetime, labels: int | None, snapshot: int = 7) -> None:
    moment = at.replace(tzinfo=None)
    row = {
        "known_at": [moment - timedelta(minutes=1)],
        "trading_day": [DAY],
        "until": [DAY + timedelta(days=28)],
        "finished_at": [moment],
        "summary": ["LME_CA_Close restated by 0.5"],
        "labels": [labels],
        "worst": [None if labels is None else 0.2 if labels else 0.0],
        "snapshot": [snapshot],
    }
    lake.change(append(REVISION_RUNS, row))


def set_aside(lake: Lake, *days: date) -> None:
    rows = {
        "trading_day": list(days),
        "digest": [1] * len(days),
        "reason": ["most cells are zero"] * len(days),
        "since": [NOW.replace(tzinfo=None)] * len(days),
    }
    lake.change(replace_all(SET_ASIDE, rows))


def test_each_revision_is_told_once_in_one_message(lake: Lake) -> None:
    revise(lake, NOW, labels=0)
    cursor, (event,) = find_events(lake, RevisionCursor(), NOW)
    assert isinstance(event, ConditionRaised)
    assert event.level == "info"
    assert "LME_CA_Close restated by 0.5" in event.text
    assert "No label moved" in event.text
    (transition,) = apply_event({}, event)
    assert transition.kind == "opening"
    assert transition.alert.closed_at == transition.alert.opened_at
    assert apply_event({event.key: transition.alert}, event) == []
    assert find_events(lake, cursor, NOW) == (cursor, [])
    revise(lake, NOW + timedelta(days=1), labels=12)
    _, (warning,) = find_events(lake, cursor, NOW)
    assert isinstance(warning, ConditionRaised)
    assert warning.level == "warning"
    assert "12 labels moved, by up to 0.2" in warning.text
    assert [each.kind for each in apply_event({event.key: transition.alert}, warning)] == [
        "opening"
    ]


def test_moves_that_are_not_known_are_a_warning(lake: Lake) -> None:
    revise(lake, NOW, labels=None)
    _, (event,) = find_events(lake, RevisionCursor(), NOW)
    assert isinstance(event, ConditionRaised)
    assert event.level == "warning"
    assert "not known any more" in event.text


def test_a_day_set_aside_is_an_alert_until_it_is_repaired(lake: Lake) -> None:
    set_aside(lake, DAY)
    cursor, (event,) = find_events(lake, RevisionCursor(), NOW)
    assert isinstance(event, ConditionRaised)
    assert (event.key, event.level) == (f"set_aside/{DAY}", "warning")
    assert "most cells are zero" in event.text
    assert not event.passing
    assert find_events(lake, cursor, NOW)[1] == []
    set_aside(lake)
    later, (end,) = find_events(lake, cursor, NOW + timedelta(hours=1))
    assert isinstance(end, ConditionCleared)
    assert end.ends(event.key)
    assert later.set_aside == []


def test_the_sensor_stores_what_it_tells(scheduler: Scheduler) -> None:
    revise(scheduler.lake, scheduler.clock.moment, labels=3)
    set_aside(scheduler.lake, DAY)
    result = scheduler.tick("watch_revisions")
    assert not result.requests
    assert f"set aside: {DAY}" in result.reason
    assert scheduler.alerts() == {f"set_aside/{DAY}": "warning"}
    rows = scheduler.lake.query(f"SELECT key, closed_at FROM {ALERTS.quoted}").set_index("key")
    assert rows["closed_at"].notna().to_dict() == {
        f"revised/{DAY}": True,
        f"set_aside/{DAY}": False,
    }


@pytest.mark.parametrize("labels", [4, None])
def test_labels_that_moved_after_a_fit_are_a_cause_to_retrain(
    scheduler: Scheduler, labels: int | None
) -> None:
    def kinds() -> set[str]:
        found = find_triggers(scheduler.lake, scheduler.settings, DAY)
        return {trigger.id for trigger in found if trigger.kind == "revision"}

    fit = {"failure": None, "snapshot": 5}
    scheduler.store(fits_table("ridge"), DAY + timedelta(days=7), **fit)
    revise(scheduler.lake, NOW, labels=0)
    assert kinds() == set()
    revise(scheduler.lake, NOW + timedelta(hours=1), labels=labels)
    assert kinds() == {"revision/7"}
    scheduler.store(fits_table("ridge"), DAY + timedelta(days=8), **fit | {"snapshot": 9})
    assert kinds() == set()
