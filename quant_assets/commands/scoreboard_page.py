"""``quant-assets score --output``: the scoreboard as a Markdown page."""

from pathlib import Path

from quant_assets.core.errors import UnknownNameError
from quant_assets.lake.schemas.forecast_tables import study_table
from quant_assets.lake.schemas.scoring_tables import BREAKDOWN, COMPARISON, SCOREBOARD
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import FAMILIES

_HEAD = """# Scoreboard

Written by `quant-assets score --output`. The score is the competition's: mean over population
standard deviation of the daily rank correlation of forecast and label. Walk-forward: a fit sees
only what was known on its as-of day, and forecasts the days until the next. Intervals are 95 %,
from a block bootstrap of 20-day blocks. `share` is the part of the oracle's score, where one is
known.

Which rows chose what: the ensemble's weights of a day come from the daily correlations known by
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
_STUDIES = """## Studies of parameters

Fits as of such a day or later use the best trial, unless studies were turned off. It was chosen on
the forecast days from the first to the last judged: scores of these days are in sample to that
extent; scores of days after the study are not.
"""
_STUDY = """SELECT '{}' AS family, trading_day::VARCHAR AS "as of", count(*) AS trials,
 any_value(first_judged)::VARCHAR AS "first judged",
 any_value(last_judged)::VARCHAR AS "last judged",
 max(value) AS best, min_by(value, trial) AS defaults FROM {} GROUP BY ALL"""
_BY = {
    "third": "thirds of the days",
    "year": "year",
    "regime": "regime",
    "lag": "lag of the target",
    "markets": "markets of the legs",
}


def require_page(file: Path) -> None:
    """Refuse a file whose name says that it holds rows and no page.

    Raises:
        UnknownNameError: the name ends in .csv, .json or .parquet.
    """
    if file.suffix.lower() in (".csv", ".json", ".parquet"):
        raise UnknownNameError(
            "the scoreboard is written as a Markdown page",
            where=str(file),
            expected="a name that ends in .md",
            found=file.suffix,
            hint='`quant-assets sql "FROM monitoring.scoreboard" --output FILE` writes rows',
        )


def render_scoreboard(lake: Lake) -> str:
    """Return the scoreboard, the comparisons and the breakdowns as Markdown.

    Raises:
        LakeError: nothing was scored yet.
    """
    lake.arrow("SELECT 1", needs=SCOREBOARD)
    ends = lake.columns(f"SELECT min(first_day) a, max(last_day) b FROM {SCOREBOARD.quoted}")
    first, last = (value[0].astype("datetime64[D]").item() for value in ends.values())
    parts = [
        _HEAD,
        f"Forecast days {first} to {last}.\n",
        _render_table(lake, _BOARD.format(SCOREBOARD.quoted)),
    ]
    parts += _render_studies(lake)
    compared = f"SELECT * FROM {COMPARISON.quoted} ORDER BY other, difference DESC"
    parts += ["## Paired differences of scores\n", _render_table(lake, compared)]
    for by, title in _BY.items():
        parts += [f"## By {title}\n", _render_table(lake, _BREAKDOWN.format(BREAKDOWN.quoted, by))]
    return "\n".join(parts)


def _render_studies(lake: Lake) -> list[str]:
    stored = {name: study_table(name) for name in FAMILIES if lake.has(study_table(name))}
    if not stored:
        return []
    each = (_STUDY.format(name, table.quoted) for name, table in stored.items())
    return [_STUDIES, _render_table(lake, f"{' UNION ALL '.join(each)} ORDER BY ALL")]


def _render_table(lake: Lake, sql: str) -> str:
    rows = lake.query(sql).astype(object)
    text = rows.where(rows.notna(), None).to_markdown(index=False, floatfmt=".3f", missingval="")
    return f"{text}\n"
