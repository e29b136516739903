"""A table validated in pieces gets the result that it gets as a whole."""

import numpy as np
import pandas as pd
import pytest

from quant_assets.quality import in_turn
from quant_assets.quality.expectations import validate_suite
from quant_assets.quality.in_turn import validate_blocks, validate_in_pieces
from quant_assets.quality.suites import forecasts_suite

SUITE = forecasts_suite(3)


def _frame(*, broken: bool) -> pd.DataFrame:
    days = np.repeat(pd.date_range("2024-01-01", periods=8).to_numpy(), 3)
    values = np.random.default_rng(0).normal(size=24)
    if broken:
        values[[4, 20]] = np.nan
    keys = {"trading_day": days, "date_id": np.arange(24) // 3, "target": ["a", "b", "c"] * 8}
    return pd.DataFrame({**keys, "value": values})


@pytest.mark.parametrize("broken", [False, True])
@pytest.mark.parametrize("cells", [1, 20, 45])
def test_pieces_of_whole_days_give_the_result_of_the_whole(
    broken: bool, cells: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = _frame(broken=broken)
    whole = validate_suite(SUITE, frame)
    monkeypatch.setattr(in_turn, "_CELLS_AT_ONCE", cells)
    result = validate_in_pieces(SUITE, frame)
    assert (result.passed, result.rows) == (whole.passed, whole.rows) == (not broken, 24)
    assert [outcome.passed for outcome in result.outcomes] == [o.passed for o in whole.outcomes]
    assert result.failing["trading_day"].nunique() == whole.failing["trading_day"].nunique()


def test_blocks_without_rows_give_no_result() -> None:
    frame = _frame(broken=False)
    assert validate_blocks(SUITE, []) is None
    result = validate_blocks(SUITE, [frame[:0], frame[:9], frame[9:]])
    assert result is not None
    assert result.passed
    assert result.rows == len(frame)
