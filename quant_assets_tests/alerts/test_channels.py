"""Names of channels, sending to them, and that a URL is never repeated."""

import logging
from pathlib import Path

import pytest

from quant_assets.alerts.channels import Channels, open_channels
from quant_assets.commands.doctor import run_checks
from quant_assets.core.errors import SettingsError
from quant_assets.core.settings import Settings, load_settings
from quant_assets_tests.support.alert_receiver import (
    SECRET,
    closed_port,
    open_receiver,
    url,
    with_channels,
)

TOKENS = "T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


def send(channels: Channels) -> str | None:
    ((name,),) = (names for names in channels.names.values() if names)
    return channels.send(name, "critical", "the subject", "the text")


def test_a_name_has_the_scheme_and_no_host_that_may_be_a_token(settings: Settings) -> None:
    named = with_channels(
        settings,
        critical=f"slack://{TOKENS}/ mailto://desk:{SECRET}@example.com ntfy://{SECRET}",
        warning=f"json://user:{SECRET}@host:99/{SECRET} slack://{TOKENS}x/",
        info=f"slack://{TOKENS}/",
    )
    assert open_channels(named).names == {
        "critical": ("slack:// (5546c1)", "mailto://example.com:25", "ntfy://"),
        "warning": ("json://host:99", "slack:// (9bce6c)"),
        "info": ("slack:// (5546c1)",),
    }


def test_no_channel_takes_the_name_of_a_removed_channel(settings: Settings) -> None:
    first, second = f"slack://{TOKENS}/", f"slack://{TOKENS}x/"
    both = open_channels(with_channels(settings, critical=f"{first} {second}"))
    left = open_channels(with_channels(settings, critical=second))
    assert set(left.services) == {"slack://", both.names["critical"][1]}
    assert left.names["critical"] == ("slack://",)


def test_without_urls_there_are_no_channels(settings: Settings) -> None:
    assert not open_channels(settings).services


@pytest.mark.parametrize("bad", [f"slack://{SECRET}", f"nothing://{SECRET}"])
def test_a_url_apprise_cannot_use_is_refused_without_being_repeated(
    settings: Settings, bad: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(SettingsError) as caught:
        open_channels(with_channels(settings, warning=f"json://host {bad}"))
    assert caught.value.where == "QUANT_ALERTS_WARNING, URL 2"
    assert caught.value.hint
    assert bad.partition("://")[0] in str(caught.value)
    assert SECRET not in str(caught.value) + caplog.text


def test_text_that_is_no_url_is_refused_without_being_repeated(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("QUANT_ALERTS_INFO", f"json://host {SECRET}")
    with pytest.raises(SettingsError, match="QUANT_ALERTS_INFO") as caught:
        load_settings()
    assert SECRET not in str(caught.value)
    assert "scheme://" in str(caught.value)


def test_settings_and_doctor_do_not_show_urls(settings: Settings) -> None:
    named = with_channels(settings, critical=f"json://host/{SECRET}", warning=f"slack://{SECRET}")
    findings = {finding.subject: finding for finding in run_checks(named)}
    assert (
        SECRET not in f"{named!r} {named} {named.model_dump()} {named.model_dump_json()} {findings}"
    )
    assert findings["alerts critical"].value == "json://host"
    assert not findings["alerts warning"].ok
    assert findings["alerts info"].value == "no channel: alerts are stored and sent to nobody"


def test_a_message_arrives_with_subject_text_and_level(settings: Settings) -> None:
    with open_receiver() as server:
        assert send(open_channels(with_channels(settings, critical=server.url))) is None
    ((path, body),) = server.requests
    assert path.startswith(f"/{SECRET}")
    assert (body["title"], body["message"], body["type"]) == ("the subject", "the text", "failure")


@pytest.mark.parametrize("status", [500, 403])
def test_a_refusal_is_described_by_its_status(
    settings: Settings, status: int, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with open_receiver() as server:
        server.status = status
        error = send(open_channels(with_channels(settings, critical=server.url)))
    assert error == f"refused with status {status}"
    assert SECRET not in caplog.text


def test_no_connection_and_no_answer_are_errors(
    settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert send(open_channels(with_channels(settings, info=url(closed_port())))) == (
        "no connection, or no answer"
    )
    with open_receiver() as server:
        server.delay = 2
        assert send(open_channels(with_channels(settings, info=server.url))) == (
            "no connection, or no answer"
        )
    assert SECRET not in caplog.text


def test_sending_to_a_removed_channel_is_an_error(settings: Settings) -> None:
    assert "QUANT_ALERTS" in str(open_channels(settings).send("slack://", "info", "one", "two"))
