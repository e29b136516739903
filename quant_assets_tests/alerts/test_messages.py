"""To whom an alert is told, and when a message is tried."""

from dataclasses import replace
from datetime import timedelta

import pytest

from quant_assets.alerts.alert_lifecycle import (
    Alert,
    ConditionCleared,
    ConditionRaised,
    Level,
    apply_event,
)
from quant_assets.alerts.messages import (
    MAX_ATTEMPTS,
    Message,
    address_messages,
    begin_attempt,
    end_attempt,
    revive_message,
    select_due,
)
from quant_assets_tests.support.conditions import cleared, moment, raised

CHANNELS: dict[Level, tuple[str, ...]] = {
    "critical": ("pager://", "mailto://desk"),
    "warning": ("mailto://desk",),
    "info": (),
}


def messages(*events: ConditionRaised | ConditionCleared) -> list[Message]:
    """Everything that events lead to."""
    newest: dict[str, Alert] = {}
    found: list[Message] = []
    for event in events:
        for step in apply_event(newest, event):
            newest[step.alert.key] = step.alert
            found += address_messages(step, CHANNELS, found, event.at)
    return found


def seen(found: list[Message]) -> list[tuple[str, str, str]]:
    return [(one.kind, one.channel, one.subject) for one in found]


def message() -> Message:
    return messages(raised(0))[0]


def test_a_level_goes_to_its_channels_and_the_end_to_all_who_were_told() -> None:
    assert seen(messages(raised(0), raised(1, "critical"), cleared(2))) == [
        ("opening", "mailto://desk", "[warning] data is late"),
        ("escalation", "pager://", "[critical] data is late"),
        ("escalation", "mailto://desk", "[critical] data is late"),
        ("recovery", "mailto://desk", "[resolved] data is late"),
        ("recovery", "pager://", "[resolved] data is late"),
    ]


def test_without_a_channel_nothing_is_told() -> None:
    assert messages(raised(0, "info"), cleared(1)) == []


def test_a_message_keeps_its_id_and_shares_it_with_no_other() -> None:
    events = raised(0), raised(1, "critical"), cleared(2), raised(3)
    ids = [one.id for one in messages(*events)]
    assert ids == [one.id for one in messages(*events)]
    assert len(set(ids)) == len(ids)


def test_an_end_waits_for_its_beginning() -> None:
    opening, recovery = messages(raised(0), cleared(1))
    assert select_due([recovery, opening], moment(2)) == [opening]
    later = begin_attempt(opening, moment(2), lambda: 1.0)
    assert select_due([recovery, later], moment(2)) == []
    assert select_due([recovery, end_attempt(later, None, moment(2))], moment(2)) == [recovery]


def test_waiting_times_double_up_to_an_hour_and_then_end() -> None:
    one, waits = message(), []
    while one.next_attempt:
        begin = one.next_attempt
        one = end_attempt(begin_attempt(one, begin, lambda: 1.0), "refused", begin)
        waits.append((one.next_attempt - begin).total_seconds() if one.next_attempt else None)
    assert waits[:9] == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert set(waits[9:-1]) == {3600}
    assert waits[-1] is None
    assert len(waits) == MAX_ATTEMPTS == one.attempts
    assert (one.pending, one.delivered_at, one.last_error) == (False, None, "refused")
    again = revive_message(one, moment(9))
    assert select_due([again], moment(9)) == [again]
    assert again.attempts == 0


def test_a_clock_that_went_back_holds_up_no_message() -> None:
    later = moment(0) + timedelta(days=365)
    ahead = replace(message(), created_at=later, next_attempt=later)
    assert select_due([ahead], moment(0)) == [ahead]
    tried = begin_attempt(message(), later, lambda: 1.0)
    assert select_due([tried], moment(0)) == [tried]


@pytest.mark.parametrize("chance", [0.0, 0.25, 0.999])
def test_the_wait_is_drawn_from_all_of_it(chance: float) -> None:
    tried = begin_attempt(message(), moment(0), lambda: chance)
    assert tried.next_attempt == moment(0) + timedelta(seconds=30) * chance


def test_an_attempt_that_is_cut_short_counts() -> None:
    tried = begin_attempt(message(), moment(0), lambda: 1.0)
    assert (tried.attempts, tried.delivered_at, tried.pending) == (1, None, True)
    assert tried.last_error == "the attempt was cut short"
