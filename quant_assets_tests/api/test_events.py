"""Events and their ids follow from the lake: the same after a restart and after maintenance."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from quant_assets.api.events import Event, EventId, derive_events
from quant_assets.core.errors import LakeError
from quant_assets.lake.readers.changes import read_kept_snapshots
from quant_assets.lake.schemas.promotion_tables import DECISIONS
from quant_assets.lake.schemas.table import HISTORY, RESUBMITTED
from quant_assets.lake.store.lake import Lake
from quant_assets.promotion.promotion_state import Decision
from quant_assets_tests.support.stored_events import MOMENT, publish, rows_of, write_alert

DAY = date(2026, 1, 5)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake(tmp_path / "lake") as opened:
        opened.snapshot_id()
        yield opened


def decide(lake: Lake, day: date, *decisions: tuple[str, str, float]) -> None:
    """Store decisions of a day: action, release and share after."""
    made = [
        Decision(day, n, action, release, None, "", "", 0.0, share, "{}", f"{action}!", "rules")  # type: ignore[arg-type]
        for n, (action, release, share) in enumerate(decisions, 101)
    ]
    stored = [{**vars(each), "decision": each.decision, "stored_at": MOMENT} for each in made]
    lake.replace_days(DECISIONS, day, day, rows_of(DECISIONS, *stored))


def all_events(lake: Lake) -> list[Event]:
    return derive_events(lake, read_kept_snapshots(lake).oldest, lake.snapshot_id())


def test_an_alert_opens_escalates_and_ends(lake: Lake) -> None:
    write_alert(lake, "a")
    write_alert(lake, "a", seen=2)
    write_alert(lake, "b")
    write_alert(lake, "a", level="critical")
    write_alert(lake, "a", level="critical", closed_at=MOMENT)
    changes = [(event.content["change"], event.content["key"]) for event in all_events(lake)]
    assert changes == [("opened", "a"), ("opened", "b"), ("escalated", "a"), ("ended", "a")]


def test_a_new_day_is_published_and_a_live_one_resubmitted(lake: Lake) -> None:
    days = [DAY + timedelta(n) for n in range(3)]
    publish(lake, *days, origin=HISTORY)
    publish(lake, *days, origin=HISTORY, value=2.0)  # the history is computed again
    publish(lake, DAY + timedelta(3))
    publish(lake, DAY + timedelta(3))  # a live day stays
    publish(lake, DAY + timedelta(3), origin=RESUBMITTED, supersede="a person said so")
    told = [
        tuple(event.content[name] for name in ("change", "first_day", "day", "days", "targets"))
        for event in all_events(lake)
    ]
    assert told == [
        ("published", days[0], days[2], 3, 2),
        ("published", DAY + timedelta(3), DAY + timedelta(3), 1, 2),
        ("resubmitted", DAY + timedelta(3), DAY + timedelta(3), 1, 2),
    ]


def test_a_decision_that_changes_nothing_in_force_is_no_event(lake: Lake) -> None:
    day = [DAY + timedelta(n) for n in range(5)]
    decide(lake, day[0], ("champion_by_default", "r1", 0.0))
    decide(lake, day[1], ("gates_refused", "r2", 0.0))
    decide(lake, day[2], ("challenge", "r3", 0.0))
    decide(lake, day[2], ("challenge", "r3", 0.0))  # the day is computed again
    decide(lake, day[3], ("step", "r3", 0.3))
    decide(lake, day[4], ("promoted", "r3", 1.0))
    told = [
        tuple(event.content[name] for name in ("action", "champion", "challenger", "share"))
        for event in all_events(lake)
    ]
    assert told == [
        ("champion_by_default", "r1", None, 0.0),
        ("challenge", "r1", "r3", 0.0),
        ("step", "r1", "r3", 0.3),
        ("promoted", "r3", None, 0.0),
    ]
    assert all_events(lake)[-1].content["before"] == {
        "champion": "r1",
        "challenger": "r3",
        "share": 0.3,
    }


def test_ids_rise_and_stay_through_restart_and_maintenance(lake: Lake, tmp_path: Path) -> None:
    """Whoever derives events piece by piece gets the ids of one who derives them at the end."""
    draw = np.random.default_rng(7)
    live: list[Event] = []
    position = lake.snapshot_id()
    for n in range(25):
        key = str(draw.integers(3))
        closed = MOMENT + timedelta(n) if draw.random() < 0.3 else None
        write_alert(
            lake, key, seen=n, level=str(draw.choice(["warning", "critical"])), closed_at=closed
        )
        if n % 7 == 0:
            publish(lake, DAY + timedelta(n))
            decide(lake, DAY + timedelta(n), ("champion_by_default", f"r{n}", 0.0))
        if n % 9 == 8:
            lake.maintain(30)
        if draw.random() < 0.4:
            live += derive_events(lake, position, newest := lake.snapshot_id())
            position = newest
    live += derive_events(lake, position, lake.snapshot_id())
    ids = [event.id for event in live]
    assert len(ids) > 12
    assert ids == sorted(set(ids))
    lake.maintain(30)
    with Lake(tmp_path / "lake", read_only=True) as other:
        assert [event.json for event in all_events(other)] == [event.json for event in live]


def test_a_range_may_end_before_a_table_was_created(lake: Lake) -> None:
    publish(lake, DAY)
    until = lake.snapshot_id()
    decide(lake, DAY, ("champion_by_default", "r1", 0.0))
    write_alert(lake, "a")
    assert [event.kind for event in derive_events(lake, 0, until)] == ["forecast"]
    assert [event.kind for event in all_events(lake)] == ["forecast", "release", "alert"]


def test_the_past_of_an_expired_snapshot_is_refused(lake: Lake) -> None:
    write_alert(lake, "a")
    write_alert(lake, "b")
    lake.maintain(0)
    with pytest.raises(LakeError, match="snapshot"):
        derive_events(lake, 0, lake.snapshot_id())


def test_an_event_is_one_line_of_json(lake: Lake) -> None:
    write_alert(lake, "a", subject="two\nlines", text="\x00 and \u2028")
    (event,) = all_events(lake)
    assert "\n" not in event.json
    message = json.loads(event.json)
    assert message["id"] == str(event.id)
    assert (message["kind"], message["subject"]) == ("alert", "two\nlines")
    assert message["opened_at"] == "2026-01-05T06:00:00"


@pytest.mark.parametrize(
    "text", ["", "1", "1-", "-1", "-1-2", "1-2-3", "a-b", "1 -2", "٣-1", "9" * 20 + "-1"]
)
def test_what_is_no_id_is_recognised(text: str) -> None:
    assert EventId.parse(text) is None
