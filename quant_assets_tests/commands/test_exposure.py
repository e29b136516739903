"""Servers are reached from this machine alone, unless a user insists."""

import pytest

from quant_assets.commands.exposure import require_private
from quant_assets.core.errors import SettingsError
from quant_assets_tests.support.installation import Command, Installation


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "localhost", "::1"])
def test_this_machine_needs_no_more(host: str) -> None:
    assert require_private(host, insecure=False) is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "192.0.2.1", "2001:db8::1"])
def test_others_need_it_said(host: str) -> None:
    with pytest.raises(SettingsError, match=r"password(?s:.*)--insecure"):
        require_private(host, insecure=False)
    warning = require_private(host, insecure=True)
    assert warning
    assert "other machines" in warning


@pytest.mark.parametrize("server", ["ui", "mlflow", "metrics"])
def test_every_server_asks(server: str, loaded: Installation, command: Command) -> None:
    command(loaded, server, "--host", "0.0.0.0").refused_with("other machines", "--insecure")
    # An address that this machine does not have: the warning comes, and no server begins.
    insisted = command(loaded, server, "--host", "192.0.2.1", "--insecure")
    insisted.refused_with("cannot be listened on", "192.0.2.1")
    assert "warning: 192.0.2.1 can be reached from other machines" in insisted.err
