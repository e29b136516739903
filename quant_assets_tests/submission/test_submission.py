"""Problems that keep a forecast from being submitted, and the files of a submission."""

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from quant_assets.core.errors import LakeError
from quant_assets.lake.readers.forecasts import Forecasts
from quant_assets.lake.readers.prices import pairs_rows
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.price_tables import RAW_TARGET_PAIRS
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.submission import SubmissionForm
from quant_assets.market.targets import TargetPairs
from quant_assets.submission.submission import export_submission, find_problems, submission_rows
from quant_assets_tests.support import synthetic
from quant_assets_tests.support.history_rows import as_history

N, N_TARGETS = 30, 424
WIDE, LONG = SubmissionForm("target_{number}"), SubmissionForm()
TARGETS = tuple(f"target_{i}" for i in range(N_TARGETS))
PAIRS = TargetPairs(TARGETS, np.ones(N_TARGETS, np.int64), ("A",) * N_TARGETS, (None,) * N_TARGETS)
COLUMNS = ["date_id", *TARGETS]


@pytest.fixture
def forecasts() -> Forecasts:
    days = synthetic.prices().days[:N]
    values = np.random.default_rng(0).normal(size=(N, N_TARGETS))
    return Forecasts(days, values, days, TARGETS)


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake(tmp_path / "lake") as opened:
        synthetic.number_days(opened, synthetic.prices().days[:N], first_id=1000)
        opened.replace_all(RAW_TARGET_PAIRS, pairs_rows(PAIRS))
        yield opened


def submit(lake: Lake, forecasts: Forecasts) -> None:
    ends = forecasts.days[0].item(), forecasts.days[-1].item()
    lake.replace_days(SUBMISSIONS, *ends, as_history(submission_rows(lake, forecasts)))


@contextmanager
def full_disk(free: int) -> Iterator[None]:
    """Let the kernel refuse files beyond a number of bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (free, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_good_forecasts_have_no_problems(forecasts: Forecasts) -> None:
    problems = find_problems(forecasts, forecasts.days)
    assert problems.empty
    assert list(problems.columns) == ["trading_day", "reason"]


def test_problems_are_found_with_their_day(forecasts: Forecasts) -> None:
    values = forecasts.values.copy()
    values[3, 7] = np.nan
    values[5, 423], values[6, 0] = np.inf, -np.inf
    values[8] = 0.25
    values[9] = np.nan
    broken = replace(forecasts, values=values)
    absent = np.array(["2020-12-31", "2021-01-01"], dtype="datetime64[D]")
    problems = find_problems(broken, np.concatenate([absent, forecasts.days]))
    missing = [(forecasts.days[row], "missing or infinite value") for row in (3, 5, 6, 9)]
    expected = [(day, "no forecast") for day in absent] + missing
    expected.append((forecasts.days[8], "all values equal"))
    reasons = zip(
        problems["trading_day"].to_numpy("datetime64[D]"), problems["reason"], strict=True
    )
    assert list(reasons) == expected


def test_days_beyond_those_expected_are_checked_too(forecasts: Forecasts) -> None:
    values = forecasts.values.copy()
    values[-1] = 1.0
    problems = find_problems(replace(forecasts, values=values), forecasts.days[:-1])
    assert problems["reason"].tolist() == ["all values equal"]


def test_no_forecasts_at_all(forecasts: Forecasts) -> None:
    none = Forecasts(forecasts.days[:0], forecasts.values[:0], forecasts.days[:0], TARGETS)
    assert find_problems(none, forecasts.days[:2])["reason"].tolist() == ["no forecast"] * 2
    assert find_problems(none, forecasts.days[:0]).empty


def test_exported_files(lake: Lake, forecasts: Forecasts, tmp_path: Path) -> None:
    """Both files have the columns in order, the rows by day, and unchanged numbers."""
    later = slice(10, N)
    for part in (later, slice(0, 10)):
        submit(
            lake,
            Forecasts(forecasts.days[part], forecasts.values[part], forecasts.days[part], TARGETS),
        )
    exported = export_submission(lake, WIDE, tmp_path / "exports")
    assert exported.days == N
    parquet, csv = exported.files
    assert (parquet.name, csv.name) == ("submission.parquet", "submission.csv")
    assert pq.read_schema(parquet).names == COLUMNS
    for rows in (pd.read_parquet(parquet), pd.read_csv(csv, float_precision="round_trip")):
        assert list(rows.columns) == COLUMNS
        assert rows["date_id"].dtype == np.int64
        assert rows["date_id"].tolist() == list(range(1000, 1000 + N))
        np.testing.assert_array_equal(rows[list(TARGETS)].to_numpy(), forecasts.values)
    assert csv.read_text().splitlines()[0].replace('"', "") == ",".join(COLUMNS)


def test_targets_in_another_order_are_exported_in_theirs(
    lake: Lake, forecasts: Forecasts, tmp_path: Path
) -> None:
    order = np.random.default_rng(1).permutation(N_TARGETS)
    shuffled = replace(
        forecasts, values=forecasts.values[:, order], targets=tuple(TARGETS[i] for i in order)
    )
    submit(lake, shuffled)
    rows = pd.read_parquet(export_submission(lake, WIDE, tmp_path).files[0])
    np.testing.assert_array_equal(rows[list(TARGETS)].to_numpy(), forecasts.values)


def test_a_write_that_fails_leaves_the_old_files(
    lake: Lake, forecasts: Forecasts, tmp_path: Path
) -> None:
    folder = tmp_path / "exports"
    submit(lake, forecasts)
    files = export_submission(lake, WIDE, folder).files
    before = [file.read_bytes() for file in files]
    submit(lake, replace(forecasts, values=forecasts.values + 1.0))
    with full_disk(free=min(map(len, before)) // 2), pytest.raises(OSError, match="too large"):
        export_submission(lake, WIDE, folder)
    assert [file.read_bytes() for file in files] == before
    assert set(folder.iterdir()) == set(files)
    export_submission(lake, WIDE, folder)
    assert [file.read_bytes() for file in files] != before


def test_nothing_submitted_is_nothing_exported(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match="materialise the asset submissions/daily"):
        export_submission(lake, WIDE, tmp_path / "exports")
    assert not (tmp_path / "exports").exists()


def test_a_long_submission_has_a_row_for_each_day_and_target(
    lake: Lake, forecasts: Forecasts, tmp_path: Path
) -> None:
    submit(lake, forecasts)
    exported = export_submission(lake, LONG, tmp_path)
    rows = pd.read_parquet(exported.files[0])
    assert exported.days == N
    assert list(rows.columns) == ["trading_day", "date_id", "target", "value"]
    assert rows["target"].tolist() == list(TARGETS) * N
    assert rows["date_id"].tolist() == np.repeat(np.arange(1000, 1000 + N), N_TARGETS).tolist()
    np.testing.assert_array_equal(rows["value"].to_numpy(), forecasts.values.ravel())
