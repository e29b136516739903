"""API keys: what is stored, who is recognised, and what nobody learns."""

import hmac
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quant_assets.access import keys as module
from quant_assets.access.keys import (
    ROLES,
    AccessKey,
    make_key,
    read_keys,
    recognise_key,
    revoke_key,
    role_allows,
)
from quant_assets.core.errors import AccessError, UnauthenticatedError, UnknownNameError
from quant_assets.lake.schemas.access_tables import KEYS
from quant_assets.lake.store.lake import Lake

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
TOKEN = f"qa_{'1' * 12}_{'2' * 64}"
KEYRING = {"1" * 12: AccessKey("1" * 12, "a", "read", module._digest(TOKEN), NOW)}


def test_a_key_is_stored_as_its_digest_alone(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake:
        assert read_keys(lake) == {}
        key, token = make_key(lake, tmp_path, "research", "predict", NOW)
        assert read_keys(lake) == {key.id: key}
        assert (key.name, key.role, key.revoked_at) == ("research", "predict", None)
        assert recognise_key(read_keys(lake), token) == key
        stored = str(lake.arrow(f"FROM {KEYS.quoted}").to_pylist())
    assert re.fullmatch(r"qa_[0-9a-f]{12}_[0-9a-f]{64}", token)
    secret = token.split("_")[2]
    assert secret not in stored
    assert secret.encode() not in b"".join(f.read_bytes() for f in tmp_path.rglob("*.*"))


def test_a_revoked_key_stays_listed_and_is_not_recognised(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake:
        first, token = make_key(lake, tmp_path, "desk", "read", NOW)
        revoked = revoke_key(lake, tmp_path, first.id, NOW + timedelta(seconds=1))
        second, _ = make_key(lake, tmp_path, "desk", "read", NOW + timedelta(seconds=2))
        assert read_keys(lake) == {first.id: revoked, second.id: second}
        with pytest.raises(UnauthenticatedError):
            recognise_key(read_keys(lake), token)
        with pytest.raises(AccessError, match="revoked already"):
            revoke_key(lake, tmp_path, first.id, NOW)
        with pytest.raises(UnknownNameError, match="id of a key"):
            revoke_key(lake, tmp_path, "nobody", NOW)


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101, "\x1b[31m"])
def test_a_name_that_no_list_can_show_is_refused(tmp_path: Path, name: str) -> None:
    with Lake(tmp_path) as lake, pytest.raises(AccessError, match="needs a name"):
        make_key(lake, tmp_path, name, "read", NOW)


def test_a_valid_key_keeps_its_name_for_itself(tmp_path: Path) -> None:
    with Lake(tmp_path) as lake:
        make_key(lake, tmp_path, "desk", "read", NOW)
        with pytest.raises(AccessError, match="has the name already"):
            make_key(lake, tmp_path, "desk", "operate", NOW)


def test_each_role_allows_what_the_former_allow() -> None:
    allowed = [[role_allows(role, wanted) for wanted in ROLES] for role in ROLES]
    assert allowed == [[True, False, False], [True, True, False], [True, True, True]]


@given(
    st.one_of(
        st.text(),
        st.from_regex(r"qa_[0-9a-f]{12}_[0-9a-f]{64}", fullmatch=True),
        st.from_regex(r"qa_1{12}_[0-9a-f]{64}\n?", fullmatch=True),
        st.sampled_from([TOKEN.upper(), TOKEN + "\n", " " + TOKEN, TOKEN[:-1], TOKEN + "0"]),
        st.text(st.characters(categories=["Cs"])),
    ).filter(lambda token: token != TOKEN)
)
def test_no_other_text_is_recognised_or_repeated(token: str) -> None:
    with pytest.raises(UnauthenticatedError) as refused:
        recognise_key(KEYRING, token)
    assert len(token) < 20 or token not in str(refused.value)


@pytest.mark.parametrize("token", [TOKEN, TOKEN[:-1] + "3", TOKEN.replace("1", "4"), "nonsense"])
def test_every_token_is_compared_in_constant_time(token: str) -> None:
    """Right, wrong, unknown and malformed tokens take the same comparison of whole digests."""
    with patch.object(hmac, "compare_digest", wraps=hmac.compare_digest) as compared:
        try:
            assert recognise_key(KEYRING, token).id == "1" * 12
            assert token == TOKEN
        except UnauthenticatedError:
            assert token != TOKEN
    ((left, right), _) = compared.call_args
    assert compared.call_count == 1
    assert len(left) == len(right) == 64


def test_the_errors_of_all_refusals_are_equal() -> None:
    revoked = {"1" * 12: AccessKey("1" * 12, "a", "read", module._digest(TOKEN), NOW, NOW)}
    texts = set()
    for keys, token in [(KEYRING, TOKEN[:-1] + "3"), (KEYRING, "x"), (revoked, TOKEN), ({}, TOKEN)]:
        with pytest.raises(UnauthenticatedError) as refused:
            recognise_key(keys, token)
        texts.add(str(refused.value))
    assert len(texts) == 1
