"""What a backed-up lake holds: contents of tables, models in force, the newest submission.

The manifest says it of a backup; a restored copy is compared with that.
"""

from collections.abc import Iterator
from pathlib import Path

from quant_assets.backup.manifest import Artifact, Submission, TableContent
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.promotion_tables import RELEASES
from quant_assets.lake.store.artifacts import is_artifact_stored
from quant_assets.lake.store.frozen import FrozenLake

_FITS = "fits."
_QUICK = 10.0
"""Seconds that a fit may take which is made again to prove a backup."""


def digest_contents(lake: FrozenLake) -> dict[str, TableContent]:
    """Digest every table of the lake."""
    return {name: _digest(lake, name) for name in lake.list_tables()}


def digest_newest_submission(lake: FrozenLake) -> Submission | None:
    """Digest the newest stored submission; None before the first."""
    if SUBMISSIONS.name not in lake.list_tables():
        return None
    [(day,)] = lake.rows(f"SELECT max(trading_day)::VARCHAR FROM {SUBMISSIONS.quoted}")
    if day is None:
        return None
    return Submission(day, _digest(lake, SUBMISSIONS.name, f"trading_day = DATE '{day}'"))


def find_artifacts_in_force(lake: FrozenLake) -> list[Artifact]:
    """Return the models of the newest fit of each family, and of all releases."""
    return sorted(set(_list_artifacts(lake)), key=lambda artifact: artifact.name)


def find_unreadable(artifacts: list[Artifact], folder: Path) -> list[Artifact]:
    """Return the models that are missing or altered in a folder."""
    return [a for a in artifacts if not is_artifact_stored(folder, a.name, a.sha256)]


def list_newest_fits(lake: FrozenLake) -> list[tuple[str, str]]:
    """Return family and as-of day of each family's newest fit with a model.

    The slowest of the fits that took little time come first, because they prove most.
    """
    fits: list[tuple[float, str, str]] = []
    for table in lake.list_tables():
        if table.startswith(_FITS):
            fits += lake.rows(
                f"SELECT seconds, ?, trading_day::VARCHAR FROM {_quote(table)}"
                " WHERE artifact IS NOT NULL ORDER BY trading_day DESC LIMIT 1",
                [table.removeprefix(_FITS)],
            )
    quick = sorted(fit for fit in fits if fit[0] <= _QUICK)
    slow = sorted(fit for fit in fits if fit[0] > _QUICK)
    return [(family, day) for _, family, day in [*reversed(quick), *slow]]


def _list_artifacts(lake: FrozenLake) -> Iterator[Artifact]:
    tables = lake.list_tables()
    for table in tables:
        if table.startswith(_FITS):
            rows = lake.rows(
                f"SELECT artifact, sha256 FROM {_quote(table)}"
                " WHERE artifact IS NOT NULL ORDER BY trading_day DESC LIMIT 1"
            )
            yield from (Artifact(*row) for row in rows)
    if RELEASES.name in tables:
        rows = lake.rows(
            f"SELECT artifact, sha256 FROM {RELEASES.quoted} WHERE artifact IS NOT NULL"
        )
        yield from (Artifact(*row) for row in rows)


def _digest(lake: FrozenLake, table: str, condition: str = "true") -> TableContent:
    content = lake.digest(table, condition)
    return TableContent(content.rows, content.digest)


def _quote(table: str) -> str:
    schema, _, name = table.partition(".")
    return f'"{schema}"."{name}"'
