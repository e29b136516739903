"""Output and refusals of the commands that only read."""

import csv
import io
import json
import subprocess
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from quant_assets.lake.schemas.tables import TARGET_FEATURES
from quant_assets.models.registry import FAST
from quant_assets_tests.support.installation import TABLES, Command, Digests, Installation, digests

PAIRS = "FROM raw.target_pairs ORDER BY lag, target LIMIT 3"
NEED_A_LAKE = (
    ("sql", "SELECT 1"),
    ("tables",),
    ("describe", "raw.prices"),
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
    assert rows["submissions.competition"] == "40"
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
    assert list(rows[0]) == ["target", "lag", "leg_a", "leg_b"]
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


@pytest.mark.parametrize(
    ("statement", "words"),
    [
        ("SELEC 1", ("cannot be run", "where: SELEC 1", "syntax error")),
        ("FROM raw.price", ("cannot be run", "raw.price", "quant-assets tables")),
        ("DELETE FROM raw.target_pairs", ("cannot be run", "read-only")),
        ("DROP TABLE raw.prices", ("cannot be run", "read-only")),
        ("CREATE TABLE raw.mine AS SELECT 1 AS a", ("cannot be run", "read-only")),
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


def test_shell_is_duckdbs_prompt_on_the_lake(loaded: Installation, tmp_path: Path) -> None:
    typed = tmp_path / "typed.sql"
    typed.write_text("SELECT count(*) AS n FROM raw.target_pairs;\nDELETE FROM raw.target_pairs;\n")
    with typed.open() as keyboard:
        finished = loaded.run("shell", stdin=keyboard)
    assert "424" in finished.out
    assert "read-only" in finished.err


def test_snapshot_is_a_plain_duckdb_file_with_everything(
    loaded: Installation, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "copy.duckdb"
    output = command(loaded, "snapshot", str(file)).succeeded().out
    assert f"{len(TABLES)} tables" in output
    with duckdb.connect(str(file), read_only=True) as copy:
        rows = copy.execute("SELECT count(*) FROM features.targets").fetchone()
        copied = copy.execute("FROM duckdb_tables()").fetchall()
    assert rows == (46640,)
    assert len(copied) == len(TABLES)
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
