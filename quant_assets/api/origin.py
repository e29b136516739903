"""Where a request comes from: this machine, another one, or a page of another site."""

import ipaddress
from contextlib import suppress
from urllib.parse import urlsplit

from starlette.requests import HTTPConnection

_FORWARDED = ("forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via")


def is_of_this_machine(connection: HTTPConnection) -> bool:
    """Return whether a program or a person on this machine sent a request directly.

    The address must be a loopback one. So must be the name in the header Host: another site's
    name may be made to lead here, and its pages would then read answers (DNS rebinding). A request
    that a proxy forwarded comes from elsewhere, whatever its headers claim.
    """
    client = connection.client
    hosts = connection.headers.getlist("host")
    return (
        client is not None
        and is_loopback(client.host)
        and len(hosts) == 1
        and is_loopback(_name_of(hosts[0]))
        and not any(name in connection.headers for name in _FORWARDED)
    )


def is_from_another_site(connection: HTTPConnection) -> bool:
    """Return whether a browser sent a request on behalf of a page of another site.

    Browsers name the page's site in the header Origin of every request that could change
    something, and of every WebSocket; Sec-Fetch-Site compares the sites for all others. A person
    who follows a link from another site looks at this one. Programs leave these headers out.
    """
    headers = connection.headers
    if origins := headers.getlist("origin"):
        return [urlsplit(origin).netloc for origin in origins] != headers.getlist("host")
    elsewhere = headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}
    return elsewhere and headers.get("sec-fetch-mode") != "navigate"


def is_loopback(host: str) -> bool:
    """Return whether an address or a name is one of this machine alone, without asking DNS.

    >>> is_loopback("127.0.0.1"), is_loopback("localhost"), is_loopback("localhost.evil.com")
    (True, True, False)
    """
    if host.lower() == "localhost":
        return True
    with suppress(ValueError):
        address = ipaddress.ip_address(host)
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback
    return False


def _name_of(host: str) -> str:
    """Return the name in a header Host, without port and brackets; empty if it is malformed."""
    with suppress(ValueError):
        parts = urlsplit(f"//{host}")
        if parts.netloc == host and parts.username is None:
            return parts.hostname or ""
    return ""
