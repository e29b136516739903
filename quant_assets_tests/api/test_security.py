"""Who may ask: keys, roles, limits and the audit of routes."""

import logging
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest

from quant_assets.access.keys import Role
from quant_assets.api import security
from quant_assets.api.security import COOKIE
from quant_assets.lake.schemas.access_tables import AUDIT
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.guarded_app import Guarded, open_guarded


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a server see a new or revoked key with the next request."""
    monkeypatch.setattr(security, "LOOK_SECONDS", 0.0)
    monkeypatch.setattr(security, "LONGEST_SECONDS", 0.0)


@pytest.fixture
def guarded(tmp_path: Path, at_once: None) -> Iterator[Guarded]:
    with open_guarded(tmp_path) as guarded:
        yield guarded


def digest(content: bytes) -> str:
    return sha256(content).hexdigest()


def test_roles_include_each_other_and_no_more(guarded: Guarded) -> None:
    tokens: list[tuple[Role, str]] = [(role, guarded.key(role)) for role in ("read", "predict")]
    tokens.append(("operate", guarded.key("operate")))
    asked = [("GET", "/read/a"), ("POST", "/predict/a"), ("POST", "/operate")]
    statuses = {role: [guarded.status(*ask, token) for ask in asked] for role, token in tokens}
    assert statuses == {
        "read": [200, 403, 403],
        "predict": [200, 200, 403],
        "operate": [200, 200, 200],
    }


def test_missing_wrong_and_revoked_keys_are_refused(guarded: Guarded) -> None:
    token = guarded.key("operate")
    wrong = token[:-1] + ("0" if token[-1] != "0" else "1")
    unknown = f"qa_{'0' * 12}_{token.split('_')[2]}"
    for refused in ("", wrong, unknown, token.upper(), token + " x", "a" * 5000):
        assert guarded.status("GET", "/read/a", refused) == 401
    assert guarded.status("GET", "/read/a", Authorization=f"Bearer {token}") == 200
    assert guarded.status("GET", "/read/a", Authorization=f"bearer  {token}") == 200
    assert guarded.status("GET", "/read/a", Authorization=f"Basic {token}") == 401
    assert guarded.status("GET", f"/read/a?X-API-Key={token}&key={token}") == 401
    assert guarded.status("GET", "/read/a", token, Authorization=f"Bearer {wrong}") == 401
    answer = guarded.client.get("/read/a")
    assert answer.headers["www-authenticate"] == "Bearer"
    guarded.revoke(token)
    assert guarded.status("GET", "/read/a", token) == 401
    assert guarded.status("GET", "/read/a") == 401, "a revoked last key must not open the server"


def test_a_key_works_and_is_revoked_within_a_second_while_the_server_runs(tmp_path: Path) -> None:
    with open_guarded(tmp_path) as guarded:
        anonymous = {"name": "a", "key": "", "role": "operate"}
        assert guarded.client.get("/read/a").json() == anonymous
        token = guarded.key("read")
        assert guarded.wait_for(401, "") < 1.5
        assert guarded.status("GET", "/read/a", token) == 200
        guarded.revoke(token)
        assert guarded.wait_for(401, token) < 1.5


def test_a_cookie_lets_a_person_look_and_nothing_more(guarded: Guarded) -> None:
    token = guarded.key("operate")
    guarded.client.cookies.set(COOKIE, token)
    own = f"http://{guarded.client.base_url.netloc.decode()}"
    assert guarded.client.get("/read/a").json()["role"] == "read"
    assert guarded.status("POST", "/operate") == 403
    assert guarded.status("GET", "/read/a", Origin="http://evil.example") == 401
    assert guarded.stream(Cookie=f"{COOKIE}={token}", Origin=own) == "read"
    assert guarded.stream(Cookie=f"{COOKIE}={token}", Origin="http://evil.example") == 401


def test_a_websocket_needs_a_key_too(guarded: Guarded) -> None:
    assert guarded.stream() == "operate"
    assert guarded.stream(Origin="http://evil.example") == 401
    token = guarded.key("read")
    assert guarded.stream(**{"X-API-Key": token}) == "read"
    assert guarded.stream() == 401


def test_limits_are_counted_by_key(guarded: Guarded) -> None:
    first, second = guarded.key("operate", "a"), guarded.key("operate", "b")
    assert [guarded.status("POST", "/operate", first) for _ in range(7)] == [200] * 5 + [429] * 2
    assert guarded.status("POST", "/operate", second) == 200
    assert guarded.status("POST", "/predict/a", first) == 200
    answer = guarded.client.post("/operate", headers={"X-API-Key": first})
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert len([row for row in guarded.audit() if row.key_id == first.split("_")[1]]) == 6


def test_predictions_and_operations_are_audited_and_reads_are_not(guarded: Guarded) -> None:
    token = guarded.key("predict")
    key_id = token.split("_")[1]
    guarded.client.get("/read/a", headers={"X-API-Key": token})
    guarded.client.post("/predict/b", headers={"X-API-Key": token}, content=b"prices")
    guarded.client.post("/operate", headers={"X-API-Key": token})
    guarded.client.post("/operate", headers={"X-API-Key": "wrong"})
    refused, predicted = guarded.audit()
    assert (predicted.key_id, predicted.operation) == (key_id, "POST /predict/{name}")
    assert (predicted.path, predicted.status) == ("/predict/b", 200)
    assert predicted.release == "release of b"
    assert predicted.input_sha256 == digest(b"prices")
    assert predicted.answer_sha256 == digest(b"answer to prices")
    assert (refused.key_id, refused.operation, refused.status) == (key_id, "POST /operate", 403)


def test_a_failed_operation_is_audited(guarded: Guarded) -> None:
    assert guarded.status("POST", "/fail") == 500
    (row,) = guarded.audit()
    assert (row.key_id, row.operation, row.status) == ("", "POST /fail", 500)


def test_the_audit_reaches_the_lake_when_the_server_ends(tmp_path: Path) -> None:
    with open_guarded(tmp_path) as guarded:
        guarded.client.post("/operate")
    with Lake(guarded.settings.lake_dir) as lake:
        assert lake.arrow(f"SELECT status FROM {AUDIT.quoted}").to_pylist() == [{"status": 200}]


def test_no_secret_is_logged_answered_or_audited(
    tmp_path: Path, at_once: None, caplog: pytest.LogCaptureFixture
) -> None:
    said = []
    with caplog.at_level(logging.DEBUG), open_guarded(tmp_path) as guarded:
        token = guarded.key("predict")
        secret = token.split("_")[2]
        wrong = f"{token[:-8]}{'0' * 8}"
        for sent in (token, wrong, secret, f"qa_{secret}"):
            for method, path in [("POST", "/predict/a"), ("POST", "/operate"), ("GET", "/read/a")]:
                for headers in ({"X-API-Key": sent}, {"Authorization": f"Bearer {sent}"}):
                    answer = guarded.client.request(method, path, headers=headers)
                    said.append(answer.text + str(answer.headers))
        for sent in (token, wrong):
            guarded.stream(**{"X-API-Key": sent})
        said.append(guarded.client.get(f"/read/a?key={token}").text)
        guarded.revoke(token)
        said.append(guarded.client.get("/read/a", headers={"X-API-Key": token}).text)
    files = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert any(b"predict" in content for content in files)
    for part in (secret, secret[:20]):
        # The libraries of the client, which knows the key, log what they send.
        assert not any(
            part in record.getMessage()
            for record in caplog.records
            if not record.name.startswith(("httpx", "httpcore", "websockets.client"))
        )
        assert part not in "".join(said)
        assert not any(part.encode() in content for content in files)
