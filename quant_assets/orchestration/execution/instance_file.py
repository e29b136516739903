"""The ``dagster.yaml`` of Dagster's instance: the platform's defaults and what a user changes.

A user's ``dagster.yaml`` lies in the data directory. Its top-level keys replace the defaults' keys
whole, a key with ``null`` removes one, and ``storage`` replaces the three storages that the
defaults name. The result is written to DAGSTER_HOME by every command, below a line that says so.

Someone who edits the result instead loses nothing: the next command moves the edited keys to the
user's file, or refuses if that file exists and says something else.
"""

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import yaml

from quant_assets.core.errors import SettingsError
from quant_assets.core.files import write_atomically
from quant_assets.core.settings import Settings

_NAME = "dagster.yaml"
_GENERATED = "# Written by quant-assets from its defaults and "
_MOVED = "# Moved from {} by quant-assets, which writes that file anew.\n"
_OWN_CLASSES = "quant_assets."
_STORAGES = ("run_storage", "event_log_storage", "schedule_storage")
_EXPECTED = "YAML with one setting of Dagster's instance a top-level key, such as `retention:`"


def write_instance_file(defaults: Path, settings: Settings, changes: Mapping[str, Any]) -> None:
    """Write the ``dagster.yaml`` of DAGSTER_HOME.

    Args:
        defaults: the file with the platform's settings.
        settings: say where the data directory is.
        changes: top-level keys that replace both the defaults' and the user's.

    Raises:
        SettingsError: a file is no valid YAML, or edits of both files contradict each other.
        OSError: a file cannot be read or written.
    """
    users, result = settings.data_dir / _NAME, settings.dagster_home / _NAME
    base = {key: _set_home(value) for key, value in _read(defaults).items()}
    merged = merge_settings(base, _read(users) if users.exists() else {})
    edits = _find_edits(result, merged)
    if edits and users.exists():
        raise SettingsError(
            "settings of Dagster were edited in two files",
            where=str(result),
            expected=f"edits in {users} only, since the other file is written anew",
            found=f"other values of {', '.join(sorted(edits))}",
            hint=f"move what you want to keep to {users}, and delete {result}",
        )
    if edits:
        text = _MOVED.format(result) + yaml.safe_dump(edits)
        write_atomically(users, text.encode())
        merged = merge_settings(base, edits)
    write_atomically(result, _generate({**merged, **changes}, users).encode())


def merge_settings(defaults: Mapping[str, Any], users: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults with a user's top-level keys over them.

    Args:
        defaults: the platform's settings.
        users: a user's settings; ``None`` removes the key.
    """
    replaced = _STORAGES if users.get("storage") else ()
    kept = {key: value for key, value in defaults.items() if key not in replaced}
    return {key: value for key, value in {**kept, **users}.items() if value is not None}


def _generate(configuration: Mapping[str, Any], users: Path) -> str:
    body = yaml.safe_dump(dict(configuration))
    return f"{_GENERATED}{users}: edit that file.\n# {_digest(body)}\n{body}"


def _find_edits(result: Path, merged: Mapping[str, Any]) -> dict[str, Any]:
    """Return what somebody has changed in a generated file, or written into a file of their own.

    Classes of this package are never an edit: earlier versions wrote the file without a digest, and
    with the places that the classes had then.
    """
    if not result.exists():
        return {}
    head, _, rest = result.read_text().partition("\n")
    digest, _, body = rest.partition("\n")
    generated = head.startswith(_GENERATED)
    if generated and digest == f"# {_digest(body)}":
        return {}
    content = _read(result)
    removed = dict.fromkeys(merged.keys() - content.keys()) if generated else {}
    changed = {key: value for key, value in content.items() if merged.get(key) != value}
    return {key: value for key, value in {**changed, **removed}.items() if not _is_own(value)}


def _is_own(value: Any) -> bool:
    module = value.get("module") if isinstance(value, dict) else None
    return isinstance(module, str) and module.startswith(_OWN_CLASSES)


def _set_home(value: Any) -> Any:
    """Return a default setting; a storage of this package lies in DAGSTER_HOME."""
    if not _is_own(value) or "config" not in value:
        return value
    return {**value, "config": {**value["config"], "base_dir": {"env": "DAGSTER_HOME"}}}


def _digest(body: str) -> str:
    return sha256(body.encode()).hexdigest()


def _read(file: Path) -> dict[str, Any]:
    """Return the keys of a file; an empty file has none."""
    try:
        content = yaml.safe_load(file.read_text())
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        raise _refuse(file, mark.line + 1 if mark else 1, error.problem) from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise _refuse(file, 1, error) from None
    if content is None:
        return {}
    if not isinstance(content, dict) or not all(isinstance(key, str) for key in content):
        raise _refuse(file, 1, f"{type(content).__name__}: {str(content)[:60]}")
    return content


def _refuse(file: Path, line: int, found: object) -> SettingsError:
    return SettingsError(
        "the settings of Dagster cannot be read",
        where=f"{file}, line {line}",
        expected=_EXPECTED,
        found=found,
        hint="correct the file, or delete it to have the defaults",
    )
