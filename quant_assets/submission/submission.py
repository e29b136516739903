"""The submission of each day: whether it is complete, its rows, and the files with all of them.

Which forecast is submitted is decided in ``promotion``; how good it was, in ``scoring``.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from quant_assets.core.files import write_atomically
from quant_assets.core.typing import BoolArray, DayArray, IntArray
from quant_assets.lake.readers.arrays import drop_empty, long_rows, to_cube
from quant_assets.lake.readers.forecasts import Forecasts
from quant_assets.lake.readers.point_in_time import read_date_ids
from quant_assets.lake.readers.prices import read_pairs
from quant_assets.lake.schemas.feature_tables import MARKET_FEATURES
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.submission import SubmissionForm


def find_problems(
    forecasts: Forecasts, expected: DayArray, targets: BoolArray | None = None
) -> pd.DataFrame:
    """Return each day that must not be submitted with its reason; empty if all may be.

    Args:
        forecasts: the days to submit.
        expected: the days that must be among them.
        targets: (n, m) targets that must have a forecast on the n days of the forecasts; all by
            default.
    """
    values = forecasts.values
    reasons = [(day, "no forecast") for day in np.setdiff1d(expected, forecasts.days)]
    lacking = ~np.isfinite(values)
    if targets is not None:
        lacking &= targets
        lacking |= ~(np.isfinite(values) & targets).any(axis=1, keepdims=True)
    missing = lacking.any(axis=1)
    reasons += [(day, "missing or infinite value") for day in forecasts.days[missing]]
    lowest = np.where(np.isnan(values), np.inf, values).min(axis=1)
    highest = np.where(np.isnan(values), -np.inf, values).max(axis=1)
    constant = ~missing & (highest <= lowest)
    reasons += [(day, "all values equal") for day in forecasts.days[constant]]
    return pd.DataFrame(reasons, columns=["trading_day", "reason"])


def submission_rows(lake: Lake, forecasts: Forecasts) -> dict[str, Any]:
    """Return rows of ``submissions.daily`` without their origin, of targets with a forecast."""
    date_ids = read_date_ids(lake, forecasts.days)
    values = {"value": forecasts.values}
    return drop_empty(long_rows(forecasts.days, date_ids, values, "target", forecasts.targets))


@dataclass(frozen=True)
class SubmissionTime:
    """When the submission of a day was stored first.

    Attributes:
        at: the moment, UTC.
        seconds: from the start of the run to then; None if the run was for other days as well.
    """

    at: datetime
    seconds: float | None


@dataclass(frozen=True)
class ExportResult:
    """The files that an export wrote, and the number of days in them."""

    files: tuple[Path, ...]
    days: int


def export_submission(lake: Lake, form: SubmissionForm, folder: Path) -> ExportResult:
    """Write every stored submission as ``submission.parquet`` and ``submission.csv``.

    Rows ascend by day. A wide file has ``date_id`` and a column per target, in order; a long file
    has ``trading_day``, ``date_id``, ``target`` and ``value``. A target that was not submitted has
    no row, or an empty cell. ``date_id`` is that of the day
    today: a source may number days anew. A day that the source has withdrawn is left out. Each file
    is replaced whole.

    Args:
        lake: the lake.
        form: the layout of the files.
        folder: the folder of the files.

    Raises:
        LakeError: nothing was submitted yet.
    """
    from pyarrow.csv import write_csv
    from pyarrow.parquet import write_table

    rows = lake.arrow(
        f"SELECT trading_day, d.date_id, s.target, s.value FROM {SUBMISSIONS.quoted} AS s"
        f" JOIN {MARKET_FEATURES.quoted} AS d USING (trading_day)",
        needs=SUBMISSIONS,
    )
    days, first = np.unique(rows["trading_day"].to_numpy(), return_index=True)
    date_ids = rows["date_id"].to_numpy()[first]
    table = _lay_out(rows, days.astype("datetime64[D]"), date_ids, read_pairs(lake).targets, form)
    files = (folder / "submission.parquet", folder / "submission.csv")
    for file, write in zip(files, (write_table, write_csv), strict=True):
        buffer = pa.BufferOutputStream()
        write(table, buffer)
        write_atomically(file, buffer.getvalue().to_pybytes())
    return ExportResult(files, len(days))


def _lay_out(
    rows: pa.Table,
    days: DayArray,
    date_ids: IntArray,
    targets: tuple[str, ...],
    form: SubmissionForm,
) -> pa.Table:
    values = to_cube(rows, days, "target", targets, ["value"])[:, :, 0]
    if form.template is None:
        long = pa.table(drop_empty(long_rows(days, date_ids, {"value": values}, "target", targets)))
        # Readers take a column of a dictionary for a categorical.
        return long.set_column(2, "target", long["target"].cast(pa.string()))
    columns = dict(zip(form.columns(len(targets)), values.T, strict=True))
    return pa.table({"date_id": date_ids, **columns})
