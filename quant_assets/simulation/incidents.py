"""How each incident of a rehearsal went: when it was detected, what was done, when it was over.

Whether the platform dealt well with it is judged in ``simulation.assessment``.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import pandas as pd

from quant_assets.lake.schemas.promotion_tables import DECISIONS, RELEASES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.reading import competition_description
from quant_assets.orchestration.jobs.names import REFRESH, REVISE
from quant_assets.orchestration.run_requests.attempts import (
    ATTEMPT_TAG,
    KIND_TAG,
    REASON_TAG,
    TRIGGER_TAG,
)
from quant_assets.simulation.plan import Plan
from quant_assets.simulation.scenario import (
    ALERTED,
    CHANNEL_DOWN,
    CORRECTED_DAYS_BACK,
    EMPTY,
    FAMILIES,
    HALF_WRITTEN,
    LINK_MOVED,
    RESTARTED,
    REVISIONS,
    PlannedIncident,
)

_ALERT_DELAY, _REVISION_DELAY = timedelta(days=45), timedelta(days=2)
"""An alert that opens later than this after an incident's last day is not attributed to it."""
_ACTIONS_WITHOUT_ALERT = {
    CHANNEL_DOWN: "the messages were sent again until they arrived",
    RESTARTED: "the daemon continued",
    HALF_WRITTEN: "the day was refreshed when its row was whole",
    EMPTY: "the day was refreshed when its row was filled",
    LINK_MOVED: "the platform continued with the new version",
}


@dataclass(frozen=True)
class Incident:
    """How an incident went; a row of the table that a rehearsal prints.

    Attributes:
        kind: what happened.
        began: when it began, UTC.
        alerts: how many alerts reported it.
        detected: when the first alert opened, or the first decision was made; None if never.
        action: what the platform did about it.
        recovered: when the last alert closed, or the last decision was made; None if still open.
    """

    kind: str
    began: datetime
    alerts: int
    detected: datetime | None
    action: str
    recovered: datetime | None


def describe_incident(
    plan: Plan,
    planned: PlannedIncident,
    alerts: pd.DataFrame,
    instance: dg.DagsterInstance,
    lake: Lake,
    caused_at: Mapping[str, datetime],
) -> Incident:
    """Describe how a planned incident went.

    Args:
        plan: the rehearsal.
        planned: the incident.
        alerts: all alerts of the platform.
        instance: the platform's instance of Dagster.
        lake: the platform's lake.
        caused_at: when each incident that happens to the platform itself was caused, by kind.
    """
    began = caused_at.get(planned.kind) or plan.market.due_at(planned.first)
    if planned.kind in FAMILIES:
        return _describe_challenge(planned, began, lake)
    if planned.kind not in ALERTED:
        action = _ACTIONS_WITHOUT_ALERT[planned.kind]
        return Incident(planned.kind, began, 0, None, action, None)
    own = find_own_alerts(plan, planned, alerts, began)
    own = own[own["first"]]
    over = len(own) and own["closed_at"].notna().all()
    closed = _to_datetime(own["closed_at"].max()) if over else None
    detected = _to_datetime(own["opened_at"].min()) if len(own) else None
    if planned.kind in REVISIONS:
        action = _describe_revision(instance, began)
    else:
        action = _describe_action(instance, plan.market.day(planned.first), began, closed)
    return Incident(planned.kind, began, len(own), detected, action, closed)


def find_own_alerts(
    plan: Plan, planned: PlannedIncident, alerts: pd.DataFrame, began: datetime
) -> pd.DataFrame:
    """Find the alerts with an incident's keys that opened while it lasted or soon after.

    Args:
        plan: the rehearsal.
        planned: the incident.
        alerts: all alerts of the platform.
        began: when the incident began, UTC.

    Returns:
        Their rows, with a column ``first``: whether the alert is the one that reports the incident.
    """
    days = {
        "day": plan.market.day(planned.first),
        "corrected_day": plan.market.day(planned.first - CORRECTED_DAYS_BACK),
        "first_day": plan.first_day,
    }
    keys = [key.format(**days) for key in ALERTED[planned.kind]]
    opened_at = pd.to_datetime(alerts["opened_at"]).dt.tz_localize(UTC)
    delay = _REVISION_DELAY if planned.kind in REVISIONS else _ALERT_DELAY
    in_time = (opened_at >= began) & (opened_at <= plan.market.due_at(planned.last) + delay)
    own: pd.DataFrame = alerts[alerts["key"].isin(keys) & in_time]
    return own.assign(first=own["key"] == keys[0])


def _describe_action(
    instance: dg.DagsterInstance, day: date, began: datetime, until: datetime | None
) -> str:
    """Describe the triggered retraining during an incident, or else the day's refresh."""
    end = until.timestamp() if until else float("inf")
    refreshed = ""
    for record in instance.get_run_records(ascending=True):
        run, start = record.dagster_run, record.start_time or 0.0
        urgent = run.tags.get(KIND_TAG, "weekly") in ("drift", "performance")
        if urgent and began.timestamp() <= start <= end:
            return f"retrained: {run.tags[REASON_TAG]}"
        if run.job_name == REFRESH and run.tags.get(TRIGGER_TAG) == str(day) and run.is_success:
            at = datetime.fromtimestamp(start, UTC)
            refreshed = f"refreshed on {at:%m-%d at %H:%M}, attempt {run.tags[ATTEMPT_TAG]}"
    return refreshed


def _describe_revision(instance: dg.DagsterInstance, began: datetime) -> str:
    """Describe the first revision of the past that came to its end after an incident's begin."""
    for record in instance.get_run_records(dg.RunsFilter(job_name=REVISE), ascending=True):
        if record.dagster_run.is_success and (record.start_time or 0.0) >= began.timestamp():
            at = datetime.fromtimestamp(record.start_time or 0.0, UTC)
            return f"history revised on {at:%m-%d at %H:%M}"
    return "history was not revised"


def _describe_challenge(planned: PlannedIncident, began: datetime, lake: Lake) -> Incident:
    """Describe how a challenger went, from the rules' decisions about releases made since."""
    decisions = lake.query(
        f"SELECT d.* FROM {DECISIONS.quoted} d JOIN (SELECT DISTINCT release, registered_after"
        f" FROM {RELEASES.quoted}) r USING (release) WHERE r.registered_after >= ?"
        " AND d.made_by = 'rules' ORDER BY d.trading_day, d.sequence",
        [began.date() - timedelta(days=1)],
    )
    if decisions.empty:
        return Incident(planned.kind, began, 0, None, "no decision was made", None)
    first = decisions.iloc[0]
    of_first = decisions[decisions["release"] == first["release"]]
    last = of_first.iloc[-1]
    steps = " -> ".join(dict.fromkeys(of_first["stage_after"]))
    close = competition_description().calendar.complete_at
    return Incident(
        planned.kind,
        began,
        0,
        close(first["trading_day"].date()),
        f"{steps}: {last['reason']}",
        close(last["trading_day"].date()),
    )


def _to_datetime(value: pd.Timestamp) -> datetime:
    return value.to_pydatetime().replace(tzinfo=UTC)
