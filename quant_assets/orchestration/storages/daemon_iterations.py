"""One iteration of each of Dagster's daemons, over a code location in this process.

Dagster's public way is ``dagster-daemon run``, which waits in real time between iterations and
needs a process for each code location: a simulated year would take a year. When an iteration
happens, and at which simulated moment, belongs in ``simulation.daemon``.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.remote_representation.external import RemoteRepository
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.monitoring import execute_run_monitoring_iteration
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._scheduler.scheduler import launch_scheduled_runs


class DaemonIterations:
    """Runs iterations of Dagster's daemons when it is asked to.

    Args:
        instance: holds ticks, cursors, run keys and the queue.
        module: the module with the definitions, by its dotted name.
        location: the name of the code location.
        log: receives what the daemons log.
    """

    def __init__(
        self, instance: dg.DagsterInstance, module: str, location: str, log: logging.Logger
    ) -> None:
        self._log = log
        self._stack = ExitStack()
        target = LoadableTargetOrigin(python_file=None, module_name=module)
        origin = InProcessCodeLocationOrigin(target, location_name=location)
        self._workspace = self._stack.enter_context(
            WorkspaceProcessContext(instance, InProcessWorkspaceLoadTarget(origin))
        )
        self._queue = self._stack.enter_context(QueuedRunCoordinatorDaemon(interval_seconds=5))
        self._schedule_states: dict[str, Any] = {}

    def close(self) -> None:
        """Release the workspace."""
        self._stack.close()

    def repositories(self) -> Sequence[RemoteRepository]:
        """Return the repositories of the code location, with their schedules and sensors."""
        locations = self._workspace.create_request_context().code_locations
        return [found for each in locations for found in each.get_repositories().values()]

    def evaluate_schedules(self, max_catchup_runs: int) -> None:
        """Evaluate the schedules that are due.

        Args:
            max_catchup_runs: the number of missed moments that a schedule makes up for.
        """
        now = datetime.now(UTC)
        states = self._schedule_states
        _exhaust(
            launch_scheduled_runs(
                self._workspace, self._log, now, states, max_catchup_runs=max_catchup_runs
            )
        )

    def evaluate_sensors(self) -> None:
        """Evaluate the sensors whose interval is over."""
        _exhaust(execute_sensor_iteration(self._workspace, self._log, None, None))

    def monitor_runs(self) -> None:
        """Close the runs whose process has ended."""
        _exhaust(execute_run_monitoring_iteration(self._workspace, self._log))

    def launch_queued_runs(self) -> None:
        """Launch the queued runs that the limits of the queue allow."""
        _exhaust(self._queue.run_iteration(self._workspace))


def _exhaust(iteration: Iterator[Any]) -> None:
    for _ in iteration:
        continue
