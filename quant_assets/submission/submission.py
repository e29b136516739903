"""The submission: one row a day, one column per target in the pairs' order; its files.

What is forecast, and how well, belongs elsewhere.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from quant_assets.core.typing import DayArray
from quant_assets.lake.readers.forecasts import Forecasts
from quant_assets.lake.readers.point_in_time import read_date_ids
from quant_assets.lake.schemas.tables import SUBMISSIONS
from quant_assets.lake.store.artifacts import write_atomically
from quant_assets.lake.store.lake import Lake


def find_problems(forecasts: Forecasts, expected: DayArray) -> pd.DataFrame:
    """What forbids submitting the forecasts: day and reason, empty if nothing does.

    Args:
        forecasts: the days to submit.
        expected: the days that must be among them.
    """
    values = forecasts.values
    reasons = [(day, "no forecast") for day in np.setdiff1d(expected, forecasts.days)]
    missing = ~np.isfinite(values).all(axis=1)
    reasons += [(day, "missing or infinite value") for day in forecasts.days[missing]]
    constant = ~missing & (np.ptp(np.nan_to_num(values), axis=1) == 0)
    reasons += [(day, "all values equal") for day in forecasts.days[constant]]
    return pd.DataFrame(reasons, columns=["trading_day", "reason"])


def submission_rows(lake: Lake, forecasts: Forecasts) -> dict[str, Any]:
    """Rows of ``submissions.competition``."""
    return {
        "trading_day": forecasts.days,
        "date_id": read_date_ids(lake, forecasts.days),
        **dict(zip(forecasts.targets, forecasts.values.T, strict=True)),
    }


@dataclass(frozen=True)
class SubmissionTime:
    """When a day's submission was stored first.

    Attributes:
        at: the moment, UTC.
        seconds: since the run began that was for this day alone; None if it was for others too.
    """

    at: datetime
    seconds: float | None


@dataclass(frozen=True)
class ExportResult:
    """The files written and the days in them."""

    files: tuple[Path, ...]
    days: int


def export_submission(lake: Lake, folder: Path) -> ExportResult:
    """Write every stored submission as ``submission.parquet`` and ``submission.csv``.

    Columns are ``date_id`` and the targets in order; rows ascend by day. Each file is replaced
    whole.

    Raises:
        LakeError: nothing was submitted yet.
    """
    from pyarrow.csv import write_csv
    from pyarrow.parquet import write_table

    names = [column.name for column in SUBMISSIONS.columns if column.name != "trading_day"]
    columns = ", ".join(f'"{name}"' for name in names)
    rows = lake.arrow(
        f"SELECT {columns} FROM {SUBMISSIONS.quoted} ORDER BY trading_day", needs=SUBMISSIONS
    )
    files = (folder / "submission.parquet", folder / "submission.csv")
    for file, write in zip(files, (write_table, write_csv), strict=True):
        buffer = pa.BufferOutputStream()
        write(rows, buffer)
        write_atomically(file, buffer.getvalue().to_pybytes())
    return ExportResult(files, rows.num_rows)
