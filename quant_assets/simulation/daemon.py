"""Dagster's daemon, step by step: what it would have done by now, and no waiting in between.

The iterations are those of Dagster: ticks, cursors, run keys, the queue and its limits, and the
monitor of runs are its own and lie in the instance. Only the loop around them is here.
"""

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import Any

import dagster as dg
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._daemon.monitoring import execute_run_monitoring_iteration
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon
from dagster._daemon.sensor import execute_sensor_iteration
from dagster._scheduler.scheduler import launch_scheduled_runs

_DESK = LoadableTargetOrigin(python_file=None, module_name="quant_assets.simulation.code_location")
_PAGE = "report_drift"


class Daemon:
    """The daemon of an instance, over one code location in this process."""

    def __init__(self, opened: dg.DagsterInstance) -> None:
        self._instance = opened
        self._log = logging.getLogger("quant_assets.simulation")
        self._stack = ExitStack()
        origin = InProcessCodeLocationOrigin(_DESK, location_name="quant_assets")
        self._workspace = self._stack.enter_context(
            WorkspaceProcessContext(opened, InProcessWorkspaceLoadTarget(origin))
        )
        self._queue = self._stack.enter_context(QueuedRunCoordinatorDaemon(interval_seconds=5))
        self._schedules: dict[str, Any] = {}

    def close(self) -> None:
        """Release the workspace."""
        self._stack.close()

    def switch_on(self) -> None:
        """Let schedules and sensors run, as a person does in the UI.

        Not the page of the drift: it takes as long as the rest of a day's monitoring, and nothing
        depends on it.
        """
        for location in self._workspace.create_request_context().code_locations:
            for repository in location.get_repositories().values():
                for schedule in repository.get_schedules():
                    if schedule.job_name != _PAGE:
                        self._instance.start_schedule(schedule)
                for sensor in repository.get_sensors():
                    self._instance.start_sensor(sensor)

    def schedules(self) -> None:
        """Evaluate the schedules whose moment has come."""
        _exhaust(
            launch_scheduled_runs(
                self._workspace, self._log, datetime.now(UTC), self._schedules, max_catchup_runs=5
            )
        )

    def sensors(self) -> None:
        """Evaluate the sensors whose interval is over."""
        _exhaust(execute_sensor_iteration(self._workspace, self._log, None, None))

    def queue(self) -> int:
        """Launch what the queue lets through; how many runs were there to launch."""
        queued = dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED])
        count = self._instance.get_runs_count(queued)
        _exhaust(execute_run_monitoring_iteration(self._workspace, self._log))
        _exhaust(self._queue.run_iteration(self._workspace))
        return count


def _exhaust(iteration: Iterator[Any]) -> None:
    for _ in iteration:
        continue
