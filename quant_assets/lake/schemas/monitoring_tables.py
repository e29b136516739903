"""Tables of whether data, inputs and forecasts are as they used to be: columns and meaning.

Tables of how good forecasts turned out are in ``lake.schemas.scoring_tables``.
"""

from quant_assets.lake.schemas.scoring_tables import DATE_ID
from quant_assets.lake.schemas.table import Column, Table
from quant_assets.market.instruments import MARKETS

_DAY = Column("trading_day", "DATE", "session of London or Tokyo")

DATA_QUALITY = Table(
    "monitoring.data_quality",
    "Whether prices are complete, fresh and sound: one row per day, market and figure, and one "
    "for each series that breaks a limit which its market breaks. Known at the close of "
    "trading_day.",
    (
        _DAY,
        DATE_ID,
        Column("market", "VARCHAR", "LME, JPX, US or FX"),
        Column("series", "VARCHAR", "name of the series in the source; NULL for the market"),
        Column(
            "figure",
            "VARCHAR",
            "missing or outliers, shares of 20 days; schema, wrong cells of the day; freshness, "
            "trading days since the newest close; stale or ended, a market's series, and of a "
            "series its stale days of 20, or the days since its last close; disagreement, where a "
            "day was delivered twice, share of its cells that differ by more than a millionth",
        ),
        Column("value", "DOUBLE", "the figure; NULL where no close was due"),
        Column(
            "allowed",
            "DOUBLE",
            "the largest value that is no cause for concern; of a market's missing or outliers "
            "1 % or 0.5 % and what chance allows of so many cells: 3 standard deviations",
        ),
        Column("within", "BOOLEAN", "whether the value is not above it"),
    ),
    written_by="watch",
)
DRIFT = Table(
    "monitoring.drift",
    "Whether features and forecasts are as they used to be: one row per day and column. The last "
    "20 days, units pooled, against windows of 20 days: of a feature those that the champion was "
    "trained on, or without one the newest fit; of a forecast those of the 250 days before. Known "
    "at the close of trading_day.",
    (
        _DAY,
        DATE_ID,
        Column("level", "VARCHAR", "instrument, market or target of a feature; or forecast"),
        Column("name", "VARCHAR", "feature, model family, or ensemble"),
        Column("psi", "DOUBLE", "population stability index over the reference's deciles"),
        Column("psi_limit", "DOUBLE", "0.25, or the largest among the reference's own windows"),
        Column("ks", "DOUBLE", "Kolmogorov-Smirnov distance"),
        Column("ks_limit", "DOUBLE", "0.2, or the largest among the reference's own windows"),
        Column("missing_change", "DOUBLE", "share of empty cells less that of the reference"),
        Column("drifted", "BOOLEAN", "psi or ks above its limit, or missing_change above 0.1"),
        Column("reason", "VARCHAR", "why a distance is NULL; NULL if none is"),
        Column("reference_until", "DATE", "last day of the reference: of a feature, of the fit"),
    ),
    written_by="watch",
)
REGIMES = Table(
    "monitoring.regimes",
    "What state the markets are in: one row per day. Known at the close of trading_day.",
    (
        _DAY,
        DATE_ID,
        Column(
            "turbulence",
            "DOUBLE",
            "probability, filtered, of the more volatile of two regimes of the mean return of all "
            "instruments; NULL before the first fit",
        ),
        *(
            Column(
                f"volatility_{market}",
                "DOUBLE",
                f"annualised, of the mean return of {market} instruments over 20 days",
            )
            for market in MARKETS
        ),
        Column("correlation", "DOUBLE", "mean over all pairs of instruments, of 60 days' returns"),
        Column("correlation_change", "DOUBLE", "correlation less that of 20 days before"),
        Column("fit_as_of", "DATE", "walk-forward day up to which the regimes' parameters know"),
    ),
    written_by="watch",
)
ROLLING = Table(
    "monitoring.rolling",
    "Whether forecasts are as good as they used to be: one row per day, family, part and window. "
    "The metric over the newest days whose labels are released by trading_day, against that of "
    "the days before them. What is published counts before its champion's reign as that release's "
    "own walk-forward. Known at the close of trading_day.",
    (
        _DAY,
        DATE_ID,
        Column("family", "VARCHAR", "published, ensemble or model family"),
        Column("by", "VARCHAR", "all targets; or those of a part, by lag or by markets"),
        Column("part", "VARCHAR", "which part; empty for all"),
        Column(
            "window",
            "BIGINT",
            "20, 60 or 250 judged days; 0, those since the first sign of a drop: see score",
        ),
        Column(
            "score",
            "DOUBLE",
            "mean of the daily IC over its population standard deviation; of window 0 what the "
            "worse of two capped CUSUMs says of the mean of the markets' ICs weighed by precision",
        ),
        Column("expected", "DOUBLE", "the same over the reference, 120 to 750 days before"),
        Column("limit", "DOUBLE", "below it the score is too low to be chance: a warning"),
        Column("limit_critical", "DOUBLE", "likewise, with more certainty"),
        Column("shortfall", "DOUBLE", "expected less score, over expected"),
        Column(
            "level",
            "VARCHAR",
            "ok, warning or critical; NULL where none can be told. Of windows 0 and 20 ok too once "
            "the newest days are hardly part of the drop",
        ),
        Column("reason", "VARCHAR", "why level is NULL; NULL if it is not"),
    ),
    written_by="watch",
)
HEALTH = Table(
    "monitoring.health",
    "What else there is to a family's forecasts, against what it used to be: one row per day, "
    "family, figure and window, of days whose labels are released by trading_day. Known at the "
    "close of trading_day.",
    (
        _DAY,
        DATE_ID,
        Column("family", "VARCHAR", "published, ensemble or model family"),
        Column(
            "figure",
            "VARCHAR",
            "drawdown of the cumulated IC; dispersion of a day's forecast; stability, its rank "
            "correlation with the day before's; agreement, with those of the other families; "
            "coverage_80 and coverage_95, shares of the labels within the intervals",
        ),
        Column("window", "BIGINT", "judged days that the figure is of"),
        Column("value", "DOUBLE", "the figure: drawdown in IC, the others as means over days"),
        Column("expected", "DOUBLE", "mean over the reference; of a coverage, the nominal one"),
        Column("low", "DOUBLE", "lowest value that is no cause for concern; NULL if none is"),
        Column("high", "DOUBLE", "highest"),
        Column("within", "BOOLEAN", "whether it is between; NULL where none can be told"),
        Column("reason", "VARCHAR", "why within is NULL; NULL if it is not"),
    ),
    written_by="watch",
)
ANOMALIES = Table(
    "monitoring.anomalies",
    "How unusual prices and volumes are, as given: one row per day, kind and market that was "
    "open, and for all markets, and one for each series beyond its limit. Known at the close of "
    "trading_day; judged by what the walk-forward day before knew, without rows before the first.",
    (
        _DAY,
        DATE_ID,
        Column("market", "VARCHAR", "LME, JPX, US, FX or all"),
        Column("series", "VARCHAR", "the instrument; NULL for the market's day"),
        Column("kind", "VARCHAR", "isolation_forest or autoencoder"),
        Column(
            "score",
            "DOUBLE",
            "isolation_forest: 0 to 1, of ordinary instruments 0.5 or less; autoencoder: squared "
            "error of return or volume, whichever is larger; of a market the mean of its series "
            "without the largest",
        ),
        Column(
            "limit",
            "DOUBLE",
            "of a market the largest score of the days learnt from, or more if these were quiet; "
            "of a series one that one in 10,000 of them exceeds",
        ),
        Column(
            "severity",
            "VARCHAR",
            "info up to the limit, warning beyond it; critical, of markets only, far beyond it, or "
            "if many of its series are beyond theirs on the same day: five, and 3 %",
        ),
        Column("text", "VARCHAR", "what is unusual; NULL for info"),
    ),
    written_by="watch",
)
REFERENCES = Table(
    "monitoring.references",
    "What days are compared with, kept so that it is made once: one row per report and as-of day. "
    "Written when a day needs one that is not there, or that data or code have changed for.",
    (
        Column("id", "VARCHAR", "report and as-of day, e.g. anomalies/2023-12-29"),
        Column("trading_day", "DATE", "as-of day"),
        Column("fingerprint", "VARCHAR", "digest of all that it depends on"),
        Column(
            "artifact",
            "VARCHAR",
            "its file below the artifacts folder; NULL once it is no longer kept",
        ),
        Column("sha256", "VARCHAR", "digest of that file, checked before it is loaded"),
    ),
    day_column="",
    written_by="no_asset",
)
DRIFT_REPORT = ("monitoring", "drift_report")
"""Asset key of the page about :data:`DRIFT`, which is a file."""
