"""The assessment of a rehearsal: what the platform stored, compared with the scenario.

How a single incident went is described in ``simulation.incidents``.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import dagster as dg
import pandas as pd

from quant_assets.alerts.alert_lifecycle import LEVELS
from quant_assets.lake.schemas.alert_tables import ALERT_DELIVERIES, ALERTS
from quant_assets.lake.schemas.promotion_tables import DECISIONS, RELEASES
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.simulation.history_checks import compare_histories
from quant_assets.simulation.incidents import Incident, describe_incident, find_own_alerts
from quant_assets.simulation.plan import Plan
from quant_assets.simulation.revision_checks import check_revisions
from quant_assets.simulation.scenario import (
    ALERTED,
    BETTER,
    CHANNEL_DOWN,
    DELETED,
    FAMILIES,
    FULL,
    KILLED,
    RESTARTED,
    REVISIONS,
    WORSE,
    PlannedIncident,
)
from quant_assets.simulation.submission_checks import (
    check_submissions,
    list_days_in_time,
    read_live_days,
)

MOST_WARNINGS = 3
"""How many warnings may open without an incident."""
_MOST_SHARE_OF_WORSE = 0.1 + 1e-9


@dataclass(frozen=True)
class Assessment:
    """How a rehearsal ended.

    Attributes:
        incidents: how each incident went, by the day on which it began.
        failures: what the platform did wrong, a sentence each; empty if it passed.
        figures: counts that are printed, by name.
    """

    incidents: Sequence[Incident]
    failures: Sequence[str]
    figures: dict[str, str]

    def table(self) -> pd.DataFrame:
        """Return the incidents as the table that is printed."""
        return pd.DataFrame(
            [
                {
                    "incident": incident.kind,
                    "began": f"{incident.began:%Y-%m-%d %H:%M}",
                    "detected after": _format_delay(incident.began, incident.detected),
                    "action": incident.action,
                    "recovered after": _format_delay(incident.began, incident.recovered),
                }
                for incident in self.incidents
            ],
            columns=["incident", "began", "detected after", "action", "recovered after"],
        )


def assess(
    plan: Plan,
    lake: Lake,
    final: Lake,
    instance: dg.DagsterInstance,
    caused_at: Mapping[str, datetime],
    received: Sequence[str],
    refused: int,
) -> Assessment:
    """Assess how the platform dealt with a rehearsal, from its lake and its runs.

    Args:
        plan: the rehearsal.
        lake: the platform's lake.
        final: a lake into which the final source was loaded from scratch.
        instance: the platform's instance of Dagster.
        caused_at: when each incident that happens to the platform itself was caused, by kind.
        received: titles of the messages that the channel accepted.
        refused: the number of messages that the channel refused.
    """
    alerts = _read_rows(lake, ALERTS, "opened_at")
    messages = _read_rows(lake, ALERT_DELIVERIES, "created_at")
    incidents = [
        describe_incident(plan, planned, alerts, instance, lake, caused_at)
        for planned in _sort_incidents(plan)
    ]
    failures = [
        *check_submissions(plan, lake),
        *map(str, compare_histories(lake, final)),
        *check_revisions(plan, lake),
        *_check_alerts(plan, incidents, alerts),
        *_check_messages(alerts, messages, received),
        *_check_promotion(plan, lake),
        *_check_incidents_caused(plan, caused_at, refused),
    ]
    levels = alerts["level"].value_counts()
    delivered = int(messages["delivered_at"].notna().sum())
    figures = {
        "submissions": f"{len(read_live_days(plan, lake))} of {len(list_days_in_time(plan))}",
        "alerts": ", ".join(f"{levels.get(x, 0)} {x}" for x in LEVELS),
        "messages": f"{delivered} of {len(messages)} delivered, {refused} attempts refused",
        "runs": _describe_runs(instance),
    }
    return Assessment(incidents, failures, figures)


def _read_rows(lake: Lake, table: Table, order: str) -> pd.DataFrame:
    """Read all rows of a table; empty if the table was never written."""
    if not lake.has(table):
        return pd.DataFrame(columns=[column.name for column in table.columns])
    return lake.query(f"FROM {table.quoted} ORDER BY {order}")


def _check_alerts(plan: Plan, incidents: Sequence[Incident], alerts: pd.DataFrame) -> list[str]:
    """Report incidents that have not a single closed alert, and alerts without an incident."""
    failures = []
    explained: set[str] = set()
    for incident, planned in zip(incidents, _sort_incidents(plan), strict=True):
        if planned.kind in ALERTED:
            own = find_own_alerts(plan, planned, alerts, incident.began)
            explained |= set(own["id"])
            if planned.kind in REVISIONS:
                failures += _find_left_open(planned, own)
            if incident.alerts != 1:
                failures.append(f"{planned.kind}: {incident.alerts} alerts reported it, not one")
            elif incident.recovered is None:
                failures.append(f"{planned.kind}: its alert is still open")
    of_level = alerts[~alerts["id"].isin(explained)].groupby("level")["key"].agg(list)
    failures += [
        f"a critical alert opened without an incident: {key}"
        for key in of_level.get("critical", [])
    ]
    warnings = of_level.get("warning", [])
    if len(warnings) > MOST_WARNINGS:
        failures.append(
            f"{len(warnings)} warnings opened without an incident: {', '.join(warnings)}"
        )
    return failures


def _find_left_open(planned: PlannedIncident, own: pd.DataFrame) -> list[str]:
    """Report alerts about a revision that are open; only a person knows that a day is gone."""
    open_keys = own.loc[own["closed_at"].isna() & ~own["first"], "key"]
    return [
        f"{planned.kind}: the alert {key} is still open"
        for key in open_keys
        if not (planned.kind == DELETED and key.startswith("data_late/"))
    ]


def _sort_incidents(plan: Plan) -> list[PlannedIncident]:
    return sorted(plan.incidents, key=lambda incident: incident.first)


def _check_messages(
    alerts: pd.DataFrame, messages: pd.DataFrame, received: Sequence[str]
) -> list[str]:
    """Report messages that did not arrive or arrived too often, and alerts without a message.

    What arrived is counted by the channel. A message may arrive once for each attempt: the process
    may be killed after the channel accepted a message and before that was stored.
    """
    arrived = Counter(received)
    written = messages.groupby("subject")["attempts"].agg(["size", "sum"])
    twice = messages[messages.duplicated(["alert_id", "kind"])]
    without_message = alerts[~alerts["id"].isin(messages["alert_id"])]
    return [
        *(
            f"the message '{subject}' arrived {arrived[str(subject)]} times, not {least}"
            for subject, least, most in written.itertuples(name=None)
            if not least <= arrived[str(subject)] <= most
        ),
        *(f"the message '{subject}' was stored twice" for subject in twice["subject"]),
        *(
            f"the message '{title}' arrived and is not stored"
            for title in arrived.keys() - set(messages["subject"])
        ),
        *(f"no message was sent about the alert {key}" for key in without_message["key"]),
    ]


def _check_promotion(plan: Plan, lake: Lake) -> list[str]:
    """Report if the better challenger is not champion, or the worse had more than a tenth."""
    kinds = {incident.kind for incident in plan.incidents}
    failures = []
    if BETTER in kinds:
        champion = lake.query(
            f"SELECT count(*) AS n FROM {RELEASES.quoted} WHERE family = ? AND release ="
            f" (SELECT arg_max(champion, (trading_day, sequence)) FROM {DECISIONS.quoted})",
            [FAMILIES[BETTER]],
        )
        if not champion["n"].iloc[0]:
            failures.append("the better challenger did not become champion")
    if WORSE in kinds:
        share = lake.query(
            f"SELECT max(share_after) AS share FROM {DECISIONS.quoted} WHERE release IN"
            f" (SELECT release FROM {RELEASES.quoted} WHERE family = ?)",
            [FAMILIES[WORSE]],
        )["share"].iloc[0]
        if pd.isna(share):
            failures.append("no decision was made about the worse challenger")
        elif share > _MOST_SHARE_OF_WORSE:
            failures.append(f"the worse challenger had {share:.0%} of the submitted forecast")
    return failures


def _check_incidents_caused(
    plan: Plan, caused_at: Mapping[str, datetime], refused: int
) -> list[str]:
    """Report incidents of the scenario that the rehearsal did not cause."""
    kinds = {incident.kind for incident in plan.incidents}
    omitted = kinds & {KILLED, FULL, RESTARTED, *FAMILIES} - caused_at.keys()
    if CHANNEL_DOWN in kinds and not refused:
        omitted |= {CHANNEL_DOWN}
    return [f"{kind}: the rehearsal did not cause it" for kind in sorted(omitted)]


def _describe_runs(instance: dg.DagsterInstance) -> str:
    runs = instance.get_runs()
    failed = sum(run.is_failure for run in runs)
    return f"{len(runs)}, {failed} of them failed"


def _format_delay(began: datetime, moment: datetime | None) -> str:
    if moment is None:
        return "-"
    # A decision counts from its day's close, which is moments before the incident is caused.
    hours = max(0.0, (moment - began).total_seconds() / 3600)
    return f"{hours:.1f} h" if hours < 48 else f"{hours / 24:.0f} d"
