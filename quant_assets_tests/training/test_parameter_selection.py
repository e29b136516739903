"""Parameters of a fit: from a study as of its day or before, set by hand, or defaults."""

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from quant_assets.core.errors import SettingsError, UnknownNameError
from quant_assets.lake.readers.point_in_time import read_observations
from quant_assets.lake.schemas.forecast_tables import fits_table, study_table
from quant_assets.models.parameters import tunable_families
from quant_assets.models.protocol import Parameters
from quant_assets.models.registry import load_family
from quant_assets.training.fits import FitRow, make_fits
from quant_assets.training.parameter_selection import select_parameters
from quant_assets.tuning.folds import Folds
from quant_assets.tuning.study import tune_family
from quant_assets.tuning.study_rows import read_study_result, study_rows
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.fitted_lake import ALTERED_AFTER, FIT_ROWS, FittedLake, open_lake

AS_OF = FIT_ROWS[1]
FOLDS = Folds(first_fit_after=200, validation_days=60, step_days=10)
OTHER: dict[str, Parameters] = {
    "rank_prior": {"window": 150, "prior_days": 11},
    "ridge": {"returns": ("ret_1", "ret_5"), "shrinkage": 0.9},
}
SILENT: list[str] = []


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[FittedLake]:
    """A lake of the small market without fits and studies."""
    opened = open_lake(tmp_path, synthetic.prices())
    yield opened
    opened.lake.close()


def put_study(fitted: FittedLake, name: str, row: int, parameters: Parameters) -> date:
    """Store a study as of a row with two trials: the defaults and better parameters."""
    table, day = study_table(name), fitted.days[row].item()
    complete = [load_family(name).defaults, {**load_family(name).defaults, **parameters}]
    rows = {
        "trading_day": day,
        "date_id": row,
        "folds": 1,
        "first_judged": day,
        "last_judged": day,
        "seed": 7,
        "search": "by hand",
        "stage": "broad",
        "metrics": "[]",
        "seconds": 1.0,
    }
    several = {
        "trial": [1, 2],
        "value": [0.1, 0.2],
        "best": [False, True],
        "parameters": [json.dumps(dict(trial)) for trial in complete],
    }
    fitted.lake.replace_days(
        table, day, day, {**{column: [value] * 2 for column, value in rows.items()}, **several}
    )
    return day


def fits_of(fitted: FittedLake, name: str, **options: Any) -> list[FitRow]:
    ends = fitted.days[0].item(), fitted.days[-1].item()
    settings = options.pop("settings", fitted.settings)
    return list(make_fits(fitted.lake, settings, name, *ends, SILENT.append, **options))


def store(fitted: FittedLake, name: str, fits: list[FitRow]) -> None:
    table = fits_table(name)
    for fit in fits:
        row = {column.name: [fit[column.name]] for column in table.columns}
        fitted.lake.replace_days(table, fit["trading_day"], fit["trading_day"], row)


@pytest.mark.parametrize("name", OTHER)
@pytest.mark.parametrize("row", [AS_OF - 1, AS_OF])
def test_a_study_changes_no_fit_before_it(name: str, row: int, fresh: FittedLake) -> None:
    plain = fits_of(fresh, name)
    store(fresh, name, plain)
    study = put_study(fresh, name, row, OTHER[name])
    fits = fits_of(fresh, name)
    assert [fit["date_id"] for fit in fits] == FIT_ROWS[1:], "the first fit is there already"
    elsewhere = fresh.settings.model_copy(update={"data_dir": fresh.settings.data_dir / "other"})
    first, *later = fits_of(fresh, name, settings=elsewhere)
    same = ("fingerprint", "sha256", "parameters", "study")
    assert [first[key] for key in same] == [plain[0][key] for key in same]
    assert first["study"] is None
    for fit, before in zip(later, plain[1:], strict=True):
        assert fit["study"] == study
        assert json.loads(str(fit["parameters"])) == json.loads(
            json.dumps({**load_family(name).defaults, **OTHER[name]})
        )
        assert fit["fingerprint"] != before["fingerprint"]
        assert fit["sha256"] != before["sha256"]


def test_the_newest_study_of_the_day_or_before_is_used(fresh: FittedLake) -> None:
    studies = {
        row: put_study(fresh, "rank_prior", row, {"window": window})
        for row, window in ((250, 130), (300, 140), (310, 150))
    }
    days = fresh.days[[249, 250, 299, 300, 305, 400]]
    parameters = select_parameters(
        fresh.lake, fresh.settings, "rank_prior", days, {}, SILENT.append
    )
    assert [selected.parameters["window"] for selected in parameters] == [
        2000,
        130,
        130,
        140,
        140,
        150,
    ]
    expected = [None, *(studies[row] for row in (250, 250, 300, 300, 310))]
    assert [selected.study for selected in parameters] == expected
    assert (
        select_parameters(fresh.lake, fresh.settings, "ridge", days, {}, SILENT.append)[0].study
        is None
    )
    none = select_parameters(fresh.lake, fresh.settings, "rank_prior", days[:0], {}, SILENT.append)
    assert none == []


def test_studies_can_be_turned_off(fresh: FittedLake) -> None:
    plain = [fit["fingerprint"] for fit in fits_of(fresh, "ridge")]
    put_study(fresh, "ridge", 200, OTHER["ridge"])
    off = fresh.settings.model_copy(update={"tuned": False})
    assert [fit["fingerprint"] for fit in fits_of(fresh, "ridge", settings=off)] == plain
    assert all(fit["study"] for fit in fits_of(fresh, "ridge"))


def test_a_study_that_keeps_the_defaults_makes_no_fit_again(fresh: FittedLake) -> None:
    store(fresh, "ridge", fits_of(fresh, "ridge"))
    put_study(fresh, "ridge", 200, {})
    assert fits_of(fresh, "ridge") == []


@pytest.mark.parametrize(
    ("parameters", "why"),
    [
        ({"windw": 150}, "did you mean window"),
        ({"window": 10**6}, "120 to 2500"),
        ({"variant": None}, "text"),
    ],
)
def test_what_the_code_no_longer_takes_counts_as_the_defaults(
    parameters: Parameters, why: str, fresh: FittedLake
) -> None:
    plain = [fit["fingerprint"] for fit in fits_of(fresh, "rank_prior")]
    study = put_study(fresh, "rank_prior", 250, parameters)
    warned: list[str] = []
    fits = fits_of(fresh, "rank_prior", warn=warned.append)
    assert [fit["fingerprint"] for fit in fits] == plain
    assert not any(fit["failure"] or fit["study"] for fit in fits)
    (warning,) = warned
    assert all(part in warning for part in ("rank_prior", str(study), "defaults", why))


def test_parameters_by_hand_take_precedence_and_are_recorded(fresh: FittedLake) -> None:
    study = put_study(fresh, "ridge", 250, OTHER["ridge"])
    fits = fits_of(fresh, "ridge", by_hand={"clip": 2.0, "returns": ["ret_1", "ret_20"]})
    assert [fit["study"] for fit in fits] == [None, study, study]
    assert {fit["by_hand"] for fit in fits} == {"clip, returns"}
    parameters = [json.loads(str(fit["parameters"])) for fit in fits]
    assert [values["shrinkage"] for values in parameters] == [0.5, 0.9, 0.9]
    assert all(
        values["clip"] == 2.0 and values["returns"] == ["ret_1", "ret_20"] for values in parameters
    )
    assert not any(fit["failure"] for fit in fits)


@pytest.mark.parametrize(
    ("by_hand", "error", "said"),
    [
        ({"clipp": 2.0}, UnknownNameError, "did you mean clip"),
        ({"clip": 200}, SettingsError, "1 to 10"),
        ({"rank": "many"}, SettingsError, "whole number, or null"),
    ],
)
def test_parameters_by_hand_are_checked(
    by_hand: Parameters, error: type[Exception], said: str, fresh: FittedLake
) -> None:
    with pytest.raises(error, match=said):
        fits_of(fresh, "ridge", by_hand=by_hand)


def studied(fitted: FittedLake, name: str, row: int) -> dict[str, list[Any]]:
    """Run and store a study as of a row; return its rows without times."""
    day = fitted.days[row].item()
    result = tune_family(
        read_observations(fitted.lake, day),
        name,
        fitted.settings.tuning_dir / f"{name}.db",
        seed=7,
        threads=1,
        broad=4,
        narrow=3,
        note=SILENT.append,
        folds=FOLDS,
    )
    rows = study_rows(result, day, row, 7)
    fitted.lake.replace_days(study_table(name), day, day, rows)
    shown = read_study_result(fitted.lake, name, day)
    assert (shown.value, shown.default_value) == (result.value, result.default_value)
    assert (shown.trials, shown.first, shown.last) == (7, *result.days)
    chosen = load_family(name)
    assert shown.parameters["parameter"].tolist() == list(chosen.space)
    for shown_of in shown.parameters.itertuples():
        for text, values in (
            (shown_of.best, result.parameters),
            (shown_of.default, chosen.defaults),
        ):
            value = values[shown_of.parameter]
            if isinstance(value, float):
                assert float(text) == pytest.approx(value, rel=1e-5)
            else:
                assert text == str(value)
    return {column: values for column, values in rows.items() if column != "seconds"}


@pytest.mark.parametrize("name", OTHER)
def test_nothing_later_reaches_a_fit_through_a_study(name: str, tmp_path: Path) -> None:
    """A study, and the fits that use it, do not depend on the prices after their day."""
    whole = synthetic.prices()
    tables = (whole, synthetic.altered_after(whole, ALTERED_AFTER))
    opened = [open_lake(tmp_path / str(i), table) for i, table in enumerate(tables)]
    rows = [studied(fitted, name, ALTERED_AFTER - 40) for fitted in opened]
    assert rows[0] == rows[1]
    judged = rows[0]["last_judged"][0]
    assert judged < rows[0]["trading_day"][0]
    fits = [fits_of(fitted, name) for fitted in opened]
    known = [fit for fit in fits[0] if fit["date_id"] <= ALTERED_AFTER]
    assert [fit["date_id"] for fit in known] == [200, 300]
    assert known[1]["study"] == rows[0]["trading_day"][0]
    for fit, other in zip(known, fits[1], strict=False):
        assert fit["fingerprint"] == other["fingerprint"]
        assert fit["sha256"] == other["sha256"]
    assert fits[0][2]["fingerprint"] != fits[1][2]["fingerprint"]
    for fitted in opened:
        fitted.lake.close()


def test_rows_of_a_study(fresh: FittedLake) -> None:
    rows = studied(fresh, "rank_prior", 300)
    columns = {column.name for column in study_table("rank_prior").columns}
    assert set(rows) == columns - {"seconds"}
    assert rows["trial"] == [*range(1, 8)]
    assert rows["stage"] == ["broad"] * 4 + ["narrow"] * 3
    assert sum(rows["best"]) == 1
    best = rows["best"].index(True)
    assert rows["value"][best] == max(value for value in rows["value"] if value is not None)
    assert json.loads(rows["parameters"][0]) == dict(load_family("rank_prior").defaults)
    days = fresh.days[[200, 200 + FOLDS.validation_days - 1 + 30]].tolist()
    assert [rows["first_judged"][0], rows["last_judged"][0]] == days
    assert rows["folds"] == [4] * 7


def test_a_family_with_nothing_to_tune_has_no_study(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(load_family("ridge"), "space", {})
    assert tunable_families(["ridge", "rank_prior"]) == ("rank_prior",)
