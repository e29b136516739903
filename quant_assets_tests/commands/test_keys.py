"""``quant-assets keys``: what it prints, and what it refuses."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from quant_assets.access.audit import AuditRow, encode_row, move_journals
from quant_assets.access.keys import read_keys, recognise_key
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.installation import Command, Installation


@pytest.fixture
def bare(tmp_path: Path) -> Installation:
    """A data directory with an empty lake."""
    installation = Installation(tmp_path)
    with Lake(installation.settings.lake_dir) as lake:
        lake.snapshot_id()
    return installation


def test_a_key_is_made_listed_and_revoked(bare: Installation, command: Command) -> None:
    assert "no key was ever made" in command(bare, "keys", "list").succeeded().out
    made = command(bare, "keys", "make", "research desk", "--role", "predict").succeeded()
    token = made.out.strip()
    assert "from now on" in made.err
    assert token not in made.err
    with Lake(bare.settings.lake_dir, read_only=True) as lake:
        key = recognise_key(read_keys(lake), token)
    assert (key.name, key.role) == ("research desk", "predict")
    listed = command(bare, "keys", "list").succeeded().out
    assert all(word in listed for word in (key.id, "research desk", "predict"))
    assert token.split("_")[2] not in listed
    assert "from now on" not in command(bare, "keys", "make", "another").succeeded().err
    assert "is revoked" in command(bare, "keys", "revoke", key.id).succeeded().out
    command(bare, "keys", "revoke", key.id).refused_with("revoked already", key.id)
    command(bare, "keys", "revoke", key.id[:-1] + "x").refused_with("unknown id of a key", key.id)


def test_a_key_needs_a_lake(tmp_path: Path, command: Command) -> None:
    nothing = Installation(tmp_path)
    command(nothing, "keys", "make", "desk").refused_with("no lake yet")
    command(nothing, "keys", "revoke", "0").refused_with("no lake yet")
    assert not nothing.settings.lake_dir.exists()


def test_the_audit_is_listed_from_journals_and_lake(bare: Installation, command: Command) -> None:
    assert "was ever asked for" in command(bare, "keys", "audit").succeeded().out
    folder = bare.settings.audit_dir
    folder.mkdir(parents=True)
    for number, place in enumerate(("stored", "waiting")):
        moment = datetime(2026, 1, 2, number, tzinfo=UTC).replace(tzinfo=None)
        row = AuditRow(moment, "", f"POST /{place}", "/", "a" * 64, "r1", "b" * 64, 200, 0.0123)
        (folder / f"{place}.jsonl").write_bytes(encode_row(row))
        if place == "stored":
            with Lake(bare.settings.lake_dir) as lake:
                assert move_journals(lake, folder) == 1
    lines = command(bare, "keys", "audit").succeeded().out.splitlines()
    assert ["POST /waiting" in lines[2], "POST /stored" in lines[3]] == [True, True]
    assert all(word in lines[2] for word in ("2026-01-02 01:00:00", "200", "r1", "a" * 12, "12.3"))
    assert len(command(bare, "keys", "audit", "--rows", "1").succeeded().out.splitlines()) == 3
