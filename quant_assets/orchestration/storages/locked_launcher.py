"""A base class for launchers that execute runs in the process that asks for them.

Dagster's public interface has no such launcher: it names only ``DefaultRunLauncher``, which starts
a process for each run. What a run is made of belongs in the launcher's subclass.
"""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, Self

import dagster as dg
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, RunLauncher, WorkerStatus
from dagster._serdes import ConfigurableClass, ConfigurableClassData
from filelock import Timeout

from quant_assets.orchestration.execution.run_locks import hold_run_lock, run_lock


class LockedRunLauncher(RunLauncher, ConfigurableClass):
    """Executes a run when it is launched, and returns when the run has ended.

    A run holds a lock that ends with the process, so that the run monitor of the next daemon finds
    the runs whose process ended before they did.
    """

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        self._inst_data = inst_data
        super().__init__()  # type: ignore[no-untyped-call]

    @abstractmethod
    def prepare(self, run: dg.DagsterRun, instance: dg.DagsterInstance) -> dg.JobDefinition:
        """Return the job of a run that is about to be executed."""

    @property
    def inst_data(self) -> ConfigurableClassData | None:
        """What ``dagster.yaml`` says of the launcher."""
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
        """Build the launcher that ``dagster.yaml`` names."""
        return cls(inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Execute the run; the run itself records a failure in it."""
        run = context.dagster_run
        with hold_run_lock(self._instance, run.run_id):
            execute_run(InMemoryJob(self.prepare(run, self._instance)), run, self._instance)

    def terminate(self, run_id: str) -> bool:
        """Refuse: the process does nothing else while it executes a run."""
        return False

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Whether the run monitor may ask."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Return whether a process holds the run's lock."""
        try:
            with run_lock(self._instance, run.run_id).acquire(timeout=0):
                return CheckRunHealthResult(WorkerStatus.FAILED, "the run's process has ended")
        except Timeout:
            return CheckRunHealthResult(WorkerStatus.RUNNING)
