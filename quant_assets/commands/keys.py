"""``quant-assets keys``: make, list and revoke API keys, and look at the audit."""

from pathlib import Path

import pandas as pd

from quant_assets.access.audit import read_audit
from quant_assets.access.keys import Role, make_key, read_keys, revoke_key
from quant_assets.commands.console import format_table
from quant_assets.core.clock import Clock
from quant_assets.core.errors import LakeError
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake

_MOMENT = "%Y-%m-%d %H:%M:%S"
_NO_KEYS = "no key was ever made: servers answer programs of this machine alone"


def make(settings: Settings, name: str, role: Role) -> tuple[str, str]:
    """Make a key.

    Args:
        settings: name the data directory.
        name: the holder.
        role: what the holder may do.

    Returns:
        The token, and a sentence about it.

    Raises:
        AccessError: the name cannot be used.
        LakeError: there is no lake.
    """
    _require_lake(settings.lake_dir)
    with Lake(settings.lake_dir) as lake:
        first = not read_keys(lake)
        key, token = make_key(lake, settings.lake_dir, name, role, Clock().now())
    note = f"key {key.id} of {name}, role {role}; it is shown this once"
    return token, note + (
        "\nfrom now on, servers of this data directory ask everybody for a key" if first else ""
    )


def list_keys(settings: Settings) -> str:
    """Return a table of all keys, or a sentence if there are none."""
    with Lake(settings.lake_dir, read_only=True) as lake:
        keys = read_keys(lake)
    rows = [
        {
            "id": key.id,
            "name": key.name,
            "role": key.role,
            "made": f"{key.made_at:{_MOMENT}}",
            "revoked": f"{key.revoked_at:{_MOMENT}}" if key.revoked_at else None,
        }
        for key in keys.values()
    ]
    return format_table(pd.DataFrame(rows), as_given=True) if rows else _NO_KEYS


def revoke(settings: Settings, key_id: str) -> str:
    """Revoke a key; return a sentence about it.

    Raises:
        UnknownNameError: there is no such key.
        AccessError: the key is revoked already.
        LakeError: there is no lake.
    """
    _require_lake(settings.lake_dir)
    with Lake(settings.lake_dir) as lake:
        key = revoke_key(lake, settings.lake_dir, key_id, Clock().now())
    return f"key {key.id} of {key.name} is revoked; servers refuse it within a second"


def list_audit(settings: Settings, count: int) -> str:
    """Return a table of the newest rows of the audit, or a sentence if there are none.

    Args:
        settings: name the data directory.
        count: how many rows to show at most.
    """
    with Lake(settings.lake_dir, read_only=True) as lake:
        rows = read_audit(lake, settings.audit_dir, count)
        names = {key.id: key.name for key in read_keys(lake).values()}
    shown = [
        {
            "moment": f"{row.moment:{_MOMENT}}",
            "key": row.key_id or None,
            "name": names.get(row.key_id),
            "operation": row.operation,
            "status": row.status,
            "release": row.release or None,
            "input": row.input_sha256[:12],
            "answer": row.answer_sha256[:12],
            "ms": f"{row.seconds * 1000:.1f}",
        }
        for row in rows
    ]
    if not shown:
        return "no prediction and no operation was ever asked for"
    return format_table(pd.DataFrame(shown), as_given=True)


def _require_lake(folder: Path) -> None:
    if not folder.exists():
        raise LakeError(
            "there is no lake yet",
            where=str(folder),
            hint="run `make demo` or `quant-assets load` first, or set QUANT_DATA_DIR",
        )
