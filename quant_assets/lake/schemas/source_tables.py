"""Tables about the delivery of prices by sources. The prices themselves are in ``price_tables``."""

from quant_assets.lake.schemas.columns import DATE_ID, DAY, INSTRUMENT
from quant_assets.lake.schemas.table import Column, Table

ACTIONS = Table(
    "raw.actions",
    "Splits and dividends as the source gave them, where raw.prices are prices as traded: one row "
    "per day and instrument with a split or dividend. validated.prices are multiplied forward by "
    "them. Known at the close of trading_day. Written together with the prices.",
    (
        DAY,
        DATE_ID,
        INSTRUMENT,
        Column("split", "DOUBLE", "shares after the day's split for each before; 1 without one"),
        Column("dividend", "DOUBLE", "cash for each share, counted after the split; 0 without one"),
    ),
    written_by="no_asset",
)
DISAGREEMENTS = Table(
    "raw.disagreements",
    "Prices in which two sources of a market differ by more than the tolerance: one row per day, "
    "series and other source. Only markets with several sources have rows. Sources are compared "
    "when a day is stored, and with each of the four trading days after it, as a source may "
    "deliver late. Known at the close of the fourth trading day after trading_day.",
    (
        DAY,
        INSTRUMENT,
        Column("field", "VARCHAR", "open, high, low, close, volume, open_interest or settlement"),
        Column("value", "DOUBLE", "the number that raw.prices has"),
        Column("source", "VARCHAR", "the source of that number"),
        Column("other_value", "DOUBLE", "the number of another source"),
        Column("other_source", "VARCHAR", "the other source"),
        Column("difference", "DOUBLE", "difference as a share of the larger of the two numbers"),
        Column("tolerance", "DOUBLE", "difference that is no disagreement"),
    ),
    written_by="sources",
)
RESPONSES = Table(
    "raw.responses",
    "Answers of vendors to requests for prices and for tables: one row per answer. A run that "
    "stores prices, or reads tables, adds the answers that were kept until then. The body of an "
    "answer is a file in the folder `sources/<source>/bodies` of the data directory.",
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
