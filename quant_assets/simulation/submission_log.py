"""A log of the rehearsed submissions, written outside the lake when each is stored first.

Whether the log agrees with the lake is judged in ``simulation.assessment``.
"""

import json
from collections.abc import Collection
from dataclasses import asdict, dataclass
from datetime import date
from hashlib import sha256
from pathlib import Path

import dagster as dg

from quant_assets.lake.readers.days import read_newest_day
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.price_tables import VALIDATED_PRICES
from quant_assets.lake.schemas.table import LIVE
from quant_assets.lake.store.lake import Lake

_LOG_FILE = "submitted.jsonl"
_STEP = "submissions__daily"


@dataclass(frozen=True)
class LoggedSubmission:
    """A submission as it was when it was stored first.

    Attributes:
        day: trading day.
        known: newest day whose prices the lake held at that moment.
        digest: sha256 of the submission.
    """

    day: str
    known: str
    digest: str


class SubmissionLog:
    """Listens to runs, and logs every submission when it is stored first.

    Args:
        root: folder of the rehearsal, in which the log lies.
        lake: the lake from which submissions are read.
        begin: first day whose submission is logged.
    """

    def __init__(self, root: Path, lake: Lake, begin: date) -> None:
        self._root, self._lake, self._begin = root, lake, begin
        self._logged_days = {submission.day for submission in read_log(root)}

    def __call__(self, entry: dg.EventLogEntry) -> None:
        """Log new submissions, if the event is the end of the step that writes them."""
        event = entry.dagster_event
        if event and event.is_step_success and entry.step_key == _STEP:
            self._log_new_submissions()

    def _log_new_submissions(self) -> None:
        digests = digest_submissions(self._lake, self._begin, besides=self._logged_days)
        known = newest_prices(self._lake)
        with (self._root / _LOG_FILE).open("a") as file:
            for day in sorted(digests):
                file.write(json.dumps(asdict(LoggedSubmission(day, known, digests[day]))) + "\n")
        self._logged_days |= digests.keys()


def read_log(root: Path) -> list[LoggedSubmission]:
    """Read the log of the rehearsal in a root folder, oldest first; empty before it exists."""
    path = root / _LOG_FILE
    if not path.exists():
        return []
    return [LoggedSubmission(**json.loads(line)) for line in path.read_text().splitlines()]


def newest_prices(lake: Lake) -> str:
    """The newest day whose prices the lake holds."""
    return str(read_newest_day(lake, VALIDATED_PRICES))


def digest_submissions(lake: Lake, begin: date, besides: Collection[str] = ()) -> dict[str, str]:
    """Compute the sha256 of each live submission, by day.

    Args:
        lake: holds the submissions.
        begin: first day.
        besides: days that are left out.
    """
    rows = lake.arrow(
        "SELECT trading_day::VARCHAR AS day, date_id, stored_at, list(target ORDER BY target),"
        f" list(value ORDER BY target) FROM {SUBMISSIONS.quoted} WHERE trading_day >= ?"
        f" AND origin = '{LIVE}' AND NOT list_contains(?::VARCHAR[], trading_day::VARCHAR)"
        " GROUP BY ALL ORDER BY day",
        [begin, list(besides)],
    ).to_pylist()
    return {row["day"]: sha256(repr(list(row.values())).encode()).hexdigest() for row in rows}
