"""The lines that tell how far a run is."""

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from quant_assets.core.settings import Settings
from quant_assets.orchestration.execution.runs import open_instance, run_job
from quant_assets.orchestration.jobs.job_run import JobRun

DAY = date(2023, 12, 29)
DAYS = dg.DailyPartitionsDefinition("2023-12-29", end_date="2023-12-30")


@dg.multi_asset(
    specs=[dg.AssetSpec(["raw", "prices"]), dg.AssetSpec(["validated", "prices"])],
    partitions_def=DAYS,
    can_subset=True,
)
def prices(context: dg.AssetExecutionContext) -> Iterator[dg.MaterializeResult]:
    """Make two assets in one step."""
    for key in sorted(context.selected_asset_keys):
        yield dg.MaterializeResult(asset_key=key)


@dg.asset(key=["features", "labels"], partitions_def=DAYS, deps=[["raw", "prices"]])
def labels(context: dg.AssetExecutionContext) -> None:
    """Say something in the last step."""
    context.log.info("labels are known")


DEFINITIONS = dg.Definitions(
    assets=[prices, labels],
    jobs=[dg.define_asset_job("all_of_them", dg.AssetSelection.all())],
    executor=dg.in_process_executor,
)


@pytest.mark.parametrize(
    ("only", "steps"),
    [
        ((), ["prices", "features.labels"]),
        (("raw.prices", "validated.prices", "features.labels"), ["prices", "features.labels"]),
        (("raw.prices", "validated.prices"), ["prices"]),
    ],
)
def test_the_count_reaches_its_total_and_every_step_ends(
    only: tuple[str, ...],
    steps: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    # Dagster shows what a step writes by this program, which it ends with the step.
    late = tmp_path / "bin" / "tail"
    late.parent.mkdir()
    late.write_text("#!/bin/sh\nexec sleep 60\n")
    late.chmod(0o755)
    monkeypatch.setenv("PATH", str(late.parent), prepend=":")
    with open_instance(Settings(data_dir=tmp_path / "data")) as opened:
        run_job(DEFINITIONS, opened, JobRun("all_of_them", DAY, DAY, only=only))
    lines = [line.strip() for line in capfd.readouterr().err.splitlines()]
    begun = [f"[ {i}/{len(steps)}] {name} ..." for i, name in enumerate(steps, start=1)]
    assert [line for line in lines if line.endswith("...")] == begun
    assert [line.partition(":")[0] for line in lines if ": done in " in line] == steps
    assert ("labels are known" in lines) is ("features.labels" in steps)
