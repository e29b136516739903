"""Tables that a description names: their rows as they came, and what was known at each close.

A market without tables has these assets too; their tables have no rows then.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from typing import Any

import dagster as dg
import numpy as np

from quant_assets.core.clock import Clock
from quant_assets.core.errors import SourceError
from quant_assets.core.settings import Settings
from quant_assets.core.typing import DayArray
from quant_assets.features.table_inputs import (
    INSTRUMENT_FORMULAS,
    LOOKBACK,
    MARKET_FORMULAS,
    instrument_inputs,
    market_inputs,
    require_distinct_inputs,
)
from quant_assets.lake.readers.arrays import day_blocks, long_rows
from quant_assets.lake.readers.observations import read_known_values, read_newest_rows
from quant_assets.lake.readers.point_in_time import read_date_ids, read_known_days
from quant_assets.lake.readers.series import read_series
from quant_assets.lake.schemas.feature_tables import MARKET_FEATURES
from quant_assets.lake.schemas.observation_tables import OBSERVATION_FEATURES, RAW_OBSERVATIONS
from quant_assets.lake.schemas.price_tables import RAW_PRICES
from quant_assets.lake.store.changes import append
from quant_assets.lake.store.lake import Lake, WriteResult
from quant_assets.lake.store.spool import collect
from quant_assets.market.description.market import MarketDescription
from quant_assets.market.description.moments import close_of_days
from quant_assets.market.description.tables import WHOLE_MARKET, TableRule
from quant_assets.orchestration.assets.partitions import run_day_range
from quant_assets.orchestration.assets.table_assets import (
    check_spec,
    make_check_result,
    record_result,
    table_asset,
)
from quant_assets.revisions.observations import NewRows, find_new_rows
from quant_assets.revisions.responses import list_new_records
from quant_assets.sources.tables.reading import list_responses, read_table

_CHECK = "tables_read"
_COLUMNS = [column.name for column in RAW_OBSERVATIONS.columns]
_EVERY_INPUT = (*MARKET_FORMULAS, *INSTRUMENT_FORMULAS)


def build(
    partitions: dg.PartitionsDefinition, families: Sequence[str]
) -> list[dg.AssetsDefinition]:
    """Build the assets of this module; the families do not matter."""

    @table_asset(
        RAW_OBSERVATIONS,
        kinds={"pandas"},
        deps=[RAW_PRICES],
        partitions=partitions,
        about="A run reads every table as a whole, whatever its days are.",
        checks=[
            check_spec(
                RAW_OBSERVATIONS,
                _CHECK,
                "Every table was read. If one that has rows already cannot be read, these count, "
                "and its values grow old.",
                blocking=False,
            )
        ],
    )
    def raw_observations(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        settings: dg.ResourceParam[Settings],
        clock: dg.ResourceParam[Clock],
        market: dg.ResourceParam[MarketDescription],
    ) -> dg.MaterializeResult:
        require_distinct_inputs(market.tables, market.all_groups)
        problems, late, changes = [], 0, []
        folder = settings.data_dir / "sources"
        for rule in market.tables:
            try:
                given = read_table(rule, market, folder, _instruments(lake))
            except SourceError as error:
                if read_newest_rows(lake, rule.name, rule.reading).empty:
                    raise
                problems.append(f"{rule.name}: {error}")
                continue
            new = find_new_rows(lake, rule, given, market.calendar, clock.now())
            if new.late:
                context.log.warning(_describe_late(rule, new))
            late += new.late
            if new.count:
                changes.append(append(RAW_OBSERVATIONS, new.rows))
        if not changes and not lake.has(RAW_OBSERVATIONS):
            changes.append(append(RAW_OBSERVATIONS, dict.fromkeys(_COLUMNS, ())))
        answers = list_new_records(lake, list_responses(market, folder))
        results = lake.change(*changes, *answers) if changes or answers else []
        rows = sum(each.rows for each in results[: len(changes)])
        written = WriteResult(rows, lake.snapshot_id())
        check = make_check_result(
            RAW_OBSERVATIONS,
            _CHECK,
            not problems,
            blocking=False,
            problems="\n".join(problems) or "none",
        )
        return record_result(RAW_OBSERVATIONS, written, {"late_rows": late}, checks=[check])

    @table_asset(
        OBSERVATION_FEATURES,
        kinds={"numpy"},
        deps=[RAW_OBSERVATIONS, MARKET_FEATURES],
        partitions=partitions,
    )
    def observation_features(
        context: dg.AssetExecutionContext,
        lake: dg.ResourceParam[Lake],
        market: dg.ResourceParam[MarketDescription],
    ) -> dg.MaterializeResult:
        start, end = run_day_range(context)
        rows = collect(OBSERVATION_FEATURES, _feature_rows(lake, market, start, end))
        return record_result(
            OBSERVATION_FEATURES, lake.replace_days(OBSERVATION_FEATURES, start, end, rows)
        )

    return [raw_observations, observation_features]


def _describe_late(rule: TableRule, new: NewRows) -> str:
    return (
        f"{rule.name}: {new.late} of {new.count} new rows count as known from now on: the table "
        "says that they were known earlier, but did not have them when the stored days were loaded"
    )


def _instruments(lake: Lake) -> tuple[str, ...]:
    """Return the instruments whose prices are stored, sorted."""
    return tuple(sorted({series.instrument for series in read_series(lake).series}))


def _feature_rows(
    lake: Lake, market: MarketDescription, start: date, end: date
) -> Iterator[dict[str, Any]]:
    """Compute the rows of the days from ``start`` to ``end``, table by table and field by field."""
    days = read_known_days(lake, end)
    first = int(np.searchsorted(days, np.datetime64(start)))
    if first == len(days):
        return
    date_ids = read_date_ids(lake, days[first:])
    closes = close_of_days(market.calendar, days)
    for rule in market.tables:
        compute = _instrument_columns if rule.by_instrument else _market_columns
        for field in rule.fields:
            for part, units, values in compute(lake, rule, field, days, closes, first):
                columns = long_rows(
                    days[part], date_ids[_move(part, -first)], values, "instrument", units
                )
                count = len(columns["trading_day"])
                names = {"table_name": rule.name, "field": field}
                yield columns | {name: [value] * count for name, value in names.items()}


def _move(part: slice, rows: int) -> slice:
    return slice(part.start + rows, part.stop + rows)


def _market_columns(
    lake: Lake, rule: TableRule, field: str, days: DayArray, closes: DayArray, first: int
) -> Iterator[tuple[slice, tuple[str, ...], dict[str, Any]]]:
    """Compute the columns of a field of the whole market on the days from ``first`` on."""
    begin = max(first - LOOKBACK, 0)
    units = (WHOLE_MARKET,)
    known = read_known_values(
        *(lake, rule.name, rule.reading, field, days[begin:], closes[begin:], units),
        max_age_days=rule.max_age_days,
    )
    inputs = market_inputs(known.values[:, 0])
    columns = {"value": known.values[:, 0], "age_days": known.age_days[:, 0], **inputs}
    kept = {name: array[first - begin :] for name, array in columns.items()}
    yield slice(first, len(days)), units, _fill(kept, (len(days) - first,))


def _instrument_columns(
    lake: Lake, rule: TableRule, field: str, days: DayArray, closes: DayArray, first: int
) -> Iterator[tuple[slice, tuple[str, ...], dict[str, Any]]]:
    """Compute the columns of a field of instruments on the days from ``first`` on, in blocks."""
    units = _instruments(lake)
    for block in day_blocks(len(days) - first, len(units)):
        part = _move(block, first)
        known = read_known_values(
            *(lake, rule.name, rule.reading, field, days[part], closes[part], units),
            max_age_days=rule.max_age_days,
        )
        columns = {"value": known.values, "age_days": known.age_days}
        columns |= instrument_inputs(known.values)
        yield part, units, _fill(columns, known.values.shape)


def _fill(columns: Mapping[str, Any], shape: tuple[int, ...]) -> dict[str, Any]:
    """Add the inputs that a field lacks, as NaN."""
    empty = np.full(shape, np.nan)
    return dict.fromkeys(_EVERY_INPUT, empty) | dict(columns)
