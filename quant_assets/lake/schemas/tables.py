"""Tables from prices to submissions: columns, their meaning, what a row is and when it is known.

The tables of scores, of data and drift, of releases and of alerts are in the modules beside this
one. A table's name is its Dagster asset key with a dot. Documentation, ``describe``, the assets'
column schemas and the DDL all come from here. Reading and writing do not belong here.
"""

from quant_assets.features.catalogue import CATALOGUE
from quant_assets.lake.schemas.scoring_tables import DATE_ID
from quant_assets.lake.schemas.table import Column, FamilyTable, Table

N_TARGETS = 424

_DAY = Column("trading_day", "DATE", "session of London or Tokyo")
_TARGET = Column("target", "VARCHAR", "target_0 to target_423")

RAW_PRICES = Table(
    "raw.prices",
    "Prices as the source gave them: one row per day and series, empty cells included. "
    "Known at the close of trading_day.",
    (
        _DAY,
        DATE_ID,
        Column("instrument", "VARCHAR", "what is traded, e.g. US_Stock_CVX"),
        Column("field", "VARCHAR", "open, high, low, close, volume, open_interest or settlement"),
        Column("value", "DOUBLE", "the number given; NULL where empty or not a number"),
        Column("source", "VARCHAR", "name of the source"),
        Column("unread", "VARCHAR", "the text given where it is not a number, else NULL"),
    ),
)
RAW_TARGET_PAIRS = Table(
    "raw.target_pairs",
    "The return spreads to rank: one row per target, in submission order.",
    (
        _TARGET,
        Column("lag", "BIGINT", "holding period in trading days, 1 to 4"),
        Column("leg_a", "VARCHAR", "instrument bought"),
        Column("leg_b", "VARCHAR", "instrument sold; NULL for a single leg"),
    ),
    day_column="",
)
VALIDATED_PRICES = Table(
    "validated.prices",
    "Prices after cleaning: one row per day and series. Known at the close of trading_day; "
    "depends on earlier days only.",
    (
        _DAY,
        DATE_ID,
        Column("instrument", "VARCHAR", "what is traded"),
        Column("field", "VARCHAR", "what was recorded of it"),
        Column("value", "DOUBLE", "observed and accepted; NULL otherwise. Labels use this"),
        Column("filled", "DOUBLE", "value, carried forward within a limit. Features use this"),
        Column("flag", "VARCHAR", "filled, stale, jump, rejected, joined by commas; NULL if none"),
    ),
)
VALIDATED_QUARANTINE = Table(
    "validated.quarantine",
    "Cells that were rejected, and why: one row per cell.",
    (
        _DAY,
        Column("source", "VARCHAR", "name of the source"),
        Column("row", "BIGINT", "date_id of the cell"),
        Column("column", "VARCHAR", "name of the series in the source"),
        Column("value", "VARCHAR", "what stood there"),
        Column("reason", "VARCHAR", "why it was rejected"),
    ),
)
LABELS = Table(
    "features.labels",
    "Labels on the day they become known: one row per target and release day. Written on "
    "released_on, never before; NULL where a price is missing.",
    (
        Column("trading_day", "DATE", "day on which the label is forecast"),
        DATE_ID,
        _TARGET,
        Column("value", "DOUBLE", "log return of leg A less that of leg B over lag days"),
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
    description = f"{grain} Known at the close of trading_day; depends on earlier days only."
    return Table(f"features.{name}", description, (_DAY, DATE_ID, *unit, *described))


INSTRUMENT_FEATURES = _features_table(
    "instruments",
    "instrument",
    (Column("instrument", "VARCHAR", "what is traded"),),
    "Features of each instrument: one row per day and instrument.",
)
MARKET_FEATURES = _features_table(
    "market", "market", (), "Features of the markets as a whole: one row per day."
)
TARGET_FEATURES = _features_table(
    "targets", "target", (_TARGET,), "Features of each target: one row per day and target."
)
FEATURES = (INSTRUMENT_FEATURES, MARKET_FEATURES, TARGET_FEATURES)


@FamilyTable
def fits_table(family: str) -> Table:
    """Table of a family's fits."""
    return Table(
        f"fits.{family}",
        f"Fits of {family}: one row per as-of day. A fit knows prices up to trading_day and "
        "labels released by then.",
        (
            Column("trading_day", "DATE", "as-of day"),
            DATE_ID,
            Column("parameters", "VARCHAR", "parameters of the fit, as JSON"),
            Column("study", "DATE", "as-of day of the study they are the best of; NULL if of none"),
            Column("by_hand", "VARCHAR", "those of them set by hand, joined by commas; or NULL"),
            Column("metrics", "VARCHAR", "figures of the fit, as JSON"),
            Column("importance", "VARCHAR", "share of each input in the forecasts, as JSON"),
            Column("artifact", "VARCHAR", "file of the model below the artifacts folder; or NULL"),
            Column("sha256", "VARCHAR", "digest of that file, checked before it is loaded"),
            Column("failure", "VARCHAR", "why there is no model; NULL if there is one"),
            Column("snapshot", "BIGINT", "lake snapshot the fit was trained on"),
            Column("features_version", "VARCHAR", "version of the feature catalogue"),
            Column("seed", "BIGINT", "seed of everything random in the fit"),
            Column("library", "VARCHAR", "library and version that fitted it"),
            Column("code", "VARCHAR", "digest of the family's code, without comments and layout"),
            Column("fingerprint", "VARCHAR", "digest of all that the fit depends on"),
            Column("seconds", "DOUBLE", "time the fit took"),
            Column("dagster_run", "VARCHAR", "Dagster run that made it"),
        ),
    )


@FamilyTable
def study_table(family: str) -> Table:
    """Table of the searches for a family's parameters; written by studies only, never by a load."""
    return Table(
        f"fits.{family}_study",
        f"Searches for parameters of {family}: one row per as-of day and trial. A search knows "
        "what a fit as of trading_day does; fits as of that day or later use its best trial.",
        (
            Column("trading_day", "DATE", "as-of day"),
            DATE_ID,
            Column("trial", "BIGINT", "number of the trial, from 1; the first has the defaults"),
            Column("stage", "VARCHAR", "broad, over the whole space; or narrow, around its best"),
            Column("parameters", "VARCHAR", "all parameters of the trial, as JSON"),
            Column("value", "DOUBLE", "score of the folds, less for instability; NULL if given up"),
            Column("metrics", "VARCHAR", "score of each fold it got to, oldest first, as JSON"),
            Column("best", "BOOLEAN", "whether it is the one that fits use"),
            Column("seconds", "DOUBLE", "time the trial took"),
            Column("folds", "BIGINT", "fits a whole trial makes, each judged on the days after it"),
            Column("first_judged", "DATE", "first forecast day judged"),
            Column("last_judged", "DATE", "last forecast day judged"),
            Column("seed", "BIGINT", "seed of the search and of its fits"),
            Column("search", "VARCHAR", "digest of all that the trials depend on"),
        ),
        written_by="study",
    )


@FamilyTable
def forecasts_table(family: str) -> Table:
    """Table of a family's forecasts."""
    return Table(
        f"forecasts.{family}",
        f"Forecasts of {family}: one row per day and target. Uses what is known on trading_day "
        "and the newest fit as of that day or before.",
        (
            _DAY,
            DATE_ID,
            _TARGET,
            Column("value", "DOUBLE", "score of the target; only its rank on the day matters"),
            Column("fit_as_of", "DATE", "as-of day of the fit"),
        ),
    )


ENSEMBLE_FORECASTS = forecasts_table("ensemble")
INTERVALS = Table(
    "forecasts.intervals",
    "How far each target may move: one row per forecast day and target, bounds of its label. From "
    "labels released by trading_day.",
    (
        _DAY,
        DATE_ID,
        _TARGET,
        *(
            Column(f"{end}_{level}", "DOUBLE", f"{end} bound that {level} % of labels respect")
            for level in (80, 95)
            for end in ("lower", "upper")
        ),
    ),
)
SUBMISSIONS = Table(
    "submissions.competition",
    "The submission: one row per day, one column per target, never empty.",
    (
        _DAY,
        DATE_ID,
        *(Column(f"target_{i}", "DOUBLE", "published value") for i in range(N_TARGETS)),
    ),
)
TRACKED_FITS = Table(
    "tracking.fits",
    "MLflow's record of every fit: one row per family and as-of day. Follows the fits; a fit that "
    "could not be recorded is recorded by a later run.",
    (
        Column("trading_day", "DATE", "as-of day"),
        DATE_ID,
        Column("family", "VARCHAR", "model family"),
        Column("fingerprint", "VARCHAR", "digest of all that the fit depends on"),
        Column("mlflow_run", "VARCHAR", "MLflow run of the fit"),
        Column("version", "BIGINT", "in the model registry, under the family's name; or NULL"),
        Column("alias", "VARCHAR", "champion: is published; challenger: may follow it; NULL"),
    ),
)
