"""Types of settings that take more than a number's range: folders, URLs, ascending shares.

A value that does not fit raises ``ValueError`` with what was expected, as pydantic wants it.
"""

import re
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, SecretStr

SIMULATED = "simulated"
DESCRIPTION_SUFFIXES = (".yaml", ".yml")
DESCRIPTION = "market.yaml"
"""Name of the file that describes a market; a folder that has it is named as a source by it."""
_PERIODS = 3


def _make_absolute(path: Path) -> Path:
    try:
        return path.expanduser().resolve()
    except RuntimeError as error:
        raise ValueError(f"a folder that exists or can be made: {error}") from None


def _require_name(path: object) -> object:
    if path == "":
        raise ValueError("a folder, or the variable unset")
    return path


def _refuse_patterns(path: Path) -> Path:
    """Refuse a folder that Dagster and DuckLake, which glob paths, take for a pattern.

    Dagster would overlook its ``dagster.yaml`` there, and send telemetry.
    """
    if found := sorted(set("*?[]") & set(str(path))):
        raise ValueError(f"a folder without {' '.join(found)} in its path, which is {path}")
    return path


def _make_source_absolute(source: str) -> str:
    if source == SIMULATED:
        return source
    path = _keep_links(Path(source))
    return str(path / DESCRIPTION if (path / DESCRIPTION).is_file() else path)


def _keep_links(path: Path) -> Path:
    """Make a path absolute, and follow only the links that stand before a ``..``.

    A link that is moved to newer data names the same source.
    """
    try:
        parts = path.expanduser().absolute().parts
        until = max((i + 1 for i, part in enumerate(parts) if part == ".."), default=0)
        return Path(*parts[:until]).resolve().joinpath(*parts[until:])
    except RuntimeError as error:
        raise ValueError(f"a folder that exists or can be made: {error}") from None


def _require_urls(text: SecretStr) -> SecretStr:
    """Check the form of the URLs only: the library that knows the services imports slowly."""
    if all(re.fullmatch(r"[A-Za-z][\w+.-]*://\S+", url) for url in text.get_secret_value().split()):
        return text
    raise ValueError("URLs of the form scheme://..., separated by spaces")


def _require_ascending(text: str) -> str:
    expected = "shares above 0 in ascending order, separated by commas, the last one 1"
    try:
        shares = [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(expected) from None
    steps = zip([0.0, *shares], shares, strict=False)
    if all(before < after for before, after in steps) and shares[-1] == 1:
        return text
    raise ValueError(expected)


def _require_counts(text: str) -> str:
    parts = text.split(",")
    if len(parts) == _PERIODS and all(part.strip().isdecimal() for part in parts) and int(parts[0]):
        return text
    raise ValueError("three whole numbers joined by commas, such as 7, 4, 12; the first is above 0")


def _make_path_absolute(path: Path | None) -> Path | None:
    return None if path is None else _make_absolute(path)


BackupDirectory = Annotated[
    Path | None, BeforeValidator(_require_name), AfterValidator(_make_path_absolute)
]
BackupsKept = Annotated[str, AfterValidator(_require_counts)]
DataDirectory = Annotated[
    Path,
    BeforeValidator(_require_name),
    AfterValidator(_make_absolute),
    AfterValidator(_refuse_patterns),
]
SourceName = Annotated[str, AfterValidator(_make_source_absolute)]
AlertUrls = Annotated[SecretStr, AfterValidator(_require_urls)]
AscendingShares = Annotated[str, AfterValidator(_require_ascending)]
