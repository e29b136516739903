"""Dagster's private interfaces: which the platform uses, and that they are as it expects.

A failure here after an upgrade of Dagster comes before any other and says what to do.
"""

import ast
import inspect
from importlib import import_module
from pathlib import Path

import pytest

import quant_assets
from quant_assets.orchestration.storages.sqlite import MONITORING

PACKAGE = Path(quant_assets.__file__).parent
STORAGES = PACKAGE / "orchestration" / "storages"
EVENT_LOG, PRUNING, SQLITE = "event_log", "pruning", "sqlite"
DAEMON, LOCKED, WATCHED = "daemon_iterations", "locked_launcher", "watched_launcher"
BASE = "dagster._core.storage.event_log:SqliteEventLogStorage"
RUNS = "dagster._core.storage.runs:SqliteRunStorage"
SCHEDULES = "dagster._core.storage.schedules:SqliteScheduleStorage"
TABLES = "dagster._core.storage.event_log.schema"

# Module and name in Dagster, the module in orchestration/storages that uses it, and the parameters
# that are passed to it; None where it is not called.
USES: tuple[tuple[str, str, str | None], ...] = (
    (BASE, EVENT_LOG, "base_dir inst_data"),
    (f"{BASE}.store_event", EVENT_LOG, "self event"),
    (f"{BASE}.delete_events", EVENT_LOG, "self run_id"),
    (f"{BASE}.wipe", EVENT_LOG, "self"),
    (f"{BASE}.path_for_shard", EVENT_LOG, "self run_id"),
    (f"{BASE}.index_connection", EVENT_LOG, "self"),
    (f"{BASE}.index_transaction", EVENT_LOG, "self"),
    (f"{BASE}.run_connection", EVENT_LOG, "self run_id"),
    (f"{BASE}._connect", EVENT_LOG, "self shard"),
    (f"{BASE}._initdb", EVENT_LOG, "self engine"),
    (f"{BASE}._event_to_row", EVENT_LOG, "self event"),
    (f"{BASE}._event_insert_timestamp", EVENT_LOG, "self event"),
    (f"{BASE}._store_asset_event_tags", EVENT_LOG, "self conn events event_ids"),
    (f"{BASE}._has_asset_key_index_cols_on_connection", EVENT_LOG, "self conn"),
    (f"{BASE}._get_asset_entry_values", EVENT_LOG, "self event event_id has_asset_key_index_cols"),
    (f"{BASE}._store_asset_check_evaluation_planned", EVENT_LOG, "self event event_id"),
    (f"{TABLES}:SqlEventLogStorageTable.c.run_id", EVENT_LOG, None),
    (f"{TABLES}:AssetKeyTable.c.asset_key", EVENT_LOG, None),
    (f"{TABLES}:AssetCheckExecutionsTable.c.partition", EVENT_LOG, None),
    (
        "dagster._core.storage.event_log.sqlite.sqlite_event_log:INDEX_SHARD_NAME",
        EVENT_LOG,
        None,
    ),
    (f"{TABLES}:SqlEventLogStorageTable.c.asset_key", PRUNING, None),
    (f"{TABLES}:SqlEventLogStorageTable.c.dagster_event_type", PRUNING, None),
    (f"{TABLES}:SqlEventLogStorageTable.c.partition", PRUNING, None),
    (f"{TABLES}:AssetCheckExecutionsTable.c.check_name", PRUNING, None),
    (f"{TABLES}:AssetCheckExecutionsTable.c.run_id", PRUNING, None),
    (
        "dagster._core.storage.asset_check_execution_record:AssetCheckExecutionRecordStatus.PLANNED",
        EVENT_LOG,
        None,
    ),
    (RUNS, SQLITE, "conn_string inst_data"),
    (f"{RUNS}.from_local", SQLITE, "base_dir"),
    (f"{RUNS}.connect", SQLITE, "self"),
    (f"{RUNS}.add_daemon_heartbeat", SQLITE, "self daemon_heartbeat"),
    (f"{RUNS}.handle_run_event", SQLITE, "self run_id event update_timestamp"),
    (f"{RUNS}.has_instance", SQLITE, None),
    ("dagster._daemon.types:DaemonHeartbeat.daemon_type", SQLITE, None),
    ("dagster._daemon.daemon:MonitoringDaemon.daemon_type", SQLITE, ""),
    (SCHEDULES, SQLITE, "conn_string inst_data"),
    (f"{SCHEDULES}.from_local", SQLITE, "base_dir"),
    (f"{SCHEDULES}.connect", SQLITE, "self"),
    ("dagster._core.storage.sqlite:SQLITE_BUSY_TIMEOUT_SECONDS", SQLITE, None),
    ("dagster._core.storage.sqlite:create_db_conn_string", SQLITE, "base_dir db_name"),
    ("dagster._serdes:ConfigurableClassData", "all classes that dagster.yaml names", None),
    ("dagster._serdes:ConfigurableClass", LOCKED, None),
    ("dagster._core.launcher:RunLauncher.launch_run", LOCKED, "self context"),
    ("dagster._core.launcher:RunLauncher.terminate", LOCKED, "self run_id"),
    ("dagster._core.launcher:RunLauncher.supports_check_run_worker_health", LOCKED, None),
    ("dagster._core.launcher:RunLauncher.check_run_worker_health", LOCKED, "self run"),
    ("dagster._core.launcher:LaunchRunContext.dagster_run", LOCKED, None),
    ("dagster._core.launcher:CheckRunHealthResult", LOCKED, "status msg"),
    ("dagster._core.launcher:WorkerStatus.RUNNING", LOCKED, None),
    ("dagster._core.launcher:WorkerStatus.FAILED", LOCKED, None),
    ("dagster._core.definitions.job_base:InMemoryJob", LOCKED, "job_def"),
    ("dagster._core.execution.api:execute_run", LOCKED, "job dagster_run instance"),
    (
        "dagster._core.launcher:DefaultRunLauncher._get_grpc_client_for_termination",
        WATCHED,
        "self run_id",
    ),
    ("dagster._grpc.client:DagsterGrpcClient.can_cancel_execution", WATCHED, None),
    ("dagster._grpc.types:CanCancelExecutionRequest", WATCHED, None),
    ("dagster._grpc.types:CanCancelExecutionResult.can_cancel", WATCHED, None),
    ("dagster._core.errors:DagsterUserCodeUnreachableError", WATCHED, None),
    (
        "dagster._core.remote_origin:InProcessCodeLocationOrigin",
        DAEMON,
        "loadable_target_origin location_name",
    ),
    ("dagster._core.remote_representation.external:RemoteRepository.get_schedules", DAEMON, "self"),
    ("dagster._core.remote_representation.external:RemoteRepository.get_sensors", DAEMON, "self"),
    (
        "dagster._core.types.loadable_target_origin:LoadableTargetOrigin",
        DAEMON,
        None,
    ),
    (
        "dagster._core.workspace.context:WorkspaceProcessContext",
        DAEMON,
        "instance workspace_load_target",
    ),
    (
        "dagster._core.workspace.context:WorkspaceProcessContext.create_request_context",
        DAEMON,
        "self",
    ),
    ("dagster._core.workspace.load_target:InProcessWorkspaceLoadTarget", DAEMON, "origin"),
    (
        "dagster._daemon.monitoring:execute_run_monitoring_iteration",
        DAEMON,
        "workspace_process_context logger",
    ),
    (
        "dagster._daemon.run_coordinator.queued_run_coordinator_daemon:"
        "QueuedRunCoordinatorDaemon.run_iteration",
        DAEMON,
        "self workspace_process_context",
    ),
    (
        "dagster._daemon.sensor:execute_sensor_iteration",
        DAEMON,
        "workspace_process_context logger threadpool_executor submit_threadpool_executor",
    ),
    (
        "dagster._scheduler.scheduler:launch_scheduled_runs",
        DAEMON,
        "workspace_process_context logger end_datetime_utc iteration_times max_catchup_runs",
    ),
    (
        "dagster._core.definitions.unresolved_asset_job_definition:UnresolvedAssetJobDefinition",
        "compatibility",
        None,
    ),
)


def private_imports(module: Path) -> set[str]:
    """Return the private names of Dagster that a module imports, as ``module:name``."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.startswith("dagster._")}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dagster"):
            full = [f"{node.module}:{alias.name}" for alias in node.names]
            names |= {name for name in full if "._" in name or ":_" in name}
    return names


@pytest.mark.parametrize(("name", "module", "parameters"), USES, ids=[use[0] for use in USES])
def test_dagster_has_what_is_used(name: str, module: str, parameters: str | None) -> None:
    advice = (
        f"{name} has changed in this release of Dagster. orchestration/storages ({module}) uses "
        "it: look it up in Dagster's source, adapt that module and this list; or take a public "
        "way if there is one now."
    )
    path, _, attributes = name.partition(":")
    try:
        found = import_module(path)
        for attribute in attributes.split("."):
            found = getattr(found, attribute)
    except (ImportError, AttributeError) as error:
        pytest.fail(f"{error}. {advice}")
    if parameters is not None:
        wanted = parameters.split()
        signature = inspect.signature(found).parameters
        assert [each for each in wanted if each not in signature] == [], advice
        required = [
            each.name
            for each in signature.values()
            if each.default is each.empty and each.kind is each.POSITIONAL_OR_KEYWORD
        ]
        assert [each for each in required if each not in wanted] == [], advice


def test_dagster_s_records_are_built_as_the_storages_build_them() -> None:
    """Their signatures say nothing: each takes any arguments and checks them itself."""
    request = import_module("dagster._grpc.types").CanCancelExecutionRequest
    assert request(run_id="a run").run_id == "a run"
    origin = import_module("dagster._core.types.loadable_target_origin").LoadableTargetOrigin
    assert origin(python_file=None, module_name="a.module").module_name == "a.module"


def test_the_daemon_that_watches_runs_has_the_name_that_its_heartbeat_is_known_by() -> None:
    daemon = import_module("dagster._daemon.daemon").MonitoringDaemon
    assert daemon.daemon_type() == MONITORING


def test_every_private_name_is_on_the_list() -> None:
    listed = {use[0] for use in USES}
    used = {name for module in STORAGES.glob("*.py") for name in private_imports(module)}
    assert used
    assert not [name for name in used if not any(each.startswith(name) for each in listed)]


def test_private_names_are_used_by_the_storages_only() -> None:
    others = [module for module in PACKAGE.rglob("*.py") if STORAGES not in module.parents]
    users = {str(module.relative_to(PACKAGE)): private_imports(module) for module in others}
    assert {module: names for module, names in users.items() if names} == {}, (
        "take a public way, or move the use of the private name into orchestration/storages"
    )
