"""A page by Evidently that shows the columns that drifted most beside their references.

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
from quant_assets.monitoring.drift.drift import drift_severity
from quant_assets.monitoring.drift.samples import (
    FORECAST_REFERENCE_DAYS,
    WINDOW_DAYS,
    find_reference_rows,
    read_feature_columns,
    read_forecast_columns,
    read_reference_fits,
)
from quant_assets.monitoring.drift.training_reference import reference_days

MAX_COLUMNS = 30
"""Columns of a page at most: each takes some 0.1 s and 30 kB."""
_MAX_VALUES = 2000
Key = tuple[str, str]
"""Level and name of a column."""


def read_worst_columns(lake: Lake, day: date) -> pd.DataFrame:
    """Read a day's rows of ``monitoring.drift``, the most severe first, at most ``MAX_COLUMNS``.

    Columns that could not be compared are left out: a day before the first fit has no rows.

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
    worst: pd.DataFrame = compared.loc[drift_severity(compared).nlargest(MAX_COLUMNS).index]
    return worst


def render_page(lake: Lake, families: Sequence[str], day: date, worst: pd.DataFrame) -> bytes:
    """Render the page of a day as HTML.

    Evidently compares its own PSI of each column, which has other bins than the table's, with the
    limit in the table. A column without values is left out, such as the forecasts of a family that
    has been removed since.

    Args:
        lake: the lake.
        families: model families with forecasts.
        day: the day.
        worst: rows of :func:`read_worst_columns`.
    """
    keys = zip(worst["level"], worst["name"], strict=True)
    wanted = dict(zip(keys, worst["psi_limit"].tolist(), strict=True))
    samples = {key: pair for key, pair in _read_samples(lake, families, day) if key in wanted}
    limits = {key: limit for key, limit in wanted.items() if key in samples}
    before, now = ({key: pair[i] for key, pair in samples.items()} for i in (0, 1))
    return _render(_to_frame(before, [*limits]), _to_frame(now, [*limits]), [*limits.values()])


def delete_old_pages(folder: Path, kept: int, besides: Path) -> None:
    """Delete all pages of a folder except the newest ones.

    Args:
        folder: has one page a day, named by the day.
        kept: how many newest pages stay.
        besides: a page that stays whatever its day.
    """
    pages = sorted(folder.glob("????-??-??.html"), reverse=True)
    for page in pages[kept:]:
        if page != besides:
            page.unlink(missing_ok=True)


def thin_values(cells: AnyArray) -> FloatArray:
    """Take at most 2,000 known values, at equal steps of their order: their distribution stays."""
    ordered = np.sort(cells[np.isfinite(cells)].astype(np.float64))
    if len(ordered) <= _MAX_VALUES:
        return ordered
    return ordered[np.linspace(0, len(ordered) - 1, _MAX_VALUES).astype(np.int64)]


def _read_samples(
    lake: Lake, families: Sequence[str], day: date
) -> Iterator[tuple[Key, tuple[AnyArray, AnyArray]]]:
    """Yield each column's values in the reference and in the window."""
    days = read_known_days(lake, day)
    (as_of,) = read_reference_fits(lake, families, days[-1:])
    references = read_feature_columns(lake, reference_days(days, as_of).ravel())
    for before, now in zip(
        references, read_feature_columns(lake, days[-WINDOW_DAYS:]), strict=True
    ):
        for name, *cells in zip(before.names, before.cells, now.cells, strict=True):
            yield (before.level, name), (thin_values(cells[0]), thin_values(cells[1]))
    recent_days = days[-WINDOW_DAYS - FORECAST_REFERENCE_DAYS :]
    for columns in read_forecast_columns(lake, families, recent_days):
        values = columns.cells[0]
        reference = values[find_reference_rows(values[:-WINDOW_DAYS])]
        pair = thin_values(reference), thin_values(values[-WINDOW_DAYS:])
        yield (columns.level, columns.names[0]), pair


def _to_frame(samples: Mapping[Key, AnyArray], keys: Sequence[Key]) -> pd.DataFrame:
    """Make a frame with a column for each key, in their order; shorter samples end with NaN."""
    return pd.DataFrame({f"{key[1]} ({key[0]})": pd.Series(samples[key]) for key in keys})


def _render(before: pd.DataFrame, now: pd.DataFrame, limits: Sequence[float]) -> bytes:
    with warnings.catch_warnings():
        # Evidently calls other libraries in ways that they warn of.
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
        result = report.run(
            Dataset.from_pandas(now, definition), Dataset.from_pandas(before, definition)
        )
        return str(result.get_html_str(as_iframe=False)).encode()
