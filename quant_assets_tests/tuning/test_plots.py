"""The pictures of a search."""

from dataclasses import replace
from datetime import date

import pytest

from quant_assets.tuning.folds import Fold
from quant_assets.tuning.plots import plot_history, plot_importance
from quant_assets.tuning.study import Trial, TuningResult


def result() -> TuningResult:
    trials = [
        Trial(stage, {"x": i}, None if i % 4 == 3 else 0.1 + 0.01 * i, (0.1, 0.2), 1.0)
        for stage, count in (("broad", 20), ("narrow", 30))
        for i in range(count)
    ]
    shares = {"learning_rate": 0.6, "num_leaves": 0.3, "lambda_l2": 0.1}
    days, folds = (date(2020, 1, 2), date(2020, 5, 8)), (Fold(504, 594, 598),)
    return TuningResult(
        "lightgbm", {"x": 1}, 0.4, 0.1, tuple(trials), days, folds, "a search", shares
    )


@pytest.mark.parametrize("draw", [plot_history, plot_importance])
def test_pictures_are_small_pngs(draw: object) -> None:
    single = replace(result(), trials=result().trials[:1], importance={})
    pictures = [draw(result()), draw(single)]  # type: ignore[operator]
    assert pictures[0] != pictures[1]
    for picture in pictures:
        assert picture.startswith(b"\x89PNG")
        assert len(picture) < 100_000
