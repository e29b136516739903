"""Live rows stay as they were stored; a resubmission keeps what it replaces."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from quant_assets.lake.readers.origins import read_live_days, read_origins, stamp_origin
from quant_assets.lake.schemas.price_tables import VALIDATED_PRICES
from quant_assets.lake.schemas.revision_tables import REVISIONS
from quant_assets.lake.schemas.table import ORIGIN, Column, Table, superseded_table
from quant_assets.lake.store import changes
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import list_competition_series
from quant_assets.revisions.changes import revision_rows
from quant_assets.revisions.differences import Revision

VALUES = Table(
    "test.values",
    "Values of days.",
    (Column("trading_day", "DATE", "day"), Column("value", "DOUBLE", "value"), *ORIGIN),
    keeps_live=True,
)
DAYS = [date(2024, 1, 2), date(2024, 1, 3), date(2024, 1, 4)]
NOW = datetime(2024, 1, 4, 22, 3, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake(tmp_path) as opened:
        yield opened


def rows(value: float, *origins: str) -> dict[str, list[object]]:
    days = DAYS[: len(origins)]
    return {
        "trading_day": list(days),
        "value": [value] * len(days),
        "origin": list(origins),
        "stored_at": [NOW.replace(tzinfo=None)] * len(days),
    }


def values(lake: Lake, table: Table = VALUES) -> dict[date, float]:
    stored = lake.query(f"SELECT trading_day, value FROM {table.quoted} ORDER BY ALL")
    return dict(zip(pd.to_datetime(stored["trading_day"]).dt.date, stored["value"], strict=True))


def test_a_write_leaves_live_days_as_they_are(lake: Lake) -> None:
    lake.replace_days(VALUES, DAYS[0], DAYS[2], rows(1.0, "history", "live", "resubmitted"))
    written = lake.replace_days(VALUES, DAYS[0], DAYS[2], rows(2.0, "history", "history", "live"))
    assert written.rows == 1
    assert values(lake) == {DAYS[0]: 2.0, DAYS[1]: 1.0, DAYS[2]: 1.0}
    lake.replace_all(VALUES, rows(3.0, "history"))
    assert values(lake) == {DAYS[0]: 3.0, DAYS[1]: 1.0, DAYS[2]: 1.0}
    lake.change(changes.delete_days(VALUES, DAYS))
    assert values(lake) == {DAYS[1]: 1.0, DAYS[2]: 1.0}


def test_a_day_before_one_that_was_taken_back_is_no_live_day(lake: Lake) -> None:
    withdrawn = Revision("withdrawn", DAYS[1], DAYS[1])
    lake.change(
        changes.append(REVISIONS, revision_rows([withdrawn], list_competition_series([]), NOW))
    )
    stamped = stamp_origin(lake, {"trading_day": DAYS}, NOW)
    assert stamped["origin"].to_pylist() == ["history", "live", "live"]


def test_rows_of_an_earlier_version_are_no_live_rows(lake: Lake) -> None:
    bare = Table(VALUES.name, VALUES.description, VALUES.columns[:2])
    lake.replace_days(bare, DAYS[0], DAYS[0], {"trading_day": DAYS[:1], "value": [1.0]})
    assert not lake.has_column(VALUES, "origin")
    assert read_origins(lake, VALUES, DAYS[0], DAYS[2]) == {}
    lake.replace_days(VALUES, DAYS[0], DAYS[0], rows(2.0, "live"))
    assert values(lake) == {DAYS[0]: 2.0}


def test_a_resubmission_keeps_what_it_replaces_and_why(lake: Lake) -> None:
    lake.replace_days(VALUES, DAYS[0], DAYS[1], rows(1.0, "live", "history"))
    for value in (2.0, 3.0):
        lake.replace_days(
            VALUES, DAYS[0], DAYS[1], rows(value, "resubmitted", "history"), supersede="wrong file"
        )
    assert values(lake) == {DAYS[0]: 3.0, DAYS[1]: 3.0}
    kept = lake.query(f"FROM {superseded_table(VALUES).quoted} ORDER BY value")
    assert kept["value"].tolist() == [1.0, 2.0]
    assert kept["origin"].tolist() == ["live", "resubmitted"]
    assert set(kept["reason"]) == {"wrong file"}
    lake.replace_days(VALUES, DAYS[0], DAYS[0], rows(4.0, "history"))
    assert values(lake)[DAYS[0]] == 3.0


def test_several_tables_change_together_or_not_at_all(lake: Lake) -> None:
    other = Table("test.other", "Others.", VALUES.columns[:2])
    first = changes.replace_days(VALUES, DAYS[0], DAYS[0], rows(1.0, "history"))
    second = changes.append(other, {"trading_day": DAYS[:1], "value": [5.0]})
    broken = changes.execute(other, "INSERT INTO test.other VALUES ('no day', 1.0)")
    before = lake.snapshot_id()
    with pytest.raises(Exception, match="did not come through"):
        lake.change(first, second, broken)
    assert lake.snapshot_id() == before
    assert not lake.has(VALUES)
    written = lake.change(first, second)
    assert [result.rows for result in written] == [1, 1]
    assert written[0].snapshot == written[1].snapshot == before + 1
    assert values(lake, other) == {DAYS[0]: 5.0}


def test_a_day_is_live_while_no_later_prices_are_stored(lake: Lake) -> None:
    def store_prices(day: date) -> None:
        row = {column.name: [None] for column in VALIDATED_PRICES.columns}
        lake.replace_days(VALIDATED_PRICES, day, day, row | {"trading_day": [day]})

    def store(day: date) -> None:
        stamped = stamp_origin(lake, {"trading_day": [day], "value": [1.0]}, NOW)
        lake.replace_days(VALUES, day, day, stamped)

    store_prices(DAYS[0])
    store(DAYS[0])
    store_prices(DAYS[2])
    store(DAYS[1])
    store(DAYS[2])
    origins = {DAYS[0]: "live", DAYS[1]: "history", DAYS[2]: "live"}
    assert read_origins(lake, VALUES, DAYS[0], DAYS[2]) == origins
    assert read_live_days(lake, VALUES, DAYS[0], DAYS[2]).tolist() == [DAYS[0], DAYS[2]]
    again = stamp_origin(lake, {"trading_day": DAYS, "value": [2.0] * 3}, NOW, resubmitted=True)
    assert again["origin"].to_pylist() == ["resubmitted", "resubmitted", "live"]
