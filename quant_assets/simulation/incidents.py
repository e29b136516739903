"""How each fault of a rehearsal went: when the desk told of it, what it did, when it was over.

Whether that was well is judged in ``verdict``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import partial

import dagster as dg
import pandas as pd

from quant_assets.lake.schemas.promotion_tables import DECISIONS, RELEASES
from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.run_requests.attempts import CAUSE, KIND, NUMBER, REASON
from quant_assets.orchestration.run_requests.next_days import CLOSE, REFRESH
from quant_assets.simulation.plan import Plan
from quant_assets.simulation.scenario import (
    ALERTED,
    CHANNEL_DOWN,
    FAMILIES,
    RESTARTED,
    PlannedFault,
)

_AFTERWARDS = timedelta(days=45)
"""So long after a fault an alert may still be its own."""
_UNTOLD = {CHANNEL_DOWN: "messages sent again until they arrived", RESTARTED: "went on"}


@dataclass(frozen=True)
class Incident:
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


def describe_incident(
    plan: Plan,
    fault: PlannedFault,
    alerts: pd.DataFrame,
    opened: dg.DagsterInstance,
    lake: Lake,
    deeds: Mapping[str, datetime],
) -> Incident:
    """How a fault went.

    Args:
        plan: what was to be.
        fault: what was done.
        alerts: all of the desk.
        opened: the desk's instance of Dagster.
        lake: the desk's.
        deeds: when what was done to the desk was done, by kind.
    """
    began = deeds.get(fault.kind) or plan.world.due_at(fault.first)
    if fault.kind in FAMILIES:
        return _challenge(fault, began, lake)
    if fault.kind not in ALERTED:
        return Incident(fault.kind, began, 0, None, _UNTOLD[fault.kind], None)
    own = find_own_alerts(plan, fault, alerts, began)
    own = own[own["first"]]
    over = len(own) and own["closed_at"].notna().all()
    closed = _moment(own["closed_at"].max()) if over else None
    detected = _moment(own["opened_at"].min()) if len(own) else None
    action = _action(opened, plan.world.day(fault.first), began, closed)
    return Incident(fault.kind, began, len(own), detected, action, closed)


def find_own_alerts(
    plan: Plan, fault: PlannedFault, alerts: pd.DataFrame, began: datetime
) -> pd.DataFrame:
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


def _challenge(fault: PlannedFault, began: datetime, lake: Lake) -> Incident:
    """How a challenger fared, told by the decisions about the releases made since."""
    decisions = lake.query(
        f"SELECT d.* FROM {DECISIONS.quoted} d JOIN (SELECT DISTINCT release, registered_after"
        f" FROM {RELEASES.quoted}) r USING (release) WHERE r.registered_after >= ?"
        " AND d.made_by = 'rules' ORDER BY d.trading_day, d.sequence",
        [began.date() - timedelta(days=1)],
    )
    if decisions.empty:
        return Incident(fault.kind, began, 0, None, "nothing was decided", None)
    first = decisions.iloc[0]
    of_first = decisions[decisions["release"] == first["release"]]
    ended = of_first.iloc[-1]
    steps = " -> ".join(dict.fromkeys(of_first["stage_after"]))
    close = partial(datetime.combine, time=CLOSE, tzinfo=UTC)
    return Incident(
        fault.kind,
        began,
        0,
        close(first["trading_day"].date()),
        f"{steps}: {ended['reason']}",
        close(ended["trading_day"].date()),
    )


def _moment(value: pd.Timestamp) -> datetime:
    return value.to_pydatetime().replace(tzinfo=UTC)
