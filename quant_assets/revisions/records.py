"""The records of revisions: what changed, what followed, and whether everything was done again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from quant_assets.core.errors import LakeError
from quant_assets.lake.readers.series import read_series
from quant_assets.lake.schemas.revision_tables import OUTDATED, REVISION_RUNS, REVISIONS
from quant_assets.lake.store.changes import Change, append, replace_all
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import InstrumentSeries, SeriesList
from quant_assets.revisions.differences import Revision, describe_differences
from quant_assets.revisions.effects import LabelMoves, compare_known_labels


@dataclass(frozen=True)
class RevisionRecord:
    """A revision that came to its end; the columns of ``monitoring.revision_runs``.

    ``labels`` and ``worst`` are None if the snapshot before the revision had expired.
    """

    known_at: datetime
    trading_day: date
    until: date
    finished_at: datetime
    summary: str
    labels: int | None
    worst: float | None
    snapshot: int


def list_mark_removal(lake: Lake, start: date, end: date) -> list[Change]:
    """List the change that removes the mark of days whose features are done.

    A mark of days that the source changed stays until scores are done as well, and
    :func:`finish_revision` removes it.

    Args:
        lake: the lake.
        start: first day whose features are done.
        end: last such day.
    """
    mark = _find_mark(lake, start, end)
    if mark is None or _read_revisions_of(lake, mark):
        return []
    return [_remove_mark()]


def finish_revision(
    lake: Lake, start: date, end: date, limit: float, now: datetime
) -> RevisionRecord | None:
    """Record the revision whose days were all done again, and remove its mark.

    Returns None, and changes nothing, if there is no such revision.

    Args:
        lake: the lake.
        start: first day that was done again.
        end: last such day.
        limit: move of a label from which it counts.
        now: the present moment, UTC.
    """
    mark = _find_mark(lake, start, end)
    revisions = _read_revisions_of(lake, mark) if mark else []
    if mark is None or not revisions:
        return None
    moves: LabelMoves | None
    try:
        moves = compare_known_labels(lake, mark["snapshot"], mark["known_at"], (start, end), limit)
    except LakeError:
        # The earlier snapshot has expired: what moved is not known any more.
        moves = None
    record = RevisionRecord(
        mark["known_at"],
        min(revision.first for revision in revisions),
        mark["until"],
        now.replace(tzinfo=None),
        describe_differences(revisions),
        moves.labels if moves else None,
        moves.worst if moves else None,
        lake.snapshot_id(),
    )
    row = {name: [value] for name, value in vars(record).items()}
    lake.change(append(REVISION_RUNS, row), _remove_mark())
    return record


def _find_mark(lake: Lake, start: date, end: date) -> dict[str, Any] | None:
    """Return the mark of days to do again, if it lies within a range of days."""
    marks = lake.arrow(f"FROM {OUTDATED.quoted}").to_pylist() if lake.has(OUTDATED) else []
    within = marks and start <= marks[0]["trading_day"] and marks[0]["until"] <= end
    return marks[0] if within else None


def _read_revisions_of(lake: Lake, mark: dict[str, Any]) -> list[Revision]:
    return read_revisions(lake, mark["known_at"]) if lake.has(REVISIONS) else []


def _remove_mark() -> Change:
    no_rows: dict[str, list[object]] = {column.name: [] for column in OUTDATED.columns}
    return replace_all(OUTDATED, no_rows)


def read_revisions(lake: Lake, since: datetime) -> list[Revision]:
    """Read the revisions that were stored at a moment or later, in the order they were stored."""
    rows = lake.arrow(
        f"FROM {REVISIONS.quoted} WHERE known_at >= ? ORDER BY known_at, trading_day",
        [since],
        needs=REVISIONS,
    ).to_pylist()
    series = read_series(lake)
    return [
        Revision(
            row["kind"],
            row["trading_day"],
            row["until"],
            series.column_of(InstrumentSeries(row["instrument"], row["field"]))
            if row["field"]
            else "",
            _number(row["before"]),
            _number(row["after"]),
            _number(row["factor"]),
            row["cells"],
        )
        for row in rows
    ]


def read_records(lake: Lake, after: datetime | None = None) -> Sequence[RevisionRecord]:
    """Read the records of the revisions that ended after a moment, oldest first."""
    if not lake.has(REVISION_RUNS):
        return []
    names = [column.name for column in REVISION_RUNS.columns]
    rows = lake.arrow(
        f"SELECT {', '.join(names)} FROM {REVISION_RUNS.quoted}"
        " WHERE finished_at > coalesce(?::TIMESTAMP, '1900-01-01') ORDER BY finished_at",
        [after],
    ).to_pylist()
    return [RevisionRecord(**row) for row in rows]


def _name_column(series: SeriesList, row: dict[str, Any]) -> str:
    """Return the name of a revised series in the source; empty if the whole day changed."""
    if not row["field"]:
        return ""
    return series.column_of(InstrumentSeries(row["instrument"], row["field"]))


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
