"""The columns that drifted most, side by side with their references, as a page by Evidently.

Evidently takes seconds to import, so it is imported when a page is rendered and never before. The
page holds its scripts itself and loads nothing; Evidently's telemetry belongs to its server, which
is not used.
"""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from quant_assets.core.errors import LakeError
from quant_assets.core.typing import AnyArray, FloatArray
from quant_assets.lake.readers.point_in_time import read_known_days
from quant_assets.lake.schemas.monitoring_tables import DRIFT
from quant_assets.lake.store.lake import Lake
from quant_assets.monitoring.drift.drift import reference_forecasts, severity
from quant_assets.monitoring.drift.samples import (
    FORECAST_DAYS,
    WINDOW,
    read_feature_columns,
    read_forecast_columns,
    read_reference_fits,
)
from quant_assets.monitoring.drift.training_reference import reference_days

COLUMNS = 30
"""Columns of a report: each takes some 0.1 s and 30 kB."""
_VALUES = 2000
Key = tuple[str, str]


def read_worst_columns(lake: Lake, day: date) -> pd.DataFrame:
    """Rows of ``monitoring.drift`` of a day, those farthest beyond their limits first.

    Only columns that could be compared: on a day before the first fit there are none.

    Raises:
        LakeError: the day has no rows.
    """
    rows = lake.arrow(
        f"SELECT * FROM {DRIFT.quoted} WHERE trading_day = ? ORDER BY level, name",
        [day],
        needs=DRIFT,
    ).to_pandas()
    if rows.empty:
        raise LakeError(
            "the day was not compared",
            where=DRIFT.name,
            expected=f"rows of {day}",
            hint="materialise monitoring/drift of this day first",
        )
    compared = rows[rows["ks"].notna()]
    worst: pd.DataFrame = compared.loc[severity(compared).nlargest(COLUMNS).index]
    return worst


def render_page(lake: Lake, families: Sequence[str], day: date, worst: pd.DataFrame) -> bytes:
    """The page of a day.

    Evidently judges each column by its own PSI, of other bins than the table's, against the limit
    of the table. A column is left out if its values are gone, as the forecasts of a family are that
    was dropped since.

    Args:
        lake: the lake.
        families: model families with forecasts.
        day: the day.
        worst: rows of :func:`read_worst_columns`.
    """
    keys = zip(worst["level"], worst["name"], strict=True)
    wanted = dict(zip(keys, worst["psi_limit"].tolist(), strict=True))
    found = {key: pair for key, pair in _samples(lake, families, day) if key in wanted}
    limits = {key: limit for key, limit in wanted.items() if key in found}
    before, now = ({key: pair[i] for key, pair in found.items()} for i in (0, 1))
    return _page(_frame(before, [*limits]), _frame(now, [*limits]), [*limits.values()])


def delete_old_pages(folder: Path, kept: int, besides: Path) -> None:
    """Delete all pages but those of the newest days, and one that is kept whatever its day."""
    pages = sorted(folder.glob("????-??-??.html"), reverse=True)
    for page in pages[kept:]:
        if page != besides:
            page.unlink(missing_ok=True)


def thin_out(cells: AnyArray) -> FloatArray:
    """At most so many known values that are spread as all are: evenly over their order."""
    ordered = np.sort(cells[np.isfinite(cells)].astype(np.float64))
    if len(ordered) <= _VALUES:
        return ordered
    return ordered[np.linspace(0, len(ordered) - 1, _VALUES).astype(np.int64)]


def _samples(
    lake: Lake, families: Sequence[str], day: date
) -> Iterator[tuple[Key, tuple[AnyArray, AnyArray]]]:
    """Each column's values in the reference and in the window."""
    days = read_known_days(lake, day)
    (as_of,) = read_reference_fits(lake, families, days[-1:])
    then = read_feature_columns(lake, reference_days(days, as_of).ravel())
    for before, now in zip(then, read_feature_columns(lake, days[-WINDOW:]), strict=True):
        for name, *cells in zip(before.names, before.cells, now.cells, strict=True):
            yield (before.level, name), (thin_out(cells[0]), thin_out(cells[1]))
    for columns in read_forecast_columns(lake, families, days[-WINDOW - FORECAST_DAYS :]):
        values = columns.cells[0]
        before_it = reference_forecasts(values[:-WINDOW])
        yield (columns.level, columns.names[0]), (thin_out(before_it), thin_out(values[-WINDOW:]))


def _frame(samples: Mapping[Key, AnyArray], keys: Sequence[Key]) -> pd.DataFrame:
    """A column each, in the order of ``keys``; shorter ones end with NaN."""
    return pd.DataFrame({f"{key[1]} ({key[0]})": pd.Series(samples[key]) for key in keys})


def _page(before: pd.DataFrame, now: pd.DataFrame, limits: Sequence[float]) -> bytes:
    with warnings.catch_warnings():
        # Of Evidently's own making, about libraries that it calls.
        warnings.simplefilter("ignore")
        from evidently import DataDefinition, Dataset, Report
        from evidently.metrics import ValueDrift

        definition = DataDefinition(numerical_columns=list(before.columns))
        report = Report(
            [
                ValueDrift(column=name, method="psi", threshold=limit)
                for name, limit in zip(before.columns, limits, strict=True)
            ],
            include_tests=False,
        )
        made = report.run(
            Dataset.from_pandas(now, definition), Dataset.from_pandas(before, definition)
        )
        return str(made.get_html_str(as_iframe=False)).encode()
