"""Layer monitoring: recent scores of forecasts compared with the scores that were expected.

The scores themselves belong in ``orchestration.assets.scoring``; drift of data and features, in
``orchestration.assets.drift``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import dagster as dg
import pandas as pd

from quant_assets.core.settings import Settings
from quant_assets.core.typing import DayArray, IntArray
from quant_assets.lake.schemas.feature_tables import MARKET_FEATURES
from quant_assets.lake.schemas.monitoring_tables import HEALTH, ROLLING
from quant_assets.lake.schemas.promotion_tables import DECISIONS, RECORDS
from quant_assets.lake.schemas.scoring_tables import AGREEMENT, PERFORMANCE, SLICES
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.monitoring.plots import plot_health, plot_part_scores, plot_rolling_scores
from quant_assets.monitoring.rows import read_days
from quant_assets.monitoring.skill.champion_periods import ChampionPeriod, read_champion_periods
from quant_assets.monitoring.skill.daily_records import (
    ENSEMBLE_FAMILY,
    choose_judged_family,
    read_agreement_records,
    read_daily_records,
)
from quant_assets.monitoring.skill.health import health_rows
from quant_assets.monitoring.skill.rolling_rows import find_worst_level, rolling_rows
from quant_assets.orchestration.assets.partitions import SINGLE_RUN, stored_day_range
from quant_assets.orchestration.assets.table_assets import (
    check_spec,
    describe_asset,
    draw_pictures,
    make_check_result,
    record_result,
    show_last,
    to_columns,
    to_markdown,
)

_AS_EXPECTED = "as_expected"
_RELEASES = (DECISIONS, RECORDS)
_YEAR = 366
_PICTURED_WINDOW = 60
_SHOWN = ["window", "score", "expected", "limit", "limit_critical", "shortfall", "level", "reason"]


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build the assets of this module."""
    return [_build_expected(partitions, families)]


def _build_expected(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> dg.AssetsDefinition:
    """Build the rolling scores and the health as one step, because both read the daily scores."""
    as_expected = check_spec(
        ROLLING,
        _AS_EXPECTED,
        "On the last day the submitted forecast scores as expected from the champion's "
        "walk-forward, or without a champion from the ensemble's. It is an error if more than "
        "QUANT_PERFORMANCE_CRITICAL of the expected score is lost over 20 days or since a drop "
        "began, and by more than chance; a warning, from QUANT_PERFORMANCE_WARNING on. The check "
        "passes, and shows the reason, if no comparison is possible.",
        blocking=False,
    )

    @dg.multi_asset(
        name="monitoring__expected",
        specs=[
            describe_asset(
                ROLLING, kinds={"numpy", "matplotlib"}, deps=[PERFORMANCE, SLICES, *_RELEASES]
            ),
            describe_asset(
                HEALTH,
                kinds={"numpy", "matplotlib"},
                deps=[PERFORMANCE, SLICES, AGREEMENT, *_RELEASES],
            ),
        ],
        check_specs=[as_expected],
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN,
    )
    def expected(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
    ) -> Iterator[dg.MaterializeResult]:
        start, end = stored_day_range(context, lake, MARKET_FEATURES)
        with lake.at_once():
            days, numbers = read_days(lake, start, end)
            comparisons = [
                _compare_period(lake, families, (days[part], numbers[part]), end, period, settings)
                for period, part in read_champion_periods(lake, days)
            ]
        judged_family = comparisons[-1].judged_family
        scores = pd.concat([comparison.scores for comparison in comparisons], ignore_index=True)
        health = pd.concat([comparison.health for comparison in comparisons], ignore_index=True)
        written = lake.replace_days(ROLLING, start, end, to_columns(scores))
        pictures = draw_pictures(
            settings,
            scores=partial(_draw_scores, lake, judged_family, end),
            parts=partial(_draw_parts, scores, judged_family),
        )
        show_last(context, ROLLING, pictures)
        newest = scores[scores["trading_day"] == scores["trading_day"].max()]
        check = _check_performance(newest, judged_family)
        details = _select_newest_scores(scores, judged_family)
        yield record_result(ROLLING, written, details, checks=[check])
        written = lake.replace_days(HEALTH, start, end, to_columns(health))
        pictures = draw_pictures(settings, figures=partial(_draw_health, lake, judged_family, end))
        show_last(context, HEALTH, pictures)
        yield record_result(HEALTH, written)

    return expected


@dataclass(frozen=True)
class _PeriodComparison:
    """The days of a champion, compared with what was expected of it.

    Attributes:
        judged_family: the family whose performance is judged.
        scores: rows of the table of rolling scores.
        health: rows of the table of health figures.
    """

    judged_family: str
    scores: pd.DataFrame
    health: pd.DataFrame


def _compare_period(
    lake: Lake,
    families: Sequence[str],
    days: tuple[DayArray, IntArray],
    end: date,
    period: ChampionPeriod | None,
    settings: Settings,
) -> _PeriodComparison:
    """Compare the days of a champion with what was expected of it.

    Args:
        lake: holds scores and releases.
        families: names of the families.
        days: arrays (n,) of the days and of their ``date_id``.
        end: last day of the run.
        period: the champion and its days; None for days without a champion.
        settings: limits of the performance.
    """
    end = max(days[0].tolist(), default=end)
    records = read_daily_records(lake, families, end, period)
    recorded = {family for family, *_ in records}
    agreement = read_agreement_records(lake, sorted(recorded), end)
    return _PeriodComparison(
        choose_judged_family(recorded),
        rolling_rows(records, *days, settings),
        health_rows(records, agreement, *days),
    )


def _check_performance(newest: pd.DataFrame, family: str) -> dg.AssetCheckResult:
    """Return the result of the check from the newest day's scores of a family."""
    level = find_worst_level(newest, family)
    of_family = newest[(newest["family"] == family) & (newest["by"] == "all")]
    return make_check_result(
        ROLLING,
        _AS_EXPECTED,
        level not in ("warning", "critical"),
        blocking=level == "critical",
        family=family,
        level=level or "no comparison is possible",
        windows=to_markdown(of_family[_SHOWN].round(3)),
    )


def _select_newest_scores(rows: pd.DataFrame, family: str) -> dict[str, float]:
    """Select the scores of a family on the last day, by window."""
    of_family = rows[(rows["family"] == family) & (rows["by"] == "all") & (rows["window"] > 0)]
    newest = of_family[of_family["trading_day"] == of_family["trading_day"].max()]
    known = newest.dropna(subset="score")
    return {f"score_{row.window}": float(row.score) for row in known.itertuples()}


def _read_year(
    lake: Lake, table: Table, family: str, end: date, condition: str = ""
) -> pd.DataFrame:
    """Read the rows of a family in the year that ends with a day, oldest first.

    Args:
        lake: the lake.
        table: has a row for each family and day.
        family: name of the family.
        end: last day.
        condition: a further SQL condition that begins with AND.
    """
    return lake.query(
        f"FROM {table.quoted} WHERE family = ? AND trading_day > ?::DATE - ?::INTEGER"
        f" AND trading_day <= ? {condition} ORDER BY trading_day",
        [family, end, _YEAR, end],
    )


def _draw_scores(lake: Lake, family: str, end: date) -> bytes | None:
    year = _read_year(lake, ROLLING, family, end)
    whole = year[(year["by"] == "all") & year["score"].notna()]
    return plot_rolling_scores(whole) if len(whole) else None


def _draw_parts(rows: pd.DataFrame, family: str) -> bytes | None:
    newest = rows[(rows["trading_day"] == rows["trading_day"].max()) & rows["score"].notna()]
    shown = newest[
        (newest["window"] == _PICTURED_WINDOW)
        & ((newest["family"] == family) | (newest["by"] == "all"))
    ]
    return plot_part_scores(shown) if len(shown) else None


def _draw_health(lake: Lake, family: str, end: date) -> bytes | None:
    figures = _read_year(lake, HEALTH, family, end, "AND NOT starts_with(figure, 'coverage')")
    # Only the ensemble has intervals, so their coverage is shown whichever family is judged.
    coverage = _read_year(lake, HEALTH, ENSEMBLE_FAMILY, end, "AND starts_with(figure, 'coverage')")
    year = pd.concat([figures, coverage])
    shown = year[year["value"].notna()]
    return plot_health(shown) if len(shown) else None
