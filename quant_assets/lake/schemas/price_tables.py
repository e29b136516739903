"""Tables of prices as they came and after validation, of instruments, and of target pairs.

A table's name is its Dagster asset key with a dot. The pages in ``docs``, ``describe``, the column
schemas of assets and the DDL use these declarations. Reading and writing do not belong here.
"""

from quant_assets.lake.schemas.columns import DATE_ID, DAY, INSTRUMENT, TARGET
from quant_assets.lake.schemas.table import Column, Table

RAW_PRICES = Table(
    "raw.prices",
    "Prices as the source gave them, empty cells included: one row per day and series. "
    "Known at the close of trading_day.",
    (
        DAY,
        DATE_ID,
        INSTRUMENT,
        Column("field", "VARCHAR", "open, high, low, close, volume, open_interest or settlement"),
        Column("value", "DOUBLE", "the source's number; NULL if the cell is empty or is text"),
        Column("source", "VARCHAR", "name of the source"),
        Column("unread", "VARCHAR", "the source's text if it is not a number; otherwise NULL"),
    ),
)
RAW_SERIES = Table(
    "raw.series",
    "The series of the source: one row per series. Written together with the prices.",
    (
        INSTRUMENT,
        Column("field", "VARCHAR", "open, high, low, close, volume, open_interest or settlement"),
        Column("column", "VARCHAR", "name of the series in the source"),
        Column("instrument_group", "VARCHAR", "group of the instrument, such as its market"),
    ),
    day_column="",
    written_by="no_asset",
)
RAW_GROUPS = Table(
    "raw.groups",
    "The groups of instruments: one row per group, in the market's order. Written together with "
    "the prices.",
    (
        Column("position", "BIGINT", "place of the group among the groups, from 0"),
        Column("instrument_group", "VARCHAR", "name of the group"),
        Column("leader", "VARCHAR", "group whose move this group follows a day later; or NULL"),
        Column("closing_order", "BIGINT", "groups with a lower number close earlier in the day"),
    ),
    day_column="",
    written_by="no_asset",
)
RAW_TARGET_PAIRS = Table(
    "raw.target_pairs",
    "The targets, which are returns and return spreads to rank: one row per target.",
    (
        TARGET,
        Column("position", "BIGINT", "place of the target in a submission, from 0"),
        Column("lag", "BIGINT", "horizon in whole trading days, 1 or more"),
        Column("leg_a", "VARCHAR", "the instrument that the spread buys"),
        Column("leg_b", "VARCHAR", "the instrument that it sells; NULL if there is one leg"),
    ),
    day_column="",
)
VALIDATED_PRICES = Table(
    "validated.prices",
    "Prices after cleaning: one row per day and series. Known at the close of trading_day; "
    "computed from this day and earlier days.",
    (
        DAY,
        DATE_ID,
        INSTRUMENT,
        Column("field", "VARCHAR", "open, high, low, close, volume, open_interest or settlement"),
        Column(
            "value",
            "DOUBLE",
            "the accepted value, times splits and dividends of raw.actions until the day; NULL "
            "without one. Labels use this column",
        ),
        Column(
            "filled",
            "DOUBLE",
            "value, or a price of a few days before. Features use this, unless `imputation` in the "
            "description says otherwise",
        ),
        Column(
            "flag",
            "VARCHAR",
            "filled, stale, jump, rejected, reviewed, unlisted, joined by commas; or NULL",
        ),
    ),
)
VALIDATED_QUARANTINE = Table(
    "validated.quarantine",
    "Cells that cleaning rejected, and the reasons: one row per cell.",
    (
        DAY,
        Column("source", "VARCHAR", "name of the source"),
        Column("row", "BIGINT", "date_id of the cell"),
        Column("column", "VARCHAR", "name of the series in the source"),
        Column("value", "VARCHAR", "the source's value, as text"),
        Column("reason", "VARCHAR", "why the cell was rejected"),
    ),
)
UNIVERSE = Table(
    "validated.universe",
    "Which instruments the market has on each day: one row per day and instrument. Known at the "
    "close of trading_day; computed from closes of this day and earlier days. Empty if the "
    "description says that all instruments count on all days.",
    (
        DAY,
        INSTRUMENT,
        Column("member", "BOOLEAN", "whether the market has the instrument on this day"),
        Column(
            "why", "VARCHAR", "listed, not yet listed, delisted, or for how long there is no price"
        ),
    ),
)
IMPUTED = Table(
    "validated.imputed",
    "Closes that are estimated because none was observed: one row per day and instrument. Known at "
    "the close of trading_day, and kept when later closes come; computed from closes of this day "
    "and earlier days. Only features use them. There is no such table unless the description has "
    "missing closes estimated.",
    (
        DAY,
        INSTRUMENT,
        Column("close", "DOUBLE", "the estimate, comparable with closes of validated.prices"),
        Column(
            "standard_error",
            "DOUBLE",
            "standard error of the estimate's logarithm; NULL if the history is too short for an "
            "estimate, and close is the last close",
        ),
    ),
    written_by="imputation",
)
VALIDATED_REVIEW = Table(
    "validated.review",
    "What people decided about flagged prices: one row per decision; rows are only ever added. The "
    "newest row of a cell and value is in force from decided_at on.",
    (
        Column("decided_at", "TIMESTAMP", "when the decision was made, UTC"),
        DAY,
        INSTRUMENT,
        Column("field", "VARCHAR", "field of the cell, such as close"),
        Column("value", "DOUBLE", "the source's number that was judged; no other is concerned"),
        Column(
            "decision", "VARCHAR", "accept, reject, or undo: the rules of cleaning decide again"
        ),
        Column("reason", "VARCHAR", "why, in the person's words"),
        Column("made_by", "VARCHAR", "who decided"),
    ),
    written_by="no_asset",
)
