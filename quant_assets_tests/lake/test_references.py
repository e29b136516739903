"""References are computed once, computed again for other data, and deleted when replaced."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path

import pytest

from quant_assets.core.errors import ArtifactError
from quant_assets.lake.store.lake import Lake
from quant_assets.lake.store.references import ReferenceStore

FIRST, SECOND, THIRD = (date(2024, 1, day) for day in (2, 3, 4))


@pytest.fixture
def lake(tmp_path: Path) -> Iterator[Lake]:
    with Lake(tmp_path / "lake") as opened:
        yield opened


def making(content: bytes, computed: list[bytes]) -> Callable[[], bytes]:
    def make() -> bytes:
        computed.append(content)
        return content

    return make


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.model"))


def test_the_same_is_made_once(lake: Lake, tmp_path: Path) -> None:
    computed: list[bytes] = []
    for _ in range(3):
        store = ReferenceStore(lake, tmp_path, "report")
        assert store.get(FIRST, "of data", making(b"content", computed)) == b"content"
    assert computed == [b"content"]


def test_another_fingerprint_day_or_report_is_made_anew(lake: Lake, tmp_path: Path) -> None:
    computed: list[bytes] = []
    wanted = [("a", FIRST, "x"), ("a", FIRST, "y"), ("a", SECOND, "y"), ("b", SECOND, "y")]
    for i, (report, day, fingerprint) in enumerate(wanted):
        content = str(i).encode()
        content_read = ReferenceStore(lake, tmp_path, report).get(
            day, fingerprint, making(content, computed)
        )
        assert content_read == content
    assert len(computed) == len(wanted)


def test_the_newest_are_kept_and_the_last_one_asked_for(lake: Lake, tmp_path: Path) -> None:
    computed: list[bytes] = []
    store = ReferenceStore(lake, tmp_path, "report", newest=2)
    for day in (FIRST, SECOND, THIRD):
        store.get(day, "x", making(str(day).encode(), computed))
    assert len(files(tmp_path)) == 2
    store.get(THIRD, "x", making(b"never", computed))
    store.get(SECOND, "x", making(b"never", computed))
    assert store.get(FIRST, "x", making(b"again", computed)) == b"again"
    store.get(FIRST, "x", making(b"never", computed))
    store.get(THIRD, "x", making(b"never", computed))
    assert computed[3:] == [b"again"]
    assert len(files(tmp_path)) == 2


def test_a_replaced_file_goes_unless_others_are_the_same(lake: Lake, tmp_path: Path) -> None:
    computed: list[bytes] = []
    store = ReferenceStore(lake, tmp_path, "report", newest=2)
    for fingerprint in "abcde":
        store.get(FIRST, fingerprint, making(fingerprint.encode(), computed))
    assert [file.read_bytes() for file in files(tmp_path)] == [b"e"]
    ReferenceStore(lake, tmp_path, "other").get(SECOND, "x", making(b"e", computed))
    store.get(FIRST, "f", making(b"f", computed))
    assert sorted(file.read_bytes() for file in files(tmp_path)) == [b"e", b"f"]
    store.get(FIRST, "g", making(b"f", computed))
    assert sorted(file.read_bytes() for file in files(tmp_path)) == [b"e", b"f"]


def test_a_file_that_is_gone_is_made_anew(lake: Lake, tmp_path: Path) -> None:
    computed: list[bytes] = []
    store = ReferenceStore(lake, tmp_path, "report")
    store.get(FIRST, "x", making(b"content", computed))
    for file in files(tmp_path):
        file.unlink()
    for _ in range(2):
        assert store.get(FIRST, "x", making(b"content", computed)) == b"content"
    assert len(computed) == 2
    assert [file.read_bytes() for file in files(tmp_path)] == [b"content"]


def test_without_a_folder_nothing_is_kept(lake: Lake, tmp_path: Path) -> None:
    computed: list[bytes] = []
    for _ in range(2):
        ReferenceStore(lake, None, "report").get(FIRST, "x", making(b"content", computed))
    assert len(computed) == 2
    assert not files(tmp_path)


def test_an_altered_file_is_refused(lake: Lake, tmp_path: Path) -> None:
    computed: list[bytes] = []
    store = ReferenceStore(lake, tmp_path, "report")
    store.get(FIRST, "x", making(b"content", computed))
    (file,) = files(tmp_path)
    file.write_bytes(b"other")
    with pytest.raises(ArtifactError, match="not the one recorded"):
        store.get(FIRST, "x", making(b"content", computed))
