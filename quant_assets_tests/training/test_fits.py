"""Fits and forecasts through the lake: nothing later matters, and a replay equals the backfill."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import ArtifactError, LakeError, NotEnoughHistoryError
from quant_assets.core.settings import Settings
from quant_assets.lake.readers.forecasts import Forecasts
from quant_assets.lake.schemas.forecast_tables import fits_table
from quant_assets.models.registry import DAILY, FAMILIES
from quant_assets.training.fits import FitRow, make_fits
from quant_assets.training.forecasting import make_forecasts
from quant_assets.training.walk_forward import rows_to_fit
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.fitted_lake import (
    ALTERED_AFTER,
    FIT_ROWS,
    FittedLake,
    day,
    fits_of,
    open_lake,
    store_fit,
)

every_family = pytest.mark.parametrize("name", FAMILIES)


def forecast_of(fitted: FittedLake, name: str, start: date, end: date) -> Forecasts:
    ((_, forecasts),) = make_forecasts(fitted.lake, fitted.settings, [name], start, end)
    assert isinstance(forecasts, Forecasts)
    return forecasts


@pytest.fixture(scope="module")
def young(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FittedLake]:
    """The lake as it was at the close of row 300."""
    prices = synthetic.until(synthetic.prices(), FIT_ROWS[1])
    opened = open_lake(tmp_path_factory.mktemp("young"), prices)
    yield opened
    opened.lake.close()


@every_family
def test_fits_see_nothing_later(name: str, fitted: FittedLake, altered: FittedLake) -> None:
    digests = [[fit["sha256"] for fit in x.fits[name]] for x in (fitted, altered)]
    same = [a == b for a, b in zip(*digests, strict=True)]
    assert same == [row <= ALTERED_AFTER for row in FIT_ROWS] == [True, True, False]


@every_family
def test_forecasts_see_nothing_later(name: str, fitted: FittedLake, altered: FittedLake) -> None:
    ours, theirs = fitted.forecasts[name], altered.forecasts[name]
    np.testing.assert_array_equal(ours.days, fitted.days[FIT_ROWS[0] :])
    before = ours.days <= fitted.days[ALTERED_AFTER]
    assert before.sum() == ALTERED_AFTER - FIT_ROWS[0] + 1
    np.testing.assert_array_equal(ours.values[before], theirs.values[before])
    since = fitted.days[FIT_ROWS[2] + (name in DAILY)]
    assert not (ours.values == theirs.values)[ours.days >= since].all(axis=1).any()


@every_family
def test_a_day_uses_the_newest_fit_as_of_it_or_before(name: str, fitted: FittedLake) -> None:
    """A family that is fitted daily uses its newest fit as of an earlier day, if it has one."""
    forecasts = fitted.forecasts[name]
    rows = np.searchsorted(fitted.days, forecasts.days)
    last = rows - (name in DAILY)
    expected = [max((row for row in FIT_ROWS if row <= at), default=FIT_ROWS[0]) for at in last]
    np.testing.assert_array_equal(forecasts.fit_as_of, fitted.days[expected])


@every_family
def test_a_replay_day_by_day_equals_the_backfill(name: str, fitted: FittedLake) -> None:
    bulk = fitted.forecasts[name]
    for row in (200, 299, 300, 301, len(fitted.days) - 1):
        alone = forecast_of(fitted, name, day(fitted, row), day(fitted, row))
        at = np.flatnonzero(bulk.days == fitted.days[row])
        np.testing.assert_array_equal(alone.days, fitted.days[[row]])
        np.testing.assert_array_equal(alone.values, bulk.values[at])
        np.testing.assert_array_equal(alone.fit_as_of, bulk.fit_as_of[at])


@every_family
def test_a_lake_that_ends_with_the_day_gives_the_same(
    name: str, fitted: FittedLake, young: FittedLake
) -> None:
    """A later backfill repeats the fit and the forecast of a day."""
    table = fits_table(name)
    for row in FIT_ROWS[0 if name in DAILY else 1 : 2]:
        (fit,) = fits_of(young, name, row, row)
        of_day = {c.name: [fit[c.name]] for c in table.columns}
        young.lake.replace_days(table, day(young, row), day(young, row), of_day)
    backfilled = fitted.fits[name][1]
    assert fit["sha256"] == backfilled["sha256"]
    assert fit["metrics"] == backfilled["metrics"]
    today = young.days[-1].item()
    forecasts = forecast_of(young, name, today, today)
    at = np.flatnonzero(fitted.forecasts[name].days == young.days[-1])
    np.testing.assert_array_equal(forecasts.values, fitted.forecasts[name].values[at])


@every_family
def test_what_a_fit_records(name: str, fitted: FittedLake) -> None:
    for fit, row in zip(fitted.fits[name], FIT_ROWS, strict=True):
        observations = synthetic.observe(synthetic.until(synthetic.prices(), row))
        assert fit["trading_day"] == day(fitted, row)
        assert fit["date_id"] == row
        known = int((~np.isnan(observations.labels())).sum())
        assert json.loads(str(fit["metrics"])) == {"labels": known, "days": row + 1}
        assert isinstance(fit["snapshot"], int)
        assert fit["snapshot"] > 0
        assert json.loads(str(fit["parameters"]))


def test_days_before_the_first_fit_have_no_forecast(fitted: FittedLake) -> None:
    none = forecast_of(fitted, "rank_prior", day(fitted, 150), day(fitted, 199))
    assert none.values.shape == (0, 40)
    assert len(none.days) == len(none.fit_as_of) == 0
    some = forecast_of(fitted, "rank_prior", day(fitted, 190), day(fitted, 204))
    np.testing.assert_array_equal(some.days, fitted.days[200:205])


def test_all_families_at_once_forecast_as_each_alone(fitted: FittedLake) -> None:
    ends = day(fitted, 295), day(fitted, 305)
    result = dict(make_forecasts(fitted.lake, fitted.settings, FAMILIES, *ends))
    assert tuple(result) == FAMILIES
    for name, together in result.items():
        alone = forecast_of(fitted, name, *ends)
        np.testing.assert_array_equal(together.values, alone.values)
        np.testing.assert_array_equal(together.fit_as_of, alone.fit_as_of)


def test_a_family_never_fitted_has_no_days_beside_others(tmp_path: Path) -> None:
    young = open_lake(tmp_path, synthetic.until(synthetic.prices(), FIT_ROWS[1]))
    ends = day(young, -1), day(young, -1)
    with pytest.raises(LakeError, match=r"no family has a fit yet[\s\S]*run retrain_models"):
        list(make_forecasts(young.lake, young.settings, ["ridge"], *ends))
    longer = young.settings.model_copy(update={"first_fit_after": 504})
    with pytest.raises(LakeError, match=r"505 trading days at least[\s\S]*load a longer history"):
        list(make_forecasts(young.lake, longer, ["ridge"], *ends))
    store_fit(young, "rank_prior", FIT_ROWS[1])
    result = dict(make_forecasts(young.lake, young.settings, ["rank_prior", "ridge"], *ends))
    assert len(result["rank_prior"].days) == 1
    assert result["ridge"].values.shape == (0, 40)
    young.lake.close()


def _alter(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


@every_family
@pytest.mark.parametrize(
    ("harm", "words"), [(_alter, "not the one recorded"), (Path.unlink, "cannot be read")]
)
def test_an_altered_or_missing_artifact_is_refused(
    name: str, harm: Callable[[Path], None], words: str, fitted: FittedLake
) -> None:
    file = fitted.settings.artifacts_dir / str(fitted.fits[name][2]["artifact"])
    content = file.read_bytes()
    try:
        harm(file)
        days, names = (day(fitted, 405), day(fitted, 406)), ["rank_prior", "ridge", name]
        result = dict(make_forecasts(fitted.lake, fitted.settings, names, *days))
        refused = result.pop(name)
        assert isinstance(refused, ArtifactError)
        for word in (words, str(file), "materialise the fit"):
            assert word in str(refused)
        assert result
        assert all(isinstance(others, Forecasts) for others in result.values())
        unharmed = forecast_of(fitted, name, day(fitted, 390), day(fitted, 399))
        assert len(unharmed.days) == 10
    finally:
        file.write_bytes(content)


def test_whatever_a_library_raises_when_it_forecasts_leaves_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_: bytes) -> None:
        raise RuntimeError("written by another version")

    young = open_lake(tmp_path, synthetic.until(synthetic.prices(), FIT_ROWS[1]))
    for name in ("ridge", "rank_prior"):
        store_fit(young, name, FIT_ROWS[1])
    monkeypatch.setattr("quant_assets.models.families.ridge.load", unreadable)
    ends = day(young, -1), day(young, -1)
    result = dict(make_forecasts(young.lake, young.settings, ["ridge", "rank_prior"], *ends))
    assert isinstance(result["ridge"], ArtifactError)
    assert "RuntimeError: written by another version" in str(result["ridge"])
    assert len(result["rank_prior"].days) == 1
    young.lake.close()


def test_a_fit_made_on_other_features_is_refused_where_it_is_in_force(tmp_path: Path) -> None:
    """A fit whose family uses no features, and days of another fit in force, are not refused."""
    young = open_lake(tmp_path, synthetic.until(synthetic.prices(), FIT_ROWS[1]))
    for name in ("ridge", "rank_prior"):
        store_fit(young, name, FIT_ROWS[0], features_version="others")
    store_fit(young, "ridge", FIT_ROWS[0] + 5)
    ends = day(young, FIT_ROWS[0]), day(young, -1)
    result = dict(make_forecasts(young.lake, young.settings, ["ridge", "rank_prior"], *ends))
    assert isinstance(result["ridge"], ArtifactError)
    assert "made on other features" in str(result["ridge"])
    assert len(result["rank_prior"].days) == FIT_ROWS[1] - FIT_ROWS[0] + 1
    assert len(forecast_of(young, "ridge", day(young, FIT_ROWS[0] + 5), ends[1]).days)
    young.lake.close()


def test_whatever_a_library_raises_is_recorded(
    fitted: FittedLake, monkeypatch: pytest.MonkeyPatch
) -> None:
    def singular(*_: object) -> None:
        raise np.linalg.LinAlgError("Singular matrix")

    monkeypatch.setattr("quant_assets.models.families.ridge.fit", singular)
    unseen = replace(fitted, settings=fitted.settings.model_copy(update={"seed": 8}))
    (fit,) = fits_of(unseen, "ridge", 310, 310)
    assert fit["failure"] == "LinAlgError: Singular matrix"
    assert fit["artifact"] is None


@every_family
def test_too_few_days_leave_a_record_with_the_reason(name: str, fitted: FittedLake) -> None:
    (fit,) = fits_of(fitted, name, 30, 30)
    assert "too few days with known labels" in str(fit["failure"])
    assert fit["artifact"] is fit["sha256"] is None
    assert set(fit) == {column.name for column in fits_table(name).columns}


def test_a_failed_fit_leaves_the_one_before_in_force(fitted: FittedLake) -> None:
    table, failed = fits_table("rank_prior"), dict(fitted.fits["rank_prior"][1])
    failed |= {"artifact": None, "sha256": None, "failure": "no convergence"}
    put = {True: failed, False: fitted.fits["rank_prior"][1]}
    for broken, expected in ((True, FIT_ROWS[0]), (False, FIT_ROWS[1])):
        row = {column.name: [put[broken][column.name]] for column in table.columns}
        fitted.lake.replace_days(table, day(fitted, FIT_ROWS[1]), day(fitted, FIT_ROWS[1]), row)
        result = forecast_of(fitted, "rank_prior", day(fitted, 310), day(fitted, 312))
        assert result.fit_as_of.tolist() == [day(fitted, expected)] * 3


def test_a_finished_fit_is_not_made_again(fitted: FittedLake) -> None:
    notes: list[str] = []
    ends = day(fitted, 0), day(fitted, -1)

    def again(settings: Settings) -> list[FitRow]:
        return list(make_fits(fitted.lake, settings, "rank_prior", *ends, notes.append))

    assert again(fitted.settings) == []
    assert notes == ["rank_prior: 3 of 3 fits are there already"]
    other_seed = fitted.settings.model_copy(update={"seed": 8})
    assert [fit["date_id"] for fit in again(other_seed)] == FIT_ROWS
    file = fitted.settings.artifacts_dir / str(fitted.fits["rank_prior"][1]["artifact"])
    content = file.read_bytes()
    _alter(file)
    (repaired,) = again(fitted.settings)
    assert repaired["date_id"] == FIT_ROWS[1]
    assert file.read_bytes() == content


def test_a_range_makes_fits_of_other_code_anew_though_none_is_due(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fits of retrainings would otherwise stay in force between the walk-forward fits."""
    young = open_lake(tmp_path, synthetic.until(synthetic.prices(), FIT_ROWS[0] + 20))
    for row in (FIT_ROWS[0], FIT_ROWS[0] + 7):
        store_fit(young, "ridge", row)
    assert fits_of(young, "ridge", 0, -1) == []
    monkeypatch.setattr("quant_assets.training.fitting.code_digest", lambda name: "new")
    fits = fits_of(young, "ridge", 0, -1)
    assert [(fit["date_id"], fit["code"]) for fit in fits] == [(200, "new"), (207, "new")]
    young.lake.close()


@pytest.mark.parametrize("name", ["ridge", "lightgbm"])
def test_fits_beside_one_another_are_those_made_alone(
    name: str, altered: FittedLake, tmp_path: Path
) -> None:
    """Fits run two at a time in other processes and write into an empty folder."""
    table, settings = fits_table(name), altered.settings.model_copy(update={"threads": 2})
    elsewhere = settings.model_copy(update={"data_dir": tmp_path})
    ends = day(altered, 0), day(altered, -1)
    fits = list(make_fits(altered.lake, elsewhere, name, *ends, lambda note: None))
    expected = [
        [fit[key] for key in ("date_id", "sha256", "fingerprint")] for fit in altered.fits[name]
    ]
    assert [[fit[key] for key in ("date_id", "sha256", "fingerprint")] for fit in fits] == expected
    assert {column.name for column in table.columns} == set(fits[0])


def test_days_to_fit(fitted: FittedLake) -> None:
    def rows(first: int, last: int) -> list[int]:
        ends = day(fitted, first), day(fitted, last)
        return rows_to_fit(fitted.days, *ends, fitted.settings, [day(fitted, 311)]).tolist()

    assert rows(0, 430) == [200, 300, 311, 400]
    assert rows(201, 400) == [300, 311, 400]
    assert rows(312, 399) == []
    assert rows(123, 123) == [123]


@pytest.mark.parametrize("days_off", [-1, 3, 400])
def test_a_day_without_features_is_not_fitted(days_off: int, fitted: FittedLake) -> None:
    start = day(fitted, 0) if days_off < 0 else day(fitted, -1)
    wanted = start + timedelta(days=days_off)
    assert np.datetime64(wanted) not in fitted.days
    with pytest.raises((LakeError, NotEnoughHistoryError), match="materialise"):
        list(make_fits(fitted.lake, fitted.settings, "ridge", wanted, wanted, lambda note: None))


def test_a_day_the_market_was_closed_is_not_fitted(fitted: FittedLake) -> None:
    saturday = np.busday_offset(fitted.days[300], 0, roll="backward", weekmask="Sat").item()
    with pytest.raises(LakeError, match=str(saturday)):
        list(
            make_fits(fitted.lake, fitted.settings, "ridge", saturday, saturday, lambda note: None)
        )
