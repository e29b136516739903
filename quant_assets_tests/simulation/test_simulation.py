"""Forty days with everything that can go wrong, by the command; and that its verdict can be bad."""

import os
import subprocess
from datetime import UTC, datetime, time
from pathlib import Path

import pytest

from quant_assets.core.settings import Settings, load_settings
from quant_assets.lake.schemas.alert_tables import ALERT_DELIVERIES, ALERTS
from quant_assets.lake.schemas.promotion_tables import RELEASES
from quant_assets.lake.schemas.tables import SUBMISSIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import FALL_BACK
from quant_assets.orchestration.execution.runs import open_instance
from quant_assets.simulation.assessment import Assessment, assess
from quant_assets.simulation.plan import Plan, read_plan
from quant_assets.simulation.scenario import (
    FAMILIES,
    FULL,
    KILLED,
    RESTARTED,
    WORSE,
    build_scenario,
)
from quant_assets_tests.support.installation import PROGRAM, CommandResult

pytestmark = pytest.mark.slow(
    "forty simulated days with every fault, run by the daemon", seconds=600
)

DAYS = 40
PATIENCE = 3600


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CommandResult]:
    data = tmp_path_factory.mktemp("rehearsed")
    others = {k: v for k, v in os.environ.items() if not k.startswith(("QUANT_", "DAGSTER_"))}
    done = subprocess.run(
        [PROGRAM, "rehearse", "--days", str(DAYS)],
        env=others | {"QUANT_DATA_DIR": str(data)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return data / "rehearsal", CommandResult(done.returncode, done.stdout, done.stderr)


def test_the_platform_comes_through_everything(rehearsed: tuple[Path, CommandResult]) -> None:
    _, done = rehearsed
    assert done.status == 0, done.out + done.err
    assert f"submissions: {DAYS} of {DAYS}" in done.out
    table = done.out[done.out.index("detected after") :]
    for fault in build_scenario(DAYS):
        assert fault.kind in table
    assert "failed:" not in done.out


def again(root: Path) -> tuple[Plan, Settings, dict[str, datetime]]:
    plan = read_plan(root)
    done_to_it = {*FAMILIES, KILLED, FULL, RESTARTED}
    deeds = {
        fault.kind: datetime.combine(plan.world.day(fault.first), time(22), UTC)
        for fault in plan.faults
        if fault.kind in done_to_it
    }
    return plan, load_settings(data_dir=root / "data"), deeds


def judged(root: Path, lost: int = 0, undone: str = "") -> Assessment:
    """Judged again, as if the channel had not taken the last messages, or a deed was not done."""
    plan, settings, deeds = again(root)
    done = {kind: moment for kind, moment in deeds.items() if kind != undone}
    with open_instance(settings) as opened, Lake(settings.lake_dir, read_only=True) as lake:
        sent = lake.columns(f"SELECT subject FROM {ALERT_DELIVERIES.quoted} ORDER BY created_at")
        taken = sent["subject"].tolist()
        return assess(plan, lake, opened, done, taken[: len(taken) - lost], 1)


def test_what_was_judged_well_is_judged_so_again(rehearsed: tuple[Path, CommandResult]) -> None:
    root, _ = rehearsed
    assert judged(root).failings == []


def test_a_message_that_did_not_arrive_is_seen(rehearsed: tuple[Path, CommandResult]) -> None:
    root, _ = rehearsed
    (found,) = judged(root, lost=1).failings
    assert found.endswith("0 arrived of 1")


def test_a_fault_that_never_came_about_is_seen(rehearsed: tuple[Path, CommandResult]) -> None:
    root, _ = rehearsed
    assert f"{FULL}: never came about" in judged(root, undone=FULL).failings


def test_a_worse_challenger_that_was_never_made_is_seen(
    rehearsed: tuple[Path, CommandResult],
) -> None:
    root, _ = rehearsed
    _, settings, _ = again(root)
    with Lake(settings.lake_dir) as lake:
        kept = lake.arrow(f"FROM {RELEASES.quoted}").to_pydict()
        other = [FALL_BACK if name == FAMILIES[WORSE] else name for name in kept["family"]]
        lake.replace_all(RELEASES, {**kept, "family": other})
        found = judged(root).failings
        lake.replace_all(RELEASES, kept)
    assert "nothing was decided about the worse challenger" in found


def test_a_submission_that_is_changed_or_missing_is_seen(
    rehearsed: tuple[Path, CommandResult],
) -> None:
    root, _ = rehearsed
    plan, settings, _ = again(root)
    changed, missing = plan.world.day(5), plan.world.day(7)
    with Lake(settings.lake_dir) as lake:
        row = lake.columns(f"FROM {SUBMISSIONS.quoted} WHERE trading_day = ?", [changed])
        before = {**row, "target_0": row["target_0"].copy()}
        row["target_0"] = row["target_0"] + 1.0
        kept = lake.columns(f"FROM {SUBMISSIONS.quoted} WHERE trading_day = ?", [missing])
        lake.replace_days(SUBMISSIONS, changed, changed, row)
        lake.replace_days(SUBMISSIONS, missing, missing, {k: v[:0] for k, v in kept.items()})
        found = judged(root).failings
        lake.replace_days(SUBMISSIONS, changed, changed, before)
        lake.replace_days(SUBMISSIONS, missing, missing, kept)
    assert f"{DAYS - 1} submissions of {DAYS}" in found
    assert f"the submission of {changed} was changed afterwards" in found


def test_an_alert_that_was_never_closed_is_seen(rehearsed: tuple[Path, CommandResult]) -> None:
    root, _ = rehearsed
    _, settings, _ = again(root)
    with Lake(settings.lake_dir) as lake:
        kept = lake.arrow(f"FROM {ALERTS.quoted}").to_pydict()
        late = [key.startswith("data_late/") for key in kept["key"]]
        opened = [
            None if is_late else moment
            for is_late, moment in zip(late, kept["closed_at"], strict=True)
        ]
        lake.replace_all(ALERTS, {**kept, "closed_at": opened})
        found = judged(root).failings
        lake.replace_all(ALERTS, kept)
    assert "late source: its alert is still open" in found
