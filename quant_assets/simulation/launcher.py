"""A run launcher that executes runs in the daemon's own process.

Starting a process a run costs more than most runs of a rehearsed day. Everything else of a run is
as Dagster does it: it is created, queued, dequeued and recorded in the instance.
"""

from collections.abc import Callable, Mapping
from typing import Any, Self

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.launcher import LaunchRunContext, RunLauncher
from dagster._core.launcher.base import CheckRunHealthResult, WorkerStatus
from dagster._serdes import ConfigurableClass, ConfigurableClassData

from quant_assets.orchestration.execution.runs import hold_run_lock, is_run_locked
from quant_assets.simulation.code_location import definitions

LISTENERS: list[Callable[[dg.EventLogEntry], None]] = []
"""Told of every event of every run."""
CONFIGURED = {"run_launcher": {"module": __name__, "class": "InProcessRunLauncher"}}
"""What ``dagster.yaml`` says of it."""


class InProcessRunLauncher(RunLauncher, ConfigurableClass):
    """Executes a run when it is launched, and returns when it has ended.

    A run holds a lock that ends with the process, so that the run monitor of the next daemon finds
    out that nobody works on it any more.
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        super().__init__()  # type: ignore[no-untyped-call]

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What ``dagster.yaml`` says of it."""
        return self._inst_data

    @classmethod
    def config_type(cls) -> Mapping[str, Any]:
        """Nothing can be configured."""
        return {}

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData | None,
        config_value: Mapping[str, Any],  # noqa: ARG003 - it is called by name
    ) -> Self:
        """Build from ``dagster.yaml``."""
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Execute the run; what fails in it is recorded by it."""
        run = context.dagster_run
        with hold_run_lock(self._instance, run.run_id):
            for listener in LISTENERS:
                self._instance.add_event_listener(run.run_id, listener)
            job = InMemoryJob(definitions().resolve_job_def(run.job_name))
            execute_run(job, run, self._instance)

    def terminate(self, run_id: str) -> bool:
        """A run cannot be stopped: nothing else happens in its process meanwhile."""
        return False

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether the run monitor may ask."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Whether a process holds the run's lock."""
        if is_run_locked(self._instance, run.run_id):
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        return CheckRunHealthResult(WorkerStatus.FAILED, "the run's process has ended")
