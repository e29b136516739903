"""Alerts opened, updated, escalated and closed, for every order of events."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_assets.alerts.alert_lifecycle import (
    LEVELS,
    Alert,
    DayRange,
    Level,
    condition_key,
)
from quant_assets_tests.support.conditions import DAY, apply_events, cleared, moment, raised


def test_an_alert_is_opened_counted_and_closed() -> None:
    kinds, (alert,) = apply_events([raised(0), raised(1), raised(2), cleared(3)])
    assert kinds == ["opening", "recovery"]
    assert (alert.count, alert.opened_at, alert.last_seen_at, alert.closed_at) == (
        3,
        moment(0),
        moment(2),
        moment(3),
    )
    assert (alert.trading_day, alert.text) == (DAY, "seen 2")


def test_a_condition_that_comes_back_opens_a_new_alert() -> None:
    kinds, alerts = apply_events([raised(0), cleared(1), raised(2)])
    assert kinds == ["opening", "recovery", "opening"]
    assert len({alert.id for alert in alerts}) == 2
    assert [alert.count for alert in alerts] == [1, 1]


def test_an_alert_escalates_once_and_its_level_never_goes_down() -> None:
    levels: list[Level] = ["warning", "critical", "critical", "warning", "critical"]
    kinds, (alert,) = apply_events(raised(i, level) for i, level in enumerate(levels))
    assert kinds == ["opening", "escalation"]
    assert (alert.level, alert.count) == ("critical", 5)


def test_a_condition_without_an_open_alert_does_not_end() -> None:
    assert apply_events([cleared(0), raised(1), cleared(2), cleared(3)])[0] == [
        "opening",
        "recovery",
    ]


@pytest.mark.parametrize("days", [-30, -1])
def test_an_event_about_an_earlier_day_changes_no_alert_of_a_later_day(days: int) -> None:
    earlier = DAY + timedelta(days=days)
    again = [
        replace(raised(1, "critical"), trading_day=earlier),
        replace(cleared(2), trading_day=earlier),
    ]
    kinds, (alert,) = apply_events([raised(0), *again])
    assert (kinds, alert.level, alert.count) == (["opening"], "warning", 1)
    kinds, _ = apply_events([raised(0), *again, replace(cleared(3), trading_day=DAY)])
    assert kinds == ["opening", "recovery"]


def test_conditions_are_independent() -> None:
    kinds, alerts = apply_events([raised(0, key="a"), raised(1, key="b"), cleared(2, key="a")])
    assert kinds == ["opening", "opening", "recovery"]
    assert [alert.closed_at is None for alert in alerts] == [False, True]


@given(st.lists(st.sampled_from([*LEVELS, None]), max_size=8), st.data())
def test_events_applied_again_from_any_earlier_point_change_nothing(
    levels: list[Level | None], data: st.DataObject
) -> None:
    events = [raised(i, x) if x else cleared(i) for i, x in enumerate(levels, start=1)]
    newest: dict[str, Alert] = {}
    kinds, _ = apply_events(events, newest)
    assert kinds.count("opening") - kinds.count("recovery") in (0, 1)
    again = data.draw(st.integers(0, len(events)))
    before = dict(newest)
    assert apply_events(events[again:], newest) == ([], [])
    assert newest == before


@pytest.mark.parametrize(
    ("first", "last", "ends"),
    [("28", "28", True), ("01", "29", True), ("28", "29", True), ("29", "29", False)],
)
def test_a_range_of_days_ends_the_conditions_of_days_within_it(
    first: str, last: str, ends: bool
) -> None:
    day = DayRange(date(2023, 12, 28), date(2023, 12, 28))
    key = condition_key("run_failed", "refresh_daily", days=day)
    assert key == "run_failed/refresh_daily/2023-12-28"
    within = DayRange(date.fromisoformat(f"2023-12-{first}"), date.fromisoformat(f"2023-12-{last}"))
    assert cleared(0, "run_failed/refresh_daily", within).ends(key) is ends
    assert not cleared(0, "run_failed/load_history", within).ends(key)
    assert cleared(0, "run_failed/refresh_daily", within).ends("run_failed/refresh_daily")
    assert not cleared(0, "run_failed/refresh_daily").ends(key)
    assert not cleared(0, "run_failed", within).ends("run_failed/refresh_daily")
    assert DayRange.parse(str(within)) == within


def test_the_moment_at_which_an_alert_reached_a_level_is_kept() -> None:
    events = [raised(0, "info"), raised(1), raised(2), raised(3, "critical"), raised(4)]
    reached = []
    for count in range(1, len(events) + 1):
        _, (alert,) = apply_events(events[:count])
        reached.append((alert.warning_at, alert.critical_at))
    warned, both = (moment(1), None), (moment(1), moment(3))
    assert reached == [(None, None), warned, warned, both, both]
