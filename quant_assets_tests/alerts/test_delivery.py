"""Alerts told through real channels on loopback: each once, and none lost."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from quant_assets.alerts import messages
from quant_assets.alerts.alert_lifecycle import ConditionCleared, ConditionRaised
from quant_assets.alerts.alert_store import AlertStore
from quant_assets.alerts.channels import Channels, open_channels
from quant_assets.alerts.delivery import DeliveryResult, deliver_messages, resend_dead_letters
from quant_assets.alerts.messages import Message
from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.alert_tables import event_tables
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.alert_receiver import (
    SECRET,
    Receiver,
    closed_port,
    open_receiver,
    url,
    with_channels,
)
from quant_assets_tests.support.conditions import BEGIN, cleared, raised
from quant_assets_tests.support.lake_processes import process_context, running


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment

    def wait(self, **time: float) -> None:
        self.moment += timedelta(**time)


class Dispatcher:
    """A book, the channels of some settings, and a clock."""

    def __init__(self, lake: Lake, settings: Settings) -> None:
        self.lake = lake
        self.settings = settings
        self.alert_store = AlertStore(lake, settings.lake_dir)
        self.clock = Clock(BEGIN + timedelta(hours=1))

    def take_in(self, *events: ConditionRaised | ConditionCleared) -> list[Message]:
        return self.alert_store.take_in(events, open_channels(self.settings).names)

    def deliver(self) -> DeliveryResult:
        return deliver_messages(
            self.alert_store, lambda: open_channels(self.settings), self.clock, lambda: 1.0
        )

    def everything(self) -> str:
        """All that is stored, as text."""
        tables = (self.lake.query(f"FROM {table.quoted}") for table in event_tables())
        return "".join(rows.to_csv() for rows in tables)


OpenDispatcher = Callable[..., Dispatcher]


@pytest.fixture
def open_dispatcher(tmp_path: Path) -> Iterator[OpenDispatcher]:
    """Make an open_dispatcher: ``open_dispatcher(warning=url)``."""
    settings = Settings(data_dir=tmp_path)
    with Lake(settings.lake_dir) as lake:
        yield lambda **urls: Dispatcher(lake, with_channels(settings, **urls))


@pytest.fixture
def server() -> Iterator[Receiver]:
    with open_receiver() as opened:
        yield opened


def test_opening_escalation_and_recovery_are_told_once_each(
    open_dispatcher: OpenDispatcher, server: Receiver
) -> None:
    dispatcher = open_dispatcher(warning=server.url, critical=server.url)
    seen = [raised(0), raised(1), raised(2, "critical"), raised(3, "critical")]
    events: list[ConditionRaised | ConditionCleared] = [*seen, cleared(4)]
    for i in range(len(events)):
        dispatcher.take_in(*events[: i + 1])
        dispatcher.deliver()
        dispatcher.deliver()
    assert server.titles == [
        "[warning] data is late",
        "[critical] data is late",
        "[resolved] data is late",
    ]
    (alert,) = dispatcher.alert_store.alerts(closed=True)
    assert (alert.count, alert.level, alert.delivered_at) == (4, "critical", dispatcher.clock())
    assert dispatcher.alert_store.alerts() == []
    assert [one.attempts for one in dispatcher.alert_store.messages()] == [1, 1, 1]


def test_what_happens_between_two_deliveries_is_told_in_order(
    open_dispatcher: OpenDispatcher, server: Receiver
) -> None:
    dispatcher = open_dispatcher(warning=server.url)
    dispatcher.take_in(raised(0), cleared(1), raised(2), cleared(3))
    assert len(dispatcher.deliver().sent) == 4
    assert Counter(server.titles) == {"[warning] data is late": 2, "[resolved] data is late": 2}
    texts = [body["message"] for _, body in server.requests]
    assert texts.index("seen 0") < texts.index("data has come")


def test_without_channels_alerts_are_stored_and_nothing_is_sent(
    open_dispatcher: OpenDispatcher,
) -> None:
    dispatcher = open_dispatcher()
    assert dispatcher.deliver() == DeliveryResult()
    assert dispatcher.take_in(raised(0), cleared(1), raised(2)) == []
    assert dispatcher.deliver() == DeliveryResult()
    assert [one.count for one in dispatcher.alert_store.alerts(closed=True)] == [1, 1]
    assert dispatcher.alert_store.messages() == []


def test_an_alert_may_be_told_from_its_escalation_on(
    open_dispatcher: OpenDispatcher, server: Receiver
) -> None:
    dispatcher = open_dispatcher(critical=server.url)
    dispatcher.take_in(raised(0), raised(1, "critical"), cleared(2))
    dispatcher.deliver()
    assert server.titles == ["[critical] data is late", "[resolved] data is late"]
    assert dispatcher.alert_store.alerts(closed=True)[0].delivered_at == dispatcher.clock()


def test_a_channel_that_comes_back_gets_what_it_missed_once(
    open_dispatcher: OpenDispatcher,
) -> None:
    port = closed_port()
    dispatcher = open_dispatcher(warning=url(port))
    dispatcher.take_in(raised(0))
    (failed,) = dispatcher.deliver().failed
    assert failed.last_error == "no connection, or no answer"
    assert dispatcher.alert_store.alerts()[0].delivered_at is None
    dispatcher.clock.wait(seconds=29)
    assert dispatcher.deliver() == DeliveryResult()
    with open_receiver(port) as server:
        dispatcher.clock.wait(seconds=2)
        server.status = 500
        assert dispatcher.deliver().failed[0].last_error == "refused with status 500"
        dispatcher.take_in(cleared(1))
        dispatcher.clock.wait(minutes=2)
        server.status = 200
        assert len(dispatcher.deliver().sent) == 2
        assert server.titles == ["[warning] data is late", "[resolved] data is late"]
    assert dispatcher.alert_store.alerts(closed=True)[0].delivered_at == dispatcher.clock()


def test_a_channel_that_is_down_keeps_no_other_waiting(
    open_dispatcher: OpenDispatcher, server: Receiver
) -> None:
    dispatcher = open_dispatcher(warning=f"{url(closed_port())} {server.url}")
    dispatcher.take_in(*(raised(i, key=f"key {i}") for i in range(5)))
    outcome = dispatcher.deliver()
    assert (len(outcome.sent), len(outcome.failed)) == (5, 1)
    assert sorted(one.attempts for one in dispatcher.alert_store.messages()) == [0] * 4 + [1] * 6


def test_a_slow_channel_is_given_up_for_now(
    open_dispatcher: OpenDispatcher, server: Receiver
) -> None:
    dispatcher = open_dispatcher(warning=server.url)
    server.delay = 2
    dispatcher.take_in(raised(0), raised(1, key="another"))
    outcome = dispatcher.deliver()
    assert [one.last_error for one in outcome.failed] == ["no connection, or no answer"]


@pytest.fixture
def given_up(
    open_dispatcher: OpenDispatcher, server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> Dispatcher:
    """A dispatcher whose one message was given up, with a channel that works again."""
    monkeypatch.setattr(messages, "MAX_ATTEMPTS", 4)
    dispatcher = open_dispatcher(critical=server.url)
    server.status = 500
    dispatcher.take_in(raised(0, "critical"))
    outcomes = []
    for _ in range(6):
        outcomes.append(dispatcher.deliver())
        dispatcher.clock.wait(hours=2)
    assert [len(one.failed) for one in outcomes] == [1, 1, 1, 0, 0, 0]
    assert [len(one.dead) for one in outcomes] == [0, 0, 0, 1, 0, 0]
    server.status = 200
    return dispatcher


def test_a_dead_letter_waits_until_it_is_sent_again(given_up: Dispatcher, server: Receiver) -> None:
    dispatcher = given_up
    (letter,) = dispatcher.alert_store.dead()
    assert (letter.attempts, letter.last_error) == (4, "refused with status 500")
    assert dispatcher.deliver() == DeliveryResult()
    assert resend_dead_letters(dispatcher.alert_store, dispatcher.clock) == 1
    assert len(dispatcher.deliver().sent) == 1
    assert resend_dead_letters(dispatcher.alert_store, dispatcher.clock) == 0
    assert server.titles == ["[critical] data is late"]
    assert dispatcher.alert_store.alerts()[0].delivered_at == dispatcher.clock()


def test_who_was_not_told_of_a_beginning_hears_neither_it_nor_the_end(
    given_up: Dispatcher, server: Receiver
) -> None:
    dispatcher = given_up
    assert dispatcher.take_in(cleared(1)) == []
    assert resend_dead_letters(dispatcher.alert_store, dispatcher.clock) == 0
    assert dispatcher.deliver() == DeliveryResult()
    assert server.titles == []
    assert len(dispatcher.alert_store.dead()) == 1


def test_an_end_waits_for_no_beginning_that_was_given_up(
    open_dispatcher: OpenDispatcher, server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The channel was told of while it might still have heard the beginning."""
    monkeypatch.setattr(messages, "MAX_ATTEMPTS", 2)
    dispatcher = open_dispatcher(critical=server.url)
    server.status = 503
    dispatcher.take_in(raised(0, "critical"))
    dispatcher.deliver()
    dispatcher.take_in(cleared(5))
    dispatcher.clock.wait(hours=1)
    assert len(dispatcher.deliver().dead) == 1
    server.status = 200
    dispatcher.clock.wait(hours=1)
    assert dispatcher.deliver().sent == ()
    assert resend_dead_letters(dispatcher.alert_store, dispatcher.clock) == 2
    assert [one.kind for one in dispatcher.deliver().sent] == ["opening", "recovery"]


def test_nothing_secret_is_stored(open_dispatcher: OpenDispatcher, server: Receiver) -> None:
    dispatcher = open_dispatcher(critical=f"{server.url} {url(closed_port())} ntfy://{SECRET}")
    server.status = 403
    dispatcher.take_in(raised(0, "critical"), cleared(1))
    dispatcher.deliver()
    assert server.name in dispatcher.everything()
    assert SECRET not in dispatcher.everything()
    files = [path for path in dispatcher.settings.data_dir.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


def test_what_was_delivered_is_said_even_if_that_was_interrupted(
    open_dispatcher: OpenDispatcher, server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatcher = open_dispatcher(warning=server.url)
    dispatcher.take_in(raised(0))
    with monkeypatch.context() as patch:
        patch.setattr(AlertStore, "note_deliveries", lambda book: None)
        dispatcher.deliver()
    assert dispatcher.alert_store.alerts()[0].delivered_at is None
    dispatcher.deliver()
    assert dispatcher.alert_store.alerts()[0].delivered_at == dispatcher.clock()
    assert len(server.titles) == 1


def test_threads_that_see_the_same_take_it_in_once(
    open_dispatcher: OpenDispatcher, server: Receiver
) -> None:
    dispatcher = open_dispatcher(warning=server.url)
    events: list[ConditionRaised | ConditionCleared] = [
        raised(0),
        raised(1, "critical"),
        cleared(2),
        raised(3),
    ]
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda i: dispatcher.take_in(*events[: i + 1]), [0, 3, 1, 2, 3, 0]))
    assert sum(map(len, taken)) == len(dispatcher.alert_store.messages()) == 3
    newest, first = dispatcher.alert_store.alerts(closed=True)
    assert (first.count, newest.count) == (2, 1)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: dispatcher.deliver(), range(4)))
    assert len(server.titles) == 3


def test_two_processes_never_send_at_once(
    open_dispatcher: OpenDispatcher, server: Receiver
) -> None:
    dispatcher = open_dispatcher(warning=server.url)
    dispatcher.take_in(raised(0))
    ours, theirs = process_context().Pipe()
    child = process_context().Process(
        target=hold_the_sending, args=(dispatcher.settings.data_dir, theirs)
    )
    with running(child):
        assert ours.recv() == "holds it"
        assert dispatcher.deliver().busy
        assert server.titles == []
    # The lock ended with the process.
    assert len(dispatcher.deliver().sent) == 1


def hold_the_sending(data_dir: Path, report: Connection) -> None:
    settings = Settings(data_dir=data_dir)
    with Lake(settings.lake_dir) as lake, AlertStore(lake, settings.lake_dir).sending() as mine:
        report.send("holds it" if mine else "does not hold it")
        report.recv()


@pytest.mark.parametrize("sent", [False, True])
def test_a_kill_between_intent_and_record_loses_nothing(
    open_dispatcher: OpenDispatcher, server: Receiver, sent: bool
) -> None:
    dispatcher = open_dispatcher(warning=server.url)
    dispatcher.take_in(raised(0))
    child = process_context().Process(
        target=deliver_and_die, args=(dispatcher.settings.data_dir, server.url, sent)
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    (message,) = dispatcher.alert_store.messages()
    assert (message.attempts, message.last_error) == (1, "the attempt was cut short")
    assert dispatcher.deliver() == DeliveryResult()
    dispatcher.clock.wait(minutes=1)
    assert len(dispatcher.deliver().sent) == 1
    assert server.titles == ["[warning] data is late"] * (2 if sent else 1)
    assert dispatcher.deliver() == DeliveryResult()


def deliver_and_die(data_dir: Path, where: str, sent: bool) -> None:
    """Deliver, and be killed right before or right after sending."""

    def killed(self: Channels, name: str, level: str, subject: str, text: str) -> str | None:
        if sent:
            original(self, name, "warning", subject, text)
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    original = Channels.send
    Channels.send = killed  # type: ignore[method-assign]
    settings = with_channels(Settings(data_dir=data_dir), warning=where)
    with Lake(settings.lake_dir) as lake:
        clock = Clock(BEGIN + timedelta(hours=1))
        deliver_messages(
            AlertStore(lake, settings.lake_dir), lambda: open_channels(settings), clock, lambda: 1.0
        )


def test_a_kill_between_messages_and_alert_loses_and_repeats_nothing(
    open_dispatcher: OpenDispatcher, server: Receiver
) -> None:
    dispatcher = open_dispatcher(warning=server.url)
    child = process_context().Process(
        target=take_in_and_die, args=(dispatcher.settings.data_dir, server.url)
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert dispatcher.alert_store.alerts(closed=True) == []
    assert len(dispatcher.deliver().sent) == 1
    dispatcher.take_in(raised(0), cleared(1))
    dispatcher.deliver()
    assert server.titles == ["[warning] data is late", "[resolved] data is late"]


def take_in_and_die(data_dir: Path, where: str) -> None:
    """Take an event in, and be killed before the alert itself is written."""

    def write(self: AlertStore, table: object, records: object) -> None:
        if table == event_tables()[0]:
            os.kill(os.getpid(), signal.SIGKILL)
        original(self, table, records)  # type: ignore[arg-type]

    original = AlertStore._write
    AlertStore._write = write  # type: ignore[method-assign]
    settings = with_channels(Settings(data_dir=data_dir), warning=where)
    with Lake(settings.lake_dir) as lake:
        AlertStore(lake, settings.lake_dir).take_in([raised(0)], open_channels(settings).names)
