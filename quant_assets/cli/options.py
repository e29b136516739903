"""Options that several commands share. What a command does with them belongs elsewhere."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer


def _parse_moment(text: str) -> datetime:
    """Return an ISO date or datetime; UTC where it names no offset."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is no ISO date or datetime, such as 2024-03-01T22:00"
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


AsKnown = Annotated[
    datetime | None,
    typer.Option(
        parser=_parse_moment,
        metavar="MOMENT",
        help="Read what the lake knew then, such as 2024-03-01T22:00 (UTC); a date is its 00:00.",
    ),
]
Readable = Annotated[
    list[Path] | None,
    typer.Option(
        "--read", metavar="PATH", help="A file or folder that SQL may read; may be repeated."
    ),
]


def find_asked_snapshot(root: Path, as_known: datetime | None) -> int | None:
    """Return the snapshot of a knowledge time; None, which is the newest, without one.

    Args:
        root: folder of the lake.
        as_known: the knowledge time.

    Raises:
        LakeError: no snapshot of that time is kept, or the lake cannot be opened.
    """
    from quant_assets.lake.store.snapshots import find_snapshot

    return None if as_known is None else find_snapshot(root, as_known)
