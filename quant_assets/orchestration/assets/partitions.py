"""Partitions: every asset has a partition for each trading day, so that any range is one run."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import dagster as dg

from quant_assets.core.errors import CalendarError, LakeError, SourceError
from quant_assets.lake.readers.days import read_day_span
from quant_assets.lake.schemas.price_tables import RAW_PRICES
from quant_assets.lake.schemas.revision_tables import OUTDATED
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.sessions import MarketCalendar
from quant_assets.sources.protocol import Source

# If the newest day of a source is older, the source has ended, and no further days get partitions.
LIVE = timedelta(days=30)
SINGLE_RUN = dg.BackfillPolicy.single_run()
# A partition begins to exist when its day ends. 14 hours ahead of UTC that is at 10:00 UTC of the
# same day. Dagster's ``end_offset`` would count days that are not excluded, so that on a Saturday
# Monday existed already (dagster-io/dagster#33551).
_EARLIEST_ZONE = "Etc/GMT-14"


@dataclass(frozen=True)
class KnownSpan:
    """The days that the definitions know of.

    Attributes:
        first_day: first day.
        last_day: newest day.
        problem: why the days are not those of the source; empty if they are.
    """

    first_day: date
    last_day: date
    problem: str = ""


def read_known_span(source: Source, lake: Lake, first_day: date, today: date) -> KnownSpan:
    """Read the first and last day of the source and of the lake, whichever has more.

    Days that the source took back can thus be done again. The definitions load while a source is
    broken: stored days stay visible, the sensors can report the source, and a run fails with the
    error of the source.

    Args:
        source: is read, unless it is broken.
        lake: is read, unless it is broken.
        first_day: first day if neither can be read, or nothing is stored.
        today: newest day in that case.
    """
    problem = ""
    spans = []
    try:
        spans.append((source.first_day, source.last_day))
    except (SourceError, CalendarError, OSError) as error:
        problem = str(error) or type(error).__name__
    try:
        spans += _read_stored_spans(lake) if lake.exists else []
    except LakeError as error:
        problem = f"{problem}\n{error}".strip()
    spans = spans or [(min(first_day, today), today)]
    return KnownSpan(min(span[0] for span in spans), max(span[1] for span in spans), problem)


def _read_stored_spans(lake: Lake) -> list[tuple[date, date]]:
    """Read the span of the stored days, and that of a run that has not come to its end."""
    stored = read_day_span(lake, RAW_PRICES)
    outdated = lake.arrow(f"FROM {OUTDATED.quoted}").to_pylist() if lake.has(OUTDATED) else []
    marked = [(mark["trading_day"], mark["until"]) for mark in outdated]
    return [*([stored] if stored else []), *marked]


def trading_partitions(
    calendar: MarketCalendar, first_day: date, last_day: date, today: date
) -> dg.DailyPartitionsDefinition:
    """Build the partitions: the trading days from ``first_day`` on.

    A day becomes a partition at its 10:00 UTC, so that a run on its evening can use it.

    Args:
        calendar: calendar of the market.
        first_day: first day of the source.
        last_day: newest day of the source. If it is older than 30 days, the partitions end with
            it; otherwise they follow the calendar.
        today: the present day, UTC.
    """
    closed = calendar.closed_days(first_day).tolist()
    never_open = [day for day in range(7) if day not in calendar.open_weekdays]
    live = today - last_day <= LIVE
    return dg.DailyPartitionsDefinition(
        start_date=first_day.isoformat(),
        end_date=None if live else (last_day + timedelta(days=1)).isoformat(),
        timezone=_EARLIEST_ZONE,
        exclusions=[
            *(f"0 0 * * {(day + 1) % 7}" for day in never_open),
            *(datetime.combine(day, time()) for day in closed),
        ],
    )


def run_day_range(context: dg.AssetExecutionContext) -> tuple[date, date]:
    """Return the first and last day of the run's partitions, which are equal for a single day."""
    keys = context.partition_key_range
    return date.fromisoformat(keys.start), date.fromisoformat(keys.end)


def stored_day_range(
    context: dg.AssetExecutionContext, lake: Lake, table: Table
) -> tuple[date, date]:
    """Return :func:`run_day_range`, after a check that the table has rows of the last day.

    Args:
        context: of the step that runs.
        lake: the lake.
        table: the table that the step judges.

    Raises:
        LakeError: the table has no rows of the last day.
    """
    start, end = run_day_range(context)
    rows = lake.columns(
        f"SELECT trading_day FROM {table.quoted} WHERE trading_day = ? LIMIT 1", [end], needs=table
    )
    if not len(rows["trading_day"]):
        raise LakeError(
            "the day cannot be watched: it has no rows yet",
            where=table.name,
            found=end,
            hint="refresh the day first, or watch earlier days",
        )
    return start, end
