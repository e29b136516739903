"""The servers that a person opens: Dagster, MLflow, and metrics for Prometheus."""

import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path
from threading import Event

from quant_assets.core.errors import SettingsError, TrackingError
from quant_assets.core.settings import Settings, require_market
from quant_assets.metrics.prometheus import Metric
from quant_assets.tracking import mlflow_store


def serve_dagster(settings: Settings, host: str, port: int, say: Callable[[str], object]) -> None:
    """Run Dagster's webserver and daemon until a signal or the end of either ends both.

    Args:
        settings: the market, and the data directory, that Dagster shows.
        host: the address that the webserver listens on.
        port: the port that the webserver listens on.
        say: called with the address before the webserver starts.

    Raises:
        SettingsError: the data directory holds another market, Dagster is open for it already, or
            the port is taken.
        QuantAssetsError: the webserver or the daemon ended by itself.
    """
    from quant_assets.commands.supervision import run_together
    from quant_assets.orchestration.execution.daemon_lock import require_no_daemon
    from quant_assets.orchestration.execution.runs import WORKSPACE_FILE, prepare_home

    require_market(settings)
    _require_free(host, port)
    # The daemon takes the lock itself, so that it is held as long as the daemon lives.
    require_no_daemon(settings.dagster_home)
    os.environ.update(prepare_home(settings))
    both = ["-w", str(WORKSPACE_FILE), "--code-server-log-level", "warning"]
    programs = {
        "dagster-webserver": [*both, "-h", host, "-p", str(port), "--dagster-log-level", "info"],
        "dagster-daemon": ["run", *both],
    }
    commands = {name: [_program(name), *arguments] for name, arguments in programs.items()}
    say(f"Dagster on http://{host}:{port}; Ctrl-C ends it")
    run_together(commands, settings.data_dir)


def mlflow_command(settings: Settings, host: str, port: int) -> list[str]:
    """Return the command line of MLflow's server on the data directory's store.

    The environment is changed as the server needs it.

    Args:
        settings: say where the store is.
        host: the address to listen on.
        port: the port to listen on.

    Raises:
        TrackingError: no fit was recorded yet.
        SettingsError: the port is taken.
    """
    folder = settings.mlflow_dir
    if not mlflow_store.database_path(folder).exists():
        raise TrackingError(
            "MLflow has no fits yet",
            where=str(folder),
            hint="run `make demo` or `quant-assets load` first, or set QUANT_DATA_DIR",
        )
    _require_free(host, port)
    os.environ.update(
        {
            "MLFLOW_DISABLE_TELEMETRY": "1",
            "DO_NOT_TRACK": "1",
            # Its background jobs are for judging language models.
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }
    )
    arguments = [
        "--backend-store-uri",
        mlflow_store.store_uri(folder),
        "--host",
        host,
        "--port",
        str(port),
    ]
    return [_program("mlflow"), "server", *arguments, "--workers", "1", "--no-serve-artifacts"]


def serve_metrics(settings: Settings, host: str, port: int, say: Callable[[str], object]) -> None:
    """Answer Prometheus's scrapes until a signal arrives.

    Args:
        settings: the market, and the data directory, whose metrics are served.
        host: the address to listen on.
        port: the port to listen on.
        say: called with the address once the server listens.

    Raises:
        SettingsError: no market is loaded yet, or another; or the port is taken.
    """
    from prometheus_client import start_http_server

    from quant_assets.core.clock import Clock
    from quant_assets.lake.store.lake import Lake
    from quant_assets.metrics.prometheus import build_registry
    from quant_assets.orchestration.execution.runs import open_instance
    from quant_assets.orchestration.sensors.metrics_file import collect_all_metrics
    from quant_assets.sources.registry import open_market

    require_market(settings, loaded=True)
    _require_free(host, port)
    ended = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    clock, calendar = Clock(), open_market(settings).calendar
    with Lake(settings.lake_dir, read_only=True) as lake, open_instance(settings) as opened:

        def collect() -> list[Metric]:
            return collect_all_metrics(opened, lake, settings, calendar, clock.now().date())

        server, thread = start_http_server(port, host, build_registry(collect))
        say(f"http://{host}:{server.server_port}/metrics")
        ended.wait()
        server.shutdown()
        server.server_close()
        thread.join()


def _program(name: str) -> str:
    return str(Path(sys.executable).with_name(name))


def _require_free(host: str, port: int) -> None:
    try:
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind((host, port))
    except OSError as error:
        raise SettingsError(
            "the port cannot be listened on",
            where=f"{host}:{port}",
            found=error.strerror,
            hint="is it open already? else name another with --port",
        ) from error
