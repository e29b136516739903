"""A fit is repeated from its stored row."""

from collections.abc import Iterator

import numpy as np
import pytest

from quant_assets.core.errors import FitError, LakeError, UnknownNameError
from quant_assets.lake.readers.point_in_time import read_observations
from quant_assets.lake.schemas.feature_tables import LABELS, TARGET_FEATURES
from quant_assets.lake.schemas.forecast_tables import fits_table
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import FAMILIES, load_family
from quant_assets.training.fits import make_fits
from quant_assets.training.reproduction import repeat_fit
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.fitted_lake import FIT_ROWS, FittedLake, open_lake

AS_OF = FIT_ROWS[1]


@pytest.mark.parametrize("name", FAMILIES)
def test_the_record_gives_the_same_model_and_forecasts(name: str, fitted: FittedLake) -> None:
    again = repeat_fit(fitted.lake, name, fitted.days[AS_OF].item(), threads=2)
    assert again.same
    assert not again.changed
    observations = read_observations(fitted.lake, fitted.days[AS_OF + 20].item())
    forecasts = fitted.forecasts[name]
    of_fit = forecasts.fit_as_of == fitted.days[AS_OF]
    forecast = load_family(name).load(again.model).forecast(observations, 21)
    np.testing.assert_array_equal(forecast, forecasts.values[of_fit][:21])


@pytest.fixture(scope="module")
def corrected(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FittedLake]:
    """A fitted whose features and labels were changed after a fit of ridge."""
    fitted = open_lake(tmp_path_factory.mktemp("corrected"), synthetic.prices())
    start, end = fitted.days[0].item(), fitted.days[-1].item()
    day = fitted.days[AS_OF].item()
    (fit,) = make_fits(fitted.lake, fitted.settings, "ridge", day, day, lambda note: None)
    fitted.lake.replace_days(fits_table("ridge"), day, day, {k: [v] for k, v in fit.items()})
    for table in (TARGET_FEATURES, LABELS):
        rows = fitted.lake.arrow(f"FROM {table.quoted}")
        columns = {name: rows[name].to_numpy() for name in rows.column_names}
        for column in table.columns:
            if column.type == "DOUBLE":
                columns[column.name] = columns[column.name] * -1.5
        fitted.lake.replace_days(table, start, end, columns)
    yield fitted
    fitted.lake.close()


def test_what_was_corrected_since_does_not_matter(corrected: FittedLake) -> None:
    day = corrected.days[AS_OF].item()
    assert repeat_fit(corrected.lake, "ridge", day).same
    (anew,) = make_fits(corrected.lake, corrected.settings, "ridge", day, day, lambda note: None)
    assert anew["sha256"] != repeat_fit(corrected.lake, "ridge", day).recorded["sha256"]


def test_other_code_and_libraries_are_named(corrected: FittedLake) -> None:
    day = corrected.days[AS_OF].item()
    alter(corrected.lake, corrected, code="0" * 64, library="numpy 0.1", sha256="1" * 64)
    again = repeat_fit(corrected.lake, "ridge", day)
    assert not again.same
    assert [part.split(":")[0] for part in again.changed] == ["the family's code", "the library"]


def test_what_cannot_be_repeated_is_said(corrected: FittedLake) -> None:
    lake, day = corrected.lake, corrected.days[AS_OF].item()
    with pytest.raises(UnknownNameError, match="did you mean ridge"):
        repeat_fit(lake, "rigde", day)
    with pytest.raises(LakeError, match=r"fits\.lightgbm"):
        repeat_fit(lake, "lightgbm", day)
    with pytest.raises(LakeError, match=f"such as {day}"):
        repeat_fit(lake, "ridge", corrected.days[AS_OF + 1].item())
    alter(lake, corrected, features_version="an older one")
    with pytest.raises(LakeError, match="an older one"):
        repeat_fit(lake, "ridge", day)
    alter(lake, corrected, failure="no convergence")
    with pytest.raises(FitError, match="no convergence"):
        repeat_fit(lake, "ridge", day)


def test_an_expired_snapshot_is_said(corrected: FittedLake) -> None:
    alter(corrected.lake, corrected)
    corrected.lake.maintain(0)
    with pytest.raises(LakeError, match=r"snapshot(?s:.*)QUANT_RETENTION_DAYS"):
        repeat_fit(corrected.lake, "ridge", corrected.days[AS_OF].item())


def alter(lake: Lake, fitted: FittedLake, **changes: str) -> None:
    """Change the named values in the row of the only fit."""
    day, table = fitted.days[AS_OF].item(), fits_table("ridge")
    (row,) = lake.arrow(f"FROM {table.quoted}").to_pylist()
    first = fitted.fits.setdefault("ridge", [row])[0]
    lake.replace_days(table, day, day, {k: [v] for k, v in {**first, **changes}.items()})
