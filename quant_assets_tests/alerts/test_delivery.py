"""Messages sent to real channels on loopback: each once, and none lost."""

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
from quant_assets.lake.schemas.alert_tables import ALERT_DELIVERIES, ALERTS
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
    """A clock that stands still until :meth:`wait` moves it."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment

    def wait(self, **time: float) -> None:
        self.moment += timedelta(**time)


class Dispatcher:
    """A store, the channels of some settings, and a clock."""

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
        """Return everything that is stored, as text."""
        tables = (self.lake.query(f"FROM {table.quoted}") for table in (ALERTS, ALERT_DELIVERIES))
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


def test_opening_escalation_and_recovery_are_sent_once_each(
    open_dispatcher: OpenDispatcher, server: Receiver
) -> None:
    dispatcher = open_dispatcher(warning=server.url, critical=server.url)
    observed = [raised(0), raised(1), raised(2, "critical"), raised(3, "critical")]
    events: list[ConditionRaised | ConditionCleared] = [*observed, cleared(4)]
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
    assert [x.attempts for x in dispatcher.alert_store.messages()] == [1, 1, 1]


def test_messages_written_between_two_deliveries_are_sent_in_order(
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
    assert [x.count for x in dispatcher.alert_store.alerts(closed=True)] == [1, 1]
    assert dispatcher.alert_store.messages() == []


def test_an_alert_may_have_its_first_message_at_its_escalation(
    open_dispatcher: OpenDispatcher, server: Receiver
) -> None:
    dispatcher = open_dispatcher(critical=server.url)
    dispatcher.take_in(raised(0), raised(1, "critical"), cleared(2))
    dispatcher.deliver()
    assert server.titles == ["[critical] data is late", "[resolved] data is late"]
    assert dispatcher.alert_store.alerts(closed=True)[0].delivered_at == dispatcher.clock()


def test_a_channel_that_comes_back_gets_each_missed_message_once(
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


def test_a_channel_that_is_down_delays_no_other_channel(
    open_dispatcher: OpenDispatcher, server: Receiver
) -> None:
    dispatcher = open_dispatcher(warning=f"{url(closed_port())} {server.url}")
    dispatcher.take_in(*(raised(i, key=f"key {i}") for i in range(5)))
    outcome = dispatcher.deliver()
    assert (len(outcome.sent), len(outcome.failed)) == (5, 1)
    assert sorted(x.attempts for x in dispatcher.alert_store.messages()) == [0] * 4 + [1] * 6


def test_a_slow_channel_is_left_alone_until_the_next_delivery(
    open_dispatcher: OpenDispatcher, server: Receiver
) -> None:
    dispatcher = open_dispatcher(warning=server.url)
    server.delay = 2
    dispatcher.take_in(raised(0), raised(1, key="another"))
    outcome = dispatcher.deliver()
    assert [x.last_error for x in outcome.failed] == ["no connection, or no answer"]


@pytest.fixture
def given_up(
    open_dispatcher: OpenDispatcher, server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> Dispatcher:
    """An open_dispatcher whose only message was given up, with a channel that works again."""
    monkeypatch.setattr(messages, "MAX_ATTEMPTS", 4)
    dispatcher = open_dispatcher(critical=server.url)
    server.status = 500
    dispatcher.take_in(raised(0, "critical"))
    outcomes = []
    for _ in range(6):
        outcomes.append(dispatcher.deliver())
        dispatcher.clock.wait(hours=2)
    assert [len(x.failed) for x in outcomes] == [1, 1, 1, 0, 0, 0]
    assert [len(x.dead) for x in outcomes] == [0, 0, 0, 1, 0, 0]
    server.status = 200
    return dispatcher


def test_a_dead_letter_waits_until_it_is_sent_again(given_up: Dispatcher, server: Receiver) -> None:
    dispatcher = given_up
    (letter,) = dispatcher.alert_store.dead_letters()
    assert (letter.attempts, letter.last_error) == (4, "refused with status 500")
    assert dispatcher.deliver() == DeliveryResult()
    assert resend_dead_letters(dispatcher.alert_store, dispatcher.clock) == 1
    assert len(dispatcher.deliver().sent) == 1
    assert resend_dead_letters(dispatcher.alert_store, dispatcher.clock) == 0
    assert server.titles == ["[critical] data is late"]
    assert dispatcher.alert_store.alerts()[0].delivered_at == dispatcher.clock()


def test_a_channel_without_the_opening_gets_neither_it_nor_the_recovery(
    given_up: Dispatcher, server: Receiver
) -> None:
    dispatcher = given_up
    assert dispatcher.take_in(cleared(1)) == []
    assert resend_dead_letters(dispatcher.alert_store, dispatcher.clock) == 0
    assert dispatcher.deliver() == DeliveryResult()
    assert server.titles == []
    assert len(dispatcher.alert_store.dead_letters()) == 1


def test_a_recovery_is_given_up_with_its_opening(
    open_dispatcher: OpenDispatcher, server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recovery was written while the opening might still have been delivered."""
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
    assert [x.kind for x in dispatcher.deliver().sent] == ["opening", "recovery"]


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


def test_an_interrupted_note_of_a_delivery_is_made_up_for(
    open_dispatcher: OpenDispatcher, server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    dispatcher = open_dispatcher(warning=server.url)
    dispatcher.take_in(raised(0))
    with monkeypatch.context() as patch:
        patch.setattr(AlertStore, "note_deliveries", lambda store: None)
        dispatcher.deliver()
    assert dispatcher.alert_store.alerts()[0].delivered_at is None
    dispatcher.deliver()
    assert dispatcher.alert_store.alerts()[0].delivered_at == dispatcher.clock()
    assert len(server.titles) == 1


def test_threads_take_equal_events_in_once(
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
    with (
        Lake(settings.lake_dir) as lake,
        AlertStore(lake, settings.lake_dir).lock_sending() as locked,
    ):
        report.send("holds it" if locked else "does not hold it")
        report.recv()


@pytest.mark.parametrize("sent", [False, True])
def test_a_kill_between_intent_and_record_loses_nothing(
    open_dispatcher: OpenDispatcher, server: Receiver, sent: bool
) -> None:
    dispatcher = open_dispatcher(warning=server.url)
    dispatcher.take_in(raised(0))
    child = process_context().Process(
        target=deliver_and_be_killed, args=(dispatcher.settings.data_dir, server.url, sent)
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    (message,) = dispatcher.alert_store.messages()
    assert (message.attempts, message.last_error) == (1, "the attempt was interrupted")
    assert dispatcher.deliver() == DeliveryResult()
    dispatcher.clock.wait(minutes=1)
    assert len(dispatcher.deliver().sent) == 1
    assert server.titles == ["[warning] data is late"] * (2 if sent else 1)
    assert dispatcher.deliver() == DeliveryResult()


def deliver_and_be_killed(data_dir: Path, where: str, sent: bool) -> None:
    """Deliver, and kill this process right before or right after sending."""

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
        target=take_in_and_be_killed, args=(dispatcher.settings.data_dir, server.url)
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert dispatcher.alert_store.alerts(closed=True) == []
    assert len(dispatcher.deliver().sent) == 1
    dispatcher.take_in(raised(0), cleared(1))
    dispatcher.deliver()
    assert server.titles == ["[warning] data is late", "[resolved] data is late"]


def take_in_and_be_killed(data_dir: Path, where: str) -> None:
    """Take an event in, and kill this process before the alert itself is written."""

    def write(self: AlertStore, table: object, records: object) -> None:
        if table == ALERTS:
            os.kill(os.getpid(), signal.SIGKILL)
        original(self, table, records)  # type: ignore[arg-type]

    original = AlertStore._write
    AlertStore._write = write  # type: ignore[method-assign]
    settings = with_channels(Settings(data_dir=data_dir), warning=where)
    with Lake(settings.lake_dir) as lake:
        AlertStore(lake, settings.lake_dir).take_in([raised(0)], open_channels(settings).names)
