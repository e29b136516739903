"""Whether a rehearsed lake holds the vendor's final history, and has written down how it changed.

The final history is loaded from scratch into a data directory of its own, and compared bit by bit.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from quant_assets.core.settings import Settings, load_settings
from quant_assets.core.typing import BoolArray
from quant_assets.definitions import build_definitions
from quant_assets.lake.schemas.feature_tables import (
    GROUP_FEATURES,
    INSTRUMENT_FEATURES,
    LABELS,
    MARKET_FEATURES,
    TARGET_FEATURES,
)
from quant_assets.lake.schemas.price_tables import (
    RAW_PRICES,
    RAW_TARGET_PAIRS,
    VALIDATED_PRICES,
    VALIDATED_QUARANTINE,
)
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.execution.runs import open_instance, run_job
from quant_assets.orchestration.jobs.job_run import JobRun
from quant_assets.simulation.plan import Plan
from quant_assets.sources.registry import open_source

HISTORY: Mapping[Table, Sequence[str]] = {
    RAW_TARGET_PAIRS: ("target",),
    RAW_PRICES: ("trading_day", "instrument", "field"),
    VALIDATED_PRICES: ("trading_day", "instrument", "field"),
    VALIDATED_QUARANTINE: ("trading_day", "column"),
    LABELS: ("released_on", "target"),
    INSTRUMENT_FEATURES: ("trading_day", "instrument"),
    GROUP_FEATURES: ("trading_day", "instrument_group"),
    MARKET_FEATURES: ("trading_day",),
    TARGET_FEATURES: ("trading_day", "target"),
}
"""The tables that follow from the source alone, and the columns that identify a row of each."""


@dataclass(frozen=True)
class Difference:
    """A column, or the rows themselves, in which two tables differ.

    Attributes:
        table: name of the table.
        column: name of the column; empty if the tables have different rows.
        rows: number of rows that differ.
        first: the values that identify the first of them.
        stored: its value in the stored table; or how many such rows are there.
        expected: its value in the expected table; or how many such rows are there.
    """

    table: str
    column: str
    rows: int
    first: Sequence[object]
    stored: object
    expected: object

    def __str__(self) -> str:
        place = ", ".join(map(str, self.first))
        name = self.column or "the number of such rows"
        what = f"{name} is {self.stored!r}, not {self.expected!r}"
        return f"{self.table} differs from the final source in {self.rows} rows; {place}: {what}"


def load_final(plan: Plan) -> Settings:
    """Load the market's final files from scratch, from prices to features.

    Args:
        plan: the rehearsal; its root folder gets the files and the data directory.

    Returns:
        The settings of the data directory.

    Raises:
        RunFailedError: an asset or a blocking check failed.
    """
    plan.market.write_final(plan.root / "final_market")
    settings = load_settings(
        data_dir=plan.root / "final_data",
        source=str(plan.root / "final_market"),
        first_day=plan.first_day,
    )
    load_history_tables(settings)
    return settings


def load_history_tables(settings: Settings) -> None:
    """Load the tables of ``HISTORY`` over all days of the source into a data directory.

    Raises:
        RunFailedError: an asset or a blocking check failed.
    """
    source = open_source(settings)
    with open_instance(settings) as instance:
        run_job(
            build_definitions(settings, source=source),
            instance,
            JobRun(
                "load_history",
                source.first_day,
                source.last_day,
                only=[table.name for table in HISTORY],
            ),
        )


def compare_histories(lake: Lake, final: Lake) -> Iterator[Difference]:
    """Compare the tables of ``HISTORY`` of a lake with those of another, bit by bit.

    Args:
        lake: the lake.
        final: the lake into which the final source was loaded.
    """
    for table, key in HISTORY.items():
        yield from compare_rows(table, key, _read(lake, table, key), _read(final, table, key))


def compare_rows(
    table: Table, key: Sequence[str], stored: pa.Table, expected: pa.Table
) -> Iterator[Difference]:
    """Compare all rows of a table with the expected ones, bit by bit.

    Args:
        table: the table.
        key: the columns that identify a row.
        stored: the rows, ascending by the key.
        expected: the expected rows, ascending by the key.

    Returns:
        One difference if the tables have different rows, or else one for each column that differs.
    """
    if not stored.select(key).equals(expected.select(key)):
        yield _compare_keys(table, key, stored, expected)
        return
    for column in table.columns:
        rows = np.flatnonzero(_differ(stored[column.name], expected[column.name]))
        if len(rows):
            first = rows[0].item()
            place = [stored[name][first].as_py() for name in key]
            values = (side[column.name][first].as_py() for side in (stored, expected))
            yield Difference(table.name, column.name, len(rows), place, *values)


def _read(lake: Lake, table: Table, key: Sequence[str]) -> pa.Table:
    columns, order = (
        ", ".join(f'"{name}"' for name in names)
        for names in ([column.name for column in table.columns], key)
    )
    return lake.arrow(f"SELECT {columns} FROM {table.quoted} ORDER BY {order}", needs=table)


def _compare_keys(
    table: Table, key: Sequence[str], stored: pa.Table, expected: pa.Table
) -> Difference:
    here, there = (
        Counter(zip(*(side[name].to_pylist() for name in key), strict=True))
        for side in (stored, expected)
    )
    odd = sorted((here - there) + (there - here))
    first = odd[0]
    return Difference(table.name, "", len(odd), first, here[first], there[first])


def _differ(stored: pa.ChunkedArray, expected: pa.ChunkedArray) -> BoolArray:
    """Return (n,) whether two cells differ in their bits, or one of them alone is NULL."""
    nulls = pc.xor(stored.is_null(), expected.is_null()).to_numpy()
    if pa.types.is_floating(stored.type):
        bits = (side.fill_null(0.0).to_numpy().view(np.int64) for side in (stored, expected))
        values = np.not_equal(*bits)
    else:
        values = pc.fill_null(pc.not_equal(stored, expected), fill_value=False).to_numpy()
    different: BoolArray = nulls | values
    return different
