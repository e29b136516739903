"""Tables that compare data, features and forecasts with earlier days: columns and their meaning.

Tables of scores are in ``lake.schemas.scoring_tables``.
"""

from quant_assets.lake.schemas.columns import DATE_ID, DAY
from quant_assets.lake.schemas.table import Column, Table

DATA_QUALITY = Table(
    "monitoring.data_quality",
    "Completeness, freshness and soundness of prices: one row per day, market and figure. If a "
    "market is beyond a limit, each of its series beyond that limit has a row too. Known at the "
    "close of trading_day.",
    (
        DAY,
        DATE_ID,
        Column("market", "VARCHAR", "group of the instrument, such as its market"),
        Column("series", "VARCHAR", "name of the series in the source; NULL for a market"),
        Column(
            "figure",
            "VARCHAR",
            "missing, outliers: share of the cells of 20 days. schema: wrong cells of the day. "
            "freshness: trading days since the newest close. stale: number of stale series of a "
            "market, or stale days of a series among 20. ended: number of ended series of a "
            "market, or days since the last close of a series. disagreement: if a day was "
            "delivered twice, share of its cells that differ by more than a millionth",
        ),
        Column("value", "DOUBLE", "the figure; NULL if no close was due"),
        Column(
            "allowed",
            "DOUBLE",
            "limit: the largest value that is no concern. For missing and outliers of a market: "
            "1 % and 0.5 %, plus 3 standard deviations of chance for the number of cells",
        ),
        Column("within", "BOOLEAN", "whether the value is at most the limit"),
    ),
    written_by="watch",
)
DRIFT = Table(
    "monitoring.drift",
    "Drift of features and forecasts: one row per day and column. The last 20 days of all units "
    "are compared with earlier windows of 20 days. For a feature, these are training days of the "
    "champion, or of the newest fit if there is no champion. For a forecast, they are the 250 days "
    "before. Known at the close of trading_day.",
    (
        DAY,
        DATE_ID,
        Column("level", "VARCHAR", "level of a feature: instrument, market or target; or forecast"),
        Column("name", "VARCHAR", "name of the feature; for a forecast, model family or ensemble"),
        Column("psi", "DOUBLE", "population stability index over deciles of the reference"),
        Column("psi_limit", "DOUBLE", "0.25, or more if windows of the reference differ by more"),
        Column("ks", "DOUBLE", "Kolmogorov-Smirnov distance"),
        Column("ks_limit", "DOUBLE", "0.2, or more if windows of the reference differ by more"),
        Column("missing_change", "DOUBLE", "share of empty cells less the share in the reference"),
        Column(
            "drifted",
            "BOOLEAN",
            "whether psi or ks is above its limit, or missing_change above 0.1",
        ),
        Column("reason", "VARCHAR", "why a distance is NULL; otherwise NULL"),
        Column(
            "reference_until",
            "DATE",
            "last day of the reference; for a feature, as-of day of the fit",
        ),
    ),
    written_by="watch",
)
REGIMES = Table(
    "monitoring.regimes",
    "Regimes of the markets, calm or turbulent: one row per day. Known at the close of "
    "trading_day.",
    (
        DAY,
        DATE_ID,
        Column(
            "turbulence",
            "DOUBLE",
            "filtered probability of the turbulent regime, which is the more volatile of two "
            "regimes of the mean return of all instruments; NULL before the first fit",
        ),
        Column("correlation", "DOUBLE", "mean correlation of 60 days of returns over all pairs"),
        Column("correlation_change", "DOUBLE", "correlation less the correlation 20 days before"),
        Column("fit_as_of", "DATE", "as-of day of the parameters of the regimes"),
    ),
    written_by="watch",
)
TURBULENT = 0.5
"""Probability above which the markets are called turbulent."""
GROUP_VOLATILITY = Table(
    "monitoring.group_volatility",
    "Volatility of each group of instruments: one row per day and group; no row where less than "
    "half of the 20 days have a return. Known at the close of trading_day.",
    (
        DAY,
        DATE_ID,
        Column("instrument_group", "VARCHAR", "group of the instruments, such as their market"),
        Column(
            "volatility",
            "DOUBLE",
            "annualised volatility of the mean return of the group's instruments over 20 days",
        ),
    ),
    written_by="watch",
)
ROLLING = Table(
    "monitoring.rolling",
    "Scores against earlier scores: one row per day, family, part and window. The score covers "
    "the newest days whose labels are known on trading_day; the reference covers days before "
    "them. For the submitted forecast, days before its champion went into force come from the "
    "champion's walk-forward. Known at the close of trading_day.",
    (
        DAY,
        DATE_ID,
        Column("family", "VARCHAR", "published (submitted forecast), ensemble or model family"),
        Column("by", "VARCHAR", "how targets are divided: all, by lag, or by markets"),
        Column("part", "VARCHAR", "name of the part; empty for all targets"),
        Column(
            "window",
            "BIGINT",
            "20, 60 or 250 judged days; 0: the days since the first sign of a drop, see score",
        ),
        Column(
            "score",
            "DOUBLE",
            "mean of the daily IC over its population standard deviation; for window 0 the worse "
            "of two capped CUSUMs of the mean of the markets' ICs, weighted by precision",
        ),
        Column("expected", "DOUBLE", "score over the reference, 120 to 750 days before"),
        Column("limit", "DOUBLE", "a score below this limit is a warning"),
        Column("limit_critical", "DOUBLE", "a score below this limit is critical"),
        Column("shortfall", "DOUBLE", "(expected - score) / expected"),
        Column(
            "level",
            "VARCHAR",
            "ok, warning or critical; NULL if it cannot be judged. In windows 0 and 20 it returns "
            "to ok when the newest days are hardly part of the drop",
        ),
        Column("reason", "VARCHAR", "why level is NULL; otherwise NULL"),
    ),
    written_by="watch",
)
HEALTH = Table(
    "monitoring.health",
    "Further figures of forecasts against earlier days: one row per day, family, figure and "
    "window, over days whose labels are known on trading_day. Known at the close of trading_day.",
    (
        DAY,
        DATE_ID,
        Column("family", "VARCHAR", "published (submitted forecast), ensemble or model family"),
        Column(
            "figure",
            "VARCHAR",
            "drawdown: of the cumulated IC. dispersion: of a day's forecast. stability: rank "
            "correlation with the forecast of the day before. agreement: rank correlation with "
            "forecasts of the other families. coverage_80, coverage_95: share of labels within "
            "the intervals",
        ),
        Column("window", "BIGINT", "number of judged days"),
        Column("value", "DOUBLE", "the figure: drawdown in IC; other figures as means over days"),
        Column("expected", "DOUBLE", "mean over the reference; for a coverage, the nominal share"),
        Column("low", "DOUBLE", "lower limit; a value below it is a concern. NULL without a limit"),
        Column(
            "high", "DOUBLE", "upper limit; a value above it is a concern. NULL without a limit"
        ),
        Column("within", "BOOLEAN", "whether the value is within; NULL if it cannot be judged"),
        Column("reason", "VARCHAR", "why within is NULL; otherwise NULL"),
    ),
    written_by="watch",
)
ANOMALIES = Table(
    "monitoring.anomalies",
    "Scores of unusual prices and volumes, before cleaning: one row per day, kind and open "
    "market, one for all instruments together, and one for each series beyond its limit. Known at "
    "the close of trading_day. Detectors learn from days up to the walk-forward day before; there "
    "are no rows before the first walk-forward day.",
    (
        DAY,
        DATE_ID,
        Column(
            "market",
            "VARCHAR",
            "group of the instrument, such as its market; all: all instruments",
        ),
        Column("series", "VARCHAR", "name of the instrument; NULL for a market"),
        Column("kind", "VARCHAR", "detector: isolation_forest or autoencoder"),
        Column(
            "score",
            "DOUBLE",
            "isolation_forest: 0 to 1, where ordinary instruments have at most 0.5. autoencoder: "
            "the larger squared error of return and volume. A market has the mean of its series "
            "without the largest score",
        ),
        Column(
            "limit",
            "DOUBLE",
            "for a market: the largest score of the training days, or more if these were quiet; "
            "for a series: a score that one in 10,000 scores of the training days exceeds",
        ),
        Column(
            "severity",
            "VARCHAR",
            "info up to the limit, warning above it. A market is critical far above its limit, or "
            "if at least five and 3 % of its series are above their limits on the day",
        ),
        Column("text", "VARCHAR", "what is unusual; NULL for info"),
    ),
    written_by="watch",
)
REFERENCES = Table(
    "monitoring.references",
    "References that days are compared with: one row per report and as-of day. A reference is "
    "stored when a day first needs it, and again when its data or code have changed.",
    (
        Column("id", "VARCHAR", "report and as-of day, e.g. anomalies/2023-12-29"),
        Column("trading_day", "DATE", "as-of day"),
        Column("fingerprint", "VARCHAR", "digest of everything that the reference depends on"),
        Column(
            "artifact",
            "VARCHAR",
            "file of the reference in the artifacts folder; NULL once the file is deleted",
        ),
        Column("sha256", "VARCHAR", "digest of that file, verified before it is loaded"),
    ),
    day_column="",
    written_by="no_asset",
)
DRIFT_REPORT = ("monitoring", "drift_report")
"""Asset key of the page about :data:`DRIFT`, which is a file."""
