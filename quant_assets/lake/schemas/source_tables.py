"""Tables about the delivery of prices by sources. The prices themselves are in ``tables``."""

from quant_assets.lake.schemas.table import Column, Table

ACTIONS = Table(
    "raw.actions",
    "Splits and dividends as the source gave them, where raw.prices are prices as traded: one row "
    "per day and instrument with a split or dividend. validated.prices are multiplied forward by "
    "them. Known at the close of trading_day. Written together with the prices.",
    (
        Column("trading_day", "DATE", "a trading day of the market"),
        Column("date_id", "BIGINT", "the source's number of the day"),
        Column("instrument", "VARCHAR", "name of the instrument"),
        Column("split", "DOUBLE", "shares after the day's split for each before; 1 without one"),
        Column("dividend", "DOUBLE", "cash for each share, counted after the split; 0 without one"),
    ),
    written_by="no_asset",
)
RESPONSES = Table(
    "raw.responses",
    "Answers of a vendor to requests for prices: one row per answer. A run that stores prices adds "
    "the answers that were kept until then. The body of an answer is a file in the folder "
    "`sources/<source>/bodies` of the data directory.",
    (
        Column("id", "BIGINT", "number of the answer; begins anew if kept answers are deleted"),
        Column("source", "VARCHAR", "name of the source that asked"),
        Column("dataset", "VARCHAR", "what the source asked for"),
        Column("url", "VARCHAR", "the address, without credentials"),
        Column("answered_at", "TIMESTAMP", "moment of the answer, UTC"),
        Column("status", "BIGINT", "HTTP status"),
        Column("sha256", "VARCHAR", "digest of the body, which names its file"),
        Column("size", "BIGINT", "bytes of the body"),
        Column("problem", "VARCHAR", "why the answer was refused; empty if it was accepted"),
    ),
    day_column="",
    written_by="no_asset",
)
