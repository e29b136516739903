"""Layer monitoring: whether forecasts are what they used to be, above all as good.

How good they turned out belongs in ``orchestration.assets.scoring``; whether data and inputs are as
they used to be, in ``orchestration.assets.data_and_drift``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial

import dagster as dg
import pandas as pd

from quant_assets.core.settings import Settings
from quant_assets.core.typing import DayArray, IntArray
from quant_assets.lake.schemas.monitoring_tables import HEALTH, ROLLING
from quant_assets.lake.schemas.promotion_tables import DECISIONS, RECORDS
from quant_assets.lake.schemas.scoring_tables import AGREEMENT, PERFORMANCE, SLICES
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.schemas.tables import MARKET_FEATURES
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
    """The assets of the module."""
    return [_expected(partitions, families)]


def _expected(partitions: dg.PartitionsDefinition, families: Sequence[str]) -> dg.AssetsDefinition:
    """One step, since both start from the same daily figures."""
    as_expected = check_spec(
        ROLLING,
        _AS_EXPECTED,
        "On the last day what is published scores as the walk-forward of the champion, else of the "
        "ensemble: an error if more than QUANT_PERFORMANCE_CRITICAL of the expected score is lost "
        "over 20 days or since the first sign of a drop, a warning from QUANT_PERFORMANCE_WARNING "
        "on, and by more than chance. Passes, and says why, where that cannot be told.",
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
            held = [
                _held(lake, families, (days[part], numbers[part]), end, reign, settings)
                for reign, part in read_champion_periods(lake, days)
            ]
        told_of = held[-1].told_of
        scores = pd.concat([one.scores for one in held], ignore_index=True)
        health = pd.concat([one.health for one in held], ignore_index=True)
        written = lake.replace_days(ROLLING, start, end, to_columns(scores))
        pictures = draw_pictures(
            settings,
            scores=partial(_draw_scores, lake, told_of, end),
            parts=partial(_draw_parts, scores, told_of),
        )
        show_last(context, ROLLING, pictures)
        outcome = _outcome(scores[scores["trading_day"] == scores["trading_day"].max()], told_of)
        yield record_result(ROLLING, written, _newest(scores, told_of), checks=[outcome])
        written = lake.replace_days(HEALTH, start, end, to_columns(health))
        pictures = draw_pictures(settings, figures=partial(_draw_health, lake, told_of, end))
        show_last(context, HEALTH, pictures)
        yield record_result(HEALTH, written)

    return expected


@dataclass(frozen=True)
class _Held:
    """Days held against what was expected of one champion.

    Attributes:
        told_of: family whose performance people are told of.
        scores: rows of the rolling scores.
        health: rows of the other figures.
    """

    told_of: str
    scores: pd.DataFrame
    health: pd.DataFrame


def _held(
    lake: Lake,
    families: Sequence[str],
    days: tuple[DayArray, IntArray],
    end: date,
    reign: ChampionPeriod | None,
    settings: Settings,
) -> _Held:
    end = max(days[0].tolist(), default=end)
    records = read_daily_records(lake, families, end, reign)
    judged = {family for family, *_ in records}
    agreement = read_agreement_records(lake, sorted(judged), end)
    return _Held(
        choose_judged_family(judged),
        rolling_rows(records, *days, settings),
        health_rows(records, agreement, *days),
    )


def _outcome(newest: pd.DataFrame, family: str) -> dg.AssetCheckResult:
    level = find_worst_level(newest, family)
    told = newest[(newest["family"] == family) & (newest["by"] == "all")]
    return make_check_result(
        ROLLING,
        _AS_EXPECTED,
        level not in ("warning", "critical"),
        blocking=level == "critical",
        family=family,
        level=level or "cannot be told",
        windows=to_markdown(told[_SHOWN].round(3)),
    )


def _newest(rows: pd.DataFrame, family: str) -> dict[str, float]:
    """The family's scores on the last day, by window."""
    of_family = rows[(rows["family"] == family) & (rows["by"] == "all") & (rows["window"] > 0)]
    newest = of_family[of_family["trading_day"] == of_family["trading_day"].max()]
    told = newest.dropna(subset="score")
    return {f"score_{one.window}": float(one.score) for one in told.itertuples()}


def _year(lake: Lake, table: Table, family: str, end: date, of_them: str = "") -> pd.DataFrame:
    """A family's rows of the year that ends with a day, in order."""
    return lake.query(
        f"FROM {table.quoted} WHERE family = ? AND trading_day > ?::DATE - ?::INTEGER"
        f" AND trading_day <= ? {of_them} ORDER BY trading_day",
        [family, end, _YEAR, end],
    )


def _draw_scores(lake: Lake, family: str, end: date) -> bytes | None:
    year = _year(lake, ROLLING, family, end)
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
    figures = _year(lake, HEALTH, family, end, "AND NOT starts_with(figure, 'coverage')")
    # Intervals are the ensemble's, whichever family is judged.
    coverage = _year(lake, HEALTH, ENSEMBLE_FAMILY, end, "AND starts_with(figure, 'coverage')")
    year = pd.concat([figures, coverage])
    shown = year[year["value"].notna()]
    return plot_health(shown) if len(shown) else None
