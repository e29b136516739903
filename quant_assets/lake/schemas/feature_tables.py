"""Tables of labels and features; those of bars and of other tables are in modules of their own."""

from quant_assets.features.catalogue import CATALOGUE
from quant_assets.lake.schemas.columns import DATE_ID, DAY, INSTRUMENT, TARGET
from quant_assets.lake.schemas.observation_tables import OBSERVATION_FEATURES
from quant_assets.lake.schemas.table import Column, Table

LABELS = Table(
    "features.labels",
    "Labels by the day on which they become known: one row per target and day released_on. A row "
    "is written on released_on and never before.",
    (
        Column("trading_day", "DATE", "forecast day of the label"),
        DATE_ID,
        TARGET,
        Column("value", "DOUBLE", "log return of leg A less leg B; NULL if a price is missing"),
        Column("released_on", "DATE", "day of the label's last price: lag + 1 days later"),
    ),
    day_column="released_on",
)


def _features_table(name: str, level: str, unit: tuple[Column, ...], grain: str) -> Table:
    described = tuple(
        Column(feature.name, "DOUBLE", feature.formula)
        for feature in CATALOGUE
        if feature.level == level
    )
    description = (
        f"{grain} Known at the close of trading_day; computed from this day and earlier days."
    )
    return Table(f"features.{name}", description, (DAY, DATE_ID, *unit, *described))


INSTRUMENT_FEATURES = _features_table(
    "instruments",
    "instrument",
    (INSTRUMENT,),
    "Features of each instrument: one row per day and instrument.",
)
GROUP_FEATURES = _features_table(
    "groups",
    "group",
    (Column("instrument_group", "VARCHAR", "name of the group of instruments"),),
    "Features of each group of instruments: one row per day and group.",
)
MARKET_FEATURES = _features_table(
    "market", "market", (), "Features of all instruments together: one row per day."
)
TARGET_FEATURES = _features_table(
    "targets", "target", (TARGET,), "Features of each target: one row per day and target."
)
FEATURES = (
    *(INSTRUMENT_FEATURES, GROUP_FEATURES, MARKET_FEATURES, TARGET_FEATURES),
    OBSERVATION_FEATURES,
)
