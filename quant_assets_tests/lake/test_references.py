"""What reports compare days with: made once, made anew for other data, and not piling up."""

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


def making(content: bytes, made: list[bytes]) -> Callable[[], bytes]:
    def make() -> bytes:
        made.append(content)
        return content

    return make


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.model"))


def test_the_same_is_made_once(lake: Lake, tmp_path: Path) -> None:
    made: list[bytes] = []
    for _ in range(3):
        kept = ReferenceStore(lake, tmp_path, "report")
        assert kept.get(FIRST, "of data", making(b"content", made)) == b"content"
    assert made == [b"content"]


def test_another_fingerprint_day_or_report_is_made_anew(lake: Lake, tmp_path: Path) -> None:
    made: list[bytes] = []
    wanted = [("a", FIRST, "x"), ("a", FIRST, "y"), ("a", SECOND, "y"), ("b", SECOND, "y")]
    for i, (report, day, fingerprint) in enumerate(wanted):
        content = str(i).encode()
        found = ReferenceStore(lake, tmp_path, report).get(day, fingerprint, making(content, made))
        assert found == content
    assert len(made) == len(wanted)


def test_the_newest_are_kept_and_the_last_one_asked_for(lake: Lake, tmp_path: Path) -> None:
    made: list[bytes] = []
    kept = ReferenceStore(lake, tmp_path, "report", newest=2)
    for day in (FIRST, SECOND, THIRD):
        kept.get(day, "x", making(str(day).encode(), made))
    assert len(files(tmp_path)) == 2
    kept.get(THIRD, "x", making(b"never", made))
    kept.get(SECOND, "x", making(b"never", made))
    assert kept.get(FIRST, "x", making(b"again", made)) == b"again"
    kept.get(FIRST, "x", making(b"never", made))
    kept.get(THIRD, "x", making(b"never", made))
    assert made[3:] == [b"again"]
    assert len(files(tmp_path)) == 2


def test_a_replaced_file_goes_unless_others_are_the_same(lake: Lake, tmp_path: Path) -> None:
    made: list[bytes] = []
    kept = ReferenceStore(lake, tmp_path, "report", newest=2)
    for fingerprint in "abcde":
        kept.get(FIRST, fingerprint, making(fingerprint.encode(), made))
    assert [file.read_bytes() for file in files(tmp_path)] == [b"e"]
    ReferenceStore(lake, tmp_path, "other").get(SECOND, "x", making(b"e", made))
    kept.get(FIRST, "f", making(b"f", made))
    assert sorted(file.read_bytes() for file in files(tmp_path)) == [b"e", b"f"]
    kept.get(FIRST, "g", making(b"f", made))
    assert sorted(file.read_bytes() for file in files(tmp_path)) == [b"e", b"f"]


def test_a_file_that_is_gone_is_made_anew(lake: Lake, tmp_path: Path) -> None:
    made: list[bytes] = []
    kept = ReferenceStore(lake, tmp_path, "report")
    kept.get(FIRST, "x", making(b"content", made))
    for file in files(tmp_path):
        file.unlink()
    for _ in range(2):
        assert kept.get(FIRST, "x", making(b"content", made)) == b"content"
    assert len(made) == 2
    assert [file.read_bytes() for file in files(tmp_path)] == [b"content"]


def test_without_a_folder_nothing_is_kept(lake: Lake, tmp_path: Path) -> None:
    made: list[bytes] = []
    for _ in range(2):
        ReferenceStore(lake, None, "report").get(FIRST, "x", making(b"content", made))
    assert len(made) == 2
    assert not files(tmp_path)


def test_an_altered_file_is_refused(lake: Lake, tmp_path: Path) -> None:
    made: list[bytes] = []
    kept = ReferenceStore(lake, tmp_path, "report")
    kept.get(FIRST, "x", making(b"content", made))
    (file,) = files(tmp_path)
    file.write_bytes(b"other")
    with pytest.raises(ArtifactError, match="not the one recorded"):
        kept.get(FIRST, "x", making(b"content", made))
