"""What models see of bars: read from the lake against a plain definition, and nothing later."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.errors import ArtifactError
from quant_assets.core.settings import Settings
from quant_assets.core.typing import FloatArray
from quant_assets.features.bar_catalogue import BAR_CATALOGUE
from quant_assets.features.bar_inputs import list_bar_inputs
from quant_assets.features.further_inputs import NO_FURTHER, FurtherInputs
from quant_assets.lake.readers.arrays import long_rows
from quant_assets.lake.readers.forecasts import Forecasts
from quant_assets.lake.readers.inputs import list_stored_inputs, read_further_inputs
from quant_assets.lake.readers.point_in_time import read_observations
from quant_assets.lake.readers.prices import read_pairs, read_panel
from quant_assets.lake.schemas.bar_tables import BAR_FEATURES
from quant_assets.lake.schemas.forecast_tables import fits_table
from quant_assets.lake.store.lake import Lake
from quant_assets.models.protocol import Observations
from quant_assets.revisions.loads import forget_bars
from quant_assets.scoring.attribution import read_family_parts, variance_shares
from quant_assets.training.fits import make_fits
from quant_assets.training.forecasting import make_forecasts
from quant_assets_tests.support import synthetic

DAYS = synthetic.prices().days
MISSING, ROW, FITTED, LATER = 120, 200, 380, 400
NAMES = [feature.name for feature in list_bar_inputs()]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("lake")


@pytest.fixture(scope="module")
def lake(root: Path) -> Iterator[Lake]:
    with Lake(root) as opened:
        synthetic.fill(opened, synthetic.prices())
        yield opened


@pytest.fixture(scope="module")
def instruments(lake: Lake) -> tuple[str, ...]:
    return read_observations(lake, DAYS[-1].item()).instruments


def draw(instruments: tuple[str, ...], seed: int = 0) -> dict[str, FloatArray]:
    random = np.random.default_rng(seed)
    shape = len(DAYS), len(instruments)
    values = {each.name: random.lognormal(0, 1, shape) for each in BAR_CATALOGUE}
    for each in values.values():
        each[:, 1] = np.nan
    return values


def store(lake: Lake, values: dict[str, FloatArray], instruments: tuple[str, ...]) -> None:
    """Store features from bars of all days but one, whose bars could not be read."""
    kept = np.delete(np.arange(len(DAYS)), MISSING)
    some = {name: each[kept] for name, each in values.items()}
    rows = long_rows(DAYS[kept], kept, some, "instrument", instruments)
    lake.replace_days(BAR_FEATURES, DAYS[0].item(), DAYS[-1].item(), rows)


def test_inputs_are_differences_of_legs(lake: Lake, instruments: tuple[str, ...]) -> None:
    without = read_observations(lake, DAYS[-1].item())
    assert read_further_inputs(lake) == NO_FURTHER
    values = draw(instruments)
    store(lake, values, instruments)
    assert read_further_inputs(lake) == FurtherInputs(bars=True)
    assert {("target", name) for name in NAMES} <= list_stored_inputs(lake).keys()
    target = read_observations(lake, DAYS[-1].item()).target
    assert target.names == (*without.target.names, *NAMES)
    np.testing.assert_array_equal(target.values[..., : -len(NAMES)], without.target.values)
    known = np.delete(np.arange(len(instruments)), 1)
    pairs = read_pairs(lake)
    for number, legs in enumerate(zip(pairs.leg_a, pairs.leg_b, strict=True)):
        first, second = (None if leg is None else instruments.index(leg) for leg in legs)
        amihud = values["amihud"][ROW]
        ranks = [2 * ((amihud[known] <= x).sum() - (len(known) + 1) / 2) for x in amihud]
        expected = {
            "diff_log_realised_variance": np.log(values["realised_variance"][ROW]),
            "diff_rank_amihud": np.array(ranks) / len(known),
            "diff_jump_share": values["jump_share"][ROW],
        }
        for name, of_day in expected.items():
            of_day[1] = np.nan
            other = 0.0 if second is None else of_day[second]
            actual = target.column(name)[ROW, number]
            np.testing.assert_allclose(actual, of_day[first] - other, rtol=1e-6, atol=1e-6)
    assert np.isnan(target.values[MISSING, :, -len(NAMES) :]).all()
    assert np.isfinite(target.values[MISSING + 1, :, -len(NAMES) :]).any()


def test_later_bars_change_no_earlier_input(lake: Lake, instruments: tuple[str, ...]) -> None:
    def read(row: int) -> Observations:
        return read_observations(lake, DAYS[row].item())

    values = draw(instruments)
    store(lake, values, instruments)
    before, last = read(ROW), read(-1)
    other = draw(instruments, seed=1)
    store(
        lake,
        {n: np.vstack([v[: ROW + 1], other[n][ROW + 1 :]]) for n, v in values.items()},
        instruments,
    )
    synthetic.assert_same(read(ROW), before)
    changed = (read(-1).target.values != last.target.values).any(axis=(1, 2))
    assert changed[ROW + 1 :].all()


def fit(lake: Lake, settings: Settings) -> None:
    """Fit a family that sees inputs of targets."""
    day = DAYS[FITTED].item()
    (row,) = make_fits(lake, settings, "lightgbm", day, day, lambda _: None)
    columns = {column: [value] for column, value in row.items()}
    lake.replace_days(fits_table("lightgbm"), day, day, columns)


def forecast(lake: Lake, settings: Settings) -> Forecasts | ArtifactError:
    """Forecast the days around ``LATER``."""
    ends = DAYS[FITTED + 1].item(), DAYS[LATER + 5].item()
    ((_, forecasts),) = make_forecasts(lake, settings, ["lightgbm"], *ends)
    return forecasts


def test_a_forecast_uses_bars_and_none_of_later_days(
    lake: Lake, root: Path, tmp_path: Path, instruments: tuple[str, ...]
) -> None:
    settings = Settings(data_dir=tmp_path, first_fit_after=200, threads=1)
    values = draw(instruments)
    # A feature that is the coming return is one that a model uses.
    close = read_panel(lake, "value", DAYS[0].item(), DAYS[-1].item()).close
    coming = np.log(close[2:] / close[1:-1])
    values["intraday_return"][:-2] = coming
    store(lake, values, instruments)
    fit(lake, settings)
    before = forecast(lake, settings)
    ends = DAYS[LATER].item(), DAYS[LATER].item()
    (parts,) = read_family_parts(lake, settings, ["lightgbm"], *ends, warn=pytest.fail)
    assert variance_shares(parts.parts)["bars"][0] > 0.5

    values["intraday_return"][LATER + 1 :] *= -1
    store(lake, values, instruments)
    after = forecast(lake, settings)
    assert isinstance(before, Forecasts)
    assert isinstance(after, Forecasts)
    same = (before.values == after.values).all(axis=1)
    assert same.tolist() == [day <= DAYS[LATER] for day in before.days]

    # A fit with other inputs is not used.
    forget_bars(root)
    assert "other features" in str(forecast(lake, settings))


def test_a_market_without_bars_forgets_them(
    lake: Lake, root: Path, instruments: tuple[str, ...]
) -> None:
    store(lake, draw(instruments), instruments)
    forget_bars(root)
    assert read_further_inputs(lake) == NO_FURTHER
    assert not set(NAMES) & set(read_observations(lake, DAYS[-1].item()).target.names)
