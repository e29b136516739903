"""What a rehearsal came to, read from what the desk left behind: its lake and its runs.

Whether the desk did well is judged against the script: what it could not know, the judge does.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial

import dagster as dg
import pandas as pd

from quant_assets.alerts.states import LEVELS
from quant_assets.automation.attempts import CAUSE, KIND, NUMBER, REASON
from quant_assets.automation.days import CLOSE, REFRESH
from quant_assets.lake.alert_tables import ALERT_DELIVERIES, ALERTS
from quant_assets.lake.lake import Lake
from quant_assets.lake.promotion_tables import DECISIONS, RELEASES
from quant_assets.lake.schema import Table
from quant_assets.lake.tables import SUBMISSIONS
from quant_assets.rehearsal.plan import Plan
from quant_assets.rehearsal.script import (
    ALERTED,
    BETTER,
    CHANNEL_DOWN,
    FAMILIES,
    RESTARTED,
    WORSE,
    Fault,
)
from quant_assets.rehearsal.witness import digests, notes

MOST_WARNINGS = 3
"""That a year without faults may have."""
_AFTERWARDS = timedelta(days=45)
"""So long after a fault an alert may still be its own."""
_TENTH = 0.1 + 1e-9
_UNTOLD = {CHANNEL_DOWN: "messages sent again until they arrived", RESTARTED: "went on"}


@dataclass(frozen=True)
class Line:
    """One line of the table: what went wrong, and how it went on.

    Attributes:
        fault: what was done.
        began: when.
        alerts: how often it was told.
        detected: when it was told first; None if never.
        action: what the desk did about it.
        recovered: when it was over for the desk; None if it is not.
    """

    fault: str
    began: datetime
    alerts: int
    detected: datetime | None
    action: str
    recovered: datetime | None


@dataclass(frozen=True)
class Verdict:
    """How a rehearsal ended.

    Attributes:
        lines: a line for each fault, in order.
        failings: what should not have been; empty if all is well.
        figures: counts worth printing, by name.
    """

    lines: Sequence[Line]
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


def judge(
    plan: Plan, lake: Lake, opened: dg.DagsterInstance, deeds: dict[str, datetime], refused: int
) -> Verdict:
    """Judge what is stored.

    Args:
        plan: what was to be.
        lake: the desk's.
        opened: the desk's instance of Dagster.
        deeds: when what was done to the desk was done, by kind.
        refused: messages that the channel refused.
    """
    alerts = _all(lake, ALERTS, "opened_at")
    messages = _all(lake, ALERT_DELIVERIES, "created_at")
    lines = [_line(plan, fault, alerts, opened, lake, deeds) for fault in _in_order(plan)]
    days = _submitted(plan, lake)
    failings = [
        *([] if len(days) == plan.days else [f"{len(days)} submissions of {plan.days}"]),
        *_hindsight(plan, lake),
        *_told(plan, lines, alerts),
        *_lost(alerts, messages),
        *_promoted(plan, lake),
    ]
    levels = alerts["level"].value_counts()
    delivered = int(messages["delivered_at"].notna().sum())
    figures = {
        "submissions": f"{len(days)} of {plan.days}",
        "alerts": ", ".join(f"{levels.get(x, 0)} {x}" for x in LEVELS),
        "messages": f"{delivered} of {len(messages)} delivered, {refused} attempts refused",
        "runs": _runs(opened),
    }
    return Verdict(lines, failings, figures)


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
    now, seen = digests(lake, plan.begin), notes(plan.root)
    unseen = now.keys() - {note.day for note in seen}
    failings = [f"nobody saw the submission of {day} when it was written" for day in sorted(unseen)]
    for note in seen:
        if note.known != note.day:
            failings.append(f"{note.day} was submitted when prices of {note.known} were known")
        if now.get(note.day) != note.digest:
            failings.append(f"the submission of {note.day} was changed afterwards")
    return failings


def _line(
    plan: Plan,
    fault: Fault,
    alerts: pd.DataFrame,
    opened: dg.DagsterInstance,
    lake: Lake,
    deeds: dict[str, datetime],
) -> Line:
    began = deeds.get(fault.kind) or plan.world.due_at(fault.first)
    if fault.kind in FAMILIES:
        return _challenge(fault, began, lake)
    if fault.kind not in ALERTED:
        return Line(fault.kind, began, 0, None, _UNTOLD[fault.kind], None)
    own = _own(plan, fault, alerts, began)
    own = own[own["first"]]
    over = len(own) and own["closed_at"].notna().all()
    closed = _moment(own["closed_at"].max()) if over else None
    detected = _moment(own["opened_at"].min()) if len(own) else None
    action = _action(opened, plan.world.day(fault.first), began, closed)
    return Line(fault.kind, began, len(own), detected, action, closed)


def _own(plan: Plan, fault: Fault, alerts: pd.DataFrame, began: datetime) -> pd.DataFrame:
    """The alerts of a fault: those of its conditions that opened since, and not much later."""
    day = plan.world.day(fault.first)
    keys = [key.format(day=day) for key in ALERTED[fault.kind]]
    opened_at = alerts["opened_at"].dt.tz_localize(UTC)
    in_time = (opened_at >= began) & (opened_at <= began + _AFTERWARDS)
    own: pd.DataFrame = alerts[alerts["key"].isin(keys) & in_time]
    return own.assign(first=own["key"] == keys[0])


def _action(opened: dg.DagsterInstance, day: date, began: datetime, until: datetime | None) -> str:
    """The retraining for a cause while the fault lasted, or else the day's refresh."""
    end = until.timestamp() if until else float("inf")
    refreshed = ""
    for record in opened.get_run_records(ascending=True):
        run, start = record.dagster_run, record.start_time or 0.0
        urgent = run.tags.get(KIND, "weekly") in ("drift", "performance")
        if urgent and began.timestamp() <= start <= end:
            return f"retrained: {run.tags[REASON]}"
        if run.job_name == REFRESH and run.tags.get(CAUSE) == str(day) and run.is_success:
            at = datetime.fromtimestamp(start, UTC)
            refreshed = f"refreshed on {at:%m-%d at %H:%M}, attempt {run.tags[NUMBER]}"
    return refreshed


def _challenge(fault: Fault, began: datetime, lake: Lake) -> Line:
    """How a challenger fared, told by the decisions about the releases made since."""
    decisions = lake.query(
        f"SELECT d.* FROM {DECISIONS.quoted} d JOIN (SELECT DISTINCT release, registered_after"
        f" FROM {RELEASES.quoted}) r USING (release) WHERE r.registered_after >= ?"
        " AND d.made_by = 'rules' ORDER BY d.trading_day, d.sequence",
        [began.date() - timedelta(days=1)],
    )
    if decisions.empty:
        return Line(fault.kind, began, 0, None, "nothing was decided", None)
    first = decisions.iloc[0]
    of_first = decisions[decisions["release"] == first["release"]]
    ended = of_first.iloc[-1]
    steps = " -> ".join(dict.fromkeys(of_first["stage_after"]))
    close = partial(datetime.combine, time=CLOSE, tzinfo=UTC)
    return Line(
        fault.kind,
        began,
        0,
        close(first["trading_day"].date()),
        f"{steps}: {ended['reason']}",
        close(ended["trading_day"].date()),
    )


def _told(plan: Plan, lines: Sequence[Line], alerts: pd.DataFrame) -> list[str]:
    """Faults that were not told exactly once or are not over, and alerts without a fault."""
    failings = []
    explained: set[str] = set()
    for line, fault in zip(lines, _in_order(plan), strict=True):
        if fault.kind in ALERTED:
            explained |= set(_own(plan, fault, alerts, line.began)["id"])
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


def _in_order(plan: Plan) -> list[Fault]:
    return sorted(plan.faults, key=lambda fault: fault.first)


def _lost(alerts: pd.DataFrame, messages: pd.DataFrame) -> list[str]:
    """Messages that did not arrive, and alerts that nobody was told of."""
    missing = messages[messages["delivered_at"].isna()]
    untold = alerts[~alerts["id"].isin(messages["alert_id"])]
    return [f"not delivered: {subject}" for subject in missing["subject"]] + [
        f"nobody was told of {key}" for key in untold["key"]
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
        if share > _TENTH:
            failings.append(f"the worse challenger had {share:.0%} of the published forecast")
    return failings


def _runs(opened: dg.DagsterInstance) -> str:
    runs = opened.get_runs()
    failed = sum(run.is_failure for run in runs)
    return f"{len(runs)}, {failed} of them failed"


def _moment(value: pd.Timestamp) -> datetime:
    return value.to_pydatetime().replace(tzinfo=UTC)


def _after(began: datetime, moment: datetime | None) -> str:
    if moment is None:
        return "-"
    hours = (moment - began).total_seconds() / 3600
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} d"
