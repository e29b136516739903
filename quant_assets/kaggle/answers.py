"""Judging the frame that an inference server answers with, more strictly than the official gateway.

The official code checks the kind, the number of rows and columns, and that there is no ``date_id``.
A frame that passes there and is wrong scores badly; here it is refused.
"""

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from quant_assets.core.errors import SubmissionError
from quant_assets.kaggle.needs import explain_missing_extra
from quant_assets.kaggle.problems import DAY_COLUMN, shorten

if TYPE_CHECKING:
    import polars as pl


def check_answer(answer: Any, targets: Sequence[str], date_id: int) -> "pl.DataFrame":
    """Return the answer as a frame of polars if it is one row with a good forecast.

    Args:
        answer: what the server sent.
        targets: names of the columns of forecasts, in order.
        date_id: number of the day.

    Raises:
        SubmissionError: the answer is no frame of one row of polars or pandas, has other names or
            another order, or its forecasts are not 64-bit numbers, finite, and not all equal.
    """
    frame = _convert(answer, date_id)
    if frame.height != 1:
        raise _wrong(date_id, "one row", f"{frame.height} rows")
    names = frame.columns
    if DAY_COLUMN in names:
        raise _wrong(date_id, f"no column {DAY_COLUMN}", f"{len(names)} columns with it")
    missing = [name for name in targets if name not in names]
    further = [name for name in names if name not in targets]
    if missing or further:
        what = f"no {shorten(missing)}" if missing else f"also {shorten(further)}"
        raise _wrong(date_id, f"{len(targets)} columns, a target each", what)
    if tuple(names) != tuple(targets):
        place = next(i for i, name in enumerate(targets) if names[i] != name)
        raise _wrong(date_id, f"{targets[place]} in place {place + 1}", names[place])
    _check_values(frame, date_id)
    return frame


def _convert(answer: Any, date_id: int) -> "pl.DataFrame":
    import pandas as pd

    with explain_missing_extra():
        import polars as pl
    if isinstance(answer, pd.DataFrame):
        kinds = {name: str(kind) for name, kind in answer.dtypes.items() if kind != "float64"}
        if kinds and DAY_COLUMN not in kinds:
            name, kind = next(iter(kinds.items()))
            raise _wrong(date_id, "64-bit floating numbers", f"{kind} in {name}")
        return pl.from_pandas(answer, nan_to_null=False)
    if not isinstance(answer, pl.DataFrame):
        raise _wrong(date_id, "a frame of polars or pandas", f"{type(answer).__name__}")
    return answer


def _check_values(frame: "pl.DataFrame", date_id: int) -> None:
    import polars as pl

    kinds = {name: kind for name, kind in frame.schema.items() if kind != pl.Float64}
    if kinds:
        name, kind = next(iter(kinds.items()))
        raise _wrong(date_id, "64-bit floating numbers", f"{kind} in {name}")
    for name, value in zip(frame.columns, frame.row(0), strict=True):
        if value is None or not math.isfinite(value):
            raise _wrong(date_id, "finite numbers", f"{value} in {name}")
    values = frame.row(0)
    if len(values) > 1 and min(values) == max(values):
        raise _wrong(date_id, "forecasts that differ", f"{values[0]} for all targets")


def _wrong(date_id: int, expected: str, found: str) -> SubmissionError:
    return SubmissionError(
        "the answer of a day is wrong",
        where=f"{DAY_COLUMN} {date_id}",
        expected=expected,
        found=found,
    )
