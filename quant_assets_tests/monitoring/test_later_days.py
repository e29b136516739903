"""What later days bring changes nothing, and a day that has brought nothing yet is not judged."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from quant_assets.core.errors import LakeError
from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.tables import INSTRUMENT_FEATURES, RAW_PRICES, VALIDATED_PRICES
from quant_assets.lake.store.lake import Lake
from quant_assets.monitoring.data.cells import read_cells
from quant_assets.monitoring.data.data_quality import data_quality_rows
from quant_assets.monitoring.drift.drift import drift_rows
from quant_assets.orchestration.assets import data_and_drift, skill
from quant_assets.orchestration.assets.partitions import trading_partitions
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.monitored_lake import FAMILIES, fill

DAYS = synthetic.prices().days
DAY, LATER = DAYS[-3].item(), DAYS[-1].item()
AFTER = np.busday_offset(DAYS[-1], 1).item()


def begin(lake: Lake, instrument: str) -> None:
    """Have an instrument on the last day, the same as one that there is."""
    for table in (RAW_PRICES, VALIDATED_PRICES, INSTRUMENT_FEATURES):
        rows = lake.query(f"FROM {table.quoted} WHERE trading_day = ?", [LATER])
        added = rows[rows["instrument"] == "US_Stock_XOM"].assign(instrument=instrument)
        both = pd.concat([rows, added])
        columns = {name: both[name].to_numpy() for name in rows.columns}
        lake.replace_days(table, LATER, LATER, columns)


def test_an_instrument_that_begins_later_changes_nothing(tmp_path: Path) -> None:
    with fill(tmp_path, synthetic.prices()) as lake:

        def watched() -> Sequence[pd.DataFrame]:
            cells = read_cells(lake, DAYS[0].item(), DAY)
            return data_quality_rows(cells, 1), drift_rows(lake, FAMILIES, DAY, DAY)

        before = watched()
        begin(lake, "US_Stock_NEW")
        for found, expected in zip(watched(), before, strict=True):
            pd.testing.assert_frame_equal(found, expected, check_exact=True)
        cells = read_cells(lake, DAYS[0].item(), LATER)
        assert ("US_Stock_NEW", "close") in {(one.instrument, one.field) for one in cells.series}
        newest = data_quality_rows(cells, 3)
        assert not newest["value"][newest["figure"] == "schema"].any()


@pytest.mark.parametrize("start", [AFTER, DAY], ids=["alone", "last of a range"])
def test_a_day_without_prices_is_not_judged(tmp_path: Path, start: object) -> None:
    """No check passes, which would end what it is told for; and nothing stored is replaced."""
    partitions = trading_partitions(DAYS[0].item(), AFTER, AFTER)
    assets = [
        *data_and_drift.build(partitions, FAMILIES),
        *skill.build(partitions, FAMILIES),
    ]
    names = {"data_quality", "drift", "anomalies", "rolling", "health"}
    watched = [one for one in assets if {key.path[-1] for key in one.keys} & names]
    assert len(watched) == 4
    with fill(tmp_path / "lake", synthetic.prices()) as lake:
        with lake.at_once() as before:
            pass
        for one in watched:
            with pytest.raises(LakeError, match="cannot be watched"):
                dg.materialize(
                    [one],
                    resources={
                        "lake": lake,
                        "source": synthetic.SOURCE,
                        "settings": Settings(data_dir=tmp_path),
                    },
                    tags={
                        "dagster/asset_partition_range_start": str(start),
                        "dagster/asset_partition_range_end": str(AFTER),
                    },
                )
        with lake.at_once() as after:
            assert after == before
