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
from quant_assets_tests.alerts.test_alert_lifecycle import BEGIN, cleared, raised
from quant_assets_tests.support.alert_receiver import (
    SECRET,
    Receiver,
    closed_port,
    receiving,
    telling,
    url,
)
from quant_assets_tests.support.lake_processes import ended, processes


class Clock:
    """A clock that stands still until :meth:`wait` moves it."""

    def __init__(self, moment: datetime) -> None:
        self.moment = moment

    def __call__(self) -> datetime:
        return self.moment

    def wait(self, **time: float) -> None:
        self.moment += timedelta(**time)


class Office:
    """A store, the channels of some settings, and a clock."""

    def __init__(self, lake: Lake, settings: Settings) -> None:
        self.lake = lake
        self.settings = settings
        self.store = AlertStore(lake, settings.lake_dir)
        self.clock = Clock(BEGIN + timedelta(hours=1))

    def take_in(self, *events: ConditionRaised | ConditionCleared) -> list[Message]:
        return self.store.take_in(events, open_channels(self.settings).names)

    def deliver(self) -> DeliveryResult:
        return deliver_messages(
            self.store, lambda: open_channels(self.settings), self.clock, lambda: 1.0
        )

    def everything(self) -> str:
        """Return everything that is stored, as text."""
        tables = (self.lake.query(f"FROM {table.quoted}") for table in (ALERTS, ALERT_DELIVERIES))
        return "".join(rows.to_csv() for rows in tables)


OpenOffice = Callable[..., Office]


@pytest.fixture
def office(tmp_path: Path) -> Iterator[OpenOffice]:
    """Make an office: ``office(warning=url)``."""
    settings = Settings(data_dir=tmp_path)
    with Lake(settings.lake_dir) as lake:
        yield lambda **urls: Office(lake, telling(settings, **urls))


@pytest.fixture
def server() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


def test_opening_escalation_and_recovery_are_sent_once_each(
    office: OpenOffice, server: Receiver
) -> None:
    desk = office(warning=server.url, critical=server.url)
    observed = [raised(0), raised(1), raised(2, "critical"), raised(3, "critical")]
    events: list[ConditionRaised | ConditionCleared] = [*observed, cleared(4)]
    for i in range(len(events)):
        desk.take_in(*events[: i + 1])
        desk.deliver()
        desk.deliver()
    assert server.titles == [
        "[warning] data is late",
        "[critical] data is late",
        "[resolved] data is late",
    ]
    (alert,) = desk.store.alerts(closed=True)
    assert (alert.count, alert.level, alert.delivered_at) == (4, "critical", desk.clock())
    assert desk.store.alerts() == []
    assert [x.attempts for x in desk.store.messages()] == [1, 1, 1]


def test_messages_written_between_two_deliveries_are_sent_in_order(
    office: OpenOffice, server: Receiver
) -> None:
    desk = office(warning=server.url)
    desk.take_in(raised(0), cleared(1), raised(2), cleared(3))
    assert len(desk.deliver().sent) == 4
    assert Counter(server.titles) == {"[warning] data is late": 2, "[resolved] data is late": 2}
    texts = [body["message"] for _, body in server.requests]
    assert texts.index("seen 0") < texts.index("data has come")


def test_without_channels_alerts_are_stored_and_nothing_is_sent(office: OpenOffice) -> None:
    desk = office()
    assert desk.deliver() == DeliveryResult()
    assert desk.take_in(raised(0), cleared(1), raised(2)) == []
    assert desk.deliver() == DeliveryResult()
    assert [x.count for x in desk.store.alerts(closed=True)] == [1, 1]
    assert desk.store.messages() == []


def test_an_alert_may_have_its_first_message_at_its_escalation(
    office: OpenOffice, server: Receiver
) -> None:
    desk = office(critical=server.url)
    desk.take_in(raised(0), raised(1, "critical"), cleared(2))
    desk.deliver()
    assert server.titles == ["[critical] data is late", "[resolved] data is late"]
    assert desk.store.alerts(closed=True)[0].delivered_at == desk.clock()


def test_a_channel_that_comes_back_gets_each_missed_message_once(office: OpenOffice) -> None:
    port = closed_port()
    desk = office(warning=url(port))
    desk.take_in(raised(0))
    (failed,) = desk.deliver().failed
    assert failed.last_error == "no connection, or no answer"
    assert desk.store.alerts()[0].delivered_at is None
    desk.clock.wait(seconds=29)
    assert desk.deliver() == DeliveryResult()
    with receiving(port) as server:
        desk.clock.wait(seconds=2)
        server.status = 500
        assert desk.deliver().failed[0].last_error == "refused with status 500"
        desk.take_in(cleared(1))
        desk.clock.wait(minutes=2)
        server.status = 200
        assert len(desk.deliver().sent) == 2
        assert server.titles == ["[warning] data is late", "[resolved] data is late"]
    assert desk.store.alerts(closed=True)[0].delivered_at == desk.clock()


def test_a_channel_that_is_down_delays_no_other_channel(
    office: OpenOffice, server: Receiver
) -> None:
    desk = office(warning=f"{url(closed_port())} {server.url}")
    desk.take_in(*(raised(i, key=f"key {i}") for i in range(5)))
    outcome = desk.deliver()
    assert (len(outcome.sent), len(outcome.failed)) == (5, 1)
    assert sorted(x.attempts for x in desk.store.messages()) == [0] * 4 + [1] * 6


def test_a_slow_channel_is_left_alone_until_the_next_delivery(
    office: OpenOffice, server: Receiver
) -> None:
    desk = office(warning=server.url)
    server.delay = 2
    desk.take_in(raised(0), raised(1, key="another"))
    outcome = desk.deliver()
    assert [x.last_error for x in outcome.failed] == ["no connection, or no answer"]


@pytest.fixture
def given_up(office: OpenOffice, server: Receiver, monkeypatch: pytest.MonkeyPatch) -> Office:
    """An office whose only message was given up, with a channel that works again."""
    monkeypatch.setattr(messages, "MAX_ATTEMPTS", 4)
    desk = office(critical=server.url)
    server.status = 500
    desk.take_in(raised(0, "critical"))
    outcomes = []
    for _ in range(6):
        outcomes.append(desk.deliver())
        desk.clock.wait(hours=2)
    assert [len(x.failed) for x in outcomes] == [1, 1, 1, 0, 0, 0]
    assert [len(x.dead) for x in outcomes] == [0, 0, 0, 1, 0, 0]
    server.status = 200
    return desk


def test_a_dead_letter_waits_until_it_is_sent_again(given_up: Office, server: Receiver) -> None:
    desk = given_up
    (letter,) = desk.store.dead_letters()
    assert (letter.attempts, letter.last_error) == (4, "refused with status 500")
    assert desk.deliver() == DeliveryResult()
    assert resend_dead_letters(desk.store, desk.clock) == 1
    assert len(desk.deliver().sent) == 1
    assert resend_dead_letters(desk.store, desk.clock) == 0
    assert server.titles == ["[critical] data is late"]
    assert desk.store.alerts()[0].delivered_at == desk.clock()


def test_a_channel_without_the_opening_gets_neither_it_nor_the_recovery(
    given_up: Office, server: Receiver
) -> None:
    desk = given_up
    assert desk.take_in(cleared(1)) == []
    assert resend_dead_letters(desk.store, desk.clock) == 0
    assert desk.deliver() == DeliveryResult()
    assert server.titles == []
    assert len(desk.store.dead_letters()) == 1


def test_a_recovery_is_given_up_with_its_opening(
    office: OpenOffice, server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recovery was written while the opening might still have been delivered."""
    monkeypatch.setattr(messages, "MAX_ATTEMPTS", 2)
    desk = office(critical=server.url)
    server.status = 503
    desk.take_in(raised(0, "critical"))
    desk.deliver()
    desk.take_in(cleared(5))
    desk.clock.wait(hours=1)
    assert len(desk.deliver().dead) == 1
    server.status = 200
    desk.clock.wait(hours=1)
    assert desk.deliver().sent == ()
    assert resend_dead_letters(desk.store, desk.clock) == 2
    assert [x.kind for x in desk.deliver().sent] == ["opening", "recovery"]


def test_nothing_secret_is_stored(office: OpenOffice, server: Receiver) -> None:
    desk = office(critical=f"{server.url} {url(closed_port())} ntfy://{SECRET}")
    server.status = 403
    desk.take_in(raised(0, "critical"), cleared(1))
    desk.deliver()
    assert server.name in desk.everything()
    assert SECRET not in desk.everything()
    files = [path for path in desk.settings.data_dir.rglob("*") if path.is_file()]
    assert files
    assert not [path for path in files if SECRET.encode() in path.read_bytes()]


def test_an_interrupted_note_of_a_delivery_is_made_up_for(
    office: OpenOffice, server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk = office(warning=server.url)
    desk.take_in(raised(0))
    with monkeypatch.context() as patch:
        patch.setattr(AlertStore, "note_deliveries", lambda store: None)
        desk.deliver()
    assert desk.store.alerts()[0].delivered_at is None
    desk.deliver()
    assert desk.store.alerts()[0].delivered_at == desk.clock()
    assert len(server.titles) == 1


def test_threads_take_equal_events_in_once(office: OpenOffice, server: Receiver) -> None:
    desk = office(warning=server.url)
    events: list[ConditionRaised | ConditionCleared] = [
        raised(0),
        raised(1, "critical"),
        cleared(2),
        raised(3),
    ]
    with ThreadPoolExecutor(4) as pool:
        taken = list(pool.map(lambda i: desk.take_in(*events[: i + 1]), [0, 3, 1, 2, 3, 0]))
    assert sum(map(len, taken)) == len(desk.store.messages()) == 3
    newest, first = desk.store.alerts(closed=True)
    assert (first.count, newest.count) == (2, 1)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: desk.deliver(), range(4)))
    assert len(server.titles) == 3


def test_two_processes_never_send_at_once(office: OpenOffice, server: Receiver) -> None:
    desk = office(warning=server.url)
    desk.take_in(raised(0))
    ours, theirs = processes().Pipe()
    child = processes().Process(target=hold_the_sending, args=(desk.settings.data_dir, theirs))
    with ended(child):
        assert ours.recv() == "holds it"
        assert desk.deliver().busy
        assert server.titles == []
    # The lock ended with the process.
    assert len(desk.deliver().sent) == 1


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
    office: OpenOffice, server: Receiver, sent: bool
) -> None:
    desk = office(warning=server.url)
    desk.take_in(raised(0))
    child = processes().Process(
        target=deliver_and_be_killed, args=(desk.settings.data_dir, server.url, sent)
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    (message,) = desk.store.messages()
    assert (message.attempts, message.last_error) == (1, "the attempt was interrupted")
    assert desk.deliver() == DeliveryResult()
    desk.clock.wait(minutes=1)
    assert len(desk.deliver().sent) == 1
    assert server.titles == ["[warning] data is late"] * (2 if sent else 1)
    assert desk.deliver() == DeliveryResult()


def deliver_and_be_killed(data_dir: Path, where: str, sent: bool) -> None:
    """Deliver, and kill this process right before or right after sending."""

    def killed(self: Channels, name: str, level: str, subject: str, text: str) -> str | None:
        if sent:
            original(self, name, "warning", subject, text)
        os.kill(os.getpid(), signal.SIGKILL)
        return None

    original = Channels.send
    Channels.send = killed  # type: ignore[method-assign]
    settings = telling(Settings(data_dir=data_dir), warning=where)
    with Lake(settings.lake_dir) as lake:
        clock = Clock(BEGIN + timedelta(hours=1))
        deliver_messages(
            AlertStore(lake, settings.lake_dir), lambda: open_channels(settings), clock, lambda: 1.0
        )


def test_a_kill_between_messages_and_alert_loses_and_repeats_nothing(
    office: OpenOffice, server: Receiver
) -> None:
    desk = office(warning=server.url)
    child = processes().Process(
        target=take_in_and_be_killed, args=(desk.settings.data_dir, server.url)
    )
    child.start()
    child.join(60)
    assert child.exitcode == -signal.SIGKILL
    assert desk.store.alerts(closed=True) == []
    assert len(desk.deliver().sent) == 1
    desk.take_in(raised(0), cleared(1))
    desk.deliver()
    assert server.titles == ["[warning] data is late", "[resolved] data is late"]


def take_in_and_be_killed(data_dir: Path, where: str) -> None:
    """Take an event in, and kill this process before the alert itself is written."""

    def write(self: AlertStore, table: object, records: object) -> None:
        if table == ALERTS:
            os.kill(os.getpid(), signal.SIGKILL)
        original(self, table, records)  # type: ignore[arg-type]

    original = AlertStore._write
    AlertStore._write = write  # type: ignore[method-assign]
    settings = telling(Settings(data_dir=data_dir), warning=where)
    with Lake(settings.lake_dir) as lake:
        AlertStore(lake, settings.lake_dir).take_in([raised(0)], open_channels(settings).names)
