"""Tables of fits, studies, forecasts, intervals and submissions."""

from quant_assets.lake.schemas.columns import DATE_ID, DAY, TARGET
from quant_assets.lake.schemas.table import ORIGIN, Column, FamilyTable, Table


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
            DAY,
            DATE_ID,
            TARGET,
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
        DAY,
        DATE_ID,
        TARGET,
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
        DAY,
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
        DAY,
        DATE_ID,
        TARGET,
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
