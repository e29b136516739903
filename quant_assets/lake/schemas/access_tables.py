"""Tables of the API keys, and of the audit of predictions and operations.

No asset writes these tables: `quant-assets keys` writes keys, and servers append to the audit. All
moments are UTC.
"""

from quant_assets.lake.schemas.table import Column, Table

KEYS = Table(
    "access.keys",
    "API keys: one row per key that was ever made. The key itself is stored nowhere, only its "
    "digest. `quant-assets keys` writes them. Moments are UTC.",
    (
        Column("id", "VARCHAR", "public part of the key, by which it is looked up"),
        Column("name", "VARCHAR", "the holder, as the maker of the key named it"),
        Column("role", "VARCHAR", "read, predict or operate; each may do all that the former may"),
        Column("sha256", "VARCHAR", "SHA-256 of the whole key"),
        Column("made_at", "TIMESTAMP", "when the key was made"),
        Column("revoked_at", "TIMESTAMP", "when the key was revoked; NULL while it is valid"),
    ),
    day_column="",
    written_by="no_asset",
)
AUDIT = Table(
    "access.audit",
    "Audit of the prediction API: one row per request that asked for a prediction or an operation "
    "with a valid key or from this machine, answered or refused. Rows are only ever added. "
    "Moments are UTC.",
    (
        Column("id", "VARCHAR", "random id of the row"),
        Column("moment", "TIMESTAMP", "when the request arrived"),
        Column("key_id", "VARCHAR", "id in access.keys; empty for a caller of this machine"),
        Column("operation", "VARCHAR", "method and route, e.g. POST /predict"),
        Column("path", "VARCHAR", "path that was asked for, without its query"),
        Column(
            "input_sha256",
            "VARCHAR",
            "SHA-256 of the request's body; empty if it was refused unread",
        ),
        Column("release", "VARCHAR", "release that answered; empty where none did"),
        Column("answer_sha256", "VARCHAR", "SHA-256 of the answer's body"),
        Column("status", "BIGINT", "HTTP status of the answer"),
        Column("seconds", "DOUBLE", "time from the request's arrival to its answer"),
    ),
    day_column="",
    written_by="no_asset",
)
