"""``market check``, and every example of the page about descriptions."""

import re
from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from quant_assets.commands.market import check_description
from quant_assets.core.errors import MarketError
from quant_assets.core.settings import Settings
from quant_assets.sources.registry import open_source
from quant_assets_tests.support.price_folder import DAYS, write_long

PAGE = Path(__file__).parents[2] / "docs" / "market.md"
TODAY = date(2026, 3, 2)
FILES = ("instruments.csv", "licensed.csv", "rates.csv", "fundamentals.csv")
"""The files that the page shows as CSV, in order."""
Run = Callable[..., tuple[int, str, str]]


def blocks(language: str) -> list[str]:
    found = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return [text for name, text in found if name == language]


def check(text: str, data: Path | None = None, folder: Path = Path()) -> list[str]:
    file = folder / "market.yaml"
    file.write_text(text)
    return list(check_description(str(file), data, TODAY))


def test_the_first_example_of_the_page_gives_what_it_says(run: Run, tmp_path: Path) -> None:
    text, expected = blocks("yaml")[0], blocks("")[0]
    (tmp_path / "market.yaml").write_text(text)
    assert run("check") == (0, expected, "")


@pytest.mark.parametrize("number", range(len(blocks("yaml"))))
def test_every_description_of_the_page_is_one(number: int, tmp_path: Path) -> None:
    for name, text in zip(FILES, blocks("csv"), strict=True):
        (tmp_path / name).write_text(text)
    lines = check(blocks("yaml")[number], folder=tmp_path)
    shown = [i for i, line in enumerate(lines) if line.startswith("tables ")]
    assert bool(shown) == ("\ntables:" in blocks("yaml")[number])
    for i in shown:
        assert "\n".join(lines[i : i + 3]) + "\n" == blocks("text")[-1]


def test_check_names_a_fault_of_a_table(run: Run, tmp_path: Path) -> None:
    (text,) = (text for text in blocks("yaml") if "\ntables:" in text)
    (tmp_path / "market.yaml").write_text(text)
    (tmp_path / "rates.csv").write_text("observation_date,DGS10,T10Y2\n2024-01-02,3.95,-0.38\n")
    status, _, error = run("check")
    assert status == 1
    assert "did you mean T10Y2?" in error


def test_the_licensed_files_of_the_page_are_read(tmp_path: Path) -> None:
    [text] = [text for text in blocks("yaml") if "name: licensed" in text]
    [table] = [table for table in blocks("csv") if "settlement" in table]
    fields = "fields             close of 2, volume of 1, open_interest of 1, settlement of 2"
    assert fields in check(text, None, tmp_path)
    folder = tmp_path / "licensed"
    folder.mkdir()
    (folder / "2024.csv").write_text(table)
    settings = Settings(data_dir=tmp_path / "data", source=str(tmp_path / "market.yaml"))
    prices = open_source(settings).prices(date(2024, 1, 1), date(2024, 2, 1))
    by_name = dict(zip(prices.columns, prices.values.T.tolist(), strict=True))
    assert by_name["LME copper_settlement"] == [8466.0, 8450.5]
    assert by_name["JPX gold_open_interest"] == [42017.0, 41655.0]
    # The other form that the page names.
    (folder / "2024.csv").write_text("date,metal,cash,three_month\n2024-01-04,LME copper,1,2\n")
    columns = "columns: {symbol: metal, close: three_month, settlement: cash}"
    assert columns in PAGE.read_text()
    lines = text.replace("    other_days: skip", f"    {columns}").splitlines()
    other = "\n".join(line for line in lines if "JPX gold" not in line)
    (tmp_path / "market.yaml").write_text(other)
    prices = open_source(settings).prices(date(2024, 1, 1), date(2024, 2, 1))
    assert prices.values.tolist() == [[2.0, 1.0]]


def test_the_error_of_the_page_is_what_one_gets(run: Run, tmp_path: Path) -> None:
    text = blocks("yaml")[0].replace("XNYS", "XNYZ")
    (tmp_path / "market.yaml").write_text(text)
    status, _, error = run("check")
    assert status == 1
    assert error == blocks("")[1]


def test_every_command_of_the_page_runs(run: Run, tmp_path: Path) -> None:
    write_long(tmp_path / "prices")
    lines = [line.partition("#")[0].split() for text in blocks("sh") for line in text.splitlines()]
    commands = [words[2:] for words in lines if words[:2] == ["quant-assets", "market"]]
    assert len(commands) == 5
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
    assert "closed days        2 of the data are refused by a load: 2020-01-02, 2020-01-03" in lines
    assert "trading days       3 of XTKS from 2020-01-02 to 2020-01-08" in lines


def test_rules_need_wide_data(tmp_path: Path) -> None:
    text = blocks("yaml")[3]
    assert "rules" in text
    with pytest.raises(MarketError, match=r"the data have none(.|\n)*found: long"):
        check(text, write_long(tmp_path / "prices"), tmp_path)


def test_the_files_of_the_source_are_read_without_being_named(tmp_path: Path) -> None:
    text = (
        "name: t\ninstruments: {list: [A, C]}\ntargets: {returns: {horizons: [1]}}\n"
        "calendar: {days: data}\nsource: {files: {folder: prices}}\n"
    )
    assert not any(line.startswith("files") for line in check(text, folder=tmp_path))
    write_long(tmp_path / "prices", ("A", "B"))
    lines = check(text, folder=tmp_path)
    assert "described alone    1: C" in lines
    missing = text.replace("folder: prices", "folder: prices, columns: {close: Last}")
    with pytest.raises(MarketError, match="Last"):
        check(missing, folder=tmp_path)


@pytest.mark.parametrize("layout", ["long", "wide"])
def test_check_says_listings_and_compares_symbols(layout: str, tmp_path: Path) -> None:
    [text] = [text for text in blocks("yaml") if "name: listings" in text]
    text = text.replace("exchanges: [XNYS]", "days: data").replace("[1, 5]", "[1]")
    folder = tmp_path / "prices"
    if layout == "long":
        write_long(folder, ("SPY", "FB", "GM"))
    else:
        folder.mkdir()
        rows = ["date,SPY,FB,GM_close", *(f"{day},1,2,3" for day in DAYS)]
        (folder / "p.csv").write_text("\n".join(rows))
    lines = check(text, folder, tmp_path)
    assert [line for line in lines if "listed  " in line or "renamed" in line] == [
        "listed             2: META on 2012-05-18, GM on 2010-11-18",
        "delisted           1: old GM on 2009-06-01",
        "renamed            2: FB, now META on 2022-06-09, GM, now old GM on 2009-06-02",
    ]
    assert not [line for line in lines if " alone " in line]
    other = text.replace("- SPY", "- {name: SPY, renamed: {S: 2000-01-03}}\n    - X")
    lacking = check(other, folder, tmp_path)
    assert [line for line in lacking if " alone " in line] == ["described alone    1: X"]


RENAMED = (
    "name: t\ninstruments: {{list: [{{name: B, renamed: {{A: {}}}}}]}}\ncalendar: {{days: data}}\n"
    "targets: {{returns: {{horizons: [1]}}}}\nsource: {{files: {{folder: prices}}}}\n"
)


@pytest.mark.parametrize("one_file", [True, False])
def test_rows_of_a_renamed_instrument_that_no_name_claims_are_counted(
    tmp_path: Path, one_file: bool
) -> None:
    folder = tmp_path / "prices"
    folder.mkdir()
    rows = {"A": DAYS[:2], "B": DAYS[2:]}
    if one_file:
        lines = [f"{day},{name},1.0" for name, days in rows.items() for day in days]
        (folder / "all.csv").write_text("\n".join(["date,symbol,close", *lines]) + "\n")
    for name, days in rows.items() if not one_file else ():
        text = "\n".join(["date,close", *(f"{day},1.0" for day in days)])
        (folder / f"{name}.csv").write_text(f"{text}\n")
    right = check(RENAMED.format(DAYS[2]), folder=tmp_path)
    assert not [line for line in right if "belong to no instrument" in line]
    early = check(RENAMED.format(DAYS[1]), folder=tmp_path)
    lost = f"A: rows of 1 days belong to no instrument, {DAYS[1]} to {DAYS[1]}"
    assert f"symbols            {lost}" in early
    misspelt = check(RENAMED.format(DAYS[2]).replace("A:", "AA:"), folder=tmp_path)
    assert "symbols            AA: the data have no such symbol" in misspelt


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    text = RENAMED.format(DAYS[2])
    place = tmp_path / "prices"
    assert f"not there          {place}, which a load needs" in check(text, folder=tmp_path)
    with pytest.raises(MarketError, match="did you mean files"):
        check(text.replace("files:", "fils:"), folder=tmp_path)
    several = text.replace("{files: {folder: prices}}", "[{files: {folder: prices}}, fils]")
    with pytest.raises(MarketError, match="did you mean files"):
        check(several, folder=tmp_path)
    misspelt = text.replace("{files: {folder: prices}}", "[{files: {}, tolerence: 0.1}, ecb]")
    with pytest.raises(MarketError, match="did you mean tolerance"):
        check(misspelt, folder=tmp_path)
