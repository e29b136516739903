"""Descriptions that cannot be used: each error names the file, the line, the key and what to do."""

import time
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quant_assets.core.errors import MarketError
from quant_assets.market.description.reading import (
    COMPETITION_FILE,
    parse_description,
    read_description,
)

TEXT = """\
name: test
instruments:
  labels: {sector: oil}
  fields: [close, volume]
  list:
    - XLE
    - {name: XOM, labels: {sector: energy}}
group_by: sector
calendar:
  exchanges: [XLON, XTKS]
  due: "22:00"
  zone: Europe/London
targets:
  spreads:
    against: group
    benchmarks: {energy: XLE, oil: XLE}
    horizons: [1, 3]
submission: {wide: "target_{number}"}
"""
# What is replaced by what, the line and key of the error, and words of its message.
FAULTS: tuple[tuple[str, str, str, tuple[str, ...]], ...] = (
    ("group_by", "gruop_by", "line 8, key gruop_by", ("unknown key", "did you mean group_by?")),
    (
        "group_by: sector",
        "group_by: sector\nleads: {oil: [enrgy]}",
        "line 9, key leads",
        ("an unknown group", "'enrgy'"),
    ),
    (
        "group_by: sector",
        "group_by: sector\nleads: {oil: [oil]}",
        "line 9, key leads.oil[0]",
        ("a group follows itself",),
    ),
    (
        "group_by: sector",
        "group_by: sector\nleads: {oil: [energy], energy: [energy]}",
        "line 9, key leads.energy[0]",
        ("a group follows itself",),
    ),
    ("labels: {sector: oil}", "labels: {sector: all}", "line 8", ("a name that is taken", "'all'")),
    ("name: test", "name: test\nsource: {a: {}, b: {}}", "line 2, key source", ("one source",)),
    ("name: test", "name: test\nimputation: mean", "key imputation", ("unknown imputation",)),
    (
        "name: test",
        "name: test\nimputation: {conditional_mean: {window: 10}}",
        "line 2, key imputation.conditional_mean.window",
        ("at least 20",),
    ),
    (
        "name: test",
        "name: test\nimputation: {conditional_mean: {windows: 10}}",
        "key imputation.conditional_mean.windows",
        ("did you mean window?",),
    ),
    ("  due:", "  dues:", "line 11, key calendar.dues", ("unknown key", "did you mean due")),
    (
        "XLON, XTKS",
        "XLOM",
        "line 10, key calendar.exchanges[0]",
        ("unknown calendar", "'XLOM'", "did you mean XLON"),
    ),
    ("XLON, XTKS", "", "line 10, key calendar.exchanges", ("an empty list",)),
    (
        "  exchanges: [XLON, XTKS]\n",
        "",
        "line 9, key calendar",
        ("exactly one of exchanges, days",),
    ),
    (
        "  exchanges",
        "  days: data\n  exchanges",
        "line 9, key calendar",
        ("exclude each other", "found: exchanges, days"),
    ),
    ("exchanges: [XLON, XTKS]", "days: all", "key calendar.days", ("expected: one of data",)),
    (
        "group_by: sector",
        "group_by: sectors",
        "line 8, key group_by",
        ("unknown label", "did you mean sector?"),
    ),
    ("  labels: {sector: oil}\n", "", "line 7, key group_by", ("none on 'XLE'",)),
    (
        "fields: [close, volume]",
        "fields: [close, volum]",
        "line 4, key instruments.fields[1]",
        ("unknown field", "did you mean volume?"),
    ),
    ("[close, volume]", "[volume]", "line 4, key instruments.fields", ("expected: close",)),
    ("[close, volume]", "[close, close]", "key instruments.fields", ("every field once",)),
    (
        "[close, volume]",
        "close",
        "line 4, key instruments.fields",
        ("not a list", "found: 'close'"),
    ),
    ("labels: {sector: oil}", "labels: [oil]", "key instruments.labels", ("not a map",)),
    ("name: XOM", "name: XLE", "line 7", ("two instruments have one name", "line 6 and on line 7")),
    ("name: XOM", "name: XLE_volume", "key instruments", ("named like a series", "beside 'XLE'")),
    ("- XLE", '- "X\\tY"', "line 6, key instruments.list[0]", ("without control characters",)),
    ("- XLE", '- "X\\u2028Y"', "line 6", ("without control characters",)),
    ("- XLE", '- " XLE"', "line 6", ("without spaces at its ends",)),
    ("- XLE", "- " + "x" * 301, "line 6", ("at most 300 characters, this one has 301",)),
    ("- XLE", '- ""', "line 6", ("a value is missing",)),
    ("- XLE", "-", "line 6", ("a value is missing", "found: nothing")),
    ("- XLE", "- [XLE]", "line 6", ("not a text", "a list of 1")),
    ("name: XOM, ", "", "line 7", ("a key is missing", "expected: name")),
    (
        "horizons: [1, 3]",
        "horizons: [0]",
        "line 17, key targets.spreads.horizons[0]",
        ("at least 1",),
    ),
    ("horizons: [1, 3]", "horizons: [3, -1]", "horizons[1]", ("at least 1", "found: '-1'")),
    ("horizons: [1, 3]", "horizons: [1.5]", "horizons[0]", ("a whole number", "found: '1.5'")),
    ("horizons: [1, 3]", "horizons: [five]", "horizons[0]", ("a whole number", "found: 'five'")),
    ("horizons: [1, 3]", "horizons: [3, 3]", "line 17", ("a horizon occurs twice",)),
    ("horizons: [1, 3]", "horizons: 3", "line 17", ("not a list",)),
    ("horizons: [1, 3]", "horizons: []", "line 17", ("an empty list",)),
    ("    horizons: [1, 3]\n", "", "line 14, key targets.spreads", ("expected: horizons",)),
    ("energy: XLE", "energy: XLF", "benchmarks", ("a benchmark is no instrument", "mean XLE")),
    ("energy: XLE", "enrgy: XLE", "benchmarks", ("an unknown group", "did you mean energy")),
    ("energy: XLE, ", "", "benchmarks", ("a group has no benchmark", "none for energy")),
    ("benchmarks: {energy: XLE, oil: XLE}", "#", "targets.spreads", ("name no benchmark",)),
    ("against: group", "against: market", "targets.spreads", ("name no benchmark", "SPY")),
    ("against: group", "against: grup", "line 15", ("did you mean group?",)),
    ("  spreads:", "  spread:", "line 13, key targets", ("exactly one of pairs", "found: spread")),
    ('due: "22:00"', 'due: "24:00"', "line 11, key calendar.due", ("not a time of day",)),
    ('due: "22:00"', "due: 9:30", "line 11", ("HH:MM",)),
    ('  due: "22:00"\n', "", "line 11, key calendar.zone", ("this key needs another",)),
    ("Europe/London", "Europe/Londn", "line 12", ("unknown time zone", "mean Europe/London")),
    ("Europe/London", "../etc/passwd", "line 12", ("unknown time zone",)),
    ("Europe/London", "Europe", "line 12", ("unknown time zone",)),
    ("  zone:", "  late_after_hours: -1\n  zone:", "late_after_hours", ("a number from 0 to 720",)),
    ("  zone:", "  first_day: 2014-02-30\n  zone:", "first_day", ("not a day",)),
    (
        "  zone:",
        "  first_day: 2014-02-02\n  last_day: 2014-02-01\n  zone:",
        "line 13, key calendar.last_day",
        ("ends before it begins",),
    ),
    ('{wide: "target_{number}"}', '{wide: "target"}', "line 18", ("{number} once",)),
    ('{wide: "target_{number}"}', '{wide: "{number}{number}"}', "line 18", ("{number} once",)),
    ('{wide: "target_{number}"}', '{wide: "{number}{x}"}', "line 18", ("{number} once",)),
    ('{wide: "target_{number}"}', "lang", "line 18, key submission", ("did you mean long?",)),
    ('{wide: "target_{number}"}', "wide", "line 18", ("needs names of columns",)),
    ("name: test\n", "", "line 1", ("a key is missing", "expected: name")),
    ("name: test", "name:", "line 1, key name", ("a value is missing",)),
    ("name: test", "name: test\nname: more", "line 2, key name", ("twice", "line 1 and on line 2")),
    ("name: XOM,", "name: XOM, name: A,", "line 7, key instruments.list[1].name", ("twice",)),
    ("  fields", "\tfields", "line 4", ("is not YAML", "replace the tab")),
    ("[close, volume]", "[close, volume", "line", ("is not YAML", "bracket")),
    ("name: test", "name: test: more", "line 1", ("is not YAML",)),
    ("name: test", "name: \x07", "line 1", ("is not YAML", "control characters")),
    ("- XLE", "- &a XLE", "line 6", ("anchors and aliases are refused", "'a'")),
    ("- XLE", "- *a", "line 6", ("anchors and aliases are refused",)),
    ("- XLE", "- !!python/name:os.system", "line 6", ("tags are refused",)),
    ("- XLE", "- !!str XLE", "line 6", ("tags are refused",)),
    ("submission", "---\nname", "line 18", ("several documents",)),
    ("name: test", "? [a]\n: b", "line 1", ("a key is not a text",)),
    ("name: test", "name: " + "[" * 20 + "]" * 20, "line 1, key name", ("nested too deeply",)),
    ("name: test", f"name: [{'a,' * 400_001}]", "line 1, key name", ("too many values",)),
)


@pytest.mark.parametrize(("old", "new", "where", "words"), FAULTS, ids=lambda part: str(part)[:40])
def test_a_fault_is_named(
    old: str, new: str, where: str, words: tuple[str, ...], tmp_path: Path
) -> None:
    assert old in TEXT
    file = tmp_path / "market.yaml"
    file.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(MarketError) as caught:
        read_description(file)
    assert str(file) in str(caught.value.where)
    assert where in str(caught.value.where)
    assert len(str(caught.value)) < 2000
    for word in words:
        assert word in str(caught.value)


def test_the_text_without_faults_is_read() -> None:
    assert parse_description(TEXT, Path("market.yaml")).name == "test"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ("the file is empty", "market init")),
        (b"# nothing\n\n", ("the file is empty",)),
        (b"---\n", ("the file is empty",)),
        (b"text\n", ("not a map",)),
        (b"[a]\n", ("not a map", "a list of 1")),
        (b"name: \xff\n", ("not text in UTF-8", "line 1", "0xff")),
        (TEXT.encode("utf-16"), ("not text in UTF-8",)),
        (b"name: \x00\n", ("is not YAML",)),
        (b"#" * 20_000_000, ("too large", "at most 5,000,000 bytes")),
        (b"{}\n", ("a key is missing", "no keys")),
    ],
    ids=lambda part: str(part)[:20],
)
def test_a_file_that_is_no_description(
    content: bytes, words: tuple[str, ...], tmp_path: Path
) -> None:
    file = tmp_path / "market.yaml"
    file.write_bytes(content)
    with pytest.raises(MarketError) as caught:
        read_description(file)
    for word in (str(file), *words):
        assert word in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(MarketError, match="No such file"):
        read_description(tmp_path / "market.yaml")
    with pytest.raises(MarketError, match="Is a directory"):
        read_description(tmp_path)


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "market.yaml"
    file.write_text(TEXT, encoding="utf-8-sig")
    assert read_description(file).name == "test"


def test_a_bomb_of_aliases_is_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    begun = time.perf_counter()
    with pytest.raises(MarketError, match="anchors and aliases are refused"):
        parse_description("\n".join(lines), Path("market.yaml"))
    assert time.perf_counter() - begun < 1


def test_a_history_that_is_too_short() -> None:
    market = parse_description(TEXT, Path("market.yaml"))
    pairs = market.target_pairs(market.instruments())
    market.require_history(pairs, 5)
    with pytest.raises(MarketError, match=r"line 16(.|\n)*at most 2: the history has 4") as caught:
        market.require_history(pairs, 4)
    assert caught.value.found == 3


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_description_is_read_or_refused(data: st.DataObject) -> None:
    """Cut, doubled and replaced parts never end in another error."""
    text = data.draw(st.sampled_from([TEXT, COMPETITION_FILE.read_text()]))
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(text)))
        end = data.draw(st.integers(start, min(start + 30, len(text))))
        new = data.draw(
            st.one_of(st.text(max_size=8), st.sampled_from(["\t", ": ", "- ", "[", "{"]))
        )
        text = text[:start] + new + text[end:]
    with suppress(MarketError):
        parse_description(text, Path("market.yaml"))
