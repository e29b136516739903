"""Sessions forecast sent days as the assets do once the days are stored."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from quant_assets.core.errors import SourceError, UnknownNameError
from quant_assets.core.typing import DayArray
from quant_assets.lake.readers.forecasts import Forecasts, read_forecasts
from quant_assets.lake.readers.point_in_time import read_known_days
from quant_assets.lake.readers.prices import read_pairs, read_raw
from quant_assets.lake.schemas.promotion_tables import SUBMITTED_FORECASTS
from quant_assets.lake.store.lake import Lake
from quant_assets.revisions.given_prices import select_days
from quant_assets.serving.session import Session, read_history
from quant_assets.sources.deliveries import PriceTable
from quant_assets.sources.registry import open_market
from quant_assets_tests.support.installation import Installation

ROWS = 4


@pytest.fixture(scope="module")
def lake(loaded: Installation) -> Iterator[Lake]:
    with Lake(loaded.settings.lake_dir, read_only=True) as opened:
        yield opened


@pytest.fixture(scope="module")
def days(lake: Lake) -> DayArray:
    return read_known_days(lake, date.max)


@pytest.fixture(scope="module")
def submitted(lake: Lake) -> Forecasts:
    targets = read_pairs(lake).targets
    return read_forecasts(lake, SUBMITTED_FORECASTS, targets, date.min, date.max)


def session_of(lake: Lake, loaded: Installation) -> Session:
    return Session(lake, loaded.settings, open_market(loaded.settings))


def prices_of(lake: Lake, first: np.datetime64, last: np.datetime64) -> PriceTable:
    return read_raw(lake, first.item(), last.item())


def test_stored_days_are_forecast_as_they_were_submitted(
    lake: Lake, loaded: Installation, days: DayArray, submitted: Forecasts
) -> None:
    session = session_of(lake, loaded)
    for row in range(-ROWS, 0):
        served = session.forecast(prices_of(lake, days[row], days[row]))
        np.testing.assert_array_equal(served.values[0], submitted.values[row])
        assert served.days[0] == days[row]
        assert served.targets == submitted.targets


def test_a_day_again_and_a_start_again_give_the_same(
    lake: Lake, loaded: Installation, days: DayArray, submitted: Forecasts
) -> None:
    session = session_of(lake, loaded)
    for row in (-1, -1, -3, -2, -3):
        served = session.forecast(prices_of(lake, days[row], days[row]))
        np.testing.assert_array_equal(served.values[0], submitted.values[row])


def test_days_after_the_stored_days_go_on_from_each_other(
    lake: Lake, loaded: Installation, days: DayArray
) -> None:
    """Later prices change no earlier forecast, and a session that goes back forgets them."""
    last = prices_of(lake, days[-3], days[-1])
    new = replace(last, days=days[-1] + np.arange(4, 7), date_ids=last.date_ids + 3)
    session = session_of(lake, loaded)
    together = session.forecast(new).values
    assert np.isfinite(together).all()
    assert (np.ptp(together, axis=1) > 0).all()
    again = session_of(lake, loaded)
    rows = [select_days(new, np.arange(3) == row) for row in range(3)]
    one_by_one = [again.forecast(row).values[0] for row in rows]
    np.testing.assert_array_equal(together, one_by_one)
    changed = replace(rows[2], values=rows[2].values * 1.1)
    assert not np.array_equal(again.forecast(changed).values[0], together[2])
    np.testing.assert_array_equal(again.forecast(rows[1]).values[0], together[1])
    np.testing.assert_array_equal(again.forecast(rows[2]).values[0], together[2])


def test_the_given_history_is_not_read_again(
    lake: Lake, loaded: Installation, days: DayArray
) -> None:
    market = open_market(loaded.settings)
    history = read_history(lake, loaded.settings, market)
    last = prices_of(lake, days[-1], days[-1])
    new = replace(last, days=last.days + np.timedelta64(3, "D"), date_ids=last.date_ids + 1)
    session = Session(lake, loaded.settings, market, history)
    served = session.forecast(new)
    assert session.history is history
    assert history.last_day == days[-1].item()
    np.testing.assert_array_equal(served.values, session_of(lake, loaded).forecast(new).values)


def test_what_is_missing_or_rejected_is_said(
    lake: Lake, loaded: Installation, days: DayArray
) -> None:
    last = prices_of(lake, days[-1], days[-1])
    values = last.values.copy()
    values[0, ::3] = np.nan
    values[0, 1] = -5.0
    values[0, 2] *= 3.0
    missing = int(np.isnan(values).sum())
    (served,) = [session_of(lake, loaded).forecast(replace(last, values=values))]
    text = "\n".join(served.notes)
    assert f"{missing} of {len(last.columns)} series have no price" in text
    assert f"{last.columns[1]} = -5.0 is rejected" in text
    assert f"closes that jump are used as they are: {last.columns[2]}" in text
    assert "no release is in force, so the ensemble forecasts" in text
    assert served.release is None


def test_what_cannot_be_forecast_is_refused(
    lake: Lake, loaded: Installation, days: DayArray
) -> None:
    last = prices_of(lake, days[-1], days[-1])
    session = session_of(lake, loaded)
    with pytest.raises(UnknownNameError, match="no release"):
        session.forecast(last, "nobody")
    with pytest.raises(SourceError, match="no day"):
        session.forecast(select_days(last, last.days < last.days[0] - timedelta(days=1)))
