"""Tables of instruments, files of pairs, rules and names of targets that cannot be used."""

from pathlib import Path

import pytest

from quant_assets.core.errors import MarketError
from quant_assets.market.description.reading import parse_description

LISTED = """\
name: test
instruments: {list: [XLE, {name: XOM, fields: [close, volume]}]}
calendar: {days: data}
"""
TABLE = "instruments:\n  table: t.csv\n"
RULES = (
    "name: r\ncalendar: {days: data}\ntargets: {returns: {horizons: [1]}}\n"
    "instruments:\n  rules:\n    - {prefix: A, suffixes: {_c: close, _v: volume}}\n"
)


@pytest.mark.parametrize(
    ("key", "table", "words"),
    [
        ("", "symbol\nX\n", ("line 2, key instruments.table", "lacks a column", "`name: symbol`")),
        ("columns: {name: symbl}", "symbol\nX\n", ("columns.name", "did you mean symbol?")),
        ("columns: {name: s, zone: z}", "s,z\nX,UTC\n", ("needs a time and a zone", "line 2")),
        ("columns: {name: s, labels: {sector: sec}}", "s\nX\n", ("columns.labels.sector", "'sec'")),
        ("columns: {nam: s}", "s\nX\n", ("unknown key", "did you mean name or renamed?")),
        ("columns: {zone: s}", "s\nX\n", ("a key is missing", "expected: name")),
        ("", "name\nX\nY\nX\n", ("t.csv, line 4, column 'name'", "line 2 and on line 4")),
        ("", "name,fields\nX,close volum\n", ("unknown field", "line 2", "did you mean volume?")),
        ("", "name,fields\nX,open\n", ("an instrument has no close", "t.csv, line 2")),
        ("", "name,zone,close_time\nX,UTC,25:00\n", ("t.csv, line 2", "not a time of day")),
        ("", "name,zone,close_time\nX,UTD,05:00\n", ("t.csv, line 2", "did you mean UTC")),
        ("", "name,zone,close_time\nX,UTC,\n", ("t.csv, line 2", "a value is missing")),
        ("", "name,x\nX\n", ("another number of fields", "line 2", "found: 1 fields")),
        ("", "name,name\nX,Y\n", ("header cannot be used", "'name' twice")),
        ("", "name\n", ("the table has no rows",)),
        ("", "", ("header cannot be used", "nothing")),
        ("", 'name\n"X\n', ("not CSV", "a stray quote")),
        ("", "name,sector\nX,a\x01b\n", ("not a label", "column 'sector'")),
        ("", f"name\n{'x' * 301}\n", ("at most 300 characters",)),
        ("", "name\nX\nX_close\n", ("named like a series of another",)),
    ],
)
def test_a_table_with_a_fault(key: str, table: str, words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(table)
    text = f"{TABLE}  {key}\n" + "name: t\ncalendar: {days: data}\ntargets: {pairs: p.csv}\n"
    with pytest.raises(MarketError) as caught:
        parse_description(text, tmp_path / "market.yaml")
    for word in words:
        assert word in str(caught.value)


def test_a_table_that_is_not_there(tmp_path: Path) -> None:
    text = TABLE + "name: t\ncalendar: {days: data}\ntargets: {pairs: p.csv}\n"
    with pytest.raises(MarketError, match=r"cannot be read(.|\n)*t\.csv(.|\n)*No such file"):
        parse_description(text, tmp_path / "market.yaml")


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("t,1,XOM - XLF", ("not an instrument", "'XLF'", "did you mean XLE?", "line 2")),
        ("t,1,", ("not an instrument", "nothing")),
        ("t,1,XOM - XLE - XOM", ("not an instrument",)),
        ("t,1,XOM - XOM", ("legs are the same",)),
        ("t,1,XOM_volume", ("not an instrument", "'XOM_volume'")),
        ("t,0,XOM", ("a lag cannot be used", "column 'lag'")),
        ("t,-1,XOM", ("a lag cannot be used",)),
        ("t,1.5,XOM", ("a lag cannot be used",)),
        ("t,five,XOM", ("a lag cannot be used", "'five'")),
        ("t,2,XOM", ("expected: one of 1, 3",)),
        ("t,1,XOM\nt,1,XLE", ("two targets have one name", "also on line 2", "line 3")),
        (",1,XOM", ("a target has no name",)),
    ],
)
def test_a_pair_with_a_fault(row: str, words: tuple[str, ...], tmp_path: Path) -> None:
    text = LISTED + "targets: {pairs: {file: p.csv, horizons: [1, 3]}}\n"
    (tmp_path / "p.csv").write_text(f"target,lag,pair\n{row}\n")
    market = parse_description(text, tmp_path / "market.yaml")
    with pytest.raises(MarketError) as caught:
        market.target_pairs(market.instruments())
    for word in ("p.csv", *words):
        assert word in str(caught.value)


def test_pairs_with_other_columns(tmp_path: Path) -> None:
    text = LISTED + "targets: {pairs: p.csv}\n"
    (tmp_path / "p.csv").write_text("target,lag,pairs\nt,1,XOM\n")
    market = parse_description(text, tmp_path / "market.yaml")
    with pytest.raises(MarketError, match="did you mean pairs"):
        market.target_pairs(market.instruments())


def test_a_pair_that_can_be_read_in_two_ways(tmp_path: Path) -> None:
    (tmp_path / "p.csv").write_text("target,lag,pair\nt,1,a - b - c\n")
    text = (
        'name: t\ninstruments: {list: [a, "b - c", "a - b", c]}\n'
        "calendar: {days: data}\ntargets: {pairs: p.csv}\n"
    )
    market = parse_description(text, tmp_path / "market.yaml")
    with pytest.raises(MarketError, match="read in two ways"):
        market.target_pairs(market.instruments())


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("_v: volume", "_v: close", ("every field once",)),
        ("_c: close, ", "", ("expected: close",)),
        ("}}\n", "}}\n    - {prefix: A, suffixes: {_c: close}}\n", ("one prefix", "line 6 and on")),
        ("prefix: A", "prefix: [A]", ("not a text", "rules[0].prefix")),
        ("suffixes", "sufixes", ("did you mean suffixes?",)),
    ],
)
def test_a_rule_with_a_fault(old: str, new: str, words: tuple[str, ...]) -> None:
    head, _, tail = RULES.partition("  rules:")
    with pytest.raises(MarketError) as caught:
        parse_description(head + "  rules:" + tail.replace(old, new, 1), Path("market.yaml"))
    for word in words:
        assert word in str(caught.value)


def test_rules_need_names_of_series_with_a_close() -> None:
    market = parse_description(RULES, Path("market.yaml"))
    with pytest.raises(MarketError, match="none are given"):
        market.instruments()
    with pytest.raises(MarketError, match=r"has no close(.|\n)*A1_c(.|\n)*'A1' with volume"):
        market.instruments(["A1_v"])


def test_two_targets_of_one_name() -> None:
    text = (
        "name: t\ninstruments: {list: [{name: a-b, labels: {g: x}}, {name: a, labels: {g: y}},"
        " {name: c, labels: {g: x}}, {name: b-c, labels: {g: y}}]}\ngroup_by: g\n"
        "calendar: {days: data}\n"
        "targets: {spreads: {against: group, benchmarks: {x: c, y: b-c}, horizons: [1]}}\n"
    )
    with pytest.raises(MarketError, match="two targets have one name"):
        parse_description(text, Path("market.yaml"))
