"""API keys: making, listing, revoking and recognising them.

Who asks for what over the network belongs in ``api.security``.
"""

import hmac
import re
import secrets
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Literal, get_args

from quant_assets.core.errors import AccessError, UnauthenticatedError, unknown_name
from quant_assets.core.locks import hold_lock
from quant_assets.lake.schemas.access_tables import KEYS
from quant_assets.lake.store.lake import Lake

Role = Literal["read", "predict", "operate"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Roles in ascending order; each may do all that the former may."""
_FORM = re.compile(r"qa_([0-9a-f]{12})_[0-9a-f]{64}")
_NO_DIGEST = "0" * 64
_PATIENCE = 10.0


@dataclass(frozen=True)
class AccessKey:
    """A key as the lake has it.

    Attributes:
        id: public part of the key.
        name: the holder.
        role: what the holder may do.
        sha256: digest of the whole key.
        made_at: when it was made, UTC.
        revoked_at: when it was revoked, UTC; None while it is valid.
    """

    id: str
    name: str
    role: Role
    sha256: str
    made_at: datetime
    revoked_at: datetime | None = None


def role_allows(role: Role, wanted: Role) -> bool:
    """Return whether a role includes another.

    >>> role_allows("operate", "read"), role_allows("read", "predict")
    (True, False)
    """
    return ROLES.index(role) >= ROLES.index(wanted)


def read_keys(lake: Lake) -> dict[str, AccessKey]:
    """Read all keys by their ids, in the order in which they were made."""
    if not lake.has(KEYS):
        return {}
    rows = lake.arrow(f"SELECT * FROM {KEYS.quoted} ORDER BY made_at, id").to_pylist()
    return {row["id"]: AccessKey(**row) for row in rows}


def make_key(
    lake: Lake, folder: Path, name: str, role: Role, now: datetime
) -> tuple[AccessKey, str]:
    """Make a key and store its digest.

    Args:
        lake: stores the digest.
        folder: the lake's folder, in which the lock lies.
        name: the holder; no other valid key may have the name.
        role: what the holder may do.
        now: the present moment, UTC.

    Returns:
        The stored key, and the token that its holder sends. The token cannot be read again.

    Raises:
        AccessError: the name is empty, not printable or taken, or another process is writing keys.
    """
    if not name.strip() or not name.isprintable() or len(name) > 100:
        raise AccessError(
            "a key needs a name", expected="1 to 100 printable characters", found=repr(name[:100])
        )
    with _lock_keys(folder):
        keys = read_keys(lake)
        if any(key.name == name and key.revoked_at is None for key in keys.values()):
            raise AccessError(
                "a valid key has the name already",
                found=repr(name),
                hint="revoke that key first, or choose another name",
            )
        token = _draw_token()
        key = AccessKey(token.split("_")[1], name, role, _digest(token), now.replace(tzinfo=None))
        _store(lake, key)
    return key, token


def revoke_key(lake: Lake, folder: Path, key_id: str, now: datetime) -> AccessKey:
    """Revoke a key: servers refuse it within about a second.

    Args:
        lake: holds the keys.
        folder: the lake's folder, in which the lock lies.
        key_id: id of the key.
        now: the present moment, UTC.

    Raises:
        UnknownNameError: there is no such key.
        AccessError: the key is revoked already, or another process is writing keys.
    """
    with _lock_keys(folder):
        keys = read_keys(lake)
        if key_id not in keys:
            raise unknown_name("id of a key", key_id[:100], list(keys))
        if keys[key_id].revoked_at is not None:
            raise AccessError(
                "the key is revoked already", where=key_id, found=f"{keys[key_id].revoked_at} UTC"
            )
        key = replace(keys[key_id], revoked_at=now.replace(tzinfo=None))
        _store(lake, key)
    return key


def recognise_key(keys: Mapping[str, AccessKey], token: str) -> AccessKey:
    """Return the valid key that a token belongs to.

    Args:
        keys: all keys by their ids.
        token: what a caller sent; it is not repeated in errors.

    Raises:
        UnauthenticatedError: the token is malformed, unknown, wrong or revoked. The error does not
            say which, so that nobody learns ids from it.
    """
    form = _FORM.fullmatch(token)
    key = keys.get(form[1]) if form else None
    # A key has 256 random bits, so nobody can try all candidates for a digest: a password's slow
    # hash would protect nothing, and cost each request milliseconds. The comparison takes equal
    # time however much of the digest agrees, also for an unknown id.
    equal = hmac.compare_digest(_digest(token), key.sha256 if key else _NO_DIGEST)
    if key is None or not equal or key.revoked_at is not None:
        raise UnauthenticatedError(
            "the API key is not valid",
            expected="a key that `quant-assets keys make` printed, and that is not revoked",
            hint="send it as X-API-Key: qa_... or as Authorization: Bearer qa_...",
        )
    return key


def _draw_token() -> str:
    return f"qa_{secrets.token_hex(6)}_{secrets.token_hex(32)}"


def _digest(token: str) -> str:
    return sha256(token.encode(errors="replace")).hexdigest()


def _store(lake: Lake, key: AccessKey) -> None:
    lake.replace_matching(KEYS, "id", {name: [value] for name, value in asdict(key).items()})


def _lock_keys(folder: Path) -> AbstractContextManager[None]:
    return hold_lock(
        folder / "keys.lock", _PATIENCE, AccessError, "another process is writing keys"
    )
