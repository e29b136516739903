"""A listening socket goes from one server to the next; one that dies meanwhile changes nothing."""

import socket
from pathlib import Path
from threading import Event

import pytest

from quant_assets.commands.handover import ask_for_socket, offer_socket
from quant_assets.core.errors import SettingsError


@pytest.fixture
def data_dir(tmp_path: Path) -> Path:
    """A path that a Unix socket's address has no room for."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    return folder


def test_a_successor_gets_the_same_socket(data_dir: Path) -> None:
    left = Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with offer_socket(data_dir, listener, left.set):
            died = ask_for_socket(data_dir, port)
            died.listener.close()
            died.close()
            successor = ask_for_socket(data_dir, port)
            assert not left.is_set()
            with offer_socket(data_dir, successor.listener, lambda: None):
                successor.replace()
                assert left.wait(10)
                listener.close()
                with socket.create_connection(("127.0.0.1", port)) as client:
                    served, _ = successor.listener.accept()
                    served.sendall(b"the new one")
                    served.close()
                    assert client.recv(20) == b"the new one"
                # What the old one leaves behind is not the new one's.
                again = ask_for_socket(data_dir, port)
                again.listener.close()
                again.close()
            successor.listener.close()
    assert list((data_dir / "serving").iterdir()) == []


def test_there_may_be_nothing_to_take_over(data_dir: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data_dir)
    with pytest.raises(SettingsError, match="no server to take over from"):
        ask_for_socket(data_dir, 8000)
    (data_dir / "serving").mkdir()
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind("serving/8000.sock")
    with pytest.raises(SettingsError, match="refused"):
        ask_for_socket(data_dir, 8000)
