"""Tables of scores of forecasts: columns, their meaning, and when a row is known.

The tables of the forecasts themselves are in ``lake.schemas.forecast_tables``.
"""

from quant_assets.lake.schemas.columns import DATE_ID
from quant_assets.lake.schemas.table import Column, Table

_DAY = (Column("trading_day", "DATE", "forecast day"), DATE_ID)
_RELEASED_ON = Column("released_on", "DATE", "day on which all the day's labels are known")
_IC_COLUMNS = (
    *_DAY,
    Column(
        "family", "VARCHAR", "model family, ensemble, published (submitted forecast), or oracle"
    ),
    Column("ic", "DOUBLE", "Spearman correlation of forecast and label over the targets"),
    _RELEASED_ON,
)
_PART = (
    Column("family", "VARCHAR", "model family or ensemble"),
    Column(
        "by",
        "VARCHAR",
        "lag, markets, year, regime, third of the days, origin, forecast or interval",
    ),
    Column("part", "VARCHAR", "name of the part, e.g. a year or a lag"),
)
TRACK_RECORD = Table(
    "forecasts.track_record",
    "Daily information coefficient of each family: one row per forecast day and family, written "
    "when the day's last label is known. The ensemble learns its weights from this table.",
    _IC_COLUMNS,
    day_column="released_on",
)
PERFORMANCE = Table(
    "monitoring.performance",
    "Daily information coefficient of each family and of the submitted forecast: one row per "
    "forecast day and family, written when the day's last label is known.",
    (
        *_IC_COLUMNS,
        Column(
            "origin",
            "VARCHAR",
            "of the submitted forecast: live, submitted before later prices were known, or "
            "history; NULL for a family",
        ),
    ),
    day_column="released_on",
)
SLICES = Table(
    "monitoring.slices",
    "Figures of a day's forecast: one row per forecast day, family and part. By lag and by "
    "markets: the IC over the targets of the part. By forecast: its dispersion and its turnover, "
    "which is 1 less the rank correlation with the forecast of the day before. By interval: the "
    "share of labels within it. Written when the day's last label is known.",
    (
        *_DAY,
        *_PART,
        Column("value", "DOUBLE", "the figure"),
        _RELEASED_ON,
    ),
    day_column="released_on",
)
AGREEMENT = Table(
    "monitoring.agreement",
    "Rank correlation of the forecasts of two families: one row per forecast day and pair of "
    "families. Written when the day's last label is known.",
    (
        *_DAY,
        Column("family", "VARCHAR", "first family"),
        Column("other", "VARCHAR", "second family"),
        Column("value", "DOUBLE", "rank correlation of the two forecasts"),
        _RELEASED_ON,
    ),
    day_column="released_on",
)
ATTRIBUTION = Table(
    "monitoring.attribution",
    "Shares of inputs in a day's forecast: one row per day, family and group of inputs. Known at "
    "the close of trading_day.",
    (
        *_DAY,
        Column("family", "VARCHAR", "model family or ensemble"),
        Column(
            "inputs",
            "VARCHAR",
            "a group of features; a market, for its past returns; drift; prior, for the part "
            "that does not depend on the day; for the ensemble, a model family",
        ),
        Column(
            "share",
            "DOUBLE",
            "covariance over the targets of the inputs' contribution with the forecast, divided "
            "by the forecast's variance. Shares sum to 1; a share is negative if these inputs "
            "work against the others",
        ),
    ),
)
SCOREBOARD = Table(
    "monitoring.scoreboard",
    "Scores over all days with forecasts and labels: one row per family.",
    (
        Column(
            "family", "VARCHAR", "model family, ensemble, published (submitted forecast), or oracle"
        ),
        Column("score", "DOUBLE", "mean of the daily IC over its population standard deviation"),
        Column("low", "DOUBLE", "lower end of the 95 % block-bootstrap interval"),
        Column("high", "DOUBLE", "upper end of that interval"),
        Column("mean_ic", "DOUBLE", "mean of the daily IC"),
        Column("std_ic", "DOUBLE", "population standard deviation of the daily IC"),
        Column("score_250", "DOUBLE", "score over the last 250 days"),
        Column("score_90", "DOUBLE", "score over the last 90 days"),
        Column("turnover", "DOUBLE", "1 less the mean rank correlation with the day before"),
        Column("dispersion", "DOUBLE", "mean standard deviation of a day's forecast"),
        Column("coverage_80", "DOUBLE", "share of labels within the 80 % intervals"),
        Column("coverage_95", "DOUBLE", "share of labels within the 95 % intervals"),
        Column("fit_seconds", "DOUBLE", "mean seconds of a fit"),
        Column(
            "share_of_oracle", "DOUBLE", "score divided by the oracle's; NULL without an oracle"
        ),
        Column("days", "BIGINT", "number of scored days"),
        Column("first_day", "DATE", "first scored day"),
        Column("last_day", "DATE", "last scored day"),
    ),
    day_column="",
)
BREAKDOWN = Table(
    "monitoring.breakdown",
    "Scores over parts of the targets or of the days: one row per family and part.",
    (
        *_PART,
        Column("score", "DOUBLE", "mean of the daily IC over its population standard deviation"),
        Column("mean_ic", "DOUBLE", "mean of the daily IC"),
        Column("std_ic", "DOUBLE", "population standard deviation of the daily IC"),
        Column("days", "BIGINT", "number of scored days"),
    ),
    day_column="",
)
COMPARISON = Table(
    "monitoring.comparison",
    "Scores of each family against the rank prior and the ensemble, over the days that both "
    "forecast: one row per pair.",
    (
        Column("family", "VARCHAR", "model family or ensemble"),
        Column("other", "VARCHAR", "the rank prior or the ensemble"),
        Column("difference", "DOUBLE", "score of the family less score of the other"),
        Column("low", "DOUBLE", "lower end of the paired 95 % block-bootstrap interval"),
        Column("high", "DOUBLE", "upper end of that interval"),
        Column("correlation", "DOUBLE", "mean daily rank correlation of the two forecasts"),
        Column("days", "BIGINT", "number of days that both forecast"),
    ),
    day_column="",
)
SCORES = (TRACK_RECORD, PERFORMANCE, SLICES, AGREEMENT, SCOREBOARD, BREAKDOWN, COMPARISON)
"""Tables that are computed from stored forecasts and labels alone."""
