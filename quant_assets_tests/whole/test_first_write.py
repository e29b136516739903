"""The first write of prices records their market, whatever starts the run."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from quant_assets.core.settings import (
    Settings,
    market_in_settings,
    read_held_market,
    require_market,
)
from quant_assets.definitions import build_definitions
from quant_assets.lake.store.lake import Lake
from quant_assets.orchestration.execution.runs import RunFailedError, open_instance, run_job
from quant_assets.orchestration.jobs.job_run import JobRun
from quant_assets_tests.support.installation import Command, Installation
from quant_assets_tests.support.small_market import FIRST_DAY, write_small_market

RAW = ("raw.target_pairs", "raw.prices")
TOGETHER = {"raw.prices": ["raw.prices", "validated.quarantine", "validated.prices"]}
"""Tables that one step writes together."""


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    """The small market, before any load."""
    write_small_market(tmp_path / "market")
    return Installation(tmp_path)


@pytest.fixture
def opened(installation: Installation) -> Iterator[dg.DagsterInstance]:
    with open_instance(installation.settings) as instance:
        yield instance


def write(settings: Settings, opened: dg.DagsterInstance, table: str) -> None:
    """Load the first day as a run of the UI does, which no command prepares."""
    only = TOGETHER.get(table, [table])
    run = JobRun("load_history", FIRST_DAY, FIRST_DAY, only=only)
    run_job(build_definitions(settings), opened, run)


@pytest.mark.parametrize("table", RAW)
def test_the_first_write_holds_the_market(
    table: str, installation: Installation, opened: dg.DagsterInstance
) -> None:
    write(installation.settings, opened, table)
    assert read_held_market(installation.settings) == market_in_settings(installation.settings)
    require_market(installation.settings, loaded=True)


@pytest.mark.parametrize("table", RAW)
def test_another_market_is_not_written_into_it(
    table: str, installation: Installation, opened: dg.DagsterInstance
) -> None:
    """Not even a server that started before the first write can write another market."""
    write(installation.settings, opened, table)
    other = installation.settings.model_copy(
        update={"source": str(write_small_market(installation.root / "b"))}
    )
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        before = lake.snapshot_id()
    with pytest.raises(RunFailedError, match="holds another market"):
        write(other, opened, table)
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        assert lake.snapshot_id() == before
    assert read_held_market(installation.settings) == market_in_settings(installation.settings)


def test_families_that_were_asked_for_since_are_kept(
    installation: Installation, opened: dg.DagsterInstance
) -> None:
    write(installation.settings, opened, RAW[0])
    later = market_in_settings(installation.settings).model_copy(update={"families": "all"})
    installation.settings.market_file.write_text(later.model_dump_json())
    write(installation.settings, opened, RAW[0])
    assert read_held_market(installation.settings) == later


def test_a_market_that_cannot_be_read_is_not_held(
    installation: Installation, opened: dg.DagsterInstance
) -> None:
    definitions = build_definitions(installation.settings)
    (installation.folder / "target_pairs.csv").unlink()
    with pytest.raises(RunFailedError, match="target_pairs"):
        run_job(definitions, opened, JobRun("load_history", FIRST_DAY, FIRST_DAY, only=RAW[:1]))
    assert read_held_market(installation.settings) is None


def test_a_demo_without_a_folder_is_of_the_source_that_is_given(
    tmp_path: Path, command: Command
) -> None:
    missing = str(tmp_path / "nothing")
    command(Installation(tmp_path), "demo", QUANT_SOURCE=missing).refused_with(missing, "train.csv")
