"""Every route, asked with whatever its OpenAPI description allows and does not, by schemathesis.

No answer has status 500, and each has the status, the format and the form that are described. A
description cannot say which days the calendar has, so a request of its form may be refused.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from quant_assets.access.keys import Role, make_key
from quant_assets.api.app import create_app
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.api_server import serve
from quant_assets_tests.support.installation import Installation
from quant_assets_tests.support.served_app import exchange, status_of

ENDLESS = "/stream"
"""Path whose answer does not end."""
EXAMPLES = 12
SCHEMA = schemathesis.openapi.from_dict(create_app(Settings(data_dir=Path("unused"))).openapi())
OPERATIONS = [
    operation
    for result in SCHEMA.get_all_operations()
    if (operation := result.ok()).path != ENDLESS
]


@dataclass
class Keyed:
    """A server, and keys by their roles."""

    url: str
    keys: dict[Role, str]


@pytest.fixture(scope="module")
def keyed(loaded: Installation, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Keyed]:
    """A server of the small market with keys, whose limits nobody reaches."""
    copy = loaded.copy(tmp_path_factory.mktemp("schema"))
    most = 10**9
    chosen = copy.settings.model_copy(
        update={
            "api_reads_per_minute": most,
            "api_predictions_per_minute": most,
            "api_operations_per_minute": most,
        }
    )
    roles: tuple[Role, ...] = ("predict", "operate")
    with Lake(chosen.lake_dir) as lake:
        now = datetime.now(UTC)
        keys = {role: make_key(lake, chosen.lake_dir, role, role, now)[1] for role in roles}
    with serve(chosen) as server:
        yield Keyed(server.url, keys)


def test_every_route_but_those_of_the_state_needs_a_key() -> None:
    needless = {o.path for o in OPERATIONS if not o.definition.raw.get("security")}
    assert needless == {"/health", "/ready"}


@pytest.mark.parametrize("has_key", [True, False], ids=["key", "no key"])
@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda o: f"{o.method} {o.path}")
def test_every_answer_is_as_described(keyed: Keyed, operation: Any, has_key: bool) -> None:
    # Nobody wants a run of Dagster for each example.
    role: Role = "predict" if operation.path == "/retrain" else "operate"
    headers = {"X-API-Key": keyed.keys[role]} if has_key else {}
    needs_key = bool(operation.definition.raw.get("security"))

    @settings(
        max_examples=EXAMPLES if has_key else 3,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy())
    def ask(case: Any) -> None:
        answer = case.call(base_url=keyed.url, headers=headers, timeout=120)
        assert answer.status_code != 500
        assert has_key or not needs_key or answer.status_code == 401
        case.validate_response(answer, excluded_checks=[positive_data_acceptance])

    ask()


def test_a_body_beyond_the_setting_is_refused(keyed: Keyed) -> None:
    port, most = int(keyed.url.rsplit(":", 1)[1]), Settings().api_body_bytes
    head = f"POST /predict HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: {most + 1}\r\n\r\n"
    assert status_of(exchange(port, head.encode())) == 413
