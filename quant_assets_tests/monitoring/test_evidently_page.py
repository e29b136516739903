"""The page of a day's drift: its contents, that it loads nothing, and days without a page."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quant_assets.core.errors import LakeError
from quant_assets.lake.schemas.monitoring_tables import DRIFT
from quant_assets.lake.store.lake import Lake
from quant_assets.monitoring.drift.drift import drift_rows, drift_severity
from quant_assets.monitoring.drift.evidently_page import (
    MAX_COLUMNS,
    delete_old_pages,
    read_worst_columns,
    render_page,
    thin_values,
)
from quant_assets.orchestration.assets.table_assets import to_columns
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.monitored_lake import FAMILIES, FIT_ROWS

DAYS = synthetic.prices().days
EARLY, LATE, NEVER = (DAYS[row].item() for row in (FIT_ROWS[0] - 1, 420, 421))


@pytest.fixture(scope="module")
def compared(watched: Lake) -> Lake:
    for day in (EARLY, LATE):
        rows = drift_rows(watched, FAMILIES, day, day)
        watched.replace_days(DRIFT, day, day, to_columns(rows))
    return watched


def test_the_worst_come_first(compared: Lake) -> None:
    worst = read_worst_columns(compared, LATE)
    assert len(worst) == MAX_COLUMNS
    assert drift_severity(worst).is_monotonic_decreasing
    every = compared.query("FROM monitoring.drift WHERE trading_day = ?", [LATE])
    assert (
        drift_severity(worst).min()
        >= np.sort(drift_severity(every[every["ks"].notna()]))[-MAX_COLUMNS]
    )


def test_the_page_has_every_column_and_loads_nothing(compared: Lake) -> None:
    """Sockets are blocked here, so making the page loads nothing either."""
    worst = read_worst_columns(compared, LATE)
    page = render_page(compared, FAMILIES, LATE, worst).decode()
    for row in worst.itertuples():
        assert f"{row.name} ({row.level})" in page
    assert not re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=", page)
    assert not re.findall(r"(?:@import\s*|url\()['\"]?https?:", page)


def test_a_column_without_values_is_left_out(compared: Lake) -> None:
    """Every column is beyond a limit of zero and none beyond nine; the others keep their limits."""
    worst = read_worst_columns(compared, LATE).head(3).assign(psi_limit=0.0)
    dropped = worst.head(1).assign(level="forecast", name="dropped_since", psi_limit=9.0)
    page = render_page(compared, FAMILIES, LATE, pd.concat([dropped, worst])).decode()
    assert "dropped_since" not in page
    results = re.findall(r"Drift in column '([^']*)'\", \"label\": \"Data drift (\w+)", page)
    assert results == [(f"{row.name} ({row.level})", "detected") for row in worst.itertuples()]


def test_rendering_asks_for_no_telemetry() -> None:
    """Evidently reports its use only from its server, which a page never imports."""
    program = (
        "import sys, evidently.metrics; from evidently import Report; "
        "print(*(name for name in sys.modules if 'iterative_telemetry' in name))"
    )
    process = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert process.stdout.strip() == ""


def test_a_day_before_the_first_fit_has_nothing_to_show(compared: Lake) -> None:
    assert read_worst_columns(compared, EARLY).empty


def test_a_day_that_was_not_compared_is_refused(compared: Lake, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="was not compared"):
        read_worst_columns(compared, NEVER)
    with Lake(tmp_path / "lake") as empty, pytest.raises(LakeError, match="no rows yet"):
        read_worst_columns(empty, LATE)


def test_a_thinned_sample_is_spread_as_the_whole() -> None:
    cells = np.random.default_rng(0).normal(size=(50, 1000)).astype(np.float32)
    cells[:, ::7] = np.nan
    few = thin_values(cells)
    assert len(few) == 2000
    for share in (0.0, 0.1, 0.5, 0.9, 1.0):
        assert np.quantile(few, share) == pytest.approx(np.nanquantile(cells, share), abs=0.01)
    np.testing.assert_array_equal(thin_values(np.array([3.0, np.inf, 1.0, np.nan])), [1.0, 3.0])


def test_the_newest_pages_are_kept_and_the_one_just_written(tmp_path: Path) -> None:
    for name in (*(f"2024-01-0{day}.html" for day in range(1, 8)), "notes.html"):
        (tmp_path / name).touch()
    delete_old_pages(tmp_path, 3, besides=tmp_path / "2024-01-02.html")
    left = {page.name for page in tmp_path.iterdir()}
    assert left == {"notes.html", *(f"2024-01-0{day}.html" for day in (2, 5, 6, 7))}
