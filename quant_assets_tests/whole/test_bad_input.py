"""Wrong files after a good load: the user gets one message, and nothing changes.

The messages of all faults are tested in ``sources``; here the faults reach the command line. Single
bad cells are tested in ``test_bad_cells``.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from quant_assets_tests.support.installation import Command, Digests, Installation, digests
from quant_assets_tests.support.small_market import Rows, change_train

Change = Callable[[Path], object]
# What is done to the folder, and what the message must say after the file's name.
Fault = tuple[Change, str, tuple[str, ...]]


def written(name: str, content: bytes) -> Change:
    return lambda folder: (folder / name).write_bytes(content)


def bytes_of(name: str, change: Callable[[bytes], bytes]) -> Change:
    return lambda folder: (folder / name).write_bytes(change((folder / name).read_bytes()))


def train(change: Callable[[Rows], Rows | None]) -> Change:
    return lambda folder: change_train(folder, change)


def pairs(change: Callable[[list[str]], list[str]]) -> Change:
    def changed(raw: bytes) -> bytes:
        return ("\n".join(change(raw.decode().splitlines())) + "\n").encode()

    return bytes_of("target_pairs.csv", changed)


def labels(days: int) -> Change:
    """Write ``train_labels.csv`` with a number of empty rows."""
    header = ["date_id", *(f"target_{i}" for i in range(424))]
    rows = [[str(day), *[""] * 424] for day in range(days)]
    text = "\n".join(",".join(row) for row in (header, *rows)) + "\n"
    return written("train_labels.csv", text.encode())


def newer_prices(rows: Rows) -> None:
    """The rest of a bad delivery is good, and would change stored rows if it were accepted."""
    for row in rows[1:]:
        row[1:] = [cell and repr(float(cell) * 1.01) for cell in row[1:]]


FAULTS: dict[str, Fault] = {
    "missing": (
        lambda folder: (folder / "train.csv").unlink(),
        "train.csv",
        ("a file is missing", "found: nothing"),
    ),
    "empty": (written("train.csv", b""), "train.csv", ("the file is empty", "found: no header")),
    "binary": (
        written("train.csv", bytes(range(256)) * 9),
        "train.csv",
        ("the file is not CSV", "expected: comma-separated text"),
    ),
    "wrong delimiter": (
        bytes_of("train.csv", lambda raw: raw.replace(b",", b";")),
        "train.csv",
        ("wrong delimiter", "line 1", "found:", "';'"),
    ),
    "no date_id": (
        bytes_of("train.csv", lambda raw: raw.replace(b"date_id", b"day")),
        "train.csv",
        ("the date_id column is missing", "column 'date_id'"),
    ),
    "a day left out": (
        train(lambda rows: [*rows[:40], *rows[41:]]),
        "train.csv",
        ("a date_id is left out", "line 41, column 'date_id'", "expected: 39", "found: 40"),
    ),
    "a day twice": (
        train(lambda rows: [*rows[:40], rows[39], *rows[40:]]),
        "train.csv",
        ("a date_id occurs twice", "line 41, column 'date_id'", "found: 38"),
    ),
    "unsorted": (
        train(lambda rows: [*rows[:40], rows[41], rows[40], *rows[42:]]),
        "train.csv",
        ("date_id is not in ascending order", "line 42, column 'date_id'", "found: 39"),
    ),
    "unknown column": (
        bytes_of("train.csv", lambda raw: raw.replace(b"LME_CA_Close", b"LME_CA_Clsoe")),
        "train.csv",
        ("unknown column", "line 1", "found: 'LME_CA_Clsoe'"),
    ),
    "a column of text": (
        train(lambda rows: [rows[0], *([row[0], "n/a", *row[2:]] for row in rows[1:])]),
        "train.csv",
        ("a column holds no numbers", "line 2, column '", "'n/a'"),
    ),
    "truncated": (
        bytes_of("train.csv", lambda raw: raw[: len(raw) * 2 // 3] + b"\n"),
        "train.csv",
        ("a row has another number of fields", "expected: 144 fields"),
    ),
    "outside the calendar": (
        train(lambda rows: [rows[0], *([str(int(r[0]) + 99999), *r[1:]] for r in rows[1:])]),
        "train.csv",
        ("outside the trading calendar", "counted from 2023-07-31", "found: 99999"),
    ),
    "423 pairs": (
        pairs(lambda lines: lines[:-1]),
        "target_pairs.csv",
        ("wrong number of targets", "line 424", "expected: 424 rows", "found: 423 rows"),
    ),
    "425 pairs": (
        pairs(lambda lines: [*lines, lines[-1].replace("target_423", "target_424")]),
        "target_pairs.csv",
        ("wrong number of targets", "line 426", "expected: 424 rows", "found: 425 rows"),
    ),
    "unknown series": (
        pairs(lambda lines: [*lines[:9], "target_8,1,LME_XX_Close", *lines[10:]]),
        "target_pairs.csv",
        ("a pair names an unknown series", "line 10, column 'pair'", "found: 'LME_XX_Close'"),
    ),
    "lag 0": (
        pairs(lambda lines: [*lines[:9], "target_8,0," + lines[9].split(",")[2], *lines[10:]]),
        "target_pairs.csv",
        ("a lag is out of range", "line 10, column 'lag'", "from 1 to 4", "found: '0'"),
    ),
    "a target twice": (
        pairs(lambda lines: [*lines[:9], lines[8], *lines[10:]]),
        "target_pairs.csv",
        ("a target occurs twice", "line 10, column 'target'", "found: 'target_7'"),
    ),
    "labels of more days": (
        labels(112),
        "train.csv",
        ("train.csv ends before train_labels.csv", "expected: 111", "found: 109"),
    ),
    "labels of fewer days": (
        labels(100),
        "train_labels.csv",
        ("the rows are not those of train.csv", "expected: 110 rows", "found: 100 rows"),
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_bad_folder_is_refused_and_nothing_changes(
    name: str, installation: Installation, loaded_digests: Digests, command: Command
) -> None:
    break_it, file, words = FAULTS[name]
    change_train(installation.folder, newer_prices)
    break_it(installation.folder)
    command(installation, "load").refused_with(str(installation.folder / file), *words)
    assert digests(installation.settings) == loaded_digests
