"""A rehearsal of forty days with all incidents, in which the past changes as well; and the failures
that its assessment reports."""

import os
import subprocess
from datetime import UTC, datetime, time
from pathlib import Path

import numpy as np
import pytest

from quant_assets.core.settings import Settings, load_settings
from quant_assets.lake.schemas.alert_tables import ALERT_DELIVERIES, ALERTS
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.schemas.price_tables import RAW_PRICES
from quant_assets.lake.schemas.promotion_tables import RELEASES
from quant_assets.lake.schemas.revision_tables import REVISIONS
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import FALL_BACK
from quant_assets.orchestration.execution.runs import open_instance
from quant_assets.simulation.assessment import Assessment, assess
from quant_assets.simulation.plan import Plan, read_plan
from quant_assets.simulation.scenario import (
    CORRECTED,
    DELETED,
    DIVIDEND,
    FAMILIES,
    FULL,
    KILLED,
    LEFT_OUT,
    RESTARTED,
    SPLIT,
    WITHDRAWN,
    WORSE,
    build_scenario,
)
from quant_assets_tests.support.installation import PROGRAM, CommandResult

pytestmark = pytest.mark.slow(
    "forty simulated days with all incidents, run by the daemon", seconds=900
)

DAYS = 40
PATIENCE = 3600


@pytest.fixture(scope="module")
def rehearsed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, CommandResult]:
    data = tmp_path_factory.mktemp("rehearsed")
    others = {k: v for k, v in os.environ.items() if not k.startswith(("QUANT_", "DAGSTER_"))}
    done = subprocess.run(
        [PROGRAM, "rehearse", "--days", str(DAYS), "--revised"],
        env=others | {"QUANT_DATA_DIR": str(data)},
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )
    return data / "rehearsal", CommandResult(done.returncode, done.stdout, done.stderr)


def test_the_platform_passes_a_rehearsal_with_all_incidents(
    rehearsed: tuple[Path, CommandResult],
) -> None:
    _, done = rehearsed
    assert done.status == 0, done.out + done.err
    # A session that comes late and a day that is bad cannot be submitted in time.
    assert f"submissions: {DAYS - 2} of {DAYS - 2}" in done.out
    table = done.out[done.out.index("detected after") :]
    for incident in build_scenario(DAYS, revised=True):
        assert incident.kind in table
    assert "failed:" not in done.out


def read_rehearsal(root: Path) -> tuple[Plan, Settings, dict[str, datetime]]:
    plan = read_plan(root)
    caused_kinds = {*FAMILIES, KILLED, FULL, RESTARTED}
    caused_at = {
        incident.kind: datetime.combine(plan.market.day(incident.first), time(22), UTC)
        for incident in plan.incidents
        if incident.kind in caused_kinds
    }
    return plan, load_settings(data_dir=root / "data"), caused_at


def assess_again(root: Path, lost: int = 0, not_caused: str = "") -> Assessment:
    """Assess as if the last messages were lost, or an incident was not caused."""
    plan, settings, all_caused = read_rehearsal(root)
    caused_at = {kind: moment for kind, moment in all_caused.items() if kind != not_caused}
    with (
        Lake(settings.lake_dir, read_only=True) as lake,
        Lake(root / "final_data" / "lake", read_only=True) as final,
        open_instance(settings) as instance,
    ):
        sent = lake.columns(f"SELECT subject FROM {ALERT_DELIVERIES.quoted} ORDER BY created_at")
        received = sent["subject"].tolist()
        received = received[: len(received) - lost]
        return assess(plan, lake, final, instance, caused_at, received, 1)


def test_a_rehearsal_that_passed_passes_again(rehearsed: tuple[Path, CommandResult]) -> None:
    root, _ = rehearsed
    assert assess_again(root).failures == []


def test_a_message_that_did_not_arrive_is_reported(rehearsed: tuple[Path, CommandResult]) -> None:
    root, _ = rehearsed
    (failure,) = assess_again(root, lost=1).failures
    assert failure.endswith("arrived 0 times, not 1")


def test_an_incident_that_was_not_caused_is_reported(
    rehearsed: tuple[Path, CommandResult],
) -> None:
    root, _ = rehearsed
    failures = assess_again(root, not_caused=FULL).failures
    assert f"{FULL}: the rehearsal did not cause it" in failures


def test_a_worse_challenger_that_was_never_registered_is_reported(
    rehearsed: tuple[Path, CommandResult],
) -> None:
    root, _ = rehearsed
    _, settings, _ = read_rehearsal(root)
    with Lake(settings.lake_dir) as lake:
        kept = lake.arrow(f"FROM {RELEASES.quoted}").to_pydict()
        other = [FALL_BACK if name == FAMILIES[WORSE] else name for name in kept["family"]]
        lake.replace_all(RELEASES, {**kept, "family": other})
        failures = assess_again(root).failures
        lake.replace_all(RELEASES, kept)
    assert "no decision was made about the worse challenger" in failures


def test_a_submission_that_is_changed_or_missing_is_reported(
    rehearsed: tuple[Path, CommandResult],
) -> None:
    root, _ = rehearsed
    plan, settings, _ = read_rehearsal(root)
    changed, missing = plan.market.day(5), plan.market.day(7)
    with Lake(settings.lake_dir) as lake:
        row = lake.columns(f"FROM {SUBMISSIONS.quoted} WHERE trading_day = ?", [changed])
        before = {**row, "value": row["value"].copy()}
        row["value"] = row["value"] + np.arange(len(row["value"])) % 2
        kept = lake.columns(f"FROM {SUBMISSIONS.quoted} WHERE trading_day = ?", [missing])
        nothing = {k: v[:0] for k, v in kept.items()}
        lake.replace_days(SUBMISSIONS, changed, changed, row, supersede="a test")
        lake.replace_days(SUBMISSIONS, missing, missing, nothing, supersede="a test")
        failures = assess_again(root).failures
        lake.replace_days(SUBMISSIONS, changed, changed, before, supersede="a test")
        lake.replace_days(SUBMISSIONS, missing, missing, kept, supersede="a test")
    assert f"{missing} was not submitted in time" in failures
    assert f"the submission of {changed} was changed afterwards" in failures


def test_a_price_that_is_not_the_final_one_is_reported(
    rehearsed: tuple[Path, CommandResult],
) -> None:
    root, _ = rehearsed
    plan, settings, _ = read_rehearsal(root)
    day = plan.market.day(12)
    with Lake(settings.lake_dir) as lake:
        kept = lake.arrow(f"FROM {RAW_PRICES.quoted} WHERE trading_day = ?", [day]).to_pydict()
        values = [value and value * 1.5 for value in kept["value"]]
        lake.replace_days(RAW_PRICES, day, day, {**kept, "value": values})
        failures = assess_again(root).failures
        lake.replace_days(RAW_PRICES, day, day, kept)
    (failure,) = failures
    assert failure.startswith(f"{RAW_PRICES.name} differs from the final source in ")
    assert str(day) in failure


def test_a_revision_that_was_not_written_down_is_reported(
    rehearsed: tuple[Path, CommandResult],
) -> None:
    root, _ = rehearsed
    _, settings, _ = read_rehearsal(root)
    with Lake(settings.lake_dir) as lake:
        kept = lake.arrow(f"FROM {REVISIONS.quoted}").to_pydict()
        lake.replace_all(REVISIONS, {name: values[:0] for name, values in kept.items()})
        failures = assess_again(root).failures
        lake.replace_all(REVISIONS, kept)
    kinds = {failure.partition(":")[0] for failure in failures}
    assert kinds == {SPLIT, DIVIDEND, CORRECTED, WITHDRAWN, DELETED, LEFT_OUT}


def test_an_alert_that_was_never_closed_is_reported(
    rehearsed: tuple[Path, CommandResult],
) -> None:
    root, _ = rehearsed
    _, settings, _ = read_rehearsal(root)
    with Lake(settings.lake_dir) as lake:
        kept = lake.arrow(f"FROM {ALERTS.quoted}").to_pydict()
        late = [key.startswith("data_late/") for key in kept["key"]]
        opened = [
            None if is_late else moment
            for is_late, moment in zip(late, kept["closed_at"], strict=True)
        ]
        lake.replace_all(ALERTS, {**kept, "closed_at": opened})
        failures = assess_again(root).failures
        lake.replace_all(ALERTS, kept)
    assert "late source: its alert is still open" in failures
