"""Tables of alerts and of the messages about them.

Sensors write them, row by row and at any time, so they are no assets: nothing could be
materialised, and no partition would hold a day's rows for good. All moments are UTC.
"""

from quant_assets.lake.schemas.table import Column, Table

ALERTS = Table(
    "monitoring.alerts",
    "What people have to know: one row per occurrence of a condition, from the first time it was "
    "seen until it ended. Moments are UTC.",
    (
        Column("id", "VARCHAR", "digest of key and opened_at"),
        Column("key", "VARCHAR", "the condition, e.g. run_failed/refresh_daily/2023-12-29"),
        Column("level", "VARCHAR", "critical, warning or info; the highest so far"),
        Column("subject", "VARCHAR", "the condition in one line"),
        Column("text", "VARCHAR", "what was found, and what to do"),
        Column(
            "trading_day", "DATE", "day concerned, the last of a range; NULL where there is none"
        ),
        Column("opened_at", "TIMESTAMP", "when it was first seen"),
        Column("last_seen_at", "TIMESTAMP", "when it was last seen"),
        Column("count", "BIGINT", "how often it was seen"),
        Column("closed_at", "TIMESTAMP", "when it ended; NULL while it lasts"),
        Column("delivered_at", "TIMESTAMP", "when the first channel was told of it; or NULL"),
        Column("warning_at", "TIMESTAMP", "when it became a warning; NULL if it did not"),
        Column("critical_at", "TIMESTAMP", "when it became critical; NULL if it did not"),
    ),
    day_column="",
    written_by="no_asset",
)
ALERT_DELIVERIES = Table(
    "monitoring.alert_deliveries",
    "Messages about alerts: one row per message and channel, written before it is sent. One that "
    "has neither delivered_at nor next_attempt is a dead letter: it was tried as often as "
    "messages are, and waits for `quant-assets alerts --resend`. Moments are UTC.",
    (
        Column("id", "VARCHAR", "digest of alert, kind, level and channel"),
        Column("alert_id", "VARCHAR", "the alert"),
        Column("kind", "VARCHAR", "opening, escalation or recovery"),
        Column("level", "VARCHAR", "level of the alert when the message was written"),
        Column("channel", "VARCHAR", "scheme of the channel's URL, and its host where no secret"),
        Column("subject", "VARCHAR", "first line of the message"),
        Column("text", "VARCHAR", "its text"),
        Column("created_at", "TIMESTAMP", "when what it tells happened"),
        Column("attempts", "BIGINT", "how often sending was begun since it was written or resent"),
        Column("last_error", "VARCHAR", "what came of the last attempt; NULL if it came through"),
        Column("next_attempt", "TIMESTAMP", "not tried before; NULL if it is not tried any more"),
        Column("delivered_at", "TIMESTAMP", "when the channel took it; or NULL"),
    ),
    day_column="",
    written_by="no_asset",
)
