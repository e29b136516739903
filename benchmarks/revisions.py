"""Looking for changes of the past: digests against an SQL comparison of all stored prices.

Both compare 2,038 days of 557 series in memory with the lake. The time includes every read of the
lake, and not that of the source's files.
"""

import tempfile
from datetime import date
from functools import partial
from pathlib import Path

import duckdb

from benchmarks.figures import Figure, medians
from quant_assets.core.clock import Clock
from quant_assets.lake.readers.prices import raw_rows
from quant_assets.lake.schemas.price_tables import RAW_PRICES
from quant_assets.lake.schemas.table import to_arrow
from quant_assets.lake.store.lake import Lake
from quant_assets.market.calendar import trading_days
from quant_assets.quality.cleaning import CleaningRules
from quant_assets.revisions.changes import list_changes
from quant_assets.revisions.comparison import compare_anew, compare_with_source
from quant_assets.revisions.records import list_mark_removal
from quant_assets.revisions.storing import build_update
from quant_assets.sources.simulated.market import SimulatedMarket

DAYS, REPEATS = 2038, 5


def run(market: Path | None) -> list[Figure]:
    """Measure the seconds of both comparisons with an unchanged past.

    Args:
        market: is not read.
    """
    first = date(2015, 1, 5)
    last = trading_days(first, date(2023, 12, 29))[DAYS - 1].item()
    source = SimulatedMarket(first_day=first, last_day=last)
    with tempfile.TemporaryDirectory() as folder, Lake(Path(folder)) as lake:
        comparison = compare_with_source(lake, source)
        update = build_update(comparison, source.name, CleaningRules(), first, last)
        lake.change(*list_changes(lake, comparison, update, (), {}, Clock().now()))
        lake.change(*list_mark_removal(lake, first, last))
        taken = medians(
            {
                "digests": partial(_compare_by_digests, lake, source),
                "sql": partial(_compare_by_sql, lake, source),
            },
            REPEATS,
        )
    name = f"compare {DAYS} unchanged days x {len(update.given.columns)} series"
    return [
        Figure(f"{name}, by digests", taken["digests"], "s", at_most=0.3),
        Figure(f"{name}, reading all prices", taken["sql"], "s"),
        Figure("reading all prices / by digests", taken["sql"] / taken["digests"], "x"),
    ]


def _compare_by_digests(lake: Lake, source: SimulatedMarket) -> None:
    assert compare_anew(lake, source).span is None


def _compare_by_sql(lake: Lake, source: SimulatedMarket) -> None:
    table = source.prices(source.first_day, source.last_day)
    given = to_arrow(RAW_PRICES, raw_rows(table, source.name))
    connection = duckdb.connect()
    connection.register("given", given)
    connection.register("stored", lake.arrow(f"FROM {RAW_PRICES.quoted}"))
    differing = connection.execute(
        "SELECT count(*) FROM given FULL JOIN stored USING (trading_day, instrument, field)"
        " WHERE given.value IS DISTINCT FROM stored.value"
    ).fetchone()
    assert differing == (0,)
