"""Tables of alerts and of the messages about them.

No asset writes these tables: sensors change single rows at any time, so no partition could hold
the final rows of a day. All moments are UTC.
"""

from quant_assets.lake.schemas.table import Column, Table

ALERTS = Table(
    "monitoring.alerts",
    "Alerts: one row per occurrence of a condition, from its first observation to its end. "
    "Sensors write them. Moments are UTC.",
    (
        Column("id", "VARCHAR", "digest of key and opened_at"),
        Column("key", "VARCHAR", "the condition, e.g. run_failed/refresh_daily/2023-12-29"),
        Column("level", "VARCHAR", "highest level so far: critical, warning or info"),
        Column("subject", "VARCHAR", "the condition in one line"),
        Column("text", "VARCHAR", "what is wrong, and what to do"),
        Column("trading_day", "DATE", "day of the condition, or the last of its days; or NULL"),
        Column("opened_at", "TIMESTAMP", "when the condition was first observed"),
        Column("last_seen_at", "TIMESTAMP", "when the condition was last observed"),
        Column("count", "BIGINT", "how often the condition was observed"),
        Column("closed_at", "TIMESTAMP", "when the condition ended; NULL while it lasts"),
        Column("delivered_at", "TIMESTAMP", "when the first channel took a message; or NULL"),
        Column("warning_at", "TIMESTAMP", "when the alert became a warning; or NULL"),
        Column("critical_at", "TIMESTAMP", "when the alert became critical; or NULL"),
    ),
    day_column="",
    written_by="no_asset",
)
ALERT_DELIVERIES = Table(
    "monitoring.alert_deliveries",
    "Messages about alerts: one row per message and channel, written before the message is sent. A "
    "row with neither delivered_at nor next_attempt is a dead letter: it is not tried again until "
    "`quant-assets alerts --resend`. Moments are UTC.",
    (
        Column("id", "VARCHAR", "digest of alert, kind, level and channel"),
        Column("alert_id", "VARCHAR", "id of the alert"),
        Column("kind", "VARCHAR", "opening, escalation or recovery"),
        Column("level", "VARCHAR", "level of the alert when the message was written"),
        Column("channel", "VARCHAR", "scheme of the channel's URL, and its host unless secret"),
        Column("subject", "VARCHAR", "first line of the message"),
        Column("text", "VARCHAR", "text of the message"),
        Column("created_at", "TIMESTAMP", "when the alert's transition happened"),
        Column("attempts", "BIGINT", "attempts to send it since it was written or resent"),
        Column("last_error", "VARCHAR", "error of the last attempt; NULL if it succeeded"),
        Column("next_attempt", "TIMESTAMP", "time of the next attempt; NULL if there is none"),
        Column("delivered_at", "TIMESTAMP", "when the channel took the message; or NULL"),
    ),
    day_column="",
    written_by="no_asset",
)
