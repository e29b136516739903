"""Plots of performance and attribution."""

import numpy as np
import pandas as pd

from quant_assets.scoring.plots import plot_cumulated_ic, plot_shares


def test_cumulated_ic_is_a_small_png() -> None:
    days = pd.bdate_range("2020-01-01", periods=500)
    rows = pd.concat(
        pd.DataFrame({"family": name, "trading_day": days[::-1], "ic": 0.01 * np.arange(500)})
        for name in ("ridge", "ensemble", "oracle")
    )
    picture = plot_cumulated_ic(rows)
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 100_000


def test_shares_are_a_small_png_also_where_some_are_negative() -> None:
    families = [("ensemble", ("ridge", "xgboost")), *((f"family_{i}", "abcdefg") for i in range(9))]
    rows = pd.DataFrame(
        [(family, name, 1.5 - i) for family, names in families for i, name in enumerate(names)],
        columns=["family", "inputs", "share"],
    )
    picture = plot_shares(rows)
    assert picture.startswith(b"\x89PNG")
    assert len(picture) < 100_000
    other = plot_shares(rows.assign(share=-rows["share"]))
    assert other != picture
