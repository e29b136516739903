"""Later days change nothing, and a day without prices is not judged."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from quant_assets.core.errors import LakeError
from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.feature_tables import INSTRUMENT_FEATURES
from quant_assets.lake.schemas.price_tables import RAW_PRICES, VALIDATED_PRICES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import InstrumentSeries
from quant_assets.monitoring.data.cells import read_cells
from quant_assets.monitoring.data.data_quality import data_quality_rows
from quant_assets.monitoring.drift.drift import drift_rows
from quant_assets.orchestration.assets import anomalies, data_quality, drift, skill
from quant_assets.orchestration.assets.partitions import trading_partitions
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.calendars import LONDON_AND_TOKYO
from quant_assets_tests.support.monitored_lake import FAMILIES, fill

DAYS = synthetic.prices().days
DAY, LATER = DAYS[-3].item(), DAYS[-1].item()
AFTER = np.busday_offset(DAYS[-1], 1).item()


def add_instrument(lake: Lake, instrument: str) -> None:
    """Add an instrument on the last day, with the rows of another."""
    for table in (RAW_PRICES, VALIDATED_PRICES, INSTRUMENT_FEATURES):
        rows = lake.query(f"FROM {table.quoted} WHERE trading_day = ?", [LATER])
        added = rows[rows["instrument"] == "US_Stock_XOM"].assign(instrument=instrument)
        both = pd.concat([rows, added])
        columns = {name: both[name].to_numpy() for name in rows.columns}
        lake.replace_days(table, LATER, LATER, columns)


def test_an_instrument_that_begins_later_changes_nothing(tmp_path: Path) -> None:
    with fill(tmp_path, synthetic.prices()) as lake:

        def make_rows() -> Sequence[pd.DataFrame]:
            cells = read_cells(lake, DAYS[0].item(), DAY)
            return data_quality_rows(cells, 1), drift_rows(lake, FAMILIES, DAY, DAY)

        before = make_rows()
        add_instrument(lake, "US_Stock_NEW")
        for rows, expected in zip(make_rows(), before, strict=True):
            pd.testing.assert_frame_equal(rows, expected, check_exact=True)
        cells = read_cells(lake, DAYS[0].item(), LATER)
        assert InstrumentSeries("US_Stock_NEW", "close") in cells.series.series
        newest = data_quality_rows(cells, 3)
        assert not newest["value"][newest["figure"] == "schema"].any()


@pytest.mark.parametrize("start", [AFTER, DAY], ids=["alone", "last of a range"])
def test_a_day_without_prices_is_not_judged(tmp_path: Path, start: object) -> None:
    """No check passes, which would end its alert, and no stored row is replaced."""
    partitions = trading_partitions(LONDON_AND_TOKYO, DAYS[0].item(), AFTER, AFTER)
    assets = [
        *data_quality.build(partitions, FAMILIES),
        *drift.build(partitions, FAMILIES),
        *anomalies.build(partitions, FAMILIES),
        *skill.build(partitions, FAMILIES),
    ]
    names = {"data_quality", "drift", "anomalies", "rolling", "health"}
    monitored = [asset for asset in assets if {key.path[-1] for key in asset.keys} & names]
    assert len(monitored) == 4
    with fill(tmp_path / "lake", synthetic.prices()) as lake:
        with lake.at_once() as before:
            pass
        for asset in monitored:
            with pytest.raises(LakeError, match="cannot be watched"):
                dg.materialize(
                    [asset],
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
