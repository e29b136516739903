"""What goes wrong in a rehearsal, and when; and which alerts the platform has to open about it.

Days are numbered from 0, the first simulated trading day.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

BETTER, WORSE = "better challenger", "worse challenger"
CHANNEL_DOWN, RESTARTED = "alert channel down", "daemon restarted"
KILLED, FULL = "run killed", "full disk"
LATE, CORRUPT, CLOSED = "late source", "corrupt file", "market closed"
DRIFTING, BREAK = "drifting feature", "regime break"
SPLIT, DIVIDEND, CORRECTED = "split", "dividend", "corrected cell"
WITHDRAWN, DELETED, LEFT_OUT = "day withdrawn", "day deleted", "day left out"
HALF_WRITTEN, EMPTY, BAD_DAY = "half-written file", "empty row", "bad day"
LINK_MOVED = "link moved"
REVISIONS = (SPLIT, DIVIDEND, CORRECTED, WITHDRAWN, DELETED, LEFT_OUT, BAD_DAY)
"""Incidents after which the source's history differs from what it was before."""
FAMILIES = {BETTER: "lightgbm", WORSE: "autoregressive"}
"""The family that a person adds to the rank prior: walked forward, then trained with it."""
ALERTED: Mapping[str, Sequence[str]] = {
    CLOSED: ("check_failed/monitoring/data_quality/within_limits",),
    LATE: ("data_late/{day}",),
    CORRUPT: ("source_unreadable",),
    DRIFTING: (
        "check_failed/monitoring/anomalies/ordinary",
        "check_failed/monitoring/drift/as_trained",
    ),
    BREAK: ("check_failed/monitoring/rolling/as_expected",),
    KILLED: ("run_failed/refresh_daily/{day}",),
    FULL: ("run_failed/refresh_daily/{day}",),
    SPLIT: ("revised/{first_day}",),
    DIVIDEND: ("revised/{first_day}",),
    CORRECTED: ("revised/{corrected_day}",),
    WITHDRAWN: ("revised/{day}", "data_late/{day}"),
    DELETED: ("revised/{day}", "data_late/{day}"),
    LEFT_OUT: ("revised/{day}", "data_late/{day}"),
    BAD_DAY: ("set_aside/{day}", "revised/{day}", "run_failed/refresh_daily/{day}"),
}
"""Keys of the alerts that an incident opens, the first being the alert that reports it.

No alert reports an incident of another kind.
"""
CORRECTED_DAYS_BACK = 15
"""How many trading days before its correction a wrong close lies."""
YEAR_DAYS = 250
_RECOVERY_DAYS = 3
_LONGER_RECOVERY_DAYS = {BETTER: 25, BREAK: 8}
"""Trading days after an incident's last day within which the platform should have recovered."""
HURRIED = {
    "PROMOTION_STEP_DAYS": "1",
    "PROMOTION_JUDGED_DAYS": "5",
    "PROMOTION_PROBATION_DAYS": "5",
}
"""Settings with which a challenger passes all stages within a rehearsal of a few weeks."""


@dataclass(frozen=True)
class PlannedIncident:
    """An incident that a scenario plants.

    Attributes:
        kind: what happens.
        first: number of the day on which it begins.
        last: number of the last day on which it lasts.
        step: the step of the day's run at whose start it happens; empty if it happens outside runs.
    """

    kind: str
    first: int
    last: int
    step: str = ""


def _at(kind: str, day: int, last: int | None = None, step: str = "") -> PlannedIncident:
    return PlannedIncident(kind, day, day if last is None else last, step)


_SHORT: Sequence[PlannedIncident] = (
    _at(BETTER, 1),
    _at(CLOSED, 1, 7),
    _at(LATE, 3),
    _at(CHANNEL_DOWN, 3, 4),
    _at(CORRUPT, 6),
    _at(KILLED, 8, step="features__targets"),
    _at(FULL, 10, step="forecasts__families"),
    _at(RESTARTED, 12),
    _at(DRIFTING, 15, 17),
    _at(BREAK, 24, 30),
    _at(WORSE, 33),
)
_YEAR: Sequence[PlannedIncident] = (
    _at(BETTER, 3),
    _at(CLOSED, 20, 27),
    _at(LATE, 40),
    _at(CHANNEL_DOWN, 40, 42),
    _at(CORRUPT, 60),
    _at(KILLED, 70, step="features__targets"),
    _at(FULL, 80, step="forecasts__families"),
    _at(RESTARTED, 85),
    _at(DRIFTING, 95, 97),
    _at(BREAK, 140, 159),
    _at(WORSE, 215),
)
_SHORT_REVISED: Sequence[PlannedIncident] = (
    _at(CORRECTED, 9),
    _at(HALF_WRITTEN, 11),
    _at(EMPTY, 13),
    _at(SPLIT, 14),
    _at(WITHDRAWN, 18, 19),
    _at(LEFT_OUT, 20, 22),
    _at(DIVIDEND, 23),
    _at(LINK_MOVED, 25),
    _at(BAD_DAY, 31, 34),
    _at(DELETED, 36),
)
_YEAR_REVISED: Sequence[PlannedIncident] = (
    _at(CORRECTED, 30),
    _at(HALF_WRITTEN, 50),
    _at(EMPTY, 55),
    _at(SPLIT, 75),
    _at(WITHDRAWN, 90, 91),
    _at(LEFT_OUT, 100, 102),
    _at(DIVIDEND, 110),
    _at(LINK_MOVED, 120),
    _at(BAD_DAY, 130, 133),
    _at(DELETED, 180),
)


def build_scenario(days: int, revised: bool = False) -> Sequence[PlannedIncident]:
    """Return the incidents of a rehearsal of ``days`` trading days.

    In a rehearsal of less than a year they follow each other closely, without the incidents from
    which the platform could not recover in time.

    Args:
        days: number of trading days.
        revised: whether the vendor also changes what it has delivered.
    """
    if days >= YEAR_DAYS:
        return (*_YEAR, *_YEAR_REVISED) if revised else _YEAR
    return tuple(
        incident
        for incident in ((*_SHORT, *_SHORT_REVISED) if revised else _SHORT)
        if incident.last + _LONGER_RECOVERY_DAYS.get(incident.kind, _RECOVERY_DAYS) < days
    )
