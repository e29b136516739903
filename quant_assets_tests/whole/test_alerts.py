"""``quant-assets alerts``, as a person uses it."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from quant_assets.alerts import messages
from quant_assets.alerts.alert_lifecycle import ConditionCleared, ConditionRaised
from quant_assets.alerts.alert_store import AlertStore
from quant_assets.alerts.channels import open_channels
from quant_assets.alerts.delivery import deliver_messages
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.alert_receiver import (
    SECRET,
    Receiver,
    closed_port,
    open_receiver,
    url,
    with_channels,
)
from quant_assets_tests.support.installation import Command, Installation

KEY = "run_failed/refresh_daily/2023-12-29"
AT = datetime(2023, 12, 29, 22, 15, tzinfo=UTC)
RAISED = ConditionRaised(
    KEY, "critical", "refresh_daily failed", "no prices", date(2023, 12, 29), AT
)


@pytest.fixture
def server() -> Iterator[Receiver]:
    with open_receiver() as opened:
        yield opened


@pytest.fixture
def empty(tmp_path: Path) -> Installation:
    """An installation with nothing loaded and no alerts."""
    return Installation(tmp_path)


def take_in(
    installation: Installation,
    *events: ConditionRaised | ConditionCleared,
    where: str,
    attempts: int = 0,
) -> None:
    """Open alerts with a channel, and try to deliver a number of times, each time when due."""
    settings = with_channels(installation.settings, critical=where)
    with Lake(settings.lake_dir) as lake:
        book = AlertStore(lake, settings.lake_dir)
        book.take_in(events, open_channels(settings).names)
        for _ in range(attempts):
            (message,) = book.pending()
            due = message.next_attempt or AT
            deliver_messages(
                book, lambda: open_channels(settings), lambda due=due: due, lambda: 1.0
            )  # type: ignore[misc]


def test_with_nothing_to_tell_it_says_so_and_makes_no_lake(
    empty: Installation, command: Command
) -> None:
    assert command(empty, "alerts").succeeded().out.startswith("no open alerts (")
    assert (
        command(empty, "alerts", "--all").succeeded().out.startswith("no alert was ever raised (")
    )
    assert not empty.settings.lake_dir.exists()


def test_open_alerts_are_listed_and_closed_ones_on_request(
    empty: Installation, command: Command
) -> None:
    another = ConditionRaised("data_late", "warning", "data is late", "", None, AT)
    later = datetime(2023, 12, 29, 23, tzinfo=UTC)
    take_in(empty, RAISED, another, ConditionCleared("data_late", "it came", later), where="")
    shown = command(empty, "alerts").succeeded().out
    for word in ("critical", "refresh_daily failed", KEY, "2023-12-29 22:15", "no channel"):
        assert word in shown
    assert "data is late" not in shown
    everything = command(empty, "alerts", "--all").succeeded().out
    assert "data is late" in everything
    assert "2023-12-29 23:00" in everything


def test_a_test_message_says_of_each_channel_what_came_of_it(
    empty: Installation, command: Command, server: Receiver
) -> None:
    port = closed_port()
    finished = command(
        empty, "alerts", "--test", "warning", QUANT_ALERTS_WARNING=f"{server.url} {url(port)}"
    )
    assert finished.status == 1
    assert finished.out.splitlines() == [
        f"{server.name}: sent",
        f"json://127.0.0.1:{port}: no connection, or no answer",
    ]
    assert server.titles == ["[warning] test"]
    assert SECRET not in finished.out + finished.err
    command(empty, "alerts", "--test", "info", QUANT_ALERTS_INFO=server.url).succeeded()
    command(empty, "alerts", "--test", "info").refused_with("no channel", "QUANT_ALERTS_INFO")
    assert not empty.settings.lake_dir.exists()


def test_dead_letters_are_shown_and_sent_again(
    empty: Installation, command: Command, server: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messages, "MAX_ATTEMPTS", 3)
    server.status = 500
    take_in(empty, RAISED, where=server.url, attempts=3)
    shown = command(empty, "alerts").succeeded().out
    for word in ("given up", "refused with status 500", server.name, "--resend"):
        assert word in shown
    server.status = 200
    again = command(empty, "alerts", "--resend", QUANT_ALERTS_CRITICAL=server.url).succeeded()
    assert again.out.startswith("1 messages are due again: 1 sent")
    assert server.titles == ["[critical] refresh_daily failed"]
    assert "given up" not in command(empty, "alerts").succeeded().out
    last = command(empty, "alerts", "--resend", QUANT_ALERTS_CRITICAL=server.url).succeeded()
    assert last.out == "no message was given up\n"


def test_an_alert_can_be_closed_by_hand(
    empty: Installation, command: Command, server: Receiver
) -> None:
    take_in(empty, RAISED, where=server.url, attempts=1)
    command(empty, "alerts", "--close", KEY[:-1]).refused_with("unknown key", KEY)
    closed = command(empty, "alerts", "--close", KEY, QUANT_ALERTS_CRITICAL=server.url)
    assert "1 messages will say so" in closed.succeeded().out
    assert command(empty, "alerts").succeeded().out.startswith("no open alerts (")


def test_a_clock_that_went_back_does_not_keep_one_open(
    empty: Installation, command: Command, server: Receiver
) -> None:
    ahead = replace(RAISED, at=datetime.now(UTC) + timedelta(hours=1))
    take_in(empty, ahead, where=server.url)
    closed = command(empty, "alerts", "--close", KEY, QUANT_ALERTS_CRITICAL=server.url)
    assert "1 messages will say so" in closed.succeeded().out


def test_a_url_that_cannot_be_used_is_refused_without_being_shown(
    empty: Installation, command: Command
) -> None:
    for bad in (SECRET, f"slack://{SECRET}"):
        finished = command(empty, "alerts", "--test", "critical", QUANT_ALERTS_CRITICAL=bad)
        finished.refused_with("QUANT_ALERTS_CRITICAL", "hint")
        assert SECRET not in finished.err + finished.out


def test_channels_do_not_make_a_market_load_again(
    loaded: Installation, command: Command, server: Receiver
) -> None:
    finished = command(loaded, "load", QUANT_ALERTS_CRITICAL=server.url)
    assert "nothing has changed" in finished.succeeded().out
