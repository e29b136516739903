"""A lake of the small market with all fits and forecasts, and a lake that differs after a day."""

import pickle
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest

from quant_assets.core.settings import Settings
from quant_assets.core.typing import DayArray
from quant_assets.lake.readers.forecasts import Forecasts, forecast_rows
from quant_assets.lake.schemas.forecast_tables import fits_table, forecasts_table
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import FAMILIES
from quant_assets.sources.deliveries import PriceTable
from quant_assets.training.fits import FitRow, make_fits
from quant_assets.training.forecasting import make_forecasts
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.prepared import copy_prepared

ALTERED_AFTER = 330
FIT_ROWS = [200, 300, 400]
_RESULTS = "results.pickle"


@dataclass(frozen=True)
class FittedLake:
    """A lake, and the fits and forecasts of a single run over all days."""

    lake: Lake
    settings: Settings
    days: DayArray
    fits: dict[str, list[FitRow]]
    forecasts: dict[str, Forecasts]


def settings_of(folder: Path) -> Settings:
    return Settings(data_dir=folder, first_fit_after=200, refit_every=100, threads=1)


def open_lake(folder: Path, table: PriceTable) -> FittedLake:
    settings = settings_of(folder)
    lake = Lake(settings.lake_dir)
    synthetic.fill(lake, table)
    return FittedLake(lake, settings, table.days, {}, {})


def run_all_days(fitted: FittedLake) -> None:
    start, end = fitted.days[0].item(), fitted.days[-1].item()
    for name in FAMILIES:
        table = fits_table(name)
        fits = list(make_fits(fitted.lake, fitted.settings, name, start, end, lambda note: None))
        rows = {column.name: [fit[column.name] for fit in fits] for column in table.columns}
        fitted.lake.replace_days(table, start, end, rows)
        ((_, forecasts),) = make_forecasts(fitted.lake, fitted.settings, [name], start, end)
        assert isinstance(forecasts, Forecasts)
        fitted.lake.replace_days(
            forecasts_table(name), start, end, forecast_rows(fitted.lake, forecasts)
        )
        fitted.fits[name], fitted.forecasts[name] = fits, forecasts


def open_prepared(name: str, table: PriceTable, folder: Path) -> FittedLake:
    """Copy a lake with all fits and forecasts of some prices into a folder."""

    def make(prepared: Path) -> None:
        fitted = open_lake(prepared, table)
        run_all_days(fitted)
        fitted.lake.close()
        (prepared / _RESULTS).write_bytes(pickle.dumps((fitted.fits, fitted.forecasts)))

    copy_prepared(name, make, folder)
    settings = settings_of(folder)
    results = pickle.loads((folder / _RESULTS).read_bytes())
    return FittedLake(Lake(settings.lake_dir), settings, table.days, *results)


@pytest.fixture(scope="session")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FittedLake]:
    """Return the lake of the small market after a run over all days."""
    opened = open_prepared("fitted", synthetic.prices(), tmp_path_factory.mktemp("fitted"))
    yield opened
    opened.lake.close()


@pytest.fixture(scope="session")
def altered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FittedLake]:
    """Return the lake of the small market with other prices on every day after ALTERED_AFTER."""
    prices = synthetic.altered_after(synthetic.prices(), ALTERED_AFTER)
    opened = open_prepared("fitted-altered", prices, tmp_path_factory.mktemp("altered"))
    yield opened
    opened.lake.close()


def day(fitted: FittedLake, row: int) -> date:
    return fitted.days[row].item()


def fits_of(fitted: FittedLake, name: str, first: int, last: int) -> list[FitRow]:
    days = day(fitted, first), day(fitted, last)
    return list(make_fits(fitted.lake, fitted.settings, name, *days, lambda note: None))


def store_fit(fitted: FittedLake, name: str, row: int, **changed: str) -> None:
    (fit,) = fits_of(fitted, name, row, row)
    columns = {c.name: [{**fit, **changed}[c.name]] for c in fits_table(name).columns}
    fitted.lake.replace_days(fits_table(name), day(fitted, row), day(fitted, row), columns)
