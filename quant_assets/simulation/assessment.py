"""What a rehearsal came to, read from what the desk left behind: its lake and its runs.

Whether the desk did well is judged against the script: what it could not know, the judge does.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import dagster as dg
import pandas as pd

from quant_assets.alerts.alert_lifecycle import LEVELS
from quant_assets.lake.schemas.alert_tables import ALERT_DELIVERIES, ALERTS
from quant_assets.lake.schemas.promotion_tables import DECISIONS, RELEASES
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.schemas.tables import SUBMISSIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.simulation.incidents import Incident, describe_incident, find_own_alerts
from quant_assets.simulation.plan import Plan
from quant_assets.simulation.scenario import (
    ALERTED,
    BETTER,
    CHANNEL_DOWN,
    FAMILIES,
    FULL,
    KILLED,
    RESTARTED,
    WORSE,
    PlannedFault,
)
from quant_assets.simulation.submission_log import digest_submissions, read_log

MOST_WARNINGS = 3
"""That a year without faults may have."""
_TENTH = 0.1 + 1e-9


@dataclass(frozen=True)
class Assessment:
    """How a rehearsal ended.

    Attributes:
        lines: a line for each fault, in order.
        failings: what should not have been; empty if all is well.
        figures: counts worth printing, by name.
    """

    lines: Sequence[Incident]
    failings: Sequence[str]
    figures: dict[str, str]

    def table(self) -> pd.DataFrame:
        """The lines, as they are printed."""
        return pd.DataFrame(
            {
                "fault": [one.fault for one in self.lines],
                "began": [f"{one.began:%Y-%m-%d %H:%M}" for one in self.lines],
                "detected after": [_after(one.began, one.detected) for one in self.lines],
                "action": [one.action for one in self.lines],
                "recovered after": [_after(one.began, one.recovered) for one in self.lines],
            }
        )


def assess(
    plan: Plan,
    lake: Lake,
    opened: dg.DagsterInstance,
    deeds: Mapping[str, datetime],
    taken: Sequence[str],
    refused: int,
) -> Assessment:
    """Judge what is stored.

    Args:
        plan: what was to be.
        lake: the desk's.
        opened: the desk's instance of Dagster.
        deeds: when what was done to the desk was done, by kind.
        taken: titles of the messages that the channel took.
        refused: how many it refused.
    """
    alerts = _all(lake, ALERTS, "opened_at")
    messages = _all(lake, ALERT_DELIVERIES, "created_at")
    lines = [
        describe_incident(plan, fault, alerts, opened, lake, deeds) for fault in _in_order(plan)
    ]
    days = _submitted(plan, lake)
    failings = [
        *([] if len(days) == plan.days else [f"{len(days)} submissions of {plan.days}"]),
        *_hindsight(plan, lake),
        *_told(plan, lines, alerts),
        *_lost(alerts, messages, taken),
        *_promoted(plan, lake),
        *_omitted(plan, deeds, refused),
    ]
    levels = alerts["level"].value_counts()
    delivered = int(messages["delivered_at"].notna().sum())
    figures = {
        "submissions": f"{len(days)} of {plan.days}",
        "alerts": ", ".join(f"{levels.get(x, 0)} {x}" for x in LEVELS),
        "messages": f"{delivered} of {len(messages)} delivered, {refused} attempts refused",
        "runs": _runs(opened),
    }
    return Assessment(lines, failings, figures)


def _all(lake: Lake, table: Table, order: str) -> pd.DataFrame:
    """All rows of a table; none, if nothing ever had to be written there."""
    if not lake.has(table):
        return pd.DataFrame(columns=[column.name for column in table.columns])
    return lake.query(f"FROM {table.quoted} ORDER BY {order}")


def _submitted(plan: Plan, lake: Lake) -> list[date]:
    found = lake.query(
        f"SELECT trading_day FROM {SUBMISSIONS.quoted} WHERE trading_day BETWEEN ? AND ?"
        " ORDER BY 1",
        [plan.world.day(0), plan.world.day(plan.days - 1)],
    )
    return [day.date() for day in found["trading_day"]]


def _hindsight(plan: Plan, lake: Lake) -> list[str]:
    """Submissions written when later prices were stored already, and those changed afterwards."""
    now, seen = digest_submissions(lake, plan.begin), read_log(plan.root)
    unseen = now.keys() - {note.day for note in seen}
    failings = [f"nobody saw the submission of {day} when it was written" for day in sorted(unseen)]
    for note in seen:
        if note.known != note.day:
            failings.append(f"{note.day} was submitted when prices of {note.known} were known")
        if now.get(note.day) != note.digest:
            failings.append(f"the submission of {note.day} was changed afterwards")
    return failings


def _told(plan: Plan, lines: Sequence[Incident], alerts: pd.DataFrame) -> list[str]:
    """Faults that were not told exactly once or are not over, and alerts without a fault."""
    failings = []
    explained: set[str] = set()
    for line, fault in zip(lines, _in_order(plan), strict=True):
        if fault.kind in ALERTED:
            explained |= set(find_own_alerts(plan, fault, alerts, line.began)["id"])
            if line.alerts != 1:
                failings.append(f"{fault.kind}: told {line.alerts} times")
            elif line.recovered is None:
                failings.append(f"{fault.kind}: its alert is still open")
    of_level = alerts[~alerts["id"].isin(explained)].groupby("level")["key"].agg(list)
    failings += [f"critical without a fault: {key}" for key in of_level.get("critical", [])]
    warnings = of_level.get("warning", [])
    if len(warnings) > MOST_WARNINGS:
        failings.append(f"{len(warnings)} warnings without a fault: {', '.join(warnings)}")
    return failings


def _in_order(plan: Plan) -> list[PlannedFault]:
    return sorted(plan.faults, key=lambda fault: fault.first)


def _lost(alerts: pd.DataFrame, messages: pd.DataFrame, taken: Sequence[str]) -> list[str]:
    """Messages that did not arrive, or too often; and alerts that nobody was told of.

    The channel says what arrived, and not the desk. One that the desk tried again may have come
    twice: its process was killed before it could note that it had.
    """
    arrived = Counter(taken)
    written = messages.groupby("subject")["attempts"].agg(["size", "sum"])
    twice = messages[messages.duplicated(["alert_id", "kind"])]
    untold = alerts[~alerts["id"].isin(messages["alert_id"])]
    return [
        *(
            f"{subject}: {arrived[str(subject)]} arrived of {least}"
            for subject, least, most in written.itertuples(name=None)
            if not least <= arrived[str(subject)] <= most
        ),
        *(f"written twice: {subject}" for subject in twice["subject"]),
        *(f"nobody wrote: {title}" for title in arrived.keys() - set(messages["subject"])),
        *(f"nobody was told of {key}" for key in untold["key"]),
    ]


def _promoted(plan: Plan, lake: Lake) -> list[str]:
    """Whether the better challenger is in, and the worse one never had more than a tenth."""
    kinds = {fault.kind: fault for fault in plan.faults}
    failings = []
    if BETTER in kinds:
        champion = lake.query(
            f"SELECT count(*) AS n FROM {RELEASES.quoted} WHERE family = ? AND release ="
            f" (SELECT arg_max(champion, (trading_day, sequence)) FROM {DECISIONS.quoted})",
            [FAMILIES[BETTER]],
        )
        if not champion["n"].iloc[0]:
            failings.append("the better challenger did not become champion")
    if WORSE in kinds:
        share = lake.query(
            f"SELECT max(share_after) AS share FROM {DECISIONS.quoted} WHERE release IN"
            f" (SELECT release FROM {RELEASES.quoted} WHERE family = ?)",
            [FAMILIES[WORSE]],
        )["share"].iloc[0]
        if pd.isna(share):
            failings.append("nothing was decided about the worse challenger")
        elif share > _TENTH:
            failings.append(f"the worse challenger had {share:.0%} of the published forecast")
    return failings


def _omitted(plan: Plan, deeds: Mapping[str, datetime], refused: int) -> list[str]:
    """What the script says and was not done to the desk."""
    kinds = {fault.kind for fault in plan.faults}
    omitted = kinds & {KILLED, FULL, RESTARTED, *FAMILIES} - deeds.keys()
    if CHANNEL_DOWN in kinds and not refused:
        omitted |= {CHANNEL_DOWN}
    return [f"{kind}: never came about" for kind in sorted(omitted)]


def _runs(opened: dg.DagsterInstance) -> str:
    runs = opened.get_runs()
    failed = sum(run.is_failure for run in runs)
    return f"{len(runs)}, {failed} of them failed"


def _after(began: datetime, moment: datetime | None) -> str:
    if moment is None:
        return "-"
    # What is decided on a day is as of its close, and the deed came moments after it.
    hours = max(0.0, (moment - began).total_seconds() / 3600)
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} d"
