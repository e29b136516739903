"""Tables of releases: what they are, how good they were, what was decided, what was published.

The rules that decide are in ``promotion``.
"""

from quant_assets.lake.schemas.scoring_tables import DATE_ID
from quant_assets.lake.schemas.table import Column, Table

_DAY = Column("trading_day", "DATE", "day of the forecast")
_TARGET = Column("target", "VARCHAR", "target_0 to target_423")
SUBMITTED_NAME = "published"
"""The name under which the published forecast has its records."""
WALK_FORWARD, LIVE = "walk_forward", "live"
"""Where a daily IC comes from."""

RELEASES = Table(
    "promotion.releases",
    "Releases: fits of all families that go into force together, one row per release and family. "
    "A release knows what its fits know. Written once, by a retraining; later at most a record "
    "that was missing is found.",
    (
        Column("release", "VARCHAR", "as-of day and six digits of the digest of its content"),
        Column("trading_day", "DATE", "as-of day"),
        Column("family", "VARCHAR", "model family"),
        Column("fit_as_of", "DATE", "as-of day of its fit"),
        Column("fingerprint", "VARCHAR", "digest of all that the fit depends on"),
        Column("artifact", "VARCHAR", "file of the model below the artifacts folder"),
        Column("sha256", "VARCHAR", "digest of that file, checked before it is loaded"),
        Column("pinned", "BOOLEAN", "whether this very fit forecasts; else the family's newest"),
        Column("weight", "DOUBLE", "learnt by the as-of day; a forecast's are those of its day"),
        Column("features_version", "VARCHAR", "version of the features that the fit was made on"),
        Column("recipe", "VARCHAR", "digest of families, parameters and code"),
        Column("no_record", "VARCHAR", "why it has no walk-forward record; NULL if it has one"),
        Column(
            "registered_after",
            "DATE",
            "newest day published when it was made, itself if none was: it takes part from the "
            "next day on, so that days done again come out the same",
        ),
        Column("place", "BIGINT", "among all releases, in the order in which they were made"),
    ),
    written_by="retrain",
)
RECORDS = Table(
    "promotion.records",
    "Daily information coefficient of each release, and of what was published: one row per "
    "release, forecast day and origin. Known on released_on.",
    (
        Column("release", "VARCHAR", "the release, or published"),
        Column("trading_day", "DATE", "day of the forecast"),
        Column("released_on", "DATE", "day on which all the day's labels are known"),
        Column("ic", "DOUBLE", "Spearman correlation of forecast and label over the targets"),
        Column(
            "origin",
            "VARCHAR",
            "walk_forward: of the ensemble of its recipe, taken over when the release was made; "
            "live: of its own forecasts",
        ),
    ),
    day_column="released_on",
)
DECISIONS = Table(
    "promotion.decisions",
    "What was decided about releases: one row per decision, in force from trading_day on. What is "
    "in force on a day is what the rows up to it, in order, leave.",
    (
        Column("decision", "VARCHAR", "digest of day, sequence, action and release"),
        Column("trading_day", "DATE", "first day on which it is in force"),
        Column("sequence", "BIGINT", "order within the day: people's from 1, the rules' from 101"),
        Column("action", "VARCHAR", "what was done"),
        Column("release", "VARCHAR", "the release concerned"),
        Column("champion", "VARCHAR", "the champion afterwards; NULL if there is none"),
        Column("stage_before", "VARCHAR", "none, shadow, 10 % to 100 %, or champion"),
        Column("stage_after", "VARCHAR", "likewise, afterwards; or refused"),
        Column("share_before", "DOUBLE", "of the release in the published forecast"),
        Column("share_after", "DOUBLE", "likewise, afterwards"),
        Column("numbers", "VARCHAR", "figures and thresholds it rests on, as JSON"),
        Column("reason", "VARCHAR", "in words"),
        Column("made_by", "VARCHAR", "rules, or who decided by hand"),
    ),
)
RELEASE_FORECASTS = Table(
    "forecasts.releases",
    "Forecasts of the releases that were in force, in question, or replaced a short while before: "
    "one row per day, release and target. Known at the close of trading_day.",
    (
        _DAY,
        DATE_ID,
        Column("release", "VARCHAR", "the release"),
        _TARGET,
        Column("value", "DOUBLE", "weighted mean of the standardised ranks of its families"),
    ),
)
SUBMITTED_FORECASTS = Table(
    "forecasts.published",
    "The forecast that is submitted: the champion's, mixed by rank with the challenger's by its "
    "share; the ensemble's where no release is in force or none can forecast. One row per day and "
    "target. Known at the close of trading_day.",
    (
        _DAY,
        DATE_ID,
        _TARGET,
        Column("value", "DOUBLE", "score of the target; only its rank on the day matters"),
        Column("fit_as_of", "DATE", "as-of day of the newest fit used"),
        Column("champion", "VARCHAR", "release that forecast; NULL where none did"),
        Column("challenger", "VARCHAR", "release that had a share or is watched; or NULL"),
        Column("share", "DOUBLE", "of the challenger, 0 to 1"),
    ),
)
TRACKED_RELEASES = Table(
    "tracking.releases",
    "MLflow's record of every release: one row per release. Follows releases and decisions; one "
    "that could not be recorded is recorded by a later run.",
    (
        Column("release", "VARCHAR", "the release"),
        Column("trading_day", "DATE", "as-of day"),
        Column("mlflow_run", "VARCHAR", "MLflow run of the release"),
        Column("version", "BIGINT", "of the registered model named release"),
        Column("alias", "VARCHAR", "champion, challenger, or NULL"),
    ),
)
PROMOTION_DAILY = (RELEASE_FORECASTS, RECORDS, DECISIONS, SUBMITTED_FORECASTS)
"""What each day adds to, in one step."""
