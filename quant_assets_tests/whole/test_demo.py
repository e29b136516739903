"""``quant-assets demo`` as a user runs it: once, twice, with another market, killed midway."""

import re
from datetime import UTC, datetime

import dagster as dg
import pytest

from quant_assets.models.registry import FAST
from quant_assets.orchestration.execution.runs import open_instance
from quant_assets_tests.support.installation import CommandResult, Installation, digests
from quant_assets_tests.support.small_market import write_small_market


def test_a_first_demo_says_what_it_did_and_where_things_are(
    demo: tuple[Installation, CommandResult],
) -> None:
    installation, finished = demo
    finished.succeeded()
    assert re.search(r"\[ 1/\d\d\] raw\.target_pairs", finished.err)
    assert "2023-07-31 to 2023-12-29" in finished.out
    assert "load_history: done" in finished.out
    assert all(f"\n{family} " in finished.out for family in ("ensemble", *FAST))
    exports = installation.settings.exports_dir
    assert f"{exports}/submission.parquet" in finished.out
    assert sorted(file.name for file in exports.iterdir()) == [
        "submission.csv",
        "submission.parquet",
    ]


def test_a_second_demo_has_nothing_to_do(demo: tuple[Installation, CommandResult]) -> None:
    installation, first = demo
    before = digests(installation.settings)
    second = installation.run("demo", str(installation.folder)).succeeded()
    assert "loaded already, nothing has changed" in second.out
    assert "raw.prices" not in second.err
    scoreboard = first.out[first.out.index("score = ") :]
    assert second.out.endswith(scoreboard)
    with open_instance(installation.settings) as opened:
        assert len(opened.get_runs()) == 1
    assert digests(installation.settings) == before


@pytest.mark.slow("another load, killed midway and made again")
def test_another_market_puts_the_first_aside_and_a_kill_does_no_harm(
    installation: Installation,
) -> None:
    """The other market has equal prices, so its results must be equal too."""
    before, data = digests(installation.settings), installation.settings.data_dir
    other = write_small_market(installation.root / "other")
    with installation.start("demo", str(other)) as process:
        assert process.stderr
        assert any("features.targets ..." in line for line in process.stderr)
        process.kill()
    (aside,) = (data / "archive").iterdir()
    assert datetime.strptime(aside.name, "%Y%m%dT%H%M%S").replace(tzinfo=UTC).year >= 2026
    assert digests(installation.settings.model_copy(update={"data_dir": aside})) == before
    assert (aside / "exports" / "submission.csv").exists()

    again = installation.run("demo", str(other)).succeeded()
    assert "load_history: done" in again.out
    assert digests(installation.settings) == before
    with open_instance(installation.settings) as opened:
        ends = [(run.job_name, run.status) for run in opened.get_runs()]
    assert ends == [
        ("load_history", dg.DagsterRunStatus.SUCCESS),
        ("load_history", dg.DagsterRunStatus.FAILURE),
    ]
