"""Drift of stored features and forecasts: which days are compared with which reference."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from quant_assets.core.errors import ArtifactError
from quant_assets.features.catalogue import list_inputs
from quant_assets.lake.readers.forecasts import read_forecasts
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.schemas.forecast_tables import fits_table, forecasts_table
from quant_assets.lake.schemas.monitoring_tables import DRIFT
from quant_assets.lake.schemas.promotion_tables import DECISIONS, RELEASES
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import COMPETITION_GROUPS
from quant_assets.monitoring.drift import training_reference
from quant_assets.monitoring.drift.drift import (
    MAX_COMPARED_DAYS,
    MIN_FEATURE_WINDOWS,
    drift_rows,
    drift_severity,
    first_compared_day,
    share_drifted,
)
from quant_assets.monitoring.drift.samples import (
    MAX_WINDOWS,
    MIN_WINDOWS,
    WINDOW_DAYS,
    ColumnSample,
    window_rows,
)
from quant_assets.monitoring.drift.training_reference import read_summaries, reference_days
from quant_assets.monitoring.plots import plot_drift_share
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.monitored_lake import ALTERED_AFTER, FAMILIES, FIT_ROWS, fill

DAYS = synthetic.prices().days
INPUTS = list_inputs(COMPETITION_GROUPS)
COLUMNS = len(INPUTS) + len(FAMILIES) + 1
FIRST, LAST = ALTERED_AFTER - 2, ALTERED_AFTER + 2


def day(row: int) -> date:
    result: date = DAYS[row].item()
    return result


def rows_of(lake: Lake, first: int, last: int) -> pd.DataFrame:
    rows = drift_rows(lake, FAMILIES, day(first), day(last))
    return rows.sort_values(["trading_day", "level", "name"], ignore_index=True)


@pytest.fixture(scope="module")
def of_days(watched: Lake) -> pd.DataFrame:
    return rows_of(watched, FIRST, LAST)


@pytest.fixture(scope="module")
def young(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """Thirty days of features, and no forecast."""
    with Lake(tmp_path_factory.mktemp("young")) as lake:
        synthetic.fill(lake, synthetic.until(synthetic.prices(), 29))
        yield lake


def test_windows_are_spread_evenly_and_do_not_overlap() -> None:
    assert len(window_rows(MIN_WINDOWS * WINDOW_DAYS - 1)) == 0
    for days in (60, 61, 319, 320, 321, 2000):
        rows = window_rows(days)
        assert rows.shape == (min(MAX_WINDOWS, days // WINDOW_DAYS), WINDOW_DAYS)
        assert rows[0, 0] == 0
        assert rows[-1, -1] == days - 1
        assert (np.diff(rows.ravel()) >= 1).all()
        gaps = np.diff(rows[:, 0])
        assert gaps.max() - gaps.min() <= 1


def test_a_reference_ends_with_its_fit(watched: Lake) -> None:
    windows = reference_days(DAYS, DAYS[FIT_ROWS[0]])
    assert windows.shape == (10, WINDOW_DAYS)
    assert windows.max() == DAYS[FIT_ROWS[0]]


def test_every_column_has_a_row_a_day(of_days: pd.DataFrame) -> None:
    assert of_days.columns.tolist() == [column.name for column in DRIFT.columns]
    assert not of_days.duplicated(["trading_day", "level", "name"]).any()
    assert (of_days.groupby("trading_day").size() == COLUMNS).all()
    dated = of_days.drop_duplicates("trading_day")
    assert dated["date_id"].tolist() == list(range(FIRST, LAST + 1))
    levels = of_days.drop_duplicates(["level", "name"])
    expected = set(INPUTS)
    expected |= {("forecast", name) for name in (*FAMILIES, "ensemble")}
    assert set(zip(levels["level"], levels["name"], strict=True)) == expected


def test_distances_are_finite_or_have_a_reason(of_days: pd.DataFrame) -> None:
    distances = of_days[["psi", "ks", "missing_change", "psi_limit", "ks_limit"]]
    assert not np.isinf(distances).any(axis=None)
    assert not of_days[["psi_limit", "ks_limit", "missing_change"]].isna().any(axis=None)
    assert (of_days[["psi", "ks"]].isna().any(axis=1) == of_days["reason"].notna()).all()
    reasons = set(of_days["reason"].dropna())
    assert {reason.split(":")[0] for reason in reasons} == {"reference too short"}


def test_a_feature_that_looks_back_over_half_a_reference_is_not_compared(
    of_days: pd.DataFrame,
) -> None:
    """Its share of missing cells still is."""
    rows = of_days[of_days["reference_until"] == DAYS[FIT_ROWS[1]]].set_index(["level", "name"])
    for key, feature in INPUTS.items():
        of_feature = rows.loc[[key]]
        assert of_feature["missing_change"].notna().all()
        if MIN_FEATURE_WINDOWS * feature.window > FIT_ROWS[1] + 1:
            assert of_feature["ks"].isna().all(), feature.name
        if feature.window <= 60:
            assert of_feature["ks"].notna().all(), feature.name
    assert 0.5 < rows["ks"].notna().mean() < 0.9


def test_features_are_compared_with_the_champion_s_training_days(tmp_path: Path) -> None:
    """Later fits change nothing, and neither do days before the champion is in force."""
    earlier, row = FIT_ROWS[1] + 5, FIT_ROWS[2] + 10
    with fill(tmp_path / "lake", synthetic.prices()) as lake:
        before = rows_of(lake, earlier, earlier)
        make_champion(lake, row - 1)
        rows = rows_of(lake, row - 2, row)
        features = rows[rows["level"] != "forecast"].groupby("date_id")["reference_until"]
        assert features.unique().map(list).to_dict() == {
            row - 2: [pd.Timestamp(DAYS[FIT_ROWS[2]])],
            row - 1: [pd.Timestamp(DAYS[FIT_ROWS[1]])],
            row: [pd.Timestamp(DAYS[FIT_ROWS[1]])],
        }
        again = rows_of(lake, earlier, earlier)
        pd.testing.assert_frame_equal(before, again, check_exact=True)


def make_champion(lake: Lake, row: int) -> None:
    """Make a release champion, with the second fit of ridge and the newest of rank_prior."""
    nothing = {column.name: [None] for column in DECISIONS.columns}
    decision = {"decision": ["one"], "trading_day": [day(row)], "sequence": [101]}
    lake.replace_all(DECISIONS, {**nothing, **decision, "champion": ["release"]})
    nothing = {column.name: [None, None] for column in RELEASES.columns}
    fits = {"family": FAMILIES, "fit_as_of": [day(FIT_ROWS[1]), day(row)], "pinned": [True, False]}
    release = {"release": ["release"] * 2, "trading_day": [day(row)] * 2}
    lake.replace_all(RELEASES, {**nothing, **release, **fits})


@pytest.mark.parametrize(
    ("level", "table", "name"),
    [
        ("instrument", "features.instruments", "vol_20"),
        ("market", "features.market", "factor_all_1"),
        ("target", "features.targets", "diff_ret_20"),
    ],
)
def test_a_feature_is_compared_with_its_fit_s_training_days(
    watched: Lake, of_days: pd.DataFrame, level: str, table: str, name: str
) -> None:
    values = watched.query(f'SELECT trading_day, "{name}"::FLOAT AS value FROM {table}')
    windows = reference_days(DAYS, DAYS[FIT_ROWS[1]])
    before = values[values["trading_day"].isin(windows.ravel())]["value"]
    now = values[values["trading_day"].isin(DAYS[LAST - WINDOW_DAYS + 1 : LAST + 1])]["value"]
    row = of_days[
        (of_days["date_id"] == LAST) & (of_days["level"] == level) & (of_days["name"] == name)
    ].iloc[0]
    expected = ks_2samp(before.dropna(), now.dropna(), method="asymp").statistic
    assert row["ks"] == pytest.approx(expected, abs=1e-9)
    change = now.isna().mean() - before.isna().mean()
    assert row["missing_change"] == pytest.approx(change, abs=1e-9)
    assert row["reference_until"] == DAYS[FIT_ROWS[1]]


def test_a_forecast_is_compared_with_earlier_forecasts(
    watched: Lake, of_days: pd.DataFrame
) -> None:
    targets = read_pairs(watched).targets
    stored = read_forecasts(watched, forecasts_table("ridge"), targets, day(0), day(LAST))
    before, now = stored.values[:-WINDOW_DAYS], stored.values[-WINDOW_DAYS:].astype(np.float32)
    before = before[window_rows(len(before))].astype(np.float32)
    row = of_days[(of_days["date_id"] == LAST) & (of_days["name"] == "ridge")].iloc[0]
    expected = ks_2samp(before.ravel(), now.ravel(), method="asymp").statistic
    assert row["ks"] == pytest.approx(expected, abs=1e-9)
    assert row["reference_until"] == DAYS[LAST - WINDOW_DAYS]


def test_nothing_later_matters(altered: Lake, of_days: pd.DataFrame) -> None:
    theirs = rows_of(altered, FIRST, LAST)
    same = of_days["trading_day"] <= DAYS[ALTERED_AFTER]
    assert same.sum() == 3 * COLUMNS
    pd.testing.assert_frame_equal(of_days[same], theirs[same], check_exact=True)
    later = ~same & (of_days["level"] != "market") & (of_days["ks"] > 0)
    distances = ["psi", "ks", "missing_change"]
    assert (of_days[later][distances] != theirs[later][distances]).any(axis=1).mean() > 0.9


def test_a_market_that_changes_is_found(watched: Lake, altered: Lake) -> None:
    """For a window, returns are ten times as large and forecasts one deviation higher."""
    row = ALTERED_AFTER + WINDOW_DAYS + 5
    calm, rough = (rows_of(lake, row, row) for lake in (watched, altered))
    assert share_drifted(calm).item() < 0.25
    assert share_drifted(rough).item() > 0.5
    rough = rough.set_index(["level", "name"])
    assert rough.loc[("instrument", "vol_20"), "drifted"]
    assert rough.loc["forecast"]["drifted"].all()
    assert not calm[calm["level"] == "forecast"]["drifted"].any()


@pytest.mark.parametrize("row", [FIRST, LAST, FIT_ROWS[2]])
def test_a_day_alone_is_compared_as_in_a_range(watched: Lake, row: int) -> None:
    alone = rows_of(watched, row, row)
    within = rows_of(watched, row - 3, row + 3)
    expected = within[within["date_id"] == row].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, expected, check_exact=True)


def test_days_before_the_first_fit_say_so(watched: Lake) -> None:
    rows = rows_of(watched, FIT_ROWS[0] - 1, FIT_ROWS[0])
    features, forecasts = rows["level"] != "forecast", rows["level"] == "forecast"
    before = rows["date_id"] < FIT_ROWS[0]
    assert set(rows[before & features]["reason"]) == {"no forecast, so no fit in force"}
    assert set(rows[forecasts]["reason"]) == {"reference too short"}
    assert rows[before]["reference_until"].isna().all()
    assert not rows[before | forecasts]["drifted"].any()
    assert rows[~before & features]["psi"].notna().mean() > 0.4


def test_a_young_history_says_so(young: Lake) -> None:
    rows = drift_rows(young, FAMILIES, day(0), day(29))
    assert len(rows) == 30 * COLUMNS
    assert rows["reason"].notna().all()
    assert rows[["psi", "ks", "missing_change"]].isna().all(axis=None)
    assert share_drifted(rows).empty
    assert (drift_severity(rows) == 0).all()


def test_drifted_columns_have_a_severity_above_1(of_days: pd.DataFrame) -> None:
    severity = drift_severity(of_days)
    assert ((severity > 1) == of_days["drifted"]).all()
    by_day = share_drifted(of_days)
    features = of_days[of_days["level"] != "forecast"]
    compared = features.groupby("trading_day")["ks"].count()
    expected = features.groupby("trading_day")["drifted"].sum() / compared
    pd.testing.assert_series_equal(by_day, expected, check_names=False)


def test_pictures_are_small_pngs(of_days: pd.DataFrame) -> None:
    picture = plot_drift_share(share_drifted(of_days))
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 100_000


def test_days_without_features_have_no_rows(watched: Lake) -> None:
    rows = drift_rows(watched, FAMILIES, date(2030, 1, 1), date(2030, 2, 1))
    assert rows.empty
    assert rows.columns.tolist() == [column.name for column in DRIFT.columns]


def test_the_newest_days_of_a_range_are_compared(watched: Lake) -> None:
    end = day(300)
    assert first_compared_day(watched, day(0), end) == day(301 - MAX_COMPARED_DAYS)
    assert first_compared_day(watched, day(295), end) == day(295)
    assert first_compared_day(watched, end, end) == end


@pytest.fixture
def recorded(watched: Lake) -> Iterator[Lake]:
    """The lake while it has records of the fits, whose fingerprints references are known by."""
    table = fits_table("ridge")
    none = {column.name: [] for column in table.columns}
    for row in FIT_ROWS:
        fit = {column.name: [None] for column in table.columns}
        fit |= {"trading_day": [day(row)], "date_id": [int(row)], "fingerprint": [f"of {row}"]}
        watched.replace_days(table, day(row), day(row), fit)
    yield watched
    for row in FIT_ROWS:
        watched.replace_days(table, day(row), day(row), none)


def test_kept_references_give_the_same_bits(
    recorded: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A reference belongs to a fit, by its fingerprint."""
    monkeypatch.setattr(
        "quant_assets.monitoring.drift.training_reference._fingerprints", lambda *_: ["of the fit"]
    )
    computed = drift_rows(recorded, FAMILIES, day(FIRST), day(LAST))
    stored = drift_rows(recorded, FAMILIES, day(FIRST), day(LAST), tmp_path)
    (file,) = tmp_path.rglob("*.model")
    monkeypatch.setattr(
        "quant_assets.monitoring.drift.training_reference.summarise_reference", None
    )
    kept = drift_rows(recorded, FAMILIES, day(FIRST), day(LAST), tmp_path)
    pd.testing.assert_frame_equal(stored, computed, check_exact=True)
    pd.testing.assert_frame_equal(kept, computed, check_exact=True)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(ArtifactError):
        drift_rows(recorded, FAMILIES, day(FIRST), day(LAST), tmp_path)


def test_other_features_make_references_anew(
    recorded: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fit's fingerprint does not change with the code that computes features."""
    monkeypatch.setattr(training_reference, "_fingerprints", lambda *_: ["of the fit"])
    real = training_reference.read_feature_columns

    def without_the_last(*args: Any) -> Iterator[ColumnSample]:
        for columns in real(*args):
            yield replace(columns, names=columns.names[:-1], cells=columns.cells[:-1])

    monkeypatch.setattr(training_reference, "read_feature_columns", without_the_last)
    monkeypatch.setattr(training_reference, "CATALOGUE_VERSION", "before they were added")
    assert read_summaries(recorded, FAMILIES, tmp_path, DAYS[: LAST + 1], DAYS[FIT_ROWS[1]])
    monkeypatch.undo()
    computed = drift_rows(recorded, FAMILIES, day(LAST), day(LAST))
    kept = drift_rows(recorded, FAMILIES, day(LAST), day(LAST), tmp_path)
    pd.testing.assert_frame_equal(kept, computed, check_exact=True)
