"""A read as of a day returns what was known on that day, whatever later days the lake has."""

import shutil
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import LakeError, NotEnoughHistoryError
from quant_assets.lake.readers.point_in_time import (
    read_date_ids,
    read_known_days,
    read_known_labels,
    read_observations,
)
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.schemas.feature_tables import (
    INSTRUMENT_FEATURES,
    LABELS,
    MARKET_FEATURES,
    TARGET_FEATURES,
)
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.market.targets import horizons_of
from quant_assets.models.protocol import Observations
from quant_assets_tests.support import synthetic


@pytest.fixture(scope="module", params=[(1, 2, 3, 4), (5, 20)], ids=str)
def horizons(request: pytest.FixtureRequest) -> tuple[int, ...]:
    return tuple(request.param)


@pytest.fixture(scope="module")
def everything(horizons: tuple[int, ...]) -> Observations:
    return synthetic.observe(synthetic.prices(), horizons)


@pytest.fixture(scope="module")
def lake(horizons: tuple[int, ...], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """A lake with all days of the small market."""
    with Lake(tmp_path_factory.mktemp("lake")) as opened:
        synthetic.fill(opened, synthetic.prices(), horizons)
        yield opened


def day(row: int) -> date:
    return synthetic.prices().days[row].item()


def test_the_lake_gives_what_was_computed(lake: Lake, everything: Observations) -> None:
    """Features and labels read from tables equal the computed arrays bit for bit."""
    synthetic.assert_same(read_observations(lake, day(-1)), everything)


@pytest.mark.parametrize("row", [0, 1, 5, 120, 300, 429])
def test_nothing_known_later_is_read(lake: Lake, horizons: tuple[int, ...], row: int) -> None:
    """The observations equal those of a market whose prices and labels end on the day."""
    observations = read_observations(lake, day(row))
    assert observations.days[-1] == synthetic.prices().days[row]
    until = synthetic.until(synthetic.prices(), row)
    synthetic.assert_same(observations, synthetic.observe(until, horizons))


@pytest.mark.parametrize("row", [6, 300])
def test_labels_are_those_released_by_the_day(lake: Lake, row: int) -> None:
    """Labels equal the rows of the table whose released_on is not after the day."""
    observations = read_observations(lake, day(row))
    stored = lake.query(
        f"SELECT released_on, target, value, trading_day FROM {LABELS.quoted}"
        " WHERE value IS NOT NULL AND released_on <= ?",
        [day(row)],
    )
    assert int((~np.isnan(observations.known_labels)).sum()) == len(stored)
    labels = observations.labels()
    assert int((~np.isnan(labels)).sum()) == len(stored)
    rows = np.searchsorted(observations.days, stored["trading_day"].to_numpy("datetime64[D]"))
    columns = [observations.targets.index(name) for name in stored["target"]]
    np.testing.assert_array_equal(labels[rows, columns], stored["value"])
    for lag in horizons_of(observations.lags):
        of_lag, first_unknown = labels[:, observations.lags == lag], max(row - lag, 0)
        assert np.isnan(of_lag[first_unknown:]).all()
        assert np.isfinite(of_lag[first_unknown - 1 : first_unknown]).any() == (row > lag)


@pytest.mark.parametrize("row", [120, 300])
def test_a_slice_is_what_was_known_then(lake: Lake, everything: Observations, row: int) -> None:
    synthetic.assert_same(everything.rows(0, row + 1), read_observations(lake, day(row)))


def test_days_since(lake: Lake, everything: Observations) -> None:
    observations = read_observations(lake, day(300), since=day(290))
    synthetic.assert_same(observations, everything.rows(290, 301))


def test_a_day_the_market_was_closed_shows_the_day_before(lake: Lake) -> None:
    friday = next(row for row in range(300, 310) if day(row).weekday() == 4)
    synthetic.assert_same(
        read_observations(lake, day(friday) + timedelta(days=1)),
        read_observations(lake, day(friday)),
    )


def test_known_days(lake: Lake) -> None:
    np.testing.assert_array_equal(read_known_days(lake, day(7)), synthetic.prices().days[:8])
    assert len(read_known_days(lake, day(0) - timedelta(days=1))) == 0
    np.testing.assert_array_equal(read_known_days(lake, date(2030, 1, 1)), synthetic.prices().days)


def test_date_ids(lake: Lake) -> None:
    prices = synthetic.prices()
    np.testing.assert_array_equal(
        read_date_ids(lake, prices.days[[6, 2]]), np.asarray(prices.date_ids)[[6, 2]]
    )
    with pytest.raises(LakeError, match="2030-01-01"):
        read_date_ids(lake, np.array(["2030-01-01"], dtype="datetime64[D]"))


@pytest.mark.parametrize(("as_of", "since"), [(-400, 0), (0, 3)])
def test_days_without_features_are_refused(lake: Lake, as_of: int, since: int) -> None:
    with pytest.raises(NotEnoughHistoryError, match="materialise the features"):
        read_observations(
            lake, day(0) + timedelta(days=as_of), since=day(0) + timedelta(days=since)
        )


def test_a_label_released_on_a_day_without_features_is_named(lake: Lake) -> None:
    days = np.delete(synthetic.prices().days[100:111], 4)
    with pytest.raises(LakeError, match=str(synthetic.prices().days[104])):
        read_known_labels(lake, days, read_pairs(lake))


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder of a lake of nine days."""
    folder = tmp_path_factory.mktemp("small")
    with Lake(folder) as opened:
        synthetic.fill(opened, synthetic.until(synthetic.prices(), 8))
    return folder


@pytest.mark.parametrize(
    "table", [MARKET_FEATURES, INSTRUMENT_FEATURES, LABELS, TARGET_FEATURES], ids=lambda t: t.name
)
def test_a_table_never_written_is_named(small: Path, tmp_path: Path, table: Table) -> None:
    shutil.copytree(small, tmp_path / "lake")
    with Lake(tmp_path / "lake") as opened:
        assert len(read_observations(opened, day(8)).days) == 9
        opened.query(f"DROP TABLE {table.quoted}")
    missing = pytest.raises(LakeError, match=table.name.replace(".", "/"))
    with Lake(tmp_path / "lake") as opened, missing:
        read_observations(opened, day(8))


@pytest.mark.parametrize("row", [2, 5, 8])
def test_a_day_whose_labels_were_not_stored_is_named(small: Path, tmp_path: Path, row: int) -> None:
    """Missing labels must not be read as empty labels."""
    shutil.copytree(small, tmp_path / "lake")
    with Lake(tmp_path / "lake") as opened:
        empty: dict[str, list[object]] = {column.name: [] for column in LABELS.columns}
        opened.replace_days(LABELS, day(row), day(row), empty)
        with pytest.raises(LakeError, match=f"labels released on {day(row)}"):
            read_observations(opened, day(8))
        if row > 2:
            assert len(read_observations(opened, day(row - 1)).days) == row
