"""What the lake is said to hold is what it holds."""

from datetime import date
from pathlib import Path

from quant_assets.inspection import tables
from quant_assets.lake.judgement_tables import TRACK_RECORD
from quant_assets.lake.lake import Lake

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
        assert tables(lake).empty
        for _ in range(3):
            lake.replace_days(TRACK_RECORD, DAY, DAY, rows)
        found = tables(lake).set_index("name")
    assert found["rows"].to_dict() == {TRACK_RECORD.name: 3}
    assert found.loc[TRACK_RECORD.name, "description"] == TRACK_RECORD.description
