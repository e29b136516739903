"""Tables of releases: their fits, daily ICs and decisions, and the submitted forecast.

The rules of the decisions are in ``promotion``.
"""

from quant_assets.lake.schemas.columns import DATE_ID, TARGET
from quant_assets.lake.schemas.table import ORIGIN, Column, Table

_DAY = Column("trading_day", "DATE", "forecast day")
SUBMITTED_NAME = "published"
"""The name under which daily ICs of the submitted forecast are stored."""
WALK_FORWARD, LIVE = "walk_forward", "live"
"""Origins of a daily IC: walk-forward, or forecasts made while the release existed."""

RELEASES = Table(
    "promotion.releases",
    "Releases: fits of all families that go into force together, one row per release and family. "
    "A retraining writes a release once. Later only no_record may change, when a missing "
    "walk-forward record is added.",
    (
        Column("release", "VARCHAR", "as-of day and six digits of the digest of its content"),
        Column("trading_day", "DATE", "as-of day"),
        Column("family", "VARCHAR", "model family"),
        Column("fit_as_of", "DATE", "as-of day of the family's fit"),
        Column("fingerprint", "VARCHAR", "digest of everything that the fit depends on"),
        Column("artifact", "VARCHAR", "file of the model in the artifacts folder"),
        Column("sha256", "VARCHAR", "digest of that file, verified before it is loaded"),
        Column("pinned", "BOOLEAN", "whether this fit forecasts; otherwise the family's newest"),
        Column("weight", "DOUBLE", "weight on the as-of day; forecasts use that of their own day"),
        Column("features_version", "VARCHAR", "version of the features that the fit was made on"),
        Column("recipe", "VARCHAR", "digest of families, parameters and code"),
        Column("no_record", "VARCHAR", "why there is no walk-forward record; NULL if there is"),
        Column(
            "registered_after",
            "DATE",
            "newest day with a submitted forecast when the release was made; its as-of day if "
            "there was none. The release takes part from the next day on, so that a repeated day "
            "has the same result",
        ),
        Column("place", "BIGINT", "number of the release, in the order in which they were made"),
    ),
    written_by="retrain",
)
RECORDS = Table(
    "promotion.records",
    "Daily information coefficients of each release and of the submitted forecast: one row per "
    "release, forecast day and origin. Known on released_on.",
    (
        Column("release", "VARCHAR", "the release; published for the submitted forecast"),
        Column("trading_day", "DATE", "forecast day"),
        Column("released_on", "DATE", "day on which all the day's labels are known"),
        Column("ic", "DOUBLE", "Spearman correlation of forecast and label over the targets"),
        Column(
            "origin",
            "VARCHAR",
            "walk_forward: from the ensemble with the recipe of the release, copied when the "
            "release was made; live: from forecasts of the release itself",
        ),
    ),
    day_column="released_on",
)
DECISIONS = Table(
    "promotion.decisions",
    "Decisions about releases: one row per decision, in force from trading_day on. Champion, "
    "challenger and share of a day result from all rows up to that day, in order.",
    (
        Column("decision", "VARCHAR", "digest of day, sequence, action and release"),
        Column("trading_day", "DATE", "first day on which the decision is in force"),
        Column("sequence", "BIGINT", "order within the day: by hand from 1, by rules from 101"),
        Column("action", "VARCHAR", "kind of the decision"),
        Column("release", "VARCHAR", "the release that it is about"),
        Column("champion", "VARCHAR", "the champion afterwards; NULL if there is none"),
        Column("stage_before", "VARCHAR", "stage before: none, shadow, 10 % to 100 %, or champion"),
        Column("stage_after", "VARCHAR", "stage afterwards: a stage as before, or refused"),
        Column("share_before", "DOUBLE", "share of the release in the submitted forecast before"),
        Column(
            "share_after", "DOUBLE", "share of the release in the submitted forecast afterwards"
        ),
        Column("numbers", "VARCHAR", "figures and limits that the decision depends on, as JSON"),
        Column("reason", "VARCHAR", "reason in words"),
        Column("made_by", "VARCHAR", "rules, or the person who decided by hand"),
        Column("stored_at", "TIMESTAMP", "when the decision was stored first, UTC"),
    ),
)
RELEASE_FORECASTS = Table(
    "forecasts.releases",
    "Forecasts of champion, challenger, and releases replaced shortly before: one row per day, "
    "release and target. Known at the close of trading_day.",
    (
        _DAY,
        DATE_ID,
        Column("release", "VARCHAR", "the release"),
        TARGET,
        Column("value", "DOUBLE", "weighted mean of the standardised ranks of its families"),
    ),
)
SUBMITTED_FORECASTS = Table(
    "forecasts.published",
    "The submitted forecast: ranks of the champion, mixed with ranks of the challenger by its "
    "share. Without a release that can forecast, it is the forecast of the ensemble. One row per "
    "day and target. Known at the close of trading_day.",
    (
        _DAY,
        DATE_ID,
        TARGET,
        Column("value", "DOUBLE", "score of the target; only its rank on the day matters"),
        Column("fit_as_of", "DATE", "as-of day of the newest fit that forecast"),
        Column("champion", "VARCHAR", "champion that forecast; NULL if no champion did"),
        Column("challenger", "VARCHAR", "challenger with a share or in shadow; or NULL"),
        Column("share", "DOUBLE", "share of the challenger, 0 to 1"),
        *ORIGIN,
    ),
    keeps_live=True,
)
TRACKED_RELEASES = Table(
    "tracking.releases",
    "Releases that MLflow has: one row per release. If a release cannot be recorded, a later run "
    "records it.",
    (
        Column("release", "VARCHAR", "the release"),
        Column("trading_day", "DATE", "as-of day"),
        Column("mlflow_run", "VARCHAR", "MLflow run of the release"),
        Column("version", "BIGINT", "version of the registered model named release"),
        Column("alias", "VARCHAR", "champion, challenger, or NULL"),
    ),
)
PROMOTION_DAILY = (RELEASE_FORECASTS, RECORDS, DECISIONS, SUBMITTED_FORECASTS)
"""Tables that one step of every day writes together."""
