"""Tables of the past that changed: revisions, what was rejected or replaced, and what was loaded.

The comparison of a source with the stored prices is in ``revisions``.
"""

from quant_assets.lake.schemas.forecast_tables import INTERVALS, SUBMISSIONS
from quant_assets.lake.schemas.price_tables import RAW_PRICES, RAW_TARGET_PAIRS, VALIDATED_PRICES
from quant_assets.lake.schemas.promotion_tables import SUBMITTED_FORECASTS
from quant_assets.lake.schemas.table import Column, Table, rejected_table, superseded_table

_KNOWN_AT = Column("known_at", "TIMESTAMP", "when the revision was stored, UTC")

REVISIONS = Table(
    "raw.revisions",
    "What a source changed in days that were stored already, and what people decided about them. "
    "One row per day that was withdrawn or inserted, per range of days that a series was restated "
    "over by one factor or that got other numbers, per cell that was corrected or reviewed, and "
    "per split or dividend that changed. Written together with the prices.",
    (
        _KNOWN_AT,
        Column("trading_day", "DATE", "the day, or the first day of the range"),
        Column("until", "DATE", "the last day of the range; the same day without a range"),
        Column("instrument", "VARCHAR", "name of the instrument; NULL if the whole day changed"),
        Column("field", "VARCHAR", "field of the series; NULL if the whole day changed"),
        Column(
            "kind",
            "VARCHAR",
            "restated: all values of a range times one factor; corrected: one cell; withdrawn or "
            "inserted: the whole day; renumbered: other date_ids; reviewed: one cell that a person "
            "accepted or rejected, or whose decision was undone; split or dividend: that of a day",
        ),
        Column(
            "before",
            "DOUBLE",
            "stored value, date_id, split or dividend of trading_day; NULL if empty",
        ),
        Column(
            "after",
            "DOUBLE",
            "the same now; NULL if empty, or rejected by a person",
        ),
        Column("factor", "DOUBLE", "after divided by before over the range; NULL otherwise"),
        Column("cells", "BIGINT", "number of changed cells"),
    ),
    written_by="no_asset",
)
DIGESTS = Table(
    "raw.digests",
    "Digests of the stored prices, with which a source is compared in moments: one row per series "
    "and block of days. Written together with the prices.",
    (
        Column("block", "DATE", "first calendar day of the block"),
        Column("instrument", "VARCHAR", "name of the instrument; empty for the numbers of days"),
        Column("field", "VARCHAR", "field of the series; date_id for the numbers of days"),
        Column("digest", "BIGINT", "sum over the block's days of a hash of day and value"),
    ),
    day_column="block",
    written_by="no_asset",
)
SET_ASIDE = Table(
    "raw.set_aside",
    "Days whose prices did not pass their blocking checks and are not used: one row per day, until "
    "the source repairs it. Other days go on; the day keeps what was stored before, or is empty.",
    (
        Column("trading_day", "DATE", "the day"),
        Column("digest", "BIGINT", "digest of the prices that were refused"),
        Column("reason", "VARCHAR", "the checks that did not pass"),
        Column("since", "TIMESTAMP", "when the day was set aside, UTC"),
    ),
    written_by="no_asset",
)
OUTDATED = Table(
    "raw.outdated",
    "A row while labels and features are older than the prices, or scores than a change of the "
    "past: a run that has not come to its end. The next one begins there.",
    (
        Column("trading_day", "DATE", "first day whose prices changed"),
        Column("until", "DATE", "newest day that the run stores or that was stored before"),
        Column("known_at", "TIMESTAMP", "when the change was stored, UTC"),
        Column("snapshot", "BIGINT", "lake snapshot before the change"),
    ),
    day_column="",
    written_by="no_asset",
)
REVISION_RUNS = Table(
    "monitoring.revision_runs",
    "Revisions that came to their end: one row per run, with what it changed.",
    (
        _KNOWN_AT,
        Column("trading_day", "DATE", "first day whose prices changed"),
        Column("until", "DATE", "newest day that was done again"),
        Column("finished_at", "TIMESTAMP", "when labels, features and scores were stored, UTC"),
        Column("summary", "VARCHAR", "what the source changed, in words"),
        Column(
            "labels",
            "BIGINT",
            "labels that moved by more than QUANT_REVISED_LABEL; NULL if the snapshot before had "
            "expired",
        ),
        Column("worst", "DOUBLE", "largest move of a label, even below it; NULL likewise"),
        Column("snapshot", "BIGINT", "lake snapshot with labels and features as they are since"),
    ),
    written_by="revise",
)
LOADS = Table(
    "raw.loads",
    "The last whole load: what it was made from. It travels with the lake, so that an older copy "
    "of a lake is loaded again.",
    (
        Column("fingerprint", "VARCHAR", "digest of source, settings, code and studies"),
        Column("stored_at", "TIMESTAMP", "when the load ended, UTC"),
    ),
    day_column="",
    written_by="no_asset",
)
REJECTED_PRICES = rejected_table(RAW_PRICES)
REJECTED_PAIRS = rejected_table(RAW_TARGET_PAIRS)
REJECTED_VALIDATED = rejected_table(VALIDATED_PRICES)
SUPERSEDED_SUBMISSIONS = superseded_table(SUBMISSIONS)
SUPERSEDED_FORECASTS = superseded_table(SUBMITTED_FORECASTS)
SUPERSEDED_INTERVALS = superseded_table(INTERVALS)
