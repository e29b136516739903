"""Output and refusals of the commands that only read."""

import csv
import io
import json
import os
import pty
import select
import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from quant_assets.lake.schemas.feature_tables import TARGET_FEATURES
from quant_assets.lake.schemas.forecast_tables import ADAPTATION, fits_table
from quant_assets.lake.schemas.price_tables import RAW_GROUPS, RAW_SERIES
from quant_assets.lake.schemas.revision_tables import DIGESTS, LOADS, OUTDATED
from quant_assets.lake.schemas.scoring_tables import SCOREBOARD
from quant_assets.lake.store.lake import Lake
from quant_assets.models.registry import FAST
from quant_assets_tests.support.installation import (
    PATIENCE,
    TABLES,
    Command,
    Digests,
    Installation,
    digests,
)

PAIRS = "FROM raw.target_pairs ORDER BY lag, target LIMIT 3"
NEED_A_LAKE = (
    ("sql", "SELECT 1"),
    ("tables",),
    ("describe", "raw.prices"),
    ("review",),
    ("score",),
    ("export",),
    ("snapshot", "copy.duckdb"),
)


def test_without_a_command_the_commands_are_listed(loaded: Installation) -> None:
    output = loaded.run("--help").succeeded().out
    for name in ("demo", "load", "backfill", "sql", "tables", "describe", "snapshot", "doctor"):
        assert f"\n  {name} " in output


def test_an_unknown_command_is_a_usage_error(loaded: Installation, command: Command) -> None:
    finished = command(loaded, "dmeo")
    assert finished.status == 2
    assert "dmeo" in finished.err
    assert "Traceback" not in finished.err


@pytest.mark.parametrize("arguments", NEED_A_LAKE, ids=lambda arguments: arguments[0])
def test_without_a_lake_one_is_told_how_to_make_it(
    arguments: tuple[str, ...], tmp_path: Path, command: Command
) -> None:
    command(Installation(tmp_path), *arguments).refused_with("there is no lake yet", "make demo")
    assert not (tmp_path / "data").exists()
    assert not Path("copy.duckdb").exists()


def test_without_a_lake_the_prompt_does_not_open(tmp_path: Path) -> None:
    finished = Installation(tmp_path).run("shell", stdin=subprocess.DEVNULL)
    finished.refused_with("there is no lake yet", "make demo")


def test_tables_lists_every_table_with_its_rows(loaded: Installation, command: Command) -> None:
    lines = command(loaded, "tables").succeeded().out.splitlines()
    rows = {line.split()[0]: line.split()[1] for line in lines if line[:1].isalpha()}
    assert {table.name for table in TABLES} <= set(rows)
    assert rows["raw.target_pairs"] == "424"
    assert rows["submissions.daily"] == "16,960"
    assert rows["features.targets"] == "46,640"


def test_describe_says_what_each_column_means(loaded: Installation, command: Command) -> None:
    output = command(loaded, "describe", "features.targets").succeeded().out
    assert "one row per day and target" in output.replace("\n", " ")
    assert all(f"\n{column.name} " in output for column in TARGET_FEATURES.columns)


def test_describe_suggests_the_nearest_table(loaded: Installation, command: Command) -> None:
    finished = command(loaded, "describe", "feature.targets")
    finished.refused_with("unknown table", "'feature.targets'", "did you mean features.targets")


def test_sql_writes_the_same_rows_as_csv_and_json(loaded: Installation, command: Command) -> None:
    text = command(loaded, "sql", PAIRS, "--format", "csv").succeeded().out
    parsed = json.loads(command(loaded, "sql", PAIRS, "--format", "json").succeeded().out)
    rows = list(csv.DictReader(io.StringIO(text)))
    assert list(rows[0]) == ["target", "position", "lag", "leg_a", "leg_b"]
    assert len(rows) == 3
    assert rows == [
        {name: "" if cell is None else str(cell) for name, cell in row.items()} for row in parsed
    ]


def test_sql_shows_a_table_or_writes_a_file(
    loaded: Installation, command: Command, tmp_path: Path
) -> None:
    shown = command(loaded, "sql", "SELECT count(*) AS n FROM raw.target_pairs").succeeded().out
    assert "424" in shown
    file = tmp_path / "pairs.csv"
    command(loaded, "sql", PAIRS, "--format", "csv", "--output", str(file)).succeeded()
    assert file.read_text() == command(loaded, "sql", PAIRS, "--format", "csv").out


def test_sql_writes_what_the_ending_of_a_file_says(
    loaded: Installation, command: Command, tmp_path: Path
) -> None:
    def write(name: str, *more: str) -> bytes:
        file = tmp_path / name
        command(loaded, "sql", PAIRS, "--output", str(file), *more).succeeded()
        return file.read_bytes()

    write("pairs.parquet")
    rows = pq.read_table(tmp_path / "pairs.parquet").to_pylist()
    assert json.loads(write("pairs.JSON")) == rows
    assert write("pairs.csv").decode() == command(loaded, "sql", PAIRS, "--format", "csv").out
    assert write("pairs.txt").decode() == command(loaded, "sql", PAIRS).out
    assert json.loads(write("pairs.dat", "--format", "json")) == rows
    assert json.loads(write("again.csv", "--format", "json")) == rows


@pytest.mark.parametrize("name", ["pairs.xlsx", "pairs"])
def test_sql_refuses_a_file_whose_name_says_no_format(
    name: str, loaded: Installation, command: Command, tmp_path: Path
) -> None:
    refused = command(loaded, "sql", PAIRS, "--output", str(tmp_path / name))
    refused.refused_with("how to write the rows", f"where: {tmp_path / name}", ".parquet")
    assert not (tmp_path / name).exists()
    # A device, a pipe or a link is what the user named, whatever it is called.
    (tmp_path / "link").symlink_to(tmp_path / "linked.xlsx")
    command(loaded, "sql", PAIRS, "--output", str(tmp_path / "link")).succeeded()
    assert "target_0" in (tmp_path / "linked.xlsx").read_text()


def test_score_refuses_a_file_that_is_to_hold_data(
    loaded: Installation, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "scores.csv"
    refused = command(loaded, "score", "--output", str(file))
    refused.refused_with("Markdown", "monitoring.scoreboard", "--output")
    assert not file.exists()


@pytest.mark.parametrize("group", [(), ("releases",), ("submissions",)])
def test_the_list_of_commands_cuts_no_description(
    group: tuple[str, ...], loaded: Installation, command: Command
) -> None:
    listed = command(loaded, *group, "--help").succeeded().out.partition("Commands:")[2]
    assert listed
    assert "..." not in listed


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("SELEC 1", ("cannot be run", "where: SELEC 1", "syntax error")),
        ("FROM raw.price", ("cannot be run", "raw.price", "quant-assets tables")),
        (
            "FROM raw.revisions",
            ("nothing has been stored", "where: raw.revisions: What a source changed", "hint: "),
        ),
        (
            "DELETE FROM raw.target_pairs",
            ("the console only reads", "where: DELETE FROM raw.target_pairs"),
        ),
        ("DROP TABLE raw.prices", ("the console only reads", "DROP TABLE raw.prices")),
        (
            "CREATE TABLE raw.mine AS SELECT 1 AS a",
            ("the console only reads", "where: CREATE TABLE raw.mine AS SELECT 1 AS a"),
        ),
    ],
)
def test_sql_refuses_what_is_wrong_or_writes(
    statement: str,
    words: tuple[str, ...],
    loaded: Installation,
    loaded_digests: Digests,
    command: Command,
) -> None:
    command(loaded, "sql", statement).refused_with(*words)
    assert digests(loaded.settings) == loaded_digests


def test_shell_answers_statements_of_several_lines(loaded: Installation, tmp_path: Path) -> None:
    typed = tmp_path / "typed.sql"
    typed.write_text(
        "SELECT count(*) AS n\n\nFROM raw.target_pairs;\nDELETE FROM raw.target_pairs;\n"
        "SELECT 'a;\nb;\n' AS text;\nFROM raw.price;\nFROM monitoring.alerts;\nSELECT 1 + 1 AS last"
    )
    with typed.open() as keyboard:
        finished = loaded.run("shell", stdin=keyboard)
    assert finished.status == 1
    for word in ("424", "a;\\nb;", "last", "2"):
        assert word in finished.out
    assert "the console only reads" in finished.err
    assert "raw.price" in finished.err
    assert "nothing has been stored in the table yet\n  where: monitoring.alerts" in finished.err


def test_shell_has_a_prompt_in_a_terminal(loaded: Installation) -> None:
    ours, theirs = pty.openpty()
    with loaded.start("shell", stdin=theirs, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        try:
            shown = read_until(ours, "lake> ")
            for typed, awaited in (
                (b"SELECT 7 *\n", "  ... "),
                (b"191;\n", "lake> "),
                (b"SELECT (\n", "  ... "),
            ):
                os.write(ours, typed)
                shown += read_until(ours, awaited)
            process.send_signal(signal.SIGINT)
            shown += read_until(ours, "lake> ")
            # The line before the last of the history.
            os.write(ours, b"SELECT 6 *\n\x1b[A\x1b[A\x1b[A\n")
            shown += read_until(ours, "lake> ")
            os.write(ours, b"\x04")
            process.wait(PATIENCE)
        finally:
            process.kill()
            os.close(ours)
    assert process.returncode == 0
    for word in ("1337", "1146", "Ctrl-D ends"):
        assert word in shown


def read_until(terminal: int, awaited: str) -> str:
    """Read what a program shows until it ends with a text."""
    shown = ""
    while not shown.endswith(awaited):
        ready, _, _ = select.select([terminal], [], [], PATIENCE)
        assert ready, shown
        shown += os.read(terminal, 10_000).decode(errors="replace")
    return shown


@pytest.mark.parametrize("moment", ["2000-01-01", "2000-01-01T22:00", "2000-01-01T22:00+09:00"])
@pytest.mark.parametrize(
    "reading",
    [
        ("sql", "SELECT 1"),
        ("shell",),
        ("snapshot", "copy.duckdb"),
        ("repeat", "ridge", "--as-of", "2023-12-01"),
    ],
    ids=lambda reading: reading[0],
)
def test_what_is_not_known_any_more_is_refused(
    reading: tuple[str, ...], moment: str, loaded: Installation, command: Command
) -> None:
    refused = command(loaded, *reading, "--as-known", moment)
    refused.refused_with("what was known then", "QUANT_RETENTION_DAYS", "found: 2000-01-01T")
    assert not Path("copy.duckdb").exists()


def test_a_knowledge_time_shows_what_was_stored_then(
    installation: Installation, command: Command, tmp_path: Path
) -> None:
    before = datetime.now(UTC).isoformat()
    with Lake(installation.settings.lake_dir) as lake:
        for table in (SCOREBOARD, fits_table("ridge")):
            lake.replace_all(table, {column.name: [] for column in table.columns})
    count = ("sql", "SELECT count(*) AS n FROM monitoring.scoreboard", "--format", "csv")
    assert command(installation, *count).succeeded().out == '"n"\n0\n'
    known = command(installation, *count, "--as-known", before).succeeded().out
    assert int(known.split()[1]) > 0
    copy = tmp_path / "copy.duckdb"
    command(installation, "snapshot", str(copy), "--as-known", before).succeeded()
    with duckdb.connect(str(copy), read_only=True) as opened:
        assert opened.execute("SELECT count(*) > 0 FROM monitoring.scoreboard").fetchone() == (
            True,
        )
    day = command(
        installation,
        "sql",
        "SELECT max(trading_day) FROM fits.ridge",
        "--as-known",
        before,
        "--format",
        "csv",
    ).out.split()[1]
    command(installation, "repeat", "ridge", "--as-of", day).refused_with("ridge")
    repeated = command(installation, "repeat", "ridge", "--as-of", day, "--as-known", before)
    assert "the same to the bit" in repeated.succeeded().out


@pytest.mark.parametrize("written", [("sql", PAIRS, "--format", "csv"), ("score",)])
def test_output_goes_through_what_is_no_regular_file(
    written: tuple[str, ...], loaded: Installation, command: Command, tmp_path: Path
) -> None:
    file, link, pipe = tmp_path / "file", tmp_path / "link", tmp_path / "pipe"
    link.symlink_to(file)
    command(loaded, *written, "--output", str(link)).succeeded()
    content = file.read_bytes()
    assert content
    assert link.readlink() == file
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as threads:
        read = threads.submit(pipe.read_bytes)
        command(loaded, *written, "--output", str(pipe)).succeeded()
        assert read.result() == content
    assert pipe.is_fifo()
    command(loaded, *written, "--output", "/dev/null").succeeded()
    assert Path("/dev/null").is_char_device()
    linked = tmp_path / "linked"
    linked.hardlink_to(file)
    command(loaded, *written, "--output", str(file)).succeeded()
    assert file.stat().st_ino != linked.stat().st_ino
    assert file.read_bytes() == linked.read_bytes() == content


def test_snapshot_is_a_plain_duckdb_file_with_everything(
    loaded: Installation, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "copy.duckdb"
    output = command(loaded, "snapshot", str(file)).succeeded().out
    stored = {*TABLES, ADAPTATION, DIGESTS, LOADS, OUTDATED, RAW_GROUPS, RAW_SERIES}
    assert f"{len(stored)} tables" in output
    with duckdb.connect(str(file), read_only=True) as copy:
        rows = copy.execute("SELECT count(*) FROM features.targets").fetchone()
        copied = copy.execute("FROM duckdb_tables()").fetchall()
    assert rows == (46640,)
    assert len(copied) == len(stored)
    command(loaded, "snapshot", str(file)).refused_with("the file exists", str(file))
    assert [file] == list(tmp_path.iterdir())


def test_score_shows_every_family_best_first(loaded: Installation, command: Command) -> None:
    output = command(loaded, "score").succeeded().out
    table = output[output.index("---") :].splitlines()[1:]
    scores = [float(line.split()[1]) for line in table]
    assert {line.split()[0] for line in table} == {"published", "ensemble", *FAST}
    assert scores == sorted(scores, reverse=True)


def test_export_writes_the_files_again(installation: Installation, command: Command) -> None:
    written = {file: file.read_bytes() for file in installation.settings.exports_dir.iterdir()}
    for file in written:
        file.unlink()
    output = command(installation, "export").succeeded().out
    for file, content in written.items():
        assert f"{file}  40 days" in output
        assert file.read_bytes() == content
    exported = pq.read_table(installation.settings.exports_dir / "submission.parquet")
    assert exported.num_columns == 425


def test_doctor_finds_nothing_wrong_with_a_loaded_installation(
    loaded: Installation, command: Command
) -> None:
    output = command(loaded, "doctor").succeeded().out
    assert "BAD" not in output
    assert "2023-07-31 to 2023-12-29" in output
    assert f"QUANT_DATA_DIR            {loaded.settings.data_dir}" in output


def test_doctor_says_what_is_wrong_and_what_to_do(
    installation: Installation, command: Command
) -> None:
    (installation.folder / "train.csv").write_bytes(b"")
    (installation.settings.lake_dir / "catalogue.sqlite").write_bytes(b"no database")
    finished = command(installation, "doctor")
    assert finished.status == 1
    bad = [line for line in finished.out.splitlines() if line.startswith("BAD")]
    assert [line.split()[1] for line in bad] == ["lake", "source"]
    assert "train.csv" in bad[1]
    assert finished.out.count("     -> ") == 2
    assert "Traceback" not in finished.err
