"""Membership of each day follows from closes up to the day."""

import numpy as np

from quant_assets.market.universe import UniverseState, find_states

DAYS = np.arange("2024-01-01", "2024-02-10", dtype="datetime64[D]")
LIMIT = 5


def find_from(close: np.ndarray, until: int) -> np.ndarray:
    """Return the states of the days up to a row, computed from closes up to this row."""
    seen = ~np.isnan(close[: until + 1])
    first = np.full(close.shape[1], np.datetime64("NaT", "D"))
    first[seen.any(axis=0)] = DAYS[seen.argmax(axis=0)[seen.any(axis=0)]]
    return find_states(DAYS[: until + 1], first, close[: until + 1], LIMIT)


def test_states_depend_on_closes_up_to_the_day_only() -> None:
    random = np.random.default_rng(3)
    close = np.where(random.random((len(DAYS), 30)) < 0.2, 1.0, np.nan)
    close[:, 0] = np.nan
    whole = find_from(close, len(DAYS) - 1)
    assert set(np.unique(whole)) == {int(state) for state in UniverseState} - {
        UniverseState.DELISTED
    }
    for row in range(len(DAYS)):
        np.testing.assert_array_equal(find_from(close, row), whole[: row + 1])


def test_an_instrument_leaves_after_the_limit_and_comes_back() -> None:
    close = np.full((12, 1), np.nan)
    close[[2, 3, 10]] = 1.0
    states = find_states(DAYS[:12], DAYS[[2]], close, LIMIT).ravel().tolist()
    assert states == [1, 1, 0, 0, 0, 0, 0, 0, 2, 2, 0, 0]
    assert UniverseState.NO_PRICE.text(LIMIT) == "no price for 5 days"
