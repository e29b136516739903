"""The submission: one row a day, one column per target in the pairs' order; its files.

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
from quant_assets.core.typing import DayArray
from quant_assets.lake.readers.forecasts import Forecasts
from quant_assets.lake.readers.point_in_time import read_date_ids
from quant_assets.lake.schemas.tables import MARKET_FEATURES, SUBMISSIONS
from quant_assets.lake.store.lake import Lake


def find_problems(forecasts: Forecasts, expected: DayArray) -> pd.DataFrame:
    """Return each day that must not be submitted with its reason; empty if all may be.

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
    """Return rows of ``submissions.competition`` without their origin: a column per target."""
    return {
        "trading_day": forecasts.days,
        "date_id": read_date_ids(lake, forecasts.days),
        **dict(zip(forecasts.targets, forecasts.values.T, strict=True)),
    }


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


def export_submission(lake: Lake, folder: Path) -> ExportResult:
    """Write every stored submission as ``submission.parquet`` and ``submission.csv``.

    Columns are ``date_id`` and the targets in order; rows ascend by day. ``date_id`` is that of the
    day today: a source may number days anew. A day that the source has withdrawn is left out. Each
    file is replaced whole.

    Raises:
        LakeError: nothing was submitted yet.
    """
    from pyarrow.csv import write_csv
    from pyarrow.parquet import write_table

    targets = [column.name for column in SUBMISSIONS.columns if column.name.startswith("target_")]
    columns = ", ".join(f's."{name}"' for name in targets)
    rows = lake.arrow(
        f"SELECT d.date_id, {columns} FROM {SUBMISSIONS.quoted} AS s"
        f" JOIN {MARKET_FEATURES.quoted} AS d USING (trading_day) ORDER BY trading_day",
        needs=SUBMISSIONS,
    )
    files = (folder / "submission.parquet", folder / "submission.csv")
    for file, write in zip(files, (write_table, write_csv), strict=True):
        buffer = pa.BufferOutputStream()
        write(rows, buffer)
        write_atomically(file, buffer.getvalue().to_pybytes())
    return ExportResult(files, rows.num_rows)
