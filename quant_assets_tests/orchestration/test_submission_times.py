"""When a submission was stored, by Dagster's records of attempts at it."""

from collections.abc import Sequence
from datetime import date

import dagster as dg
import pytest

from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.orchestration.execution.submission_times import read_submission_time

DAY = date(2023, 12, 29)
Recorded = dict[str, int]
BLOCKED: Recorded = {}
EMPTY: Recorded = {"dagster/row_count": 0}
STORED: Recorded = {"dagster/row_count": 1}


def attempt(instance: dg.DagsterInstance, recorded: Recorded) -> dg.RunRecord:
    """A run for the day alone, and what its materialisation records."""

    @dg.asset(
        key=dg.AssetKey(SUBMISSIONS.key), partitions_def=dg.DailyPartitionsDefinition("2023-12-01")
    )
    def submission() -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata=recorded)

    done = dg.materialize([submission], instance=instance, partition_key=str(DAY))
    (record,) = instance.get_run_records(dg.RunsFilter(run_ids=[done.run_id]))
    return record


@pytest.mark.parametrize("before", [[], [BLOCKED], [BLOCKED, EMPTY, BLOCKED]])
def test_what_counts_is_the_first_attempt_that_stored_rows(before: Sequence[Recorded]) -> None:
    with dg.instance_for_test() as instance:
        for recorded in before:
            attempt(instance, recorded)
        assert read_submission_time(instance, DAY) is None
        stored = attempt(instance, STORED)
        attempt(instance, STORED)
        found = read_submission_time(instance, DAY)
    assert found
    assert found.seconds is not None
    assert stored.start_time
    assert stored.end_time
    assert stored.start_time < found.at.timestamp() < stored.end_time
    assert found.seconds == pytest.approx(found.at.timestamp() - stored.start_time, abs=1e-5)
