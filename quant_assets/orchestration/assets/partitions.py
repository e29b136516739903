"""Partitions: every asset has one a trading day, so that any range of days is one run."""

from datetime import date, datetime, time, timedelta

import dagster as dg

from quant_assets.core.errors import LakeError, SourceError
from quant_assets.lake.readers.days import read_day_span
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.schemas.tables import RAW_PRICES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.calendar import closures
from quant_assets.sources.protocol import Source

# A history that ended longer ago than this gets no further days.
LIVE = timedelta(days=30)
SINGLE_RUN = dg.BackfillPolicy.single_run()


def read_known_span(source: Source, lake: Lake) -> tuple[date, date]:
    """First and last day of the source; of what is stored, while it cannot be read.

    So a source that is broken for the moment takes neither what is stored nor the sensors that
    tell of it out of sight.

    Raises:
        SourceError: the source cannot be read, and nothing is stored.
    """
    try:
        return source.first_day, source.last_day
    except SourceError:
        stored = read_day_span(lake, RAW_PRICES) if lake.exists else None
        if stored is None:
            raise
        return stored


def trading_partitions(
    first_day: date, last_day: date, today: date
) -> dg.DailyPartitionsDefinition:
    """One partition per trading day from ``first_day`` on.

    They end with ``last_day`` if that is long past, and otherwise go on with the calendar; a day
    is a partition as soon as it begins in UTC, so that a run in its evening finds it.
    """
    closed = [day for day in closures().tolist() if day >= first_day]
    live = today - last_day <= LIVE
    return dg.DailyPartitionsDefinition(
        start_date=first_day.isoformat(),
        end_date=None if live else (last_day + timedelta(days=1)).isoformat(),
        end_offset=1 if live else 0,
        exclusions=["0 0 * * 6", "0 0 * * 0", *(datetime.combine(day, time()) for day in closed)],
    )


def run_day_range(context: dg.AssetExecutionContext) -> tuple[date, date]:
    """First and last day of the run's partitions; the same for a single day."""
    keys = context.partition_key_range
    return date.fromisoformat(keys.start), date.fromisoformat(keys.end)


def stored_day_range(
    context: dg.AssetExecutionContext, lake: Lake, table: Table
) -> tuple[date, date]:
    """As :func:`run_day_range`, for what judges the last day: of nothing there is no judgement.

    Raises:
        LakeError: the table has no rows of the last day.
    """
    start, end = run_day_range(context)
    found = lake.columns(
        f"SELECT trading_day FROM {table.quoted} WHERE trading_day = ? LIMIT 1", [end], needs=table
    )
    if not len(found["trading_day"]):
        raise LakeError(
            "the day cannot be watched: it has no rows yet",
            where=table.name,
            found=end,
            hint="refresh it first, or watch the days before it",
        )
    return start, end
