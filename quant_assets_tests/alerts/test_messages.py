"""The channels of a message, and the moments at which it is tried."""

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
    """Apply events. Returns all messages about them."""
    newest: dict[str, Alert] = {}
    written: list[Message] = []
    for event in events:
        for transition in apply_event(newest, event):
            newest[transition.alert.key] = transition.alert
            written += address_messages(transition, CHANNELS, written, event.at)
    return written


def summarise(written: list[Message]) -> list[tuple[str, str, str]]:
    return [(x.kind, x.channel, x.subject) for x in written]


def message() -> Message:
    return messages(raised(0))[0]


def test_a_message_goes_to_its_level_and_a_recovery_to_all_channels_before() -> None:
    assert summarise(messages(raised(0), raised(1, "critical"), cleared(2))) == [
        ("opening", "mailto://desk", "[warning] data is late"),
        ("escalation", "pager://", "[critical] data is late"),
        ("escalation", "mailto://desk", "[critical] data is late"),
        ("recovery", "mailto://desk", "[resolved] data is late"),
        ("recovery", "pager://", "[resolved] data is late"),
    ]


def test_without_a_channel_there_is_no_message() -> None:
    assert messages(raised(0, "info"), cleared(1)) == []


def test_a_message_keeps_its_id_and_shares_it_with_no_other() -> None:
    events = raised(0), raised(1, "critical"), cleared(2), raised(3)
    ids = [x.id for x in messages(*events)]
    assert ids == [x.id for x in messages(*events)]
    assert len(set(ids)) == len(ids)


def test_a_recovery_waits_for_the_opening() -> None:
    opening, recovery = messages(raised(0), cleared(1))
    assert select_due([recovery, opening], moment(2)) == [opening]
    later = begin_attempt(opening, moment(2), lambda: 1.0)
    assert select_due([recovery, later], moment(2)) == []
    assert select_due([recovery, end_attempt(later, None, moment(2))], moment(2)) == [recovery]


def test_waits_double_up_to_an_hour_and_then_end() -> None:
    tried, waits = message(), []
    while tried.next_attempt:
        begin = tried.next_attempt
        tried = end_attempt(begin_attempt(tried, begin, lambda: 1.0), "refused", begin)
        waits.append((tried.next_attempt - begin).total_seconds() if tried.next_attempt else None)
    assert waits[:9] == [30, 60, 120, 240, 480, 960, 1920, 3600, 3600]
    assert set(waits[9:-1]) == {3600}
    assert waits[-1] is None
    assert len(waits) == MAX_ATTEMPTS == tried.attempts
    assert (tried.pending, tried.delivered_at, tried.last_error) == (False, None, "refused")
    again = revive_message(tried, moment(9))
    assert select_due([again], moment(9)) == [again]
    assert again.attempts == 0


def test_a_clock_that_is_set_back_delays_no_message() -> None:
    later = moment(0) + timedelta(days=365)
    ahead = replace(message(), created_at=later, next_attempt=later)
    assert select_due([ahead], moment(0)) == [ahead]
    tried = begin_attempt(message(), later, lambda: 1.0)
    assert select_due([tried], moment(0)) == [tried]


@pytest.mark.parametrize("chance", [0.0, 0.25, 0.999])
def test_the_wait_is_drawn_from_the_whole_range(chance: float) -> None:
    tried = begin_attempt(message(), moment(0), lambda: chance)
    assert tried.next_attempt == moment(0) + timedelta(seconds=30) * chance


def test_an_interrupted_attempt_counts() -> None:
    tried = begin_attempt(message(), moment(0), lambda: 1.0)
    assert (tried.attempts, tried.delivered_at, tried.pending) == (1, None, True)
    assert tried.last_error == "the attempt was interrupted"
