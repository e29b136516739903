"""Sensors: one that turns what became of runs into alerts, one that delivers them.

``dg.run_failure_sensor`` is not used. It goes on to the next run when its function raises, so an
alert that could not be stored would be lost; it knows no run of the command line, which belongs to
no code location; and one sensor for failures and one for successes read them in no common order.
Here the place in the event log moves on only when everything up to it is stored.
"""

from datetime import datetime

import dagster as dg

from quant_assets.alerts.alert_store import AlertStore
from quant_assets.alerts.channels import open_usable_channels
from quant_assets.alerts.delivery import deliver_messages
from quant_assets.core.clock import Clock
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.run_requests.run_ends import (
    alert_events_of,
    order_by_log,
    read_ends_after,
    read_newest_position,
)

SECONDS = 30
RUNS_A_TICK = 50


def build(status: dg.DefaultSensorStatus) -> list[dg.SensorDefinition]:
    """The sensors about alerts."""
    return [
        dg.sensor(
            minimum_interval_seconds=SECONDS,
            default_status=status,
            description="Raise an alert for each run that failed and each check that did not pass, "
            "and close it when the job succeeds for the same days or the check passes. Begins with "
            "the runs that end after it was switched on.",
        )(watch_runs),
        dg.sensor(
            minimum_interval_seconds=SECONDS,
            default_status=status,
            description="Send the messages about alerts that are due, and those that failed again "
            "later.",
        )(deliver_alerts),
    ]


def watch_runs(
    context: dg.SensorEvaluationContext,
    lake: dg.ResourceParam[Lake],
    settings: dg.ResourceParam[Settings],
) -> dg.SensorResult:
    """Take in the runs that ended since the last tick."""
    if context.cursor is None:
        position = read_newest_position(context.instance)
        return _rest("watching runs from now on", str(position))
    known, _, told = context.cursor.partition(" ")
    found, position = read_ends_after(context.instance, int(known), RUNS_A_TICK)
    if not found:
        return _rest("no run has ended", f"{position} {told}".strip())
    ends = order_by_log(found, datetime.fromisoformat(told) if told else None)
    events = [event for end in ends for event in alert_events_of(context.instance, end)]
    messages = AlertStore(lake, settings.lake_dir).take_in(
        events, open_usable_channels(settings).names
    )
    reason = f"{len(ends)} runs have ended; {len(messages)} messages"
    return _rest(reason, f"{position} {ends[-1].at.isoformat()}")


def deliver_alerts(
    lake: dg.ResourceParam[Lake],
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
) -> dg.SensorResult:
    """Send what is due; where a URL cannot be used, the tick fails and says so afterwards."""
    channels = open_usable_channels(settings)
    outcome = deliver_messages(AlertStore(lake, settings.lake_dir), lambda: channels, clock.now)
    if channels.unusable:
        raise channels.unusable[0]
    return _rest(str(outcome))


def _rest(reason: str, cursor: str | None = None) -> dg.SensorResult:
    """No run is wanted; the reason is what the UI shows of the tick."""
    return dg.SensorResult(skip_reason=reason, cursor=cursor)
