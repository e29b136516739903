"""``quant-assets alerts``: what is open, what was given up, and trying the channels."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import pandas as pd

from quant_assets.alerts.alert_lifecycle import Alert, ConditionCleared, Level
from quant_assets.alerts.alert_store import AlertStore
from quant_assets.alerts.channels import open_channels
from quant_assets.alerts.delivery import deliver_messages, resend_dead_letters
from quant_assets.alerts.messages import Message
from quant_assets.commands.console import format_table
from quant_assets.core.errors import SettingsError, unknown_name
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake


def _now() -> datetime:
    return datetime.now(UTC)


def list_alerts(settings: Settings, *, closed: bool = False) -> str:
    """The open alerts, or all of them, and the messages that were given up."""
    with Lake(settings.lake_dir, read_only=True) as lake:
        book = AlertStore(lake, settings.lake_dir)
        alerts, messages = book.alerts(closed=closed), book.messages()
        letters = book.dead_letters()
    rows = [_row(one, messages, closed=closed) for one in alerts]
    parts = [format_table(pd.DataFrame(rows), wrap="subject") if rows else _nothing(closed)]
    if letters:
        given_up = [
            {"given up": one.subject, "channel": one.channel, "last error": one.last_error}
            for one in letters
        ]
        parts += [
            format_table(pd.DataFrame(given_up)),
            "`quant-assets alerts --resend` tries again",
        ]
    return "\n\n".join(parts)


def _nothing(closed: bool) -> str:
    found = "no alert was ever raised" if closed else "no open alerts"
    return f"{found} (the sensor watch_runs raises them; switch it on in the UI if it is not)"


def _row(alert: Alert, messages: Sequence[Message], *, closed: bool) -> dict[str, object]:
    until = {"until": _minute(alert.closed_at)} if closed else {}
    return {
        "level": alert.level,
        "subject": alert.subject,
        "key": alert.key,
        "since": _minute(alert.opened_at),
        **until,
        "seen": alert.count,
        "told": _told(alert, messages),
    }


def _minute(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%d %H:%M}" if moment else None


def _told(alert: Alert, messages: Sequence[Message]) -> str | None:
    if alert.delivered_at:
        return _minute(alert.delivered_at)
    about = [one for one in messages if one.alert_id == alert.id and one.kind != "recovery"]
    if not about:
        return "no channel"
    return "not yet" if any(one.pending for one in about) else "given up"


def resend(settings: Settings) -> str:
    """Send dead letters again, now; what came of it."""
    with Lake(settings.lake_dir) as lake:
        book = AlertStore(lake, settings.lake_dir)
        count = resend_dead_letters(book, _now)
        if not count:
            return "no message was given up"
        outcome = deliver_messages(book, lambda: open_channels(settings), _now)
    return f"{count} messages are due again: {outcome}"


def close_alert(settings: Settings, key: str) -> str:
    """Close an open alert by hand, for a condition that nothing will end by itself.

    Raises:
        UnknownNameError: no open alert has the key.
    """
    with Lake(settings.lake_dir) as lake:
        book = AlertStore(lake, settings.lake_dir)
        known = {one.key: one for one in book.alerts()}
        if key not in known:
            raise unknown_name("key of an open alert", key, sorted(known))
        # Not now: it may have come about again since, which nobody has read yet.
        at = known[key].last_seen_at + timedelta(microseconds=1)
        messages = book.take_in(
            [ConditionCleared(key, "Closed by hand.", at)], open_channels(settings).names
        )
    return f"{key} is closed; {len(messages)} messages will say so"


def try_channels(settings: Settings, level: Level) -> Iterator[tuple[str, str | None]]:
    """Send a message to each of a level's channels: its name, and why it was not taken or None.

    Raises:
        SettingsError: the level has no channel, or one of its URLs cannot be used.
    """
    channels = open_channels(settings, [level])
    if not channels.names[level]:
        raise SettingsError(
            f"{level} alerts have no channel: they are stored, and told to nobody",
            where=f"QUANT_ALERTS_{level.upper()}",
            hint="set it to Apprise URLs: https://appriseit.com/services/",
        )
    for name in channels.names[level]:
        text = "quant-assets alerts --test: this channel works."
        yield name, channels.send(name, level, f"[{level}] test", text)
