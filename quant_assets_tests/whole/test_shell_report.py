"""Reports and metrics of a loaded small market: by runs, by the command line, and scraped."""

import re
import signal
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from urllib.request import urlopen

import dagster as dg
import psutil  # type: ignore[import-untyped]  # has no stubs
import pytest

from quant_assets.core.clock import Clock
from quant_assets.core.settings import Settings
from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS
from quant_assets.lake.store.changes import execute
from quant_assets.lake.store.lake import Lake
from quant_assets.market.calendar import trading_days
from quant_assets.metrics.prometheus import to_prometheus_text
from quant_assets.orchestration.execution.runs import open_instance
from quant_assets.orchestration.execution.submission_times import read_submission_time
from quant_assets.orchestration.sensors.metrics_file import build, collect_all_metrics
from quant_assets_tests.support.calendars import LONDON_AND_TOKYO
from quant_assets_tests.support.installation import PATIENCE, Command, Installation
from quant_assets_tests.support.prometheus_samples import samples
from quant_assets_tests.support.small_market import FIRST_DAY, LAST_DAY

pytestmark = pytest.mark.slow(
    "real runs that watch and report, and commands beside them", seconds=50
)

DAYS = trading_days(FIRST_DAY, LAST_DAY)


@pytest.fixture(scope="module")
def reported(loaded: Installation, tmp_path_factory: pytest.TempPathFactory) -> Installation:
    """The last days, monitored and reported; the newest day was refreshed alone before."""
    installation = loaded.copy(tmp_path_factory.mktemp("reported"))
    first, last = str(DAYS[-3]), str(DAYS[-1])
    for job, begin in (("watch_daily", first), ("report_daily", first), ("report_weekly", last)):
        installation.run("backfill", "--job", job, "--from", begin, "--to", last).succeeded()
    return installation


@pytest.fixture(scope="module")
def history(reported: Installation) -> Iterator[dg.DagsterInstance]:
    with open_instance(reported.settings) as opened:
        yield opened


def test_of_a_range_the_last_day_has_a_page(reported: Installation) -> None:
    reports = reported.settings.reports_dir
    assert [page.name for page in (reports / "daily").iterdir()] == [f"{DAYS[-1]}.html"]
    assert [page.name for page in (reports / "weekly").iterdir()] == ["2023-W52.html"]


def test_a_run_shows_the_page_and_its_summary(
    reported: Installation, history: dg.DagsterInstance
) -> None:
    event = history.get_latest_materialization_event(dg.AssetKey(["monitoring", "report"]))
    assert event
    assert event.asset_materialization
    shown = event.asset_materialization.metadata
    page = reported.settings.reports_dir / "daily" / f"{DAYS[-1]}.html"
    assert shown["page"] == dg.MetadataValue.path(page)
    assert str(shown["summary"].value).startswith("**")
    summary = str(shown["summary"].value)
    assert re.search(
        r"\| Submission \| Stored with 424 targets, at .* after the day's end", summary
    )
    assert "no submission" not in summary


def test_the_command_writes_the_page_of_the_run(reported: Installation, command: Command) -> None:
    page = reported.settings.reports_dir / "daily" / f"{DAYS[-1]}.html"
    before = page.read_bytes()
    page.unlink()
    done = command(reported, "report").succeeded()
    assert done.out.strip() == str(page)
    assert page.read_bytes() == before


def test_the_command_takes_a_day_and_a_period(reported: Installation, command: Command) -> None:
    done = command(reported, "report", "--day", "2023-12-03", "--period", "monthly").succeeded()
    page = Path(done.out.strip())
    assert page == reported.settings.reports_dir / "monthly" / "2023-12.html" or page.exists()
    assert "rows of trading days up to 2023-12-01" in page.read_text()


def test_a_day_without_prices_is_refused(reported: Installation, command: Command) -> None:
    refused = command(reported, "report", "--day", "2024-03-01")
    refused.refused_with("no prices of this day", "2024-03-01", str(LAST_DAY))


def test_without_a_market_there_is_nothing_to_report(tmp_path: Path, command: Command) -> None:
    empty = Installation(tmp_path)
    for name in ("report", "metrics"):
        command(empty, name).refused_with("no market is loaded yet", "quant-assets load")


def test_a_day_run_alone_has_a_delivery(loaded: Installation, tmp_path: Path) -> None:
    installation, day = loaded.copy(tmp_path), DAYS[-1].item()
    with open_instance(installation.settings) as opened:
        of_load = read_submission_time(opened, day)
        assert of_load
        assert of_load.seconds is None
        assert read_submission_time(opened, day + timedelta(days=1)) is None
        opened.wipe_assets([dg.AssetKey(["submissions", "daily"])])
    delete = f"DELETE FROM {SUBMISSIONS.quoted} WHERE trading_day = ?"
    with Lake(installation.settings.lake_dir) as lake:
        lake.change(execute(SUBMISSIONS, delete, [day]))
    installation.run(
        "backfill", "--job", "refresh_daily", "--from", str(day), "--to", str(day)
    ).succeeded()
    with (
        open_instance(installation.settings) as opened,
        Lake(installation.settings.lake_dir, read_only=True) as lake,
    ):
        alone = read_submission_time(opened, day)
        assert alone
        assert alone.seconds
        assert 0 < alone.seconds < PATIENCE
        metrics = samples(
            to_prometheus_text(
                collect_all_metrics(opened, lake, installation.settings, LONDON_AND_TOKYO, day)
            )
        )
    assert metrics["quant_assets_submission_latency_seconds"] == {(): alone.seconds}
    runs = metrics["quant_assets_runs"]
    assert runs == {("load_history", "success"): 1, ("refresh_daily", "success"): 1}
    assert metrics["quant_assets_run_duration_seconds"]["refresh_daily",] > alone.seconds
    succeeded = metrics["quant_assets_run_success_timestamp_seconds"]
    assert succeeded["refresh_daily",] > alone.at.timestamp() > succeeded["load_history",]


def test_the_sensor_writes_a_textfile(reported: Installation, history: dg.DagsterInstance) -> None:
    settings = reported.settings
    with (
        Lake(settings.lake_dir) as lake,
        dg.build_sensor_context(
            instance=history, resources={"lake": lake, "settings": settings, "clock": Clock()}
        ) as context,
    ):
        result = build(LONDON_AND_TOKYO).evaluate_tick(context)
    assert not result.run_requests
    assert str(settings.metrics_file) in str(result.skip_message)
    assert [file.name for file in settings.metrics_file.parent.iterdir()] == ["quant_assets.prom"]
    metrics = samples(settings.metrics_file.read_bytes())
    assert metrics["quant_assets_collector_success"] == {("lake",): 1, ("runs",): 1}
    assert metrics["quant_assets_runs"]["report_daily", "success"] == 1


def test_before_the_first_load_nothing_is_made(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with open_instance(settings) as opened, Lake(settings.lake_dir) as lake:
        assert all(
            not metric.samples
            for metric in collect_all_metrics(opened, lake, settings, LONDON_AND_TOKYO, LAST_DAY)
        )
    assert not settings.lake_dir.exists()


def test_a_lake_that_cannot_be_read_is_said(loaded: Installation, tmp_path: Path) -> None:
    settings = loaded.copy(tmp_path).settings
    for file in settings.lake_dir.glob("*.sqlite*"):
        file.write_bytes(b"no catalogue")
    with open_instance(settings) as opened, Lake(settings.lake_dir, read_only=True) as lake:
        metrics = samples(
            to_prometheus_text(
                collect_all_metrics(opened, lake, settings, LONDON_AND_TOKYO, LAST_DAY)
            )
        )
    assert metrics["quant_assets_collector_success"] == {("lake",): 0, ("runs",): 0}


def test_prometheus_scrapes_the_endpoint_on_loopback(reported: Installation) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = reported.start("metrics", "--port", str(port))
    try:
        assert server.stdout
        said = server.stdout.readline()
        (url,) = re.findall(r"http://127\.0\.0\.1:\d+/metrics", said)
        with urlopen(url, timeout=60) as answer:
            assert answer.headers["Content-Type"].startswith("text/plain; version=")
            metrics = samples(answer.read())
        listening = psutil.Process(server.pid).net_connections("inet")
        assert {connection.laddr.ip for connection in listening} == {"127.0.0.1"}
        with Lake(reported.settings.lake_dir, read_only=True) as lake:
            stored = lake.query("SELECT count(DISTINCT trading_day) AS n FROM submissions.daily")[
                "n"
            ].iloc[0]
        assert metrics["quant_assets_submissions_stored"] == {(): stored}
        assert metrics["quant_assets_runs"]["watch_daily", "success"] == 1
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(PATIENCE) == 0
        server.communicate()
