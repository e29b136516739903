"""Anomalies of stored prices: no later day matters, and stored detectors are verified."""

import shutil
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path

import dagster as dg
import numpy as np
import pandas as pd
import pytest

from quant_assets.core.errors import ArtifactError
from quant_assets.core.settings import Settings
from quant_assets.lake.readers.actions import action_rows
from quant_assets.lake.readers.series import read_series, series_rows
from quant_assets.lake.schemas.monitoring_tables import ANOMALIES, REFERENCES
from quant_assets.lake.schemas.price_tables import RAW_SERIES
from quant_assets.lake.schemas.source_tables import ACTIONS
from quant_assets.lake.store.changes import replace_days
from quant_assets.lake.store.lake import Lake
from quant_assets.monitoring.anomalies.anomalies import anomaly_rows
from quant_assets.monitoring.plots import plot_anomalies
from quant_assets.orchestration.assets.anomalies import build
from quant_assets.orchestration.assets.partitions import trading_partitions
from quant_assets.sources.deliveries import Action
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.calendars import LONDON_AND_TOKYO
from quant_assets_tests.support.monitored_lake import ALTERED_AFTER, ENERGY, FIT_ROWS, renamed

DAYS = synthetic.prices().days


def day(row: int) -> date:
    result: date = DAYS[row].item()
    return result


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("data")
    return Settings(data_dir=folder, first_fit_after=int(FIT_ROWS[0]), refit_every=100)


def rows_of(lake: Lake, settings: Settings, first: int, last: int) -> pd.DataFrame:
    return anomaly_rows(lake, settings, day(first), day(last))[0]


@pytest.fixture(scope="module")
def of_days(watched: Lake, settings: Settings) -> pd.DataFrame:
    return rows_of(watched, settings, 0, len(DAYS) - 1)


@pytest.fixture
def short(tmp_path: Path) -> Iterator[tuple[Lake, Settings]]:
    """Three hundred days of prices; detectors learn from the first two hundred."""
    with Lake(tmp_path / "lake") as lake:
        synthetic.fill(lake, synthetic.until(synthetic.prices(), 299))
        yield lake, Settings(data_dir=tmp_path, first_fit_after=200, refit_every=1000)


def test_every_day_since_the_first_fit_is_judged(of_days: pd.DataFrame) -> None:
    assert of_days.columns.tolist() == [column.name for column in ANOMALIES.columns]
    judged = np.unique(of_days["trading_day"].to_numpy().astype("datetime64[D]"))
    np.testing.assert_array_equal(judged, DAYS[FIT_ROWS[0] :])
    of_markets = of_days[of_days["series"].isna()]
    assert not of_markets.duplicated(["trading_day", "kind", "market"]).any()
    assert set(of_markets["market"]) == {"LME", "JPX", "US", "FX", "all"}
    assert (of_days["text"].isna() == (of_days["severity"] == "info")).all()
    assert (of_days["score"] > of_days["limit"])[of_days["severity"] == "warning"].all()
    of_series = of_days[of_days["series"].notna()]
    assert (of_series["score"] > of_series["limit"]).all()


def test_nothing_later_matters(altered: Lake, settings: Settings, of_days: pd.DataFrame) -> None:
    """Every price after a day differs, and so do the scores."""
    theirs = rows_of(altered, settings, 0, len(DAYS) - 1)
    known = DAYS[ALTERED_AFTER]
    mine, same = (
        rows[rows["trading_day"] <= known].reset_index(drop=True) for rows in (of_days, theirs)
    )
    pd.testing.assert_frame_equal(mine, same, check_exact=True)
    scores = [
        rows[(rows["trading_day"] > known) & rows["series"].isna()].set_index(
            ["trading_day", "kind", "market"]
        )["score"]
        for rows in (of_days, theirs)
    ]
    both = pd.concat(scores, axis=1, join="inner").to_numpy()
    assert len(both)
    assert (both[:, 0] != both[:, 1]).mean() > 0.9


@pytest.mark.parametrize("row", [200, 201, 299, 300, 429])
def test_a_day_alone_is_as_in_a_range(
    watched: Lake, tmp_path: Path, settings: Settings, of_days: pd.DataFrame, row: int
) -> None:
    """This holds for stored detectors and for detectors that are learnt first."""
    expected = of_days[of_days["trading_day"] == DAYS[row]].reset_index(drop=True)
    kept = rows_of(watched, settings, row, row)
    pd.testing.assert_frame_equal(kept, expected, check_exact=True)
    with Lake(tmp_path / "lake") as lake:
        synthetic.fill(lake, synthetic.until(synthetic.prices(), row))
        alone = settings.model_copy(update={"data_dir": tmp_path})
        learnt = rows_of(lake, alone, row, row)
    pd.testing.assert_frame_equal(learnt, expected, check_exact=True)


def test_days_before_the_first_fit_have_a_reason_and_no_rows(
    watched: Lake, settings: Settings
) -> None:
    rows, reasons = anomaly_rows(watched, settings, day(0), day(150))
    assert rows.empty
    assert reasons == {"none": "no walk-forward day before"}


def test_too_short_a_history_has_a_reason_and_no_rows(watched: Lake, tmp_path: Path) -> None:
    young = Settings(data_dir=tmp_path, first_fit_after=100, refit_every=1000)
    rows, reasons = anomaly_rows(watched, young, day(120), day(150))
    assert rows.empty
    assert list(reasons) == [str(DAYS[100])]
    assert "too little to learn from" in reasons[str(DAYS[100])]


def test_a_split_is_no_anomaly(short: tuple[Lake, Settings], tmp_path: Path) -> None:
    lake, settings = short
    table = synthetic.until(synthetic.prices(), 299)
    values, row, name = table.values.copy(), 250, "US_Stock_XOM"
    for i, each in enumerate(table.series.series):
        if each.instrument == name:
            values[row:, i] *= 2.0 if each.field == "volume" else 0.5
    split = replace(table, values=values, actions=(Action(row, name, split=2.0),))
    with Lake(tmp_path / "split") as other:
        synthetic.fill(other, split)
        other.change(replace_days(ACTIONS, day(0), day(299), action_rows(split)))
        own = settings.model_copy(update={"data_dir": tmp_path / "own"})
        rows = rows_of(other, own, 200, 299)
    pd.testing.assert_frame_equal(rows, rows_of(lake, settings, 200, 299), check_exact=True)


def test_kept_detectors_are_not_learnt_again(
    short: tuple[Lake, Settings], monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, settings = short
    before, _ = anomaly_rows(lake, settings, day(250), day(299))

    def refuse(*_: object) -> None:
        raise AssertionError("learnt again")

    monkeypatch.setattr("quant_assets.monitoring.anomalies.anomalies.learn_detectors", refuse)
    again, _ = anomaly_rows(lake, settings, day(250), day(299))
    pd.testing.assert_frame_equal(again, before, check_exact=True)


def test_groups_have_the_names_that_are_stored_with_the_series(
    energy: Lake, tmp_path: Path, settings: Settings, of_days: pd.DataFrame
) -> None:
    """No score depends on the names of instruments and groups."""
    alone = settings.model_copy(update={"data_dir": tmp_path})
    rows = rows_of(energy, alone, 400, len(DAYS) - 1)
    expected = of_days[of_days["trading_day"] >= DAYS[400]].reset_index(drop=True)
    named = expected.assign(
        market=expected["market"].map({**ENERGY, "all": "all"}),
        series=expected["series"].map(renamed, na_action="ignore"),
    )
    order = ["trading_day", "kind", "market", "series"]
    ours, theirs = (
        x.drop(columns="text").sort_values(order, na_position="first", ignore_index=True)
        for x in (rows, named)
    )
    pd.testing.assert_frame_equal(ours, theirs, check_exact=True)


def test_a_market_without_groups_has_scores_of_all_instruments(
    ungrouped: Lake, tmp_path: Path, settings: Settings, of_days: pd.DataFrame
) -> None:
    alone = settings.model_copy(update={"data_dir": tmp_path})
    rows = rows_of(ungrouped, alone, 400, len(DAYS) - 1)
    assert set(rows["market"]) == {"all"}
    of_all = rows[rows["series"].isna()].reset_index(drop=True)
    expected = of_days[
        (of_days["trading_day"] >= DAYS[400])
        & (of_days["market"] == "all")
        & of_days["series"].isna()
    ].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        of_all.drop(columns="text"), expected.drop(columns="text"), check_exact=True
    )


def test_detectors_of_other_groups_are_learnt_anew(short: tuple[Lake, Settings]) -> None:
    """The prices are equal, so that no price shows it."""
    lake, settings = short
    series = read_series(lake)
    other = tuple("oil" if s.instrument.startswith("US") else "solar" for s in series.series)
    for groups in (series.groups, other):
        renamed_groups = replace(series, groups=groups)
        lake.replace_all(RAW_SERIES, series_rows(renamed_groups))
        rows, _ = anomaly_rows(lake, settings, day(299), day(299))
        assert set(rows["market"][rows["series"].isna()]) == {*groups, "all"}


def test_detectors_of_other_prices_are_learnt_anew(short: tuple[Lake, Settings]) -> None:
    lake, settings = short
    before, _ = anomaly_rows(lake, settings, day(299), day(299))
    old = lake.query(f"FROM {REFERENCES.quoted}")
    prices = synthetic.until(synthetic.prices(), 299)
    prices.values[150:180] *= np.random.default_rng(0).lognormal(sigma=0.05, size=(30, 1))
    synthetic.fill(lake, prices)
    after, _ = anomaly_rows(lake, settings, day(299), day(299))
    new = lake.query(f"FROM {REFERENCES.quoted}")
    assert new["id"].tolist() == old["id"].tolist()
    assert new["fingerprint"][0] != old["fingerprint"][0]
    assert (after["limit"].to_numpy() != before["limit"].to_numpy()).any()


def test_altered_detectors_are_refused(short: tuple[Lake, Settings]) -> None:
    lake, settings = short
    anomaly_rows(lake, settings, day(299), day(299))
    (artifact,) = lake.query(f"FROM {REFERENCES.quoted}")["artifact"]
    file = settings.artifacts_dir / artifact
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(bytes(content))
    with pytest.raises(ArtifactError):
        anomaly_rows(lake, settings, day(299), day(299))


def test_detectors_whose_files_are_missing_are_learnt_again(short: tuple[Lake, Settings]) -> None:
    lake, settings = short
    before, _ = anomaly_rows(lake, settings, day(299), day(299))
    shutil.rmtree(settings.artifacts_dir)
    again, _ = anomaly_rows(lake, settings, day(299), day(299))
    pd.testing.assert_frame_equal(again, before)


@pytest.mark.parametrize("wrong", [False, True], ids=["ordinary", "many prices wrong"])
def test_the_check_fails_on_many_wrong_prices_alone(tmp_path: Path, wrong: bool) -> None:
    row = 299
    prices = synthetic.until(synthetic.prices(), row)
    if wrong:
        prices.values[-1, ::3] *= 10.0
    settings = Settings(data_dir=tmp_path, first_fit_after=200, refit_every=1000)
    partitions = trading_partitions(LONDON_AND_TOKYO, day(0), day(row), day(row))
    with Lake(tmp_path / "lake") as lake, dg.instance_for_test() as opened:
        synthetic.fill(lake, prices)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", dg.BetaWarning)
            (asset,) = build(partitions, ())
        result = dg.materialize(
            [asset],
            partition_key=str(day(row)),
            resources={"lake": lake, "settings": settings},
            instance=opened,
        )
        stored = lake.query(f"FROM {ANOMALIES.quoted}")
    assert (stored["severity"] == "critical").any() == wrong
    (outcome,) = result.get_asset_check_evaluations()
    assert outcome.passed != wrong
    assert outcome.severity == dg.AssetCheckSeverity.WARN
    (event,) = result.get_asset_materialization_events()
    assert str(event.materialization.metadata["scores"].value).startswith("![plot]")


def test_the_picture_is_a_small_png(of_days: pd.DataFrame) -> None:
    picture = plot_anomalies(of_days)
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 100_000
