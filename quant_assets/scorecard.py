"""The scoreboard as a page: what ``quant-assets score --output`` writes."""

from quant_assets.lake.judgement_tables import BREAKDOWN, COMPARISON, SCOREBOARD
from quant_assets.lake.lake import Lake

_HEAD = """# Scoreboard

Written by `quant-assets score --output`. The score is the competition's: mean over population
standard deviation of the daily rank correlation of forecast and label. Walk-forward: a fit sees
only what was known on its as-of day, and forecasts the days until the next. Intervals are 95 %,
from a block bootstrap of 20-day blocks. `share` is the part of the oracle's score, where one is
known.

Which rows chose what: the ensemble's weights of a day come from the daily correlations released by
that day. Default parameters of the families are the same on every day; variants were compared on
the rows 504 to 2033 of one market of 2010 to 2017, so scores on that market are in sample to that
extent.
"""
_BOARD = """SELECT family, score, low, high, score_250 AS "last 250", score_90 AS "last 90",
 mean_ic AS "mean IC", std_ic AS "std IC", turnover, dispersion,
 coverage_80 AS "in 80 %", coverage_95 AS "in 95 %", fit_seconds AS "fit s",
 share_of_oracle AS share, days FROM {} ORDER BY score DESC"""
_BREAKDOWN = """PIVOT (SELECT family, part, score FROM {} WHERE "by" = '{}')
 ON part USING any_value(score) ORDER BY family"""
_BY = {
    "third": "thirds of the days",
    "year": "year",
    "regime": "regime",
    "lag": "lag of the target",
    "markets": "markets of the legs",
}


def page(lake: Lake) -> str:
    """The scoreboard, the comparisons and the breakdowns as Markdown.

    Raises:
        LakeError: nothing was scored yet.
    """
    lake.arrow("SELECT 1", needs=SCOREBOARD)
    ends = lake.columns(f"SELECT min(first_day) a, max(last_day) b FROM {SCOREBOARD.quoted}")
    first, last = (value[0].astype("datetime64[D]").item() for value in ends.values())
    parts = [
        _HEAD,
        f"Forecast days {first} to {last}.\n",
        _table(lake, _BOARD.format(SCOREBOARD.quoted)),
    ]
    compared = f"SELECT * FROM {COMPARISON.quoted} ORDER BY other, difference DESC"
    parts += ["## Paired differences of scores\n", _table(lake, compared)]
    for by, title in _BY.items():
        parts += [f"## By {title}\n", _table(lake, _BREAKDOWN.format(BREAKDOWN.quoted, by))]
    return "\n".join(parts)


def _table(lake: Lake, sql: str) -> str:
    rows = lake.query(sql).astype(object)
    text = rows.where(rows.notna(), None).to_markdown(index=False, floatfmt=".3f", missingval="")
    return f"{text}\n"
