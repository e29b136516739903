"""A whole small market through the command line: one run, every day, every target, the files."""

from collections.abc import Iterator

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from quant_assets.lake.schemas.feature_tables import (
    INSTRUMENT_FEATURES,
    MARKET_FEATURES,
    TARGET_FEATURES,
)
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.price_tables import RAW_PRICES, VALIDATED_PRICES
from quant_assets.lake.schemas.table import Table
from quant_assets.lake.store.lake import Lake
from quant_assets.market.calendar import trading_days
from quant_assets.models.registry import DAILY, FAST
from quant_assets.orchestration.execution.runs import open_instance
from quant_assets.scoring.attribution import ATTRIBUTED_DAYS
from quant_assets_tests.support.installation import TABLES, Installation, days_with_picture
from quant_assets_tests.support.small_market import (
    FIRST_DAY,
    FIRST_FIT_AFTER,
    LAST_DAY,
    REFIT_EVERY,
)

DAYS = trading_days(FIRST_DAY, LAST_DAY)
FORECAST_DAYS = DAYS[FIRST_FIT_AFTER:]
FIT_DAYS = DAYS[FIRST_FIT_AFTER::REFIT_EVERY]
TARGETS = [f"target_{i}" for i in range(424)]
EXPLAINED = ("ensemble", *FAST)
JUDGED = ("published", *EXPLAINED)


@pytest.fixture(scope="module")
def lake(loaded: Installation) -> Iterator[Lake]:
    with Lake(loaded.settings.lake_dir, read_only=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def history(loaded: Installation) -> Iterator[dg.DagsterInstance]:
    with open_instance(loaded.settings) as opened:
        yield opened


def days_in(lake: Lake, table: str, column: str = "trading_day") -> np.ndarray:
    results = lake.query(f"SELECT DISTINCT {column} AS day FROM {table} ORDER BY 1")
    return results["day"].to_numpy().astype("datetime64[D]")


def test_it_was_one_successful_run_of_all_days(history: dg.DagsterInstance) -> None:
    (run,) = history.get_runs()
    assert run.status is dg.DagsterRunStatus.SUCCESS
    assert run.job_name == "load_history"
    assert run.tags["dagster/asset_partition_range_start"] == str(DAYS[0])
    assert run.tags["dagster/asset_partition_range_end"] == str(DAYS[-1])


def test_every_day_of_every_asset_is_recorded_with_its_rows(history: dg.DagsterInstance) -> None:
    keys = history.all_asset_keys()
    files = 1
    # What a load writes, and the record of revisions.
    assert len(keys) == len(TABLES) + 1 + files
    for key in keys:
        assert history.get_materialized_partitions(key) == set(DAYS.astype(str)), key
        event = history.get_latest_materialization_event(key)
        assert event
        assert event.asset_materialization
        recorded = event.asset_materialization.metadata
        assert key.path[-1] == "export" or {"dagster/row_count", "snapshot"} <= set(recorded), key


def test_every_check_was_evaluated_and_blocking_ones_passed(loaded: Installation) -> None:
    with open_instance(loaded.settings) as opened:
        (run,) = opened.get_runs()
        records = opened.get_records_for_run(
            run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION
        ).records
    results = {}
    for record in records:
        event = record.event_log_entry.get_dagster_event()
        results[event.asset_check_evaluation_data.check_name] = event.asset_check_evaluation_data
    blocking = {"raw_prices", "target_pairs", "validated_prices", "complete"}
    assert set(results) == {
        *blocking,
        *("target_features", "agree_with_published", "fitted", "forecasts", "recorded"),
        *("champion_forecasts", "others_forecast", "tables_read"),
    }
    assert all(results[name].passed for name in blocking)
    # The first weeks of a history have no long windows yet.
    assert [name for name in results if not results[name].passed] == ["target_features"]


@pytest.mark.parametrize(
    "table",
    [RAW_PRICES, VALIDATED_PRICES, INSTRUMENT_FEATURES, MARKET_FEATURES, TARGET_FEATURES],
    ids=lambda table: table.name,
)
def test_no_day_is_missing(lake: Lake, table: Table) -> None:
    np.testing.assert_array_equal(days_in(lake, table.name), DAYS)


def test_labels_are_stored_on_the_day_of_their_release(lake: Lake) -> None:
    np.testing.assert_array_equal(days_in(lake, "features.labels", "released_on"), DAYS[2:])
    rows = lake.query(
        "SELECT trading_day, released_on, lag FROM features.labels"
        " JOIN raw.target_pairs USING (target)"
    )
    position = {day: i for i, day in enumerate(DAYS)}
    of = rows[["trading_day", "released_on"]].map(lambda x: position[x.to_datetime64()])
    assert (of["released_on"] - of["trading_day"] == rows["lag"] + 1).all()


@pytest.mark.parametrize("family", FAST)
def test_fits_are_those_of_the_walk_forward(lake: Lake, family: str) -> None:
    np.testing.assert_array_equal(days_in(lake, f"fits.{family}"), FIT_DAYS)


@pytest.mark.parametrize("family", JUDGED)
def test_forecasts_have_no_gaps_and_use_the_newest_fit(lake: Lake, family: str) -> None:
    rows = lake.query(f"FROM forecasts.{family}").sort_values(["trading_day", "target"])
    np.testing.assert_array_equal(days_in(lake, f"forecasts.{family}"), FORECAST_DAYS)
    assert np.isfinite(rows["value"]).all()
    assert (rows.groupby("trading_day")["target"].apply(set) == set(TARGETS)).all()
    assert len(rows) == len(FORECAST_DAYS) * 424
    days = rows["trading_day"].to_numpy()
    before = np.searchsorted(FIT_DAYS, days, side="left" if family in DAILY else "right")
    fit = np.maximum(before - 1, 0)
    np.testing.assert_array_equal(rows["fit_as_of"].to_numpy().astype("M8[D]"), FIT_DAYS[fit])


def test_the_submission_is_the_ensemble_in_the_order_of_the_pairs(lake: Lake) -> None:
    stored = lake.query("FROM submissions.daily")
    assert stored.columns.tolist() == [column.name for column in SUBMISSIONS.columns]
    assert stored["target"].tolist() == TARGETS * (len(DAYS) - FIRST_FIT_AFTER)
    submitted, ensemble = (
        rows.pivot_table(index="date_id", columns="target", values="value")
        for rows in (stored, lake.query("FROM forecasts.ensemble"))
    )
    pd.testing.assert_frame_equal(submitted, ensemble)
    assert submitted.index.tolist() == list(range(FIRST_FIT_AFTER, len(DAYS)))


def test_the_files_hold_the_submission(loaded: Installation, lake: Lake) -> None:
    rows = lake.query("FROM submissions.daily").pivot_table(
        index="date_id", columns="target", values="value"
    )
    stored = pa.Table.from_pandas(rows[TARGETS].reset_index(), preserve_index=False)
    stored = stored.replace_schema_metadata()
    parquet = pa.parquet.read_table(loaded.settings.exports_dir / "submission.parquet")
    assert parquet.schema.names == ["date_id", *TARGETS]
    assert parquet.schema.types == [pa.int64(), *[pa.float64()] * 424]
    assert parquet.equals(stored)
    csv = pa.csv.read_csv(loaded.settings.exports_dir / "submission.csv")
    assert csv.equals(stored)


def test_days_are_judged_once_their_last_label_is_known(lake: Lake) -> None:
    rows = lake.query("FROM monitoring.performance")
    assert set(rows["family"]) == set(JUDGED)
    for _, of_family in rows.groupby("family"):
        judged = of_family.sort_values("trading_day")
        np.testing.assert_array_equal(judged["trading_day"], FORECAST_DAYS[:-5])
        np.testing.assert_array_equal(judged["released_on"], FORECAST_DAYS[5:])


def test_the_newest_days_are_attributed(lake: Lake) -> None:
    rows = lake.query("FROM monitoring.attribution")
    np.testing.assert_array_equal(days_in(lake, "monitoring.attribution"), DAYS[-ATTRIBUTED_DAYS:])
    sums = rows.groupby(["trading_day", "family"])["share"].sum().unstack()
    assert set(sums) == set(EXPLAINED)
    np.testing.assert_allclose(sums, 1.0, atol=1e-9)
    of_ensemble = rows[rows["family"] == "ensemble"]
    assert (of_ensemble.groupby("trading_day")["inputs"].apply(set) == set(FAST)).all()


def test_the_newest_day_s_shares_are_shown(history: dg.DagsterInstance, lake: Lake) -> None:
    event = history.get_latest_materialization_event(dg.AssetKey(["monitoring", "attribution"]))
    assert event
    assert event.asset_materialization
    shown = event.asset_materialization.metadata
    rows = lake.query(
        "FROM monitoring.attribution WHERE family = 'ensemble' AND trading_day = ?",
        [DAYS[-1].item()],
    )
    for row in rows.itertuples():
        assert shown[f"ensemble_on_{row.inputs}"].value == row.share
    assert str(shown["shares"].value).startswith("![plot](data:image/png;base64,")
    lines = str(shown["newest_day"].value).splitlines()
    assert [word for word in FAST if any(word in line for line in lines)] == list(FAST)


@pytest.mark.parametrize("name", ["attribution", "scoreboard"])
def test_pictures_are_kept_once_a_load(history: dg.DagsterInstance, name: str) -> None:
    """The last day of a run has the picture; a copy for each day would fill the disk."""
    assert days_with_picture(history, name, DAYS.astype(str).tolist()) == [str(DAYS[-1])]


def test_the_scoreboard_is_the_metric_of_those_days(lake: Lake) -> None:
    board = lake.query("FROM monitoring.scoreboard").set_index("family")
    daily = lake.query("FROM monitoring.performance").groupby("family")["ic"]
    expected = daily.mean() / daily.std(ddof=0)
    pd.testing.assert_series_equal(
        board["score"].sort_index(), expected.sort_index(), check_names=False, rtol=1e-12
    )
    assert (board["days"] == len(FORECAST_DAYS) - 5).all()
