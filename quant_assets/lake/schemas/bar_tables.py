"""Tables of bars within the day and of their features. Only sources that deliver bars fill them."""

from quant_assets.features.bar_catalogue import BAR_CATALOGUE
from quant_assets.lake.schemas.columns import DATE_ID, DAY, INSTRUMENT
from quant_assets.lake.schemas.table import Column, Table, rejected_table

RAW_BARS = Table(
    "raw.bars",
    "Bars within the day as the source gave them: one row per day, instrument and start of a bar. "
    "Empty where the source delivers no bars. Known at the close of trading_day.",
    (
        DAY,
        DATE_ID,
        INSTRUMENT,
        Column("bar_start", "TIMESTAMP", "when the bar begins, UTC"),
        Column("minutes", "BIGINT", "length of the bar in minutes"),
        Column("open", "DOUBLE", "first price of the bar; NULL if the cell is empty"),
        Column("high", "DOUBLE", "highest price"),
        Column("low", "DOUBLE", "lowest price"),
        Column("close", "DOUBLE", "last price"),
        Column("volume", "DOUBLE", "units traded; NULL if unknown"),
        Column("source", "VARCHAR", "name of the source"),
    ),
    written_by="bars",
)
BAR_FEATURES = Table(
    "features.bars",
    "Features of each instrument from its bars: one row per instrument and day with bars. Known at "
    "the close of trading_day; computed from this day and earlier days.",
    (
        DAY,
        DATE_ID,
        INSTRUMENT,
        *(
            Column(each.name, "DOUBLE", f"{each.formula}; {each.unit}. {each.source}".strip(". "))
            for each in BAR_CATALOGUE
        ),
    ),
    written_by="bars",
)
REJECTED_BARS = rejected_table(RAW_BARS)
