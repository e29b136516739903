"""Tables of how good the forecasts turned out: columns, meaning, when a row is known.

The tables that forecasts come from are in ``lake.schemas.tables``.
"""

from quant_assets.lake.schemas.table import Column, Table

DATE_ID = Column("date_id", "BIGINT", "the source's number of the day")
_DAY = (Column("trading_day", "DATE", "day of the forecast"), DATE_ID)
_RELEASED_ON = Column("released_on", "DATE", "day on which all the day's labels are known")
_IC_COLUMNS = (
    *_DAY,
    Column("family", "VARCHAR", "model family, ensemble, published, or oracle if known"),
    Column("ic", "DOUBLE", "Spearman correlation of forecast and label over the targets"),
    _RELEASED_ON,
)
_PART = (
    Column("family", "VARCHAR", "model family or ensemble"),
    Column("by", "VARCHAR", "lag, markets, year, regime, third of the days, forecast or interval"),
    Column("part", "VARCHAR", "which of them"),
)
TRACK_RECORD = Table(
    "forecasts.track_record",
    "Daily information coefficient of each family: one row per forecast day and family, written "
    "when the day's last label is released. The ensemble's weights are learnt from it.",
    _IC_COLUMNS,
    day_column="released_on",
)
PERFORMANCE = Table(
    "monitoring.performance",
    "Daily information coefficient: one row per forecast day and family, written when the "
    "day's last label is released.",
    _IC_COLUMNS,
    day_column="released_on",
)
SLICES = Table(
    "monitoring.slices",
    "What a family's forecast is like: one row per forecast day, family and part. By lag and by "
    "markets the IC over those targets; by forecast its turnover (1 less the rank correlation "
    "with the day before's) and its dispersion; by interval the share of labels within it. Written "
    "when the day's last label is released.",
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
    "How alike two families forecast: one row per forecast day and pair of families. Written "
    "with the day's performance.",
    (
        *_DAY,
        Column("family", "VARCHAR", "one of them"),
        Column("other", "VARCHAR", "the other"),
        Column("value", "DOUBLE", "rank correlation of the two forecasts"),
        _RELEASED_ON,
    ),
    day_column="released_on",
)
ATTRIBUTION = Table(
    "monitoring.attribution",
    "What a day's forecast rests on: one row per day, family and group of inputs. Known at the "
    "close of trading_day.",
    (
        *_DAY,
        Column("family", "VARCHAR", "model family or ensemble"),
        Column(
            "inputs",
            "VARCHAR",
            "group of features; market whose past returns, or drift; prior, for what does not "
            "depend on the day; of the ensemble, the model family",
        ),
        Column(
            "share",
            "DOUBLE",
            "covariance over the targets of what they add with the forecast, over its variance: "
            "sums to 1, negative where they work against the others",
        ),
    ),
)
SCOREBOARD = Table(
    "monitoring.scoreboard",
    "One row per family: the official metric over all days with forecasts and labels.",
    (
        Column("family", "VARCHAR", "model family, ensemble, published, or oracle if known"),
        Column("score", "DOUBLE", "mean of the daily IC over its population standard deviation"),
        Column("low", "DOUBLE", "lower end of the 95 % block-bootstrap interval"),
        Column("high", "DOUBLE", "upper end of it"),
        Column("mean_ic", "DOUBLE", "mean of the daily IC"),
        Column("std_ic", "DOUBLE", "population standard deviation of the daily IC"),
        Column("score_250", "DOUBLE", "the metric over the last 250 days"),
        Column("score_90", "DOUBLE", "the metric over the last 90 days"),
        Column("turnover", "DOUBLE", "mean of 1 less the rank correlation with the day before"),
        Column("dispersion", "DOUBLE", "mean standard deviation of a day's forecast"),
        Column("coverage_80", "DOUBLE", "share of labels within the 80 % intervals"),
        Column("coverage_95", "DOUBLE", "share of labels within the 95 % intervals"),
        Column("fit_seconds", "DOUBLE", "mean time of one fit"),
        Column("share_of_oracle", "DOUBLE", "score over the oracle's; NULL where there is none"),
        Column("days", "BIGINT", "days scored"),
        Column("first_day", "DATE", "first day scored"),
        Column("last_day", "DATE", "last day scored"),
    ),
    day_column="",
)
BREAKDOWN = Table(
    "monitoring.breakdown",
    "The official metric over parts of the targets and of the days: one row per family and part.",
    (
        *_PART,
        Column("score", "DOUBLE", "mean of the daily IC over its population standard deviation"),
        Column("mean_ic", "DOUBLE", "mean of the daily IC"),
        Column("std_ic", "DOUBLE", "population standard deviation of the daily IC"),
        Column("days", "BIGINT", "days scored"),
    ),
    day_column="",
)
COMPARISON = Table(
    "monitoring.comparison",
    "Each family against the rank prior and the ensemble, over the days that both forecast.",
    (
        Column("family", "VARCHAR", "model family or ensemble"),
        Column("other", "VARCHAR", "what it is compared with"),
        Column("difference", "DOUBLE", "its score less the other's"),
        Column("low", "DOUBLE", "lower end of the paired 95 % block-bootstrap interval"),
        Column("high", "DOUBLE", "upper end of it"),
        Column("correlation", "DOUBLE", "mean daily rank correlation of the two forecasts"),
        Column("days", "BIGINT", "days compared"),
    ),
    day_column="",
)
