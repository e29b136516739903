"""``quant-assets alerts``: list alerts and dead letters, close one, try the channels."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pandas as pd

from quant_assets.alerts.alert_lifecycle import Alert, ConditionCleared, Level
from quant_assets.alerts.alert_store import AlertStore
from quant_assets.alerts.channels import open_channels
from quant_assets.alerts.delivery import deliver_messages, resend_dead_letters
from quant_assets.alerts.messages import Message
from quant_assets.commands.console import format_table
from quant_assets.core.errors import SettingsError, UnknownNameError, unknown_name
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake


def _now() -> datetime:
    return datetime.now(UTC)


def list_alerts(settings: Settings, *, closed: bool = False) -> str:
    """Return a text with the open alerts (``closed``: all of them) and the dead letters."""
    with Lake(settings.lake_dir, read_only=True) as lake:
        store = AlertStore(lake, settings.lake_dir)
        alerts, messages = store.alerts(closed=closed), store.messages()
        letters = store.dead_letters()
    rows = [_row(alert, messages, closed=closed) for alert in alerts]
    parts = [format_table(pd.DataFrame(rows), wrap="subject") if rows else _explain_none(closed)]
    if letters:
        given_up = [
            {"given up": letter.subject, "channel": letter.channel, "last error": letter.last_error}
            for letter in letters
        ]
        parts += [
            format_table(pd.DataFrame(given_up)),
            "`quant-assets alerts --resend` tries again",
        ]
    return "\n\n".join(parts)


def _explain_none(closed: bool) -> str:
    state = "no alert was ever raised" if closed else "no open alerts"
    return f"{state} (the sensor watch_runs raises them; switch it on in the UI if it is not)"


def _row(alert: Alert, messages: Sequence[Message], *, closed: bool) -> dict[str, object]:
    until = {"until": _minute(alert.closed_at)} if closed else {}
    return {
        "level": alert.level,
        "subject": alert.subject,
        "key": alert.key,
        "since": _minute(alert.opened_at),
        **until,
        "times": alert.count,
        "sent": _when_sent(alert, messages),
    }


def _minute(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else None


def _when_sent(alert: Alert, messages: Sequence[Message]) -> str | None:
    if alert.delivered_at:
        return _minute(alert.delivered_at)
    about = [x for x in messages if x.alert_id == alert.id and x.kind != "recovery"]
    if not about:
        return "no channel"
    return "not yet" if any(message.pending for message in about) else "given up"


def resend(settings: Settings) -> str:
    """Send dead letters again, now; return what came of it as text."""
    with Lake(settings.lake_dir) as lake:
        store = AlertStore(lake, settings.lake_dir)
        count = resend_dead_letters(store, _now)
        if not count:
            return "no message was given up"
        result = deliver_messages(store, lambda: open_channels(settings), _now)
    return f"{count} messages are due again: {result}"


def close_alert(settings: Settings, key: str) -> str:
    """Close an open alert by hand, for a condition that nothing will end by itself.

    Raises:
        UnknownNameError: no open alert has the key.
    """
    with Lake(settings.lake_dir) as lake:
        store = AlertStore(lake, settings.lake_dir)
        known = {alert.key: alert for alert in store.alerts()}
        if not known:
            raise UnknownNameError("no alert is open", found=repr(key))
        if key not in known:
            raise unknown_name("key of an open alert", key, sorted(known))
        # Not the present moment: the condition may have held again since, not yet read.
        at = known[key].last_seen_at + timedelta(microseconds=1)
        messages = store.take_in(
            [ConditionCleared(key, "Closed by hand.", at)], open_channels(settings).names
        )
    return f"{key} is closed; {len(messages)} messages will say so"


def try_channels(settings: Settings, level: Level) -> Iterator[tuple[str, str | None]]:
    """Send a test message to each channel of a level; yield its name and its error or None.

    Raises:
        SettingsError: the level has no channel, or one of its URLs cannot be used.
    """
    channels = open_channels(settings, [level])
    if not channels.names[level]:
        raise SettingsError(
            f"{level} alerts have no channel: they are stored and sent to nobody",
            where=f"QUANT_ALERTS_{level.upper()}",
            hint="set it to Apprise URLs: https://appriseit.com/services/",
        )
    for name in channels.names[level]:
        text = "quant-assets alerts --test: this channel works."
        yield name, channels.send(name, level, f"[{level}] test", text)
