"""``market init`` on files of every layout, and what it refuses."""

import gzip
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest

from quant_assets.market.description.reading import parse_description, read_description
from quant_assets.market.instruments import InstrumentSeries
from quant_assets_tests.support.price_folder import DAYS, write_long

STOCKS = Path(__file__).parents[3] / "shared" / "us-stocks-2014-2017"
Run = Callable[..., tuple[int, str, str]]


def test_odd_names_of_folders_and_columns_are_written_as_texts(run: Run, tmp_path: Path) -> None:
    folder = write_long(tmp_path / "a\nb: [\u2028")
    content = (folder / "prices.csv").read_text()
    (folder / "prices.csv").write_text(content.replace("Volume", "\u2028: x"))
    assert run("init", str(folder))[0] == 0
    assert read_description(tmp_path / "market.yaml").name == "market"


@pytest.mark.parametrize("ending", [".csv", ".csv.gz", ".parquet"])
def test_init_describes_long_files(ending: str, run: Run, tmp_path: Path) -> None:
    folder = write_long(tmp_path / "prices")
    if ending == ".parquet":
        with duckdb.connect() as connection:
            rows = "SELECT * FROM read_csv(?, header := true)"
            connection.execute(
                f"COPY ({rows}) TO '{folder}/p.parquet'", [str(folder / "prices.csv")]
            )
        (folder / "prices.csv").unlink()
    if ending == ".csv.gz":
        (folder / "p.csv.gz").write_bytes(gzip.compress((folder / "prices.csv").read_bytes()))
        (folder / "prices.csv").unlink()
    status, output, error = run("init", "prices")
    assert (status, error) == (0, "")
    assert "market.yaml: 4 instruments, 4 days from 2020-01-02 to 2020-01-07" in output
    market = read_description(tmp_path / "market.yaml")
    assert [one.name for one in market.instruments()] == ["A", "B", "NO", 'x "/日']
    assert {one.fields for one in market.instruments()} == {("close", "volume")}
    assert (market.name, market.calendar.first_day) == ("prices", date(2020, 1, 2))
    assert run("check")[0] == 0
    assert run("check", "--data", "prices")[0] == 0


def test_init_never_writes_over_a_file(run: Run, tmp_path: Path) -> None:
    write_long(tmp_path / "prices")
    for name in ("a.yaml", "link.yaml"):
        (tmp_path / "a.yaml").write_text("mine")
        (tmp_path / "link.yaml").unlink(missing_ok=True)
        (tmp_path / "link.yaml").symlink_to(tmp_path / "nowhere")
        status, _, error = run("init", "prices", "--output", name)
        assert status == 1
        assert "the file exists" in error
    assert (tmp_path / "a.yaml").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_init_describes_a_file_per_instrument(run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "odd [a]*"
    folder.mkdir()
    for name in ("X[1]?", "X1y"):
        rows = [f"{day.replace('-', '')};1;2" for day in DAYS]
        (folder / f"{name}.csv").write_text("\n".join(["Date;Open;Close", *rows]) + "\n")
    (folder / "close only.csv").write_text("date,close,note\n2021-01-04 00:00:00,1,a\n")
    (folder / ".hidden.csv").write_text("x\n")
    status, output, error = run("init", folder.name)
    assert (status, error) == (0, "")
    assert "3 instruments, 5 days from 2020-01-02 to 2021-01-04" in output
    found = {i.name: i.fields for i in read_description(tmp_path / "market.yaml").instruments()}
    both = ("open", "close")
    assert found == {"X1y": both, "X[1]?": both, "close only": ("close",)}
    assert '"note"' in (tmp_path / "market.yaml").read_text()
    assert run("check", "--data", folder.name)[0] == 0


@pytest.mark.parametrize(
    ("columns", "instruments"),
    [
        (("EURUSD", "USDJPY"), {"EURUSD", "USDJPY"}),
        (("A_adj_close", "A_adj_volume", "B_adj_close"), {"A", "B"}),
        (("A.Close", "A.Open Interest", "B.Close"), {"A", "B"}),
        (("A_close", "B_close", "B_settlement_price"), {"A", "B"}),
    ],
)
def test_init_describes_wide_files(
    columns: tuple[str, ...], instruments: set[str], run: Run, tmp_path: Path
) -> None:
    rows = [",".join([day, *(["1"] * len(columns))]) for day in DAYS]
    (tmp_path / "wide.csv").write_text("\n".join([",".join(["date", *columns]), *rows]) + "\n")
    assert run("init", "wide.csv")[0] == 0
    market = read_description(tmp_path / "market.yaml")
    assert {one.name for one in market.instruments(columns)} == instruments
    for name in instruments:
        assert market.series_name(InstrumentSeries(name, "close")) in columns
    assert run("check")[0] == 0
    status, output, _ = run("check", "--data", "wide.csv")
    assert status == 0
    assert f"instruments        {len(instruments)} in 1 group" in output


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, ("no price files", "an empty folder")),
        ({"a.txt": "x"}, ("no price files", "found: a.txt")),
        ({"a.csv": "x,close\n1,2\n"}, ("has no dates", "found: x, close")),
        ({"a.csv": "date,symbol,open\n2020-01-02,A,1\n"}, ("has no closes",)),
        ({"a.csv": "date,open\n2020-01-02,1\n"}, ("has no closes",)),
        ({"a.csv": "date,close\nyesterday,1\n"}, ("a date cannot be read", "'yesterday'")),
        ({"a.csv": "date,close\n2020-01-02,1\n"}, ("too few days", "found: 1 dates")),
        ({"a.csv": "date_id,close\n1,1\n2,2\n3,3\n"}, ("numbers in place of dates",)),
        (
            {"a.csv": "date,close\n2020-01-02,1\n", "b.csv": "date,symbol,close\n2020-01-02,A,1\n"},
            ("differ in layout", "b.csv", "found: long"),
        ),
        ({"a.parquet": "no parquet"}, ("cannot be read", "a.parquet")),
        ({"a.csv.gz": "no gzip"}, ("cannot be read", "a.csv.gz")),
        (
            {"a.csv": "symbol,date,close\n" + "".join(f"{'x' * 301},{day},1\n" for day in DAYS)},
            ("cannot be used", "at most 300 characters"),
        ),
        (
            {"a.csv": "date,A_close,B.close\n" + "".join(f"{day},1,1\n" for day in DAYS)},
            ("follow no single rule", "docs/market.md"),
        ),
    ],
    ids=lambda part: str(part)[:30],
)
def test_what_cannot_be_described_is_refused(
    files: dict[str, str], words: tuple[str, ...], run: Run, tmp_path: Path
) -> None:
    (tmp_path / "prices").mkdir()
    for name, content in files.items():
        (tmp_path / "prices" / name).write_text(content)
    status, _, error = run("init", "prices")
    assert status == 1
    for word in words:
        assert word in error
    assert not (tmp_path / "market.yaml").exists()


def test_symbols_with_leading_zeros_stay(tmp_path: Path, run: Run) -> None:
    write_long(tmp_path / "prices", ("0700", "7203", "1e5"))
    assert run("init", "prices")[0] == 0
    names = [one.name for one in read_description(tmp_path / "market.yaml").instruments()]
    assert names == ["0700", "1e5", "7203"]


@pytest.mark.skipif(not STOCKS.exists(), reason=f"no {STOCKS}")
def test_seven_thousand_stocks_are_described(run: Run, tmp_path: Path) -> None:
    assert run("init", str(STOCKS))[0] == 0
    market = parse_description((tmp_path / "market.yaml").read_text(), tmp_path / "market.yaml")
    assert len(market.instruments()) == 7153
    status, output, _ = run("check", "--data", str(STOCKS))
    assert status == 0
    assert "993 of the data from 2014-01-02 to 2017-11-10" in output
    assert "alone" not in output
