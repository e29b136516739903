"""``quant-assets serve`` as a process: it ends in good order, and is replaced without a loss."""

import signal
import socket
import ssl
import stat
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from quant_assets.access.keys import make_key
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.installation import Command, Installation
from quant_assets_tests.support.server_process import (
    ApiServer,
    Listener,
    Load,
    running_server,
    start_server,
)


@pytest.fixture(scope="module")
def served(
    loaded: Installation, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Installation, ApiServer]]:
    # A path that no address of a Unix socket has room for.
    folder = tmp_path_factory.mktemp("served") / ("long" * 30)
    installation = loaded.copy(folder)
    with running_server(installation) as server:
        yield installation, server


@pytest.mark.slow("three servers start while requests go on", seconds=25)
def test_a_server_is_replaced_twice_and_no_request_fails(
    served: tuple[Installation, ApiServer],
) -> None:
    installation, first = served
    listener = Listener(first.url)
    servers = [first]
    with Load(f"{first.url}/forecasts/latest", kept=4, new=2) as load:
        for _ in range(2):
            load.await_more()
            servers.append(start_server(installation, "--port", first.port, "--takeover"))
            assert servers[-2].process.wait(60) == 0
        load.await_more()
    servers[-1].end()
    for server in servers:
        server.close()
    assert load.failures == []
    assert load.answers > 600
    assert "going away" in listener.next("end")["reason"]
    listener.ends()
    assert not list((installation.settings.data_dir / "serving").iterdir())


def test_a_signal_ends_requests_and_streams_in_good_order(loaded: Installation) -> None:
    with running_server(loaded) as server:
        listener = Listener(server.url)
        start = listener.next("start")
        with socket.create_connection(("127.0.0.1", int(server.port))) as idle:
            assert server.end() == 0
            assert idle.recv(1) == b""
        assert listener.next("end")["resumable"] is True
        assert listener.blocks[0]["retry"] == "1000"
        assert start["id"] == listener.blocks[0]["id"]
        listener.ends()
        assert [line.split(" on ")[0].strip() for line in server.lines] == [
            "prediction API",
            "the prediction API has ended",
        ]


def test_after_a_kill_the_next_server_answers_the_same(
    loaded: Installation, command: Command
) -> None:
    with running_server(loaded) as killed:
        answer = httpx.get(f"{killed.url}/forecasts/latest")
        sockets = loaded.settings.data_dir / "serving"
        (file,) = sockets.glob(f"{killed.port}.sock")
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(sockets.stat().st_mode) == 0o700
        assert killed.end(signal.SIGKILL) == -signal.SIGKILL
    refused = command(loaded, "serve", "--port", killed.port, "--takeover")
    refused.refused_with("no server to take over from", "without --takeover")
    again = start_server(loaded, "--port", killed.port)
    try:
        assert httpx.get(f"{again.url}/forecasts/latest").content == answer.content
        other = command(loaded, "serve", "--port", killed.port)
        other.refused_with("cannot be listened on", "--takeover")
        elsewhere = command(
            loaded, "serve", "--port", killed.port, "--host", "127.0.0.2", "--takeover"
        )
        elsewhere.refused_with("another address", "127.0.0.1")
        assert httpx.get(f"{again.url}/forecasts/latest").content == answer.content
    finally:
        again.end()
        again.close()


def test_other_machines_need_keys(
    installation: Installation, command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = command(installation, "serve", "--host", "0.0.0.0")
    refused.refused_with("asks for no key", "quant-assets keys make")
    refused = command(installation, "serve", "--tls-key", "key.pem")
    refused.refused_with("--tls-cert")
    refused = command(installation, "serve", "--tls-cert", "/nowhere.pem")
    refused.refused_with("certificate cannot be used", "/nowhere.pem")
    command(Installation(installation.root / "empty"), "serve").refused_with("no market is loaded")


@pytest.mark.slow("a server process of its own, with TLS", seconds=10)
def test_a_server_for_others_asks_for_a_key_over_tls(
    installation: Installation, tmp_path: Path
) -> None:
    settings = installation.settings
    with Lake(settings.lake_dir) as lake:
        _, token = make_key(lake, settings.lake_dir, "ann", "read", datetime.now(UTC))
    certificate, key = make_certificate(tmp_path)
    tls = ["--tls-cert", str(certificate), "--tls-key", str(key)]
    with running_server(installation, "--host", "0.0.0.0", *tls) as server:
        assert server.url.startswith("https://0.0.0.0:")
        url = f"https://127.0.0.1:{server.port}/runs/none"
        with httpx.Client(verify=ssl.create_default_context(cafile=certificate)) as client:
            assert client.get(url).status_code == 401
            assert client.get(url, headers={"X-API-Key": token}).status_code == 404
        assert server.end() == 0
        assert token not in "".join(server.lines)


def make_certificate(folder: Path) -> tuple[Path, Path]:
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-subj", "/CN=localhost"),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-days", "2", "-keyout", str(key), "-out", str(certificate)),
        ],
        check=True,
        capture_output=True,
    )
    return certificate, key
