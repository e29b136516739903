"""What is forgotten of old runs, and what stays for those who read it."""

import shutil
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.orchestration.execution.run_history import Forgotten, forget_old_runs
from quant_assets.orchestration.execution.runs import RANGE_END, RANGE_START, open_instance
from quant_assets.orchestration.execution.submission_times import find_storing_run

PRICES, SUBMISSION = dg.AssetKey(["raw", "prices"]), dg.AssetKey(SUBMISSIONS.key)
DAYS = dg.DailyPartitionsDefinition("2023-12-01", "2023-12-31")
FIRST, LAST = date(2023, 12, 1), date(2023, 12, 30)
LATER = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture
def opened(empty_data_dir: Path, tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    data_dir = Path(shutil.copytree(empty_data_dir, tmp_path / "data"))
    with open_instance(Settings(data_dir=data_dir)) as opened:
        yield opened


def run(
    opened: dg.DagsterInstance,
    job: str,
    first: date,
    last: date,
    *,
    submits: bool = False,
    rows: int = 5,
) -> str:
    """Materialize the days in a real run with a check of each day; return the run's id."""

    @dg.asset(
        key=SUBMISSION if submits else PRICES,
        partitions_def=DAYS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[dg.AssetCheckSpec("whole", asset=SUBMISSION if submits else PRICES)],
    )
    def stored() -> dg.MaterializeResult:  # type: ignore[type-arg]
        return dg.MaterializeResult(
            metadata={"dagster/row_count": rows}, check_results=[dg.AssetCheckResult(passed=True)]
        )

    result = (
        dg.Definitions([stored], jobs=[dg.define_asset_job(job, [stored])])
        .resolve_job_def(job)
        .execute_in_process(instance=opened, tags={RANGE_START: str(first), RANGE_END: str(last)})
    )
    return result.run_id


def logs(opened: dg.DagsterInstance) -> set[str]:
    """Return the ids of the runs that have a log."""
    files = Path(opened.root_directory, "history", "runs").glob("*-*.db")
    return {file.stem for file in files}


def test_a_run_goes_when_all_that_it_stored_was_stored_again(opened: dg.DagsterInstance) -> None:
    gone, _, newest = (run(opened, "load_history", FIRST, LAST) for _ in range(3))
    part = run(opened, "refresh_daily", LAST, LAST)
    last = run(opened, "refresh_daily", FIRST, FIRST)
    before = opened.get_materialized_partitions(PRICES)
    assert len(before) == 30
    forgotten = forget_old_runs(opened, LATER)
    assert str(forgotten).startswith(
        "deleted runs: 2; deleted logs of runs that stay: 1; given back"
    )
    assert {each.run_id for each in opened.get_runs()} == {newest, part, last}
    assert logs(opened) == {newest, last}
    assert gone not in logs(opened)
    assert opened.get_materialized_partitions(PRICES) == before
    (record,) = opened.fetch_materializations(
        dg.AssetRecordsFilter(PRICES, asset_partitions=[str(LAST)]), limit=1
    ).records
    assert record.run_id == part
    assert forget_old_runs(opened, LATER) == Forgotten()


def test_the_run_that_submitted_a_day_first_stays(opened: dg.DagsterInstance) -> None:
    blocked = run(opened, "refresh_daily", LAST, LAST, submits=True, rows=0)
    first = run(opened, "refresh_daily", LAST, LAST, submits=True)
    between = run(opened, "refresh_daily", LAST, LAST, submits=True)
    newest = run(opened, "load_history", FIRST, LAST, submits=True)
    run(opened, "refresh_daily", FIRST, FIRST, submits=True)
    forget_old_runs(opened, LATER)
    assert find_storing_run(opened, LAST) == first
    assert opened.get_run_by_id(between) is None
    assert opened.get_run_by_id(newest)
    assert opened.get_run_by_id(blocked)


def test_runs_that_are_new_or_go_on_stay_whole(opened: dg.DagsterInstance) -> None:
    runs = {run(opened, "load_history", FIRST, FIRST) for _ in range(2)}
    going_on = dg.DagsterRun("load_history", status=dg.DagsterRunStatus.STARTED)
    opened.add_run(going_on)
    assert forget_old_runs(opened, LATER - timedelta(days=2)) == Forgotten()
    assert logs(opened) >= runs
    forget_old_runs(opened, LATER)
    assert opened.get_run_by_id(going_on.run_id)
