"""Tables from prices to submissions: columns, their meaning, what a row is and when it is known.

The tables of scores, of monitoring, of releases and of alerts are in the neighbouring modules. A
table's name is its Dagster asset key with a dot. The pages in ``docs``, ``describe``, the column
schemas of assets and the DDL use these declarations. Reading and writing do not belong here.
"""

from quant_assets.features.catalogue import CATALOGUE
from quant_assets.lake.schemas.observation_tables import OBSERVATION_FEATURES
from quant_assets.lake.schemas.scoring_tables import DATE_ID
from quant_assets.lake.schemas.table import ORIGIN, Column, FamilyTable, Table

_DAY = Column("trading_day", "DATE", "a trading day of the market")
_TARGET = Column("target", "VARCHAR", "name of the target")

RAW_PRICES = Table(
    "raw.prices",
    "Prices as the source gave them, empty cells included: one row per day and series. "
    "Known at the close of trading_day.",
    (
        _DAY,
        DATE_ID,
        Column("instrument", "VARCHAR", "name of the instrument"),
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
        Column("instrument", "VARCHAR", "name of the instrument"),
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
        _TARGET,
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
        _DAY,
        DATE_ID,
        Column("instrument", "VARCHAR", "name of the instrument"),
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
        _DAY,
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
        _DAY,
        Column("instrument", "VARCHAR", "name of the instrument"),
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
        _DAY,
        Column("instrument", "VARCHAR", "name of the instrument"),
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
        _DAY,
        Column("instrument", "VARCHAR", "name of the instrument"),
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
LABELS = Table(
    "features.labels",
    "Labels by the day on which they become known: one row per target and day released_on. A row "
    "is written on released_on and never before.",
    (
        Column("trading_day", "DATE", "forecast day of the label"),
        DATE_ID,
        _TARGET,
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
    return Table(f"features.{name}", description, (_DAY, DATE_ID, *unit, *described))


INSTRUMENT_FEATURES = _features_table(
    "instruments",
    "instrument",
    (Column("instrument", "VARCHAR", "name of the instrument"),),
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
    "targets", "target", (_TARGET,), "Features of each target: one row per day and target."
)
FEATURES = (
    *(INSTRUMENT_FEATURES, GROUP_FEATURES, MARKET_FEATURES, TARGET_FEATURES),
    OBSERVATION_FEATURES,
)


@FamilyTable
def fits_table(family: str) -> Table:
    """Describe the table of a family's fits."""
    return Table(
        f"fits.{family}",
        f"Fits of {family}: one row per as-of day. A fit uses prices up to trading_day and "
        "labels known by then.",
        (
            Column("trading_day", "DATE", "as-of day"),
            DATE_ID,
            Column("parameters", "VARCHAR", "parameters of the fit, as JSON"),
            Column("study", "DATE", "as-of day of the study they come from; NULL without a study"),
            Column("by_hand", "VARCHAR", "parameters set by hand, joined by commas; or NULL"),
            Column("metrics", "VARCHAR", "numbers of labels and days of the fit, as JSON"),
            Column("importance", "VARCHAR", "share of each input in the forecasts, as JSON"),
            Column("artifact", "VARCHAR", "file of the model in the artifacts folder; or NULL"),
            Column("sha256", "VARCHAR", "digest of that file, verified before it is loaded"),
            Column("failure", "VARCHAR", "why there is no model; NULL if there is a model"),
            Column("snapshot", "BIGINT", "lake snapshot that the fit was trained on"),
            Column("features_version", "VARCHAR", "version of the feature catalogue"),
            Column("seed", "BIGINT", "seed of everything random in the fit"),
            Column("library", "VARCHAR", "library of the family, and its version"),
            Column("code", "VARCHAR", "digest of the family's code, without comments and layout"),
            Column("fingerprint", "VARCHAR", "digest of everything that the fit depends on"),
            Column("seconds", "DOUBLE", "seconds that the fit took"),
            Column("dagster_run", "VARCHAR", "Dagster run that made the fit"),
        ),
    )


@FamilyTable
def study_table(family: str) -> Table:
    """Describe the table of a family's studies. Studies write it, never a load."""
    return Table(
        f"fits.{family}_study",
        f"Studies of {family}, which search its parameters: one row per as-of day and trial. A "
        "study uses the data of a fit as of trading_day. Fits as of that day or later use its best "
        "trial.",
        (
            Column("trading_day", "DATE", "as-of day"),
            DATE_ID,
            Column("trial", "BIGINT", "number of the trial, from 1; the first has the defaults"),
            Column("stage", "VARCHAR", "broad: in the whole space; narrow: around the best trial"),
            Column("parameters", "VARCHAR", "all parameters of the trial, as JSON"),
            Column(
                "value", "DOUBLE", "score of the folds less instability; NULL if it was stopped"
            ),
            Column("metrics", "VARCHAR", "score of each finished fold, oldest first, as JSON"),
            Column("best", "BOOLEAN", "whether fits use the parameters of this trial"),
            Column("seconds", "DOUBLE", "seconds that the trial took"),
            Column("folds", "BIGINT", "folds of a whole trial: one fit each, judged on later days"),
            Column("first_judged", "DATE", "first forecast day that is judged"),
            Column("last_judged", "DATE", "last forecast day that is judged"),
            Column("seed", "BIGINT", "seed of the study and of its fits"),
            Column("search", "VARCHAR", "digest of everything that the trials depend on"),
        ),
        written_by="study",
    )


@FamilyTable
def forecasts_table(family: str) -> Table:
    """Describe the table of a family's forecasts."""
    return Table(
        f"forecasts.{family}",
        f"Forecasts of {family}: one row per day and target. Made from data known on trading_day "
        "by the newest fit as of that day or an earlier day.",
        (
            _DAY,
            DATE_ID,
            _TARGET,
            Column("value", "DOUBLE", "score of the target; only its rank on the day matters"),
            Column("fit_as_of", "DATE", "as-of day of the fit that forecast"),
        ),
    )


ENSEMBLE_FORECASTS = forecasts_table("ensemble")
INTERVALS = Table(
    "forecasts.intervals",
    "Intervals of labels: one row per forecast day and target. Computed from labels known on "
    "trading_day.",
    (
        _DAY,
        DATE_ID,
        _TARGET,
        *(
            Column(f"{end}_{level}", "DOUBLE", f"{end} bound of the {level} % interval")
            for level in (80, 95)
            for end in ("lower", "upper")
        ),
        *ORIGIN,
    ),
    keeps_live=True,
)
ADAPTATION = Table(
    "forecasts.adaptation",
    "State of the intervals' adaptation, from which the next day goes on: one row per day. "
    "Computed from labels known on trading_day, together with the intervals.",
    (
        _DAY,
        Column("labels", "VARCHAR", "digest of all labels known on trading_day, and of the code"),
        *(
            Column(f"missed_{level}", "DOUBLE", f"share that the {level} % interval may miss")
            for level in (80, 95)
        ),
    ),
    written_by="no_asset",
)
SUBMISSIONS = Table(
    "submissions.daily",
    "The submission of each day: one row per day and target. What was submitted live stays as it "
    "was.",
    (
        _DAY,
        DATE_ID,
        _TARGET,
        Column("value", "DOUBLE", "submitted score of the target; never empty"),
        *ORIGIN,
    ),
    keeps_live=True,
)
TRACKED_FITS = Table(
    "tracking.fits",
    "Fits that MLflow has: one row per family and as-of day. If a fit cannot be recorded, a later "
    "run records it.",
    (
        Column("trading_day", "DATE", "as-of day"),
        DATE_ID,
        Column("family", "VARCHAR", "model family"),
        Column("fingerprint", "VARCHAR", "digest of everything that the fit depends on"),
        Column("mlflow_run", "VARCHAR", "MLflow run of the fit"),
        Column("version", "BIGINT", "version of the registered model of the family; or NULL"),
        Column("alias", "VARCHAR", "champion: its forecasts are submitted; challenger; or NULL"),
    ),
)
