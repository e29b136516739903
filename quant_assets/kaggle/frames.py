"""Frames that a gateway sends as arrays, and forecasts as the frame that it expects.

Frames are of polars or of pandas: the kind that came goes back.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from quant_assets.core.errors import SubmissionError
from quant_assets.core.typing import FloatArray, IntArray
from quant_assets.kaggle.batches import LABEL_DAY
from quant_assets.kaggle.needs import explain_missing_extra
from quant_assets.kaggle.problems import DAY_COLUMN
from quant_assets.sources.deliveries import UnreadCell

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

SCORED = "is_scored"
_EMPTY = ("", "nan", "null")


@dataclass(frozen=True)
class PriceFrame:
    """The prices of a batch.

    Attributes:
        date_ids: (n,) ids of its days, strictly ascending.
        columns: names of the c series.
        values: (n, c) prices; NaN where a cell is empty or unread.
        unread: cells that hold text instead of a number.
    """

    date_ids: IntArray
    columns: tuple[str, ...]
    values: FloatArray
    unread: tuple[UnreadCell, ...] = ()


def read_prices(frame: Any) -> PriceFrame:
    """Read the prices of a batch; columns of texts, as of a series that is empty, are numbers too.

    Args:
        frame: a frame of polars or pandas.

    Raises:
        SubmissionError: it is no frame, or lacks days that ascend.
    """
    table = _to_arrow(frame)
    names = table.column_names
    if DAY_COLUMN not in names or not table.num_rows:
        raise SubmissionError(
            "the batch has no day",
            expected=f"a row with a {DAY_COLUMN}",
            found=f"{table.num_rows} rows of {len(names)} columns",
        )
    ids = _read_column(table.column(DAY_COLUMN))[0]
    if not np.isfinite(ids).all() or (ids != np.floor(ids)).any() or (np.diff(ids) <= 0).any():
        raise SubmissionError(
            f"the {DAY_COLUMN} of the batch cannot be used",
            expected="whole numbers that ascend",
            found=", ".join(map(str, ids[:3])),
        )
    columns = tuple(name for name in names if name not in (DAY_COLUMN, SCORED))
    parsed = [_read_column(table.column(name)) for name in columns]
    unread = tuple(
        UnreadCell(row, name, text)
        for name, (_, texts) in zip(columns, parsed, strict=True)
        for row, text in texts.items()
    )
    values = np.column_stack([numbers for numbers, _ in parsed]) if parsed else np.empty((1, 0))
    return PriceFrame(ids.astype(np.int64), columns, values, unread)


def name_targets(labels: Iterable[Any]) -> tuple[str, ...]:
    """Return the targets that the batches of known labels name, in order; empty if they do not.

    Their columns are there even while no label is known.
    """
    names = [
        str(name)
        for frame in labels
        for name in getattr(frame, "columns", ())
        if str(name) not in (DAY_COLUMN, LABEL_DAY)
    ]
    return tuple(dict.fromkeys(names))


def build_answer(
    names: Sequence[str], values: FloatArray, like: Any
) -> "pl.DataFrame | pd.DataFrame":
    """Return the frame of one row with a 64-bit number for each target.

    Args:
        names: names of the m targets.
        values: (m,) forecasts.
        like: the frame that came; one of pandas is answered with one of pandas.
    """
    import pandas as pd

    if isinstance(like, pd.DataFrame):
        return pd.DataFrame(values[None].astype(np.float64), columns=list(names))
    with explain_missing_extra():
        import polars as pl
    return pl.DataFrame(values[None].astype(np.float64), schema=list(names), orient="row")


def _to_arrow(frame: Any) -> pa.Table:
    import pandas as pd

    with explain_missing_extra():
        import polars as pl
    if isinstance(frame, pl.DataFrame):
        return frame.to_arrow()
    if isinstance(frame, pd.DataFrame):
        return pa.Table.from_pandas(frame, preserve_index=False)
    raise SubmissionError(
        "the batch is no frame",
        expected="a frame of polars or pandas",
        found=type(frame).__name__,
    )


def _read_column(column: pa.ChunkedArray) -> tuple[FloatArray, dict[int, str]]:
    """Return the numbers of a column, NaN where empty or text, and its texts by row."""
    kind = column.type
    if pa.types.is_null(kind):
        return np.full(len(column), np.nan), {}
    if pa.types.is_floating(kind) or pa.types.is_integer(kind):
        return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64), {}
    numbers, texts = np.full(len(column), np.nan), {}
    for row, cell in enumerate(column.to_pylist()):
        text = "" if cell is None else str(cell).strip()
        if text.lower() in _EMPTY:
            continue
        try:
            numbers[row] = float(text)
        except ValueError:
            texts[row] = text
    return numbers, texts
