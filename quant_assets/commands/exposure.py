"""Who can reach a server: other machines only where a user asks for it."""

import ipaddress
import socket

from quant_assets.core.errors import SettingsError


def require_private(host: str, *, insecure: bool) -> str | None:
    """Refuse an address that other machines can reach, unless the user insists.

    Args:
        host: the address or name to listen on.
        insecure: whether the user insists.

    Returns:
        A warning for an address that others can reach; None for this machine's own.

    Raises:
        SettingsError: others can reach the address, and the user does not insist; or nobody knows
            the name.
    """
    if is_loopback(host):
        return None
    reason = "the server asks nobody for a password: whoever reaches it sees and changes everything"
    if insecure:
        return f"{host or 'every address'} can be reached from other machines; {reason}"
    raise SettingsError(
        "other machines could reach the server",
        where=f"--host {host}",
        expected="an address of this machine alone, such as 127.0.0.1",
        found=reason,
        hint="reach it through an SSH tunnel or a proxy that asks for a password; or add"
        " --insecure, where everyone who can reach the address is trusted",
    )


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches an address or a name; "" is every address.

    Raises:
        SettingsError: nobody knows the name.
    """
    if not host:
        return False
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SettingsError(
            "the address cannot be listened on",
            where=f"--host {host}",
            found=str(error),
            hint="name an address of this machine, such as 127.0.0.1",
        ) from error
    return all(ipaddress.ip_address(str(place[0])).is_loopback for *_, place in found)
