"""Whether a run's process is still there: what Dagster's own launcher does not tell.

Dagster closes a run whose process was killed as long as the code server that began it is there;
if that is gone as well, the run would count as in progress for ever, and no further day would be
refreshed. Chosen in ``dagster.yaml``, where ``run_monitoring`` asks.
"""

from collections.abc import Mapping
from typing import Any, Self

import dagster as dg
import grpc
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._grpc.types import CanCancelExecutionRequest, CanCancelExecutionResult
from dagster._serdes import ConfigurableClassData, deserialize_value

from quant_assets.orchestration.execution.runs import holds_lock


class WatchedRunLauncher(DefaultRunLauncher):
    """Dagster's launcher, which also knows whether a run goes on."""

    @classmethod
    def from_config_value(
        cls,
        inst_data: ConfigurableClassData,
        config_value: Mapping[str, Any],  # noqa: ARG003 - nothing can be configured
    ) -> Self:
        """Build from dagster.yaml."""
        return cls(inst_data)

    @property
    def supports_check_run_worker_health(self) -> bool:
        """It does."""
        return True

    def check_run_worker_health(self, run: dg.DagsterRun) -> CheckRunHealthResult:
        """Ask the code server that began the run; of a command, whether its lock is held."""
        held = holds_lock(self._instance, run)
        if held is not None:
            return _health(held, "the command that ran it")
        client = self._get_grpc_client_for_termination(run.run_id)  # type: ignore[no-untyped-call]
        if client is None:
            # Begun by somebody else's program, which nobody can ask.
            return CheckRunHealthResult(WorkerStatus.RUNNING)
        try:
            answer = client.can_cancel_execution(CanCancelExecutionRequest(run_id=run.run_id))
        except DagsterUserCodeUnreachableError as error:
            return _health(not _is_gone(error), "the code server that began it")
        known = deserialize_value(answer, CanCancelExecutionResult).can_cancel
        return _health(known, "its process")


def _is_gone(error: DagsterUserCodeUnreachableError) -> bool:
    """Whether nobody listens; a server that is busy answers too late."""
    answer = error.__cause__
    return isinstance(answer, grpc.RpcError) and answer.code() is grpc.StatusCode.UNAVAILABLE


def _health(alive: bool, who: str) -> CheckRunHealthResult:
    if alive:
        return CheckRunHealthResult(WorkerStatus.RUNNING)
    return CheckRunHealthResult(WorkerStatus.FAILED, f"{who} is gone")
