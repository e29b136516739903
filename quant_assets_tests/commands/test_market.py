"""``market check`` and ``market init``, and every example of the page about descriptions."""

import gzip
import re
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path

import duckdb
import pytest

from quant_assets import cli
from quant_assets.commands.market import check_description
from quant_assets.core.errors import MarketError
from quant_assets.market.description.reading import parse_description, read_description
from quant_assets.market.instruments import InstrumentSeries

PAGE = Path(__file__).parents[2] / "docs" / "market.md"
STOCKS = Path(__file__).parents[3] / "shared" / "us-stocks-2014-2017"
TODAY = date(2026, 3, 2)
DAYS = ("2020-01-02", "2020-01-03", "2020-01-06", "2020-01-07")
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """``quant-assets market ...`` in an empty folder: exit status, output, errors."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["quant-assets", "market", *arguments])
        with pytest.raises(SystemExit) as end:
            cli.main()
        captured = capsys.readouterr()
        return int(end.value.code or 0), captured.out, captured.err

    return run


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


def check(text: str, data: Path | None = None, folder: Path = Path()) -> list[str]:
    file = folder / "market.yaml"
    file.write_text(text)
    return list(check_description(str(file), data, TODAY))


def write_long(
    folder: Path,
    names: tuple[str, ...] = ("B", "A", "NO", 'x "/日'),
    days: tuple[str, ...] = DAYS,
) -> Path:
    folder.mkdir(exist_ok=True)
    rows = [f'"{n.replace(chr(34), chr(34) * 2)}",{day},1,9' for n in names for day in days]
    (folder / "prices.csv").write_text("\n".join(["Symbol,Date,Close,Volume", *rows]) + "\n")
    return folder


def test_the_first_example_of_the_page_gives_what_it_says(run: Run, tmp_path: Path) -> None:
    text, expected = blocks("yaml")[0], blocks("")[0]
    (tmp_path / "market.yaml").write_text(text)
    assert run("check") == (0, expected, "")


@pytest.mark.parametrize("number", range(len(blocks("yaml"))))
def test_every_description_of_the_page_is_one(number: int, tmp_path: Path) -> None:
    (tmp_path / "instruments.csv").write_text(blocks("csv")[0])
    assert check(blocks("yaml")[number], folder=tmp_path)


def test_the_error_of_the_page_is_what_one_gets(run: Run, tmp_path: Path) -> None:
    text = blocks("yaml")[0].replace("XNYS", "XNYZ")
    (tmp_path / "market.yaml").write_text(text)
    status, _, error = run("check")
    assert status == 1
    assert error == blocks("")[1]


def test_every_command_of_the_page_runs(run: Run, tmp_path: Path) -> None:
    (tmp_path / "market.yaml").write_text(blocks("yaml")[0])
    write_long(tmp_path / "prices")
    commands = [line.split()[2:] for block in blocks("sh") for line in block.splitlines()]
    assert len(commands) == 3
    for command in commands:
        assert run(*command)[0] == 0, command


def test_the_competitions_description_is_checked(run: Run) -> None:
    status, output, _ = run("check", "competition")
    assert status == 0
    assert "of XLON or XTKS in " in output
    assert "horizons 1, 2, 3, 4" in output


def test_the_real_market_is_described(real_market: Path) -> None:
    lines = list(check_description("competition", real_market / "train.csv", TODAY))
    assert any(line.startswith("instruments        143 in 4 groups by market") for line in lines)
    assert any(line.startswith("targets            424 with horizons 1, 2, 3, 4") for line in lines)
    assert any(line.startswith("cells              557 prices and 424 labels") for line in lines)


def test_of_many_groups_the_first_are_shown(tmp_path: Path) -> None:
    listed = "".join(f"    - {{name: A{i}, labels: {{g: g{i}}}}}\n" for i in range(30))
    text = (
        f"name: t\ninstruments:\n  list:\n{listed}group_by: g\ncalendar: {{days: data}}\n"
        "targets: {returns: {horizons: [1]}}\n"
    )
    lines = check(text, folder=tmp_path)
    assert "instruments        30 in 30 groups by g" in lines
    assert "  g19              1: A19" in lines
    assert "  10 more groups" in lines
    assert not any("A20" in line for line in lines)


def test_without_a_description_one_is_told_so(run: Run) -> None:
    status, output, error = run("check")
    assert (status, output) == (1, "")
    for word in ("market.yaml", "No such file", "market init FOLDER"):
        assert word in error


def test_a_description_that_does_not_fit_prints_nothing_else(run: Run, tmp_path: Path) -> None:
    (tmp_path / "market.yaml").write_text(blocks("yaml")[0].replace("[1, 5]", "[1, 973]"))
    status, output, error = run("check")
    assert (status, output) == (1, "")
    assert "at most 972: the history has 974 trading days" in error


def test_odd_names_of_folders_and_columns_are_written_as_texts(run: Run, tmp_path: Path) -> None:
    folder = write_long(tmp_path / "a\nb: [\u2028")
    content = (folder / "prices.csv").read_text()
    (folder / "prices.csv").write_text(content.replace("Volume", "\u2028: x"))
    assert run("init", str(folder))[0] == 0
    assert read_description(tmp_path / "market.yaml").name == "market"


def test_a_horizon_longer_than_the_history_is_refused(tmp_path: Path) -> None:
    write_long(tmp_path / "prices")
    text = (
        "name: t\ninstruments: {list: [A]}\ncalendar: {days: data}\n"
        "targets: {returns: {horizons: [2]}}\n"
    )
    assert check(text, tmp_path / "prices", tmp_path)
    with pytest.raises(MarketError, match=r"line 4(.|\n)*at most 2: the history has 4"):
        check(text.replace("[2]", "[1, 3]"), tmp_path / "prices", tmp_path)
    span = text.replace("days: data", "exchanges: [XLON], first_day: 2020-01-02, last_day: {}")
    assert check(span.replace("{}", "2020-01-07"), folder=tmp_path)
    with pytest.raises(MarketError, match="the history has 3"):
        check(span.replace("{}", "2020-01-06"), folder=tmp_path)


def test_the_data_are_compared_with_the_description(tmp_path: Path) -> None:
    write_long(tmp_path / "prices", ("A", "B"), (*DAYS, "2020-01-08"))
    text = (
        "name: t\ninstruments: {list: [A, C]}\ntargets: {returns: {horizons: [1]}}\n"
        "calendar: {exchanges: [XTKS]}\n"
    )
    lines = check(text, tmp_path / "prices", tmp_path)
    assert "in the data alone  1: B" in lines
    assert "described alone    1: C" in lines
    # The stock exchange of Tokyo opened the year on the 6th.
    assert "no trading days    2 of the data: 2020-01-02, 2020-01-03" in lines
    assert "trading days       3 of XTKS from 2020-01-02 to 2020-01-08" in lines


def test_rules_need_wide_data(tmp_path: Path) -> None:
    text = blocks("yaml")[3]
    assert "rules" in text
    with pytest.raises(MarketError, match=r"the data have none(.|\n)*found: long"):
        check(text, write_long(tmp_path / "prices"), tmp_path)


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
