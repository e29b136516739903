"""Asking before a load goes on with a description that has changed under stored data.

What each part of a description means belongs in ``market.description``.
"""

import json
import sys
from dataclasses import fields, is_dataclass
from hashlib import sha256
from typing import Any

import typer

from quant_assets.core.errors import MarketError
from quant_assets.core.files import write_atomically
from quant_assets.core.settings import Settings
from quant_assets.market.description.imputation import DEFAULT_IMPUTATION
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.universe import WITHOUT_PRICES
from quant_assets.market.description.values import Value

_KEPT = (
    "Kept: what was submitted live, and the fits whose inputs are the same. Done again: validated "
    "prices, features, fits, the forecasts of the history, and scores."
)


def confirm_changes(settings: Settings, market: MarketDescription, *, yes: bool) -> None:
    """Ask whether to go on if the description differs from that of the last load.

    Args:
        settings: name the description and the data directory.
        market: the description.
        yes: go on without asking.

    Raises:
        MarketError: the description has changed, and nobody can be asked or the answer is no.
    """
    changed = list_changed_parts(settings, market)
    if not changed:
        return
    typer.echo(f"{settings.source} has changed since the last load: {', '.join(changed)}\n{_KEPT}")
    if yes or (sys.stdin.isatty() and typer.confirm("load it?")):
        return
    raise MarketError(
        "the description has changed under stored data",
        where=settings.source,
        expected="the description of the last load",
        found=f"changed: {', '.join(changed)}",
        hint="`quant-assets load --yes` goes on; QUANT_DATA_DIR names another directory",
    )


def list_changed_parts(settings: Settings, market: MarketDescription) -> list[str]:
    """Return the keys of a description's parts that differ from those of the last load.

    Returns nothing before the first load of a described market.

    Args:
        settings: name the data directory.
        market: the description.
    """
    file = settings.description_parts_file
    if not file.exists():
        return []
    known, present = json.loads(file.read_bytes()), digest_parts(market)
    return [name for name in {**present, **known} if known.get(name) != present.get(name)]


def record_parts(settings: Settings, market: MarketDescription) -> None:
    """Record the parts of the description that a load was made with, for the next load."""
    parts = json.dumps(digest_parts(market))
    write_atomically(settings.description_parts_file, parts.encode())


def digest_parts(market: MarketDescription) -> dict[str, str]:
    """Return a digest of each part of a description, by its key; places of lines do not count."""
    parts: dict[str, Any] = {
        "instruments": market.naming,
        "group_by": market.all_groups,
        "calendar": market.calendar,
        "targets": market.targets,
        "submission": market.submission,
        "source": market.source,
    }
    if market.listings:
        parts["listings"] = tuple(market.listings.items())
    if market.tables:
        parts["tables"] = market.tables
    if market.universe != WITHOUT_PRICES:
        parts["universe"] = market.universe
    if market.imputation != DEFAULT_IMPUTATION:
        parts["imputation"] = market.imputation
    return {name: sha256(_to_text(part).encode()).hexdigest()[:16] for name, part in parts.items()}


def _to_text(part: Any) -> str:
    """Return a text that is equal for equal parts."""
    if isinstance(part, Value):
        return _to_text(part.content)
    if isinstance(part, dict):
        return f"{{{', '.join(f'{key!r}: {_to_text(value)}' for key, value in part.items())}}}"
    if isinstance(part, tuple):
        return f"({', '.join(map(_to_text, part))})"
    if is_dataclass(part):
        # Listings are a part of their own, so that descriptions without them keep their digests.
        compared = (each.name for each in fields(part) if each.compare and each.name != "listing")
        values = ", ".join(f"{name}={_to_text(getattr(part, name))}" for name in compared)
        return f"{type(part).__name__}({values})"
    return repr(part)
