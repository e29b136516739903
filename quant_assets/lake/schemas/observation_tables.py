"""Tables of observations from the tables that a description names, and the features from them."""

from quant_assets.features.table_inputs import INSTRUMENT_FORMULAS, MARKET_FORMULAS
from quant_assets.lake.schemas.columns import DATE_ID, DAY
from quant_assets.lake.schemas.table import Column, Table

_KEYS = (
    Column("table_name", "VARCHAR", "name of the table in the description"),
    Column("field", "VARCHAR", "name of the field"),
    Column("instrument", "VARCHAR", "name of the instrument; empty for the whole market"),
)

RAW_OBSERVATIONS = Table(
    "raw.observations",
    "Values of the tables that a description names: one row per value and moment from which it was "
    "known. Rows are only ever added: a value that is revised later is a further row.",
    (
        *_KEYS,
        Column("observed_on", "DATE", "day that the value is about"),
        Column("known_at", "TIMESTAMP", "moment from which the value counts as known, UTC"),
        Column("value", "DOUBLE", "the value; rows without one are not stored"),
        Column(
            "stated_at",
            "TIMESTAMP",
            "moment from which the table says that it was known, UTC; known_at is later where the "
            "row came after the close of a stored day by which it should have been there",
        ),
        Column("source", "VARCHAR", "the file, or the vendor"),
        Column("reading", "VARCHAR", "digest of how the description reads the table"),
        Column("stored_at", "TIMESTAMP", "when the row was stored, UTC"),
    ),
    day_column="",
)
OBSERVATION_FEATURES = Table(
    "features.observations",
    "The newest known value of each field of the tables that a description names, and what models "
    "get of it: one row per day, field and instrument. Known at the close of trading_day.",
    (
        DAY,
        DATE_ID,
        *_KEYS,
        Column("value", "DOUBLE", "newest value known at the close; NULL if none is, or it is old"),
        Column("age_days", "BIGINT", "calendar days from the day that the value is about"),
        *(
            Column(name, "DOUBLE", f"{formula}, x is value; NULL for an instrument")
            for name, formula in MARKET_FORMULAS.items()
        ),
        *(
            Column(name, "DOUBLE", f"{formula}, x is value; NULL for the whole market")
            for name, formula in INSTRUMENT_FORMULAS.items()
        ),
    ),
)
