"""Whatever bytes the files hold, the folder is read or refused with an error of the package."""

import warnings
from collections.abc import Callable
from pathlib import Path
from random import Random

import pytest

from quant_assets.core.errors import CalendarError, SourceError
from quant_assets.sources.competition.folder import CompetitionFolder
from quant_assets_tests.support.competition_market import (
    ALWAYS,
    LAG_1,
    make_folder,
    source_of,
    with_calendar,
)

FILES = ("train.csv", "test.csv", "target_pairs.csv", "train_labels.csv", LAG_1, "calendar.csv")
READS: dict[str, Callable[[CompetitionFolder], object]] = {
    "first_day": lambda source: source.first_day,
    "last_day": lambda source: source.last_day,
    "look": lambda source: source.look(),
    "waiting": lambda source: source.waiting(),
    "fingerprint": lambda source: source.fingerprint(),
    "prices": lambda source: source.prices(*ALWAYS),
    "second_prices": lambda source: source.second_prices(*ALWAYS),
    "pairs": lambda source: source.pairs(),
    "published_labels": lambda source: source.published_labels(*ALWAYS),
}
PIECES = (
    *(b"\r", b"\r\n", b"\n", b"\n\n", b"\0", b"\0" * 999, b"\xef\xbb\xbf", b"\xe9", b"\xff\xfe"),
    *(b'"', b'""', b"'", b",", b",,", b";", b"\t", b" ", b"-", b"+", b".", b"_", b"\xc2\xa0"),
    *(b"9" * 30, b"9" * 5000, b"-9223372036854775809", b"1e999", b"-1e999", b"1e-999", b"3.0"),
    *(b"nan", b"inf", b"NA", b"None", b"true", b"20120430", b"2012-04-30", b"0001-01-01"),
    *(b"\xef\xbc\x91", b"\xd9\xa1", b"x" * (1 << 18), b'"' + b"y\n" * 99, b"target_", b" - "),
)


@pytest.fixture(scope="module", params=["counted", "dated"])
def whole_folder(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    folder = make_folder(tmp_path_factory.mktemp("fuzz") / "market")
    if request.param == "dated":
        with_calendar(lambda x: x)(folder)
    return folder


def mutate(content: bytes, random: Random) -> bytes:
    """Change bytes at a random place in one of the ways in which files go wrong."""
    content = content or b"\n"
    place, length = random.randrange(len(content) + 1), random.choice((1, 1, 2, 9, 60, 999))
    before, after = content[:place], content[place:]
    match random.randrange(8):
        case 0:
            return before
        case 1:
            return before + after[length:]
        case 2:
            return before + random.choice(PIECES) + after
        case 3:
            return before + random.choice(PIECES) + after[length:]
        case 4:
            return before + random.randbytes(length) + after
        case 5:
            return content.replace(b"\n", random.choice((b"\r", b"\r\n", b"\n\n", b"\n\r", b",\n")))
        case 6:
            return content.replace(random.choice((b",", b".", b"0", b"1")), random.choice(PIECES))
        case _:
            return before + content[random.randrange(len(content)) :]


def read_or_refuse(folder: Path) -> set[str]:
    """Call everything that reads, and return what was refused; other errors pass through."""
    refused: dict[str, str] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for name, read in READS.items():
            try:
                read(source_of(folder))
            except (SourceError, CalendarError) as error:
                refused[name] = str(error)
    assert all(len(message) < 2000 for message in refused.values())
    return set(refused)


@pytest.mark.parametrize("seed", range(200))
def test_no_bytes_end_in_another_error(whole_folder: Path, seed: int) -> None:
    random = Random(seed)
    files = [name for name in FILES if (whole_folder / name).exists()]
    changed = random.sample(files, random.choice((1, 1, 2)))
    before = {name: (whole_folder / name).read_bytes() for name in changed}
    try:
        for name in changed * random.choice((1, 1, 3)):
            path = whole_folder / name
            path.write_bytes(mutate(path.read_bytes(), random))
        assert not read_or_refuse(whole_folder) & {"look", "fingerprint"}
    finally:
        for name, content in before.items():
            (whole_folder / name).write_bytes(content)
    assert not read_or_refuse(whole_folder)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("content", [b"", b"\n", b"\r", b"\0", b'"', b"\xff", b"date_id", b"a,b\n"])
def test_a_file_of_a_few_bytes_is_refused(tmp_path: Path, name: str, content: bytes) -> None:
    folder = make_folder(tmp_path / "market")
    (folder / name).write_bytes(content)
    assert "prices" in read_or_refuse(folder) or name in {
        "target_pairs.csv",
        "train_labels.csv",
        LAG_1,
    }
    assert read_or_refuse(folder)


@pytest.mark.parametrize("name", FILES)
def test_a_folder_in_the_place_of_a_file_is_refused(tmp_path: Path, name: str) -> None:
    folder = make_folder(tmp_path / "market")
    (folder / name).unlink(missing_ok=True)
    (folder / name).mkdir()
    assert read_or_refuse(folder)


def test_a_link_that_points_to_itself_is_refused(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "market")
    (folder / "test.csv").unlink()
    (folder / "test.csv").symlink_to("test.csv")
    assert "prices" in read_or_refuse(folder)
