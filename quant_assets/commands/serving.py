"""Running the prediction API: who can reach it, its socket, and replacing a running server."""

import logging
import resource
import signal
import socket
import ssl
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from quant_assets.access.keys import read_keys
from quant_assets.commands.exposure import is_loopback
from quant_assets.commands.handover import ask_for_socket, offer_socket
from quant_assets.core.errors import SettingsError
from quant_assets.core.settings import Settings, require_market
from quant_assets.lake.store.lake import Lake

_BACKLOG = 2048
_DESCRIPTORS = 65_536


@dataclass(frozen=True)
class Address:
    """Where a server listens, and how.

    Attributes:
        host: address or name to listen on.
        port: port to listen on; 0 for a free one.
        certificate: file of the TLS certificate; None for no TLS.
        key: file of its key; None if the certificate's file has it.
    """

    host: str
    port: int
    certificate: Path | None = None
    key: Path | None = None

    @property
    def scheme(self) -> str:
        """The scheme of the server's addresses."""
        return "https" if self.certificate else "http"


def serve_api(
    settings: Settings, address: Address, *, takeover: bool, say: Callable[[str], object]
) -> None:
    """Answer requests until a signal arrives, or until another server takes over.

    Args:
        settings: the market, and the data directory, that is served.
        address: where to listen.
        takeover: take the socket of the server that listens there, and replace that server.
        say: called with the address once the server listens, and when it ends.

    Raises:
        SettingsError: no market is loaded yet, or another; others could reach a server that asks
            for no key; the port is taken; a file of TLS cannot be used.
        LakeError: the lake cannot be opened.
    """
    from quant_assets.api.app import create_app
    from quant_assets.api.server import ReplaceableServer, configure

    require_market(settings, loaded=True)
    _require_keys(settings, address, say)
    _check_certificate(address)
    app = create_app(settings)
    with ExitStack() as open_now:
        predecessor = ask_for_socket(settings.data_dir, address.port) if takeover else None
        if predecessor:
            open_now.enter_context(closing(predecessor))
        listener = predecessor.listener if predecessor else _listen(address)
        open_now.enter_context(listener)
        host, port = listener.getsockname()[:2]
        _require_same_host(host, address)

        def begin() -> None:
            open_now.enter_context(offer_socket(settings.data_dir, listener, server.leave))
            if predecessor:
                predecessor.replace()
            name = f"[{host}]" if ":" in host else host
            say(f"prediction API on {address.scheme}://{name}:{port}; Ctrl-C ends it")

        server = ReplaceableServer(
            configure(app, address.certificate, address.key), app, started=begin
        )
        for number in (signal.SIGTERM, signal.SIGINT):
            # uvicorn raises a signal again after it has ended in good order.
            signal.signal(number, lambda *_: None)
        _prepare_process()
        server.run([listener])
        say("the prediction API has ended")


def _require_keys(settings: Settings, address: Address, say: Callable[[str], object]) -> None:
    """Refuse an address that others can reach while there are no keys; warn without TLS."""
    with Lake(settings.lake_dir, read_only=True) as lake:
        valid = [key for key in read_keys(lake).values() if key.revoked_at is None]
    if is_loopback(address.host):
        return
    if not valid:
        raise SettingsError(
            "other machines could reach a server that asks for no key",
            where=f"--host {address.host}",
            expected="at least one API key, or an address of this machine alone",
            found="no valid key",
            hint="make one with `quant-assets keys make NAME --role read`",
        )
    if not address.certificate:
        say(
            f"warning: {address.host or 'every address'} can be reached from other machines, and"
            " without --tls-cert keys and answers go over the network in clear text"
        )


def _check_certificate(address: Address) -> None:
    if address.key and not address.certificate:
        raise SettingsError("--tls-key needs --tls-cert as well")
    if address.certificate is None:
        return
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(address.certificate, address.key)
    except (OSError, ValueError) as error:
        raise SettingsError(
            "the certificate cannot be used",
            where=str(address.certificate),
            expected="PEM files of a certificate and of its key",
            found=str(error),
        ) from error


def _listen(address: Address) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    try:
        return socket.create_server((address.host, address.port), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise SettingsError(
            "the port cannot be listened on",
            where=f"{address.host}:{address.port}",
            found=error.strerror,
            hint="name another with --port, or replace the server that is open with --takeover",
        ) from error


def _require_same_host(host: str, address: Address) -> None:
    """Refuse a socket that listens elsewhere than the command says."""
    wanted = socket.getaddrinfo(address.host or None, None, flags=socket.AI_PASSIVE)
    if host not in {place[0] for *_, place in wanted}:
        raise SettingsError(
            "the server to take over from listens on another address",
            where=f"--host {address.host}",
            found=host,
            hint="name its address, or end it first",
        )


def _prepare_process() -> None:
    """Let the process have as many connections as the system allows, and log errors plainly."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    logging.basicConfig(format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    # Whatever bytes strangers send is no fault of the server.
    logging.getLogger("uvicorn.error").setLevel(logging.ERROR)
