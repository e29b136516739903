"""The console changes no file, whatever is typed, and ordinary analysis works."""

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import duckdb
import pytest

from quant_assets.commands.sql_console import Format, run_sql, run_statements
from quant_assets.commands.sql_guard import open_reader
from quant_assets.core.errors import LakeError
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.lake_processes import MARKS, day
from quant_assets_tests.support.odd_names import ODD_NAME

WRITES = """
COPY (SELECT 1) TO '{root}/files/new.csv'
COPY (SELECT 1) TO '{root}/../new.csv'
COPY {marks} TO '{root}/files' (FORMAT parquet, PARTITION_BY (trading_day))
COPY (PIVOT {marks} ON mark USING count(*)) TO '{root}/files/new.csv'
COPY FROM DATABASE lake TO memory
EXPLAIN ANALYZE COPY (SELECT 1) TO '{root}/files/new.csv'
/* a */ EXPLAIN /* b */ ANALYZE /* c */ COPY (SELECT 1) TO '{root}/files/new.csv'
EXPLAIN (ANALYZE, FORMAT json) COPY (SELECT 1) TO '{root}/files/new.csv'
PREPARE copying AS COPY (SELECT 1) TO '{root}/files/new.csv'
EXECUTE copying
SELECT 1; COPY (SELECT 1) TO '{root}/files/new.csv'
PIVOT {marks} ON mark USING count(*); COPY (SELECT 1) TO '{root}/files/new.csv'
ATTACH '{root}/catalogue.sqlite' AS catalogue (TYPE sqlite)
ATTACH '{root}/files/new.duckdb' AS created
DELETE FROM __ducklake_metadata_lake.ducklake_table
DETACH lake
DELETE FROM {marks}
UPDATE {marks} SET mark = 0
INSERT INTO {marks} SELECT * FROM {marks}
TRUNCATE {marks}
DROP TABLE {marks}
ALTER TABLE {marks} ADD COLUMN more INTEGER
COMMENT ON TABLE {marks} IS 'mine'
CREATE TABLE mine AS SELECT 1
CREATE VIEW mine AS SELECT 1
CREATE MACRO mine() AS 1
CREATE SCHEMA mine
CREATE TEMP MACRO mine() AS TABLE SELECT 1
CREATE TEMP VIEW mine AS FROM enable_logging(storage => 'file', storage_path => '{root}/files/log')
CREATE TEMP MACRO mine() AS (SELECT count(*) FROM query('SELECT 1'))
MERGE INTO {marks} USING (SELECT 1) ON false WHEN NOT MATCHED THEN INSERT DEFAULT VALUES
EXPORT DATABASE '{root}/files/exported'
CALL ducklake_expire_snapshots('lake', older_than => now())
CALL enable_logging(storage => 'file', storage_path => '{root}/files/log')
FROM enable_logging(storage => 'file', storage_path => '{root}/files/log')
FROM "ENABLE_LOGGING"(storage => 'file', storage_path => '{root}/files/log')
FROM system.main.enable_profiling(save_location => '{root}/files/profile.txt')
SELECT (SELECT count(*) FROM enable_profiling(save_location => '{root}/files/profile.txt'))
WITH a AS (FROM enable_logging(storage => 'file', storage_path => '{root}/files/log')) FROM a
PIVOT enable_logging(storage => 'file', storage_path => '{root}/files/log') ON a
PIVOT {marks} ON mark IN (SELECT 1 FROM enable_logging(storage => 'file'))
DESCRIBE FROM enable_logging(storage => 'file', storage_path => '{root}/files/log')
FROM ducklake_cleanup_old_files('lake', cleanup_all => true)
FROM ducklake_delete_orphaned_files('lake', cleanup_all => true)
FROM ducklake_set_option('lake', 'parquet_compression', 'zstd')
FROM lake.merge_adjacent_files()
FROM sqlite_attach('{root}/catalogue.sqlite')
FROM sqlite_query('__ducklake_metadata_lake', 'DELETE FROM ducklake_table RETURNING *')
FROM sqlite_scan('{root}/catalogue.sqlite', 'ducklake_table')
FROM json_execute_serialized_sql('{{}}')
FROM checkpoint()
CHECKPOINT
VACUUM
PRAGMA enable_profiling
PRAGMA profiling_output = '{root}/files/profile.json'
SET enable_external_access = true
SET VARIABLE mine = (SELECT count(*) FROM enable_logging())
RESET lock_configuration
USE memory
BEGIN
LOAD httpfs
INSTALL httpfs
CREATE PERSISTENT SECRET mine (TYPE s3)
"""
READS = """
SELECT * FROM {marks} ORDER BY trading_day LIMIT 2
WITH newest AS (SELECT max(mark) AS mark FROM {marks}) FROM {marks} JOIN newest USING (mark)
FROM {marks} AT (VERSION => 2)
FROM ducklake_snapshots('lake')
FROM lake.snapshots()
DESCRIBE {marks}
SHOW ALL TABLES
SUMMARIZE {marks}
EXPLAIN FROM {marks}
EXPLAIN ANALYZE (SELECT count(*) FROM {marks})
EXPLAIN (ANALYZE, FORMAT json) FROM {marks}
PIVOT {marks} ON mark USING count(*) GROUP BY trading_day
PIVOT (FROM {marks} a JOIN {marks} b ON a.mark < b.mark) ON trading_day USING count(*);
PIVOT {marks} ON mark IN (1, 2) USING count(*)
UNPIVOT {marks} ON mark
FROM duckdb_tables()
FROM (VALUES (1), (2)) v(a) JOIN range(3) r(a) USING (a)
CREATE TEMP VIEW mine AS FROM {marks}; SELECT count(*) FROM mine;
CREATE OR REPLACE TEMPORARY TABLE kept AS FROM {marks}; FROM kept
CREATE TEMP MACRO twice(x) AS 2 * x; SELECT twice(mark) FROM {marks}
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A lake of two days, in a folder with a quote in its name, that another process has open."""
    folder = tmp_path_factory.mktemp("console") / ODD_NAME / "lake"
    with Lake(folder) as lake:
        for number in range(2):
            rows = {"trading_day": [day(number)], "mark": [float(number)]}
            lake.replace_days(MARKS, day(number), day(number), rows)
        yield folder


@pytest.fixture(autouse=True)
def nothing_changes(root: Path) -> Iterator[None]:
    before = digest_files(root.parent)
    yield
    assert digest_files(root.parent) == before


def digest_files(folder: Path) -> dict[Path, str]:
    """Digest all files but SQLite's shared memory, in which readers leave their marks too."""
    files = (file for file in folder.rglob("*") if file.is_file() and file.suffix != ".sqlite-shm")
    return {file: sha256(file.read_bytes()).hexdigest() for file in files}


def fill_in(statement: str, root: Path) -> str:
    quoted = str(root).replace("'", "''")
    return statement.format(root=quoted, marks=MARKS.quoted)


@pytest.fixture(scope="module")
def connection(root: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with open_reader(root) as opened:
        yield opened


@pytest.mark.parametrize("statement", WRITES.strip().splitlines())
def test_what_writes_or_opens_is_refused(
    statement: str, root: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    with pytest.raises(LakeError, match="the console only reads"):
        run_statements(connection, fill_in(statement, root), "table")


@pytest.mark.parametrize("statement", READS.strip().splitlines())
def test_ordinary_analysis_works(
    statement: str, root: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    shown = run_statements(connection, fill_in(statement, root), "table")
    assert len(shown.splitlines()) > 1


@pytest.mark.parametrize("found", ["FROM '{}'", "FROM read_csv('{}')", "FROM read_text('{}')"])
def test_files_are_read_only_where_they_are_named(found: str, root: Path, tmp_path: Path) -> None:
    file, other = tmp_path / "mine.csv", tmp_path / "other.csv"
    for each in (file, other):
        each.write_text("a\n1\n")
    with pytest.raises(LakeError, match="--read PATH"):
        run_sql(root, found.format(file), "csv")
    assert run_sql(root, found.format(file), "csv", readable=[file])
    assert run_sql(root, found.format(other), "csv", readable=[tmp_path])
    with pytest.raises(LakeError, match="--read PATH"):
        run_sql(root, found.format(other), "csv", readable=[file])
    with pytest.raises(LakeError, match="the console only reads"):
        run_sql(root, f"COPY (SELECT 1) TO '{tmp_path}/new.csv'", "csv", readable=[tmp_path])
    with pytest.raises(LakeError, match="no such file or folder"):
        run_sql(root, "SELECT 1", "csv", readable=[tmp_path / "missing"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine.csv", "other.csv"]


_ENDLESS = """
import sys
from pathlib import Path

from quant_assets.commands.sql_console import run_statements
from quant_assets.commands.sql_guard import open_reader

connection, how = open_reader(Path(sys.argv[1])), sys.argv[2]
statement = "SELECT count(*) FROM range(100000000) a, range(1000000) b WHERE a.range + b.range < 0"
print("begun", flush=True)
try:
    run_statements(connection, statement, how)
except KeyboardInterrupt:
    print(run_statements(connection, "SELECT 1 AS one", "csv").decode(), end="", flush=True)
"""


@pytest.mark.parametrize("how", ["table", "csv"])
def test_a_long_statement_can_be_interrupted(how: Format, root: Path) -> None:
    command = [sys.executable, "-c", _ENDLESS, str(root), how]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "begun\n"
            # Before the statement runs, Ctrl-C ends Python's own code.
            time.sleep(2)
            process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=60)
        finally:
            process.kill()
    assert out == '"one"\n1\n'


@pytest.mark.parametrize("link", ["mine.csv", "folder/mine.csv"])
def test_links_are_read_by_their_own_names(link: str, root: Path, tmp_path: Path) -> None:
    (tmp_path / "delivered").mkdir()
    (tmp_path / "delivered" / "mine.csv").write_text("a\n1\n")
    (tmp_path / "folder").symlink_to(tmp_path / "delivered")
    (tmp_path / "mine.csv").symlink_to(tmp_path / "delivered" / "mine.csv")
    named = tmp_path / link.split("/", maxsplit=1)[0]
    assert run_sql(root, f"FROM '{tmp_path}/{link}'", "csv", readable=[named]) == b'"a"\n1\n'


def test_what_is_nested_too_deeply_to_be_checked_is_refused(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    with pytest.raises(LakeError, match="nested less deeply"):
        run_statements(connection, f"SELECT {' + '.join(['1'] * 900)}", "csv")


def test_nested_cells_are_json_in_csv(root: Path) -> None:
    assert run_sql(root, "SELECT [1, 2] AS a, {'b': DATE '2024-01-02'} AS c", "csv") == (
        b'"a","c"\n"[1, 2]","{""b"": ""2024-01-02""}"\n'
    )


@pytest.mark.parametrize("how", ["csv", "parquet"])
def test_a_type_that_a_format_lacks_is_refused(how: Format, root: Path) -> None:
    with pytest.raises(LakeError, match=f"cannot be written as {how}"):
        run_sql(root, "SELECT INTERVAL 1 DAY AS a", how)


@pytest.mark.parametrize(
    ("statement", "named", "writer"),
    [
        ("FROM raw.revisions", "raw.revisions", "something to record"),
        ('DESCRIBE "RAW" . "Revisions"', "raw.revisions", "something to record"),
        ("SUMMARIZE lake.raw.set_aside", "raw.set_aside", "something to record"),
        ("FROM monitoring.revision_runs", "monitoring.revision_runs", "quant-assets revise"),
        ("SELECT 1 FROM raw.prices a JOIN monitoring.drift b ON true", "raw.prices", "load"),
        ("SELECT 1; FROM monitoring.drift", "monitoring.drift", "watch_daily"),
        ("FROM superseded.submissions_daily", "superseded.sub", "something to record"),
        ("FROM forecasts.xgboost", "forecasts.xgboost", "--families NAMES"),
        ("FROM fits.ridge_study", "fits.ridge_study", "quant-assets tune"),
    ],
)
def test_a_declared_table_that_is_not_stored_says_what_writes_it(
    statement: str, named: str, writer: str, root: Path
) -> None:
    with pytest.raises(LakeError) as refused:
        run_sql(root, statement, "table")
    assert refused.value.problem == "nothing has been stored in the table yet"
    assert str(refused.value.where).startswith(named)
    assert writer in str(refused.value.hint)


@pytest.mark.parametrize(
    "statement", ["FROM raw.revision", "FROM revisions", "FROM mine.revisions"]
)
def test_a_table_that_nobody_declared_cannot_be_read(statement: str, root: Path) -> None:
    with pytest.raises(LakeError, match="cannot be run"):
        run_sql(root, statement, "table")
