"""The picture of performance."""

import numpy as np
import pandas as pd

from quant_assets.evaluation.plots import cumulated_ic


def test_cumulated_ic_is_a_small_png() -> None:
    days = pd.bdate_range("2020-01-01", periods=500)
    rows = pd.concat(
        pd.DataFrame({"family": name, "trading_day": days[::-1], "ic": 0.01 * np.arange(500)})
        for name in ("ridge", "ensemble", "oracle")
    )
    picture = cumulated_ic(rows)
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 100_000
