"""The list of tables equals the content of the lake."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from quant_assets.commands.inspection import describe_table, list_tables
from quant_assets.core.errors import UnknownNameError
from quant_assets.lake.schemas.scoring_tables import TRACK_RECORD
from quant_assets.lake.store.lake import Lake

FAMILIES = ("ridge",)
DAY = date(2024, 1, 2)


def test_rows_that_were_replaced_do_not_count(tmp_path: Path) -> None:
    rows = {
        "trading_day": [DAY] * 3,
        "date_id": [0] * 3,
        "family": ["a", "b", "c"],
        "ic": [0.1, 0.2, 0.3],
        "released_on": [DAY] * 3,
    }
    with Lake(tmp_path) as lake:
        for _ in range(3):
            lake.replace_days(TRACK_RECORD, DAY, DAY, rows)
        listed = list_tables(lake, FAMILIES).set_index("name")
    assert listed["rows"].dropna().to_dict() == {TRACK_RECORD.name: 3}
    assert listed.loc[TRACK_RECORD.name, "description"] == TRACK_RECORD.description


def test_tables_that_nothing_was_written_to_yet_are_told_of(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake:
        listed = list_tables(lake, FAMILIES)
        awaited = describe_table(lake, TRACK_RECORD.name, FAMILIES)
        lake.replace_days(TRACK_RECORD, DAY, DAY, {x.name: [] for x in TRACK_RECORD.columns})
        stored = describe_table(lake, TRACK_RECORD.name, FAMILIES)
        rows = list_tables(lake, FAMILIES).set_index("name")["rows"]
        with pytest.raises(UnknownNameError, match=r"fits\.ridge_study"):
            describe_table(lake, "fits.ridge_studies", FAMILIES)
    assert listed["rows"].isna().all()
    assert rows.dropna().to_dict() == {TRACK_RECORD.name: 0}
    assert awaited[0] == stored[0] == TRACK_RECORD.description
    pd.testing.assert_frame_equal(awaited[1], stored[1])
