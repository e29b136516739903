"""A witness of what a rehearsed desk submits: noted when it is written, outside the desk's lake.

What the notes say of the desk is judged in ``verdict``.
"""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path

import dagster as dg

from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.schemas.tables import SUBMISSIONS, VALIDATED_PRICES
from quant_assets.lake.store.lake import Lake

_NOTES = "submitted.jsonl"
_STEP = "submissions__competition"


@dataclass(frozen=True)
class LoggedSubmission:
    """A submission at the moment it was written.

    Attributes:
        day: trading day.
        known: newest day of which the lake held prices then.
        digest: of the submission.
    """

    day: str
    known: str
    digest: str


class SubmissionLog:
    """Listens to runs, and notes every submission when it is first there.

    Args:
        root: of the rehearsal, where the notes are kept.
        lake: the desk's, to read from.
        begin: first day of interest.
    """

    def __init__(self, root: Path, lake: Lake, begin: date) -> None:
        self._root, self._lake, self._begin = root, lake, begin
        self._noted = {note.day for note in read_log(root)}

    def __call__(self, entry: dg.EventLogEntry) -> None:
        """Look at what is there, if submissions have just been written."""
        event = entry.dagster_event
        if event and event.is_step_success and entry.step_key == _STEP:
            self._look()

    def _look(self) -> None:
        found = digest_submissions(self._lake, self._begin, besides=self._noted)
        known = newest_prices(self._lake)
        with (self._root / _NOTES).open("a") as file:
            for day in sorted(found):
                file.write(json.dumps(asdict(LoggedSubmission(day, known, found[day]))) + "\n")
        self._noted |= found.keys()


def read_log(root: Path) -> list[LoggedSubmission]:
    """The notes below a root, in order; none before the first."""
    path = root / _NOTES
    if not path.exists():
        return []
    return [LoggedSubmission(**json.loads(line)) for line in path.read_text().splitlines()]


def newest_prices(lake: Lake) -> str:
    """The newest day of which the lake holds prices."""
    return str(read_newest_day(lake, VALIDATED_PRICES))


def digest_submissions(lake: Lake, begin: date, besides: Collection[str] = ()) -> dict[str, str]:
    """A digest of each stored submission from a day on, by day.

    Args:
        lake: the lake.
        begin: first day.
        besides: days that are left out.
    """
    rows = lake.arrow(
        f"FROM {SUBMISSIONS.quoted} WHERE trading_day >= ?"
        " AND NOT list_contains(?::VARCHAR[], trading_day::VARCHAR) ORDER BY trading_day",
        [begin, list(besides)],
    ).to_pylist()
    return {
        str(row["trading_day"]): sha256(repr(list(row.values())).encode()).hexdigest()
        for row in rows
    }
