"""``predict``, the function that the competition's inference server calls once a day.

How an answer is made belongs in ``predictor``. Nothing heavy is imported before the first call.
"""

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from quant_assets.core.settings import load_settings

if TYPE_CHECKING:
    from quant_assets.kaggle.predictor import Predictor

Predict = Callable[[Any, Any, Any, Any, Any], Any]


def begin_predictor(folder: Path | None = None) -> "Predictor":
    """Return a predictor that answers from the market of the data directory.

    Args:
        folder: a folder whose ``calendar.csv`` dates days that are not stored; None for the one
            that the market was loaded from.
    """
    from quant_assets.kaggle.market import open_loaded_market
    from quant_assets.kaggle.predictor import Predictor

    return Predictor(lambda: open_loaded_market(load_settings(), folder))


def build_predict(make: "Callable[[], Predictor]" = begin_predictor) -> Predict:
    """Return a function ``predict`` that answers by a predictor.

    Args:
        make: makes the predictor, when the first batch comes.
    """
    begin = cache(make)

    # The server knows its endpoints by their names.
    def predict(
        test: Any,
        label_lags_1_batch: Any,
        label_lags_2_batch: Any,
        label_lags_3_batch: Any,
        label_lags_4_batch: Any,
    ) -> Any:
        """Forecast a day from its batch and the history of the data directory that is set.

        It always returns one row of 64-bit numbers in submission order, finite and not all equal.
        If there is no forecast of a release, another one is returned, and the log says why.

        Args:
            test: a row of prices: ``date_id``, the series, ``is_scored``.
            label_lags_1_batch: labels of lag 1 that became known; no row while none is known.
            label_lags_2_batch: labels of lag 2.
            label_lags_3_batch: labels of lag 3.
            label_lags_4_batch: labels of lag 4.
        """
        labels = (label_lags_1_batch, label_lags_2_batch, label_lags_3_batch, label_lags_4_batch)
        return begin().answer(test, labels)

    return predict


predict = build_predict()
