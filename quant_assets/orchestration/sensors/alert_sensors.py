"""Sensors that create alerts from the ends of runs, and send the messages about them.

``dg.run_failure_sensor`` is not used, for three reasons. It continues with the next run when its
function raises, so that an alert that could not be stored would be lost. It does not see runs of
the command line, which belong to no code location. And sensors for failures and for successes
would not read them in the order of the log. Here the cursor moves only after all alerts up to its
position are stored.
"""

from datetime import datetime

import dagster as dg

from quant_assets.alerts.alert_store import AlertStore
from quant_assets.alerts.channels import open_usable_channels
from quant_assets.alerts.delivery import deliver_messages
from quant_assets.core.clock import Clock
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.run_requests.run_alerts import create_alert_events
from quant_assets.orchestration.run_requests.run_ends import (
    order_by_log,
    read_ends_after,
    read_newest_position,
)

SECONDS = 30
RUNS_A_TICK = 50


def build(status: dg.DefaultSensorStatus) -> list[dg.SensorDefinition]:
    """Build the sensors that create alerts and send messages."""
    return [
        dg.sensor(
            minimum_interval_seconds=SECONDS,
            default_status=status,
            description="Opens an alert for each run that failed, each refresh or load that was "
            "cancelled, and each check that did not pass. Closes the alert when the job succeeds "
            "for the same days or the check passes. Reads the runs that end after the sensor was "
            "switched on.",
        )(watch_runs),
        dg.sensor(
            minimum_interval_seconds=SECONDS,
            default_status=status,
            description="Sends the messages about alerts that are due. Tries a message again later "
            "if its channel did not accept it.",
        )(deliver_alerts),
    ]


def watch_runs(
    context: dg.SensorEvaluationContext,
    lake: dg.ResourceParam[Lake],
    settings: dg.ResourceParam[Settings],
) -> dg.SensorResult:
    """Store alerts about the runs that have ended since the last tick."""
    if context.cursor is None:
        position = read_newest_position(context.instance)
        return _skip("runs are watched from now on", str(position))
    last_position, _, last_moment = context.cursor.partition(" ")
    unordered, position = read_ends_after(context.instance, int(last_position), RUNS_A_TICK)
    if not unordered:
        return _skip("no run has ended", f"{position} {last_moment}".strip())
    ends = order_by_log(unordered, datetime.fromisoformat(last_moment) if last_moment else None)
    events = [event for end in ends for event in create_alert_events(context.instance, end)]
    messages = AlertStore(lake, settings.lake_dir).take_in(
        events, open_usable_channels(settings).names
    )
    reason = f"runs that have ended: {len(ends)}; new messages: {len(messages)}"
    return _skip(reason, f"{position} {ends[-1].at.isoformat()}")


def deliver_alerts(
    lake: dg.ResourceParam[Lake],
    settings: dg.ResourceParam[Settings],
    clock: dg.ResourceParam[Clock],
) -> dg.SensorResult:
    """Send the messages that are due; then raise an error if a channel's URL cannot be used."""
    channels = open_usable_channels(settings)
    outcome = deliver_messages(AlertStore(lake, settings.lake_dir), lambda: channels, clock.now)
    if channels.unusable:
        raise channels.unusable[0]
    return _skip(str(outcome))


def _skip(reason: str, cursor: str | None = None) -> dg.SensorResult:
    """Return the result of a tick that requests no run; the UI shows the reason."""
    return dg.SensorResult(skip_reason=reason, cursor=cursor)
