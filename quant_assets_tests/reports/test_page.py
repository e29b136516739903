"""Pages know no later day, load nothing, and escape text from the lake."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path

import pytest

from quant_assets.lake.store.lake import Lake
from quant_assets.reports.page import Report, compose_report, render_report, store_report
from quant_assets.reports.periods import DAILY, PERIODS, Period
from quant_assets.reports.scope import ReportScope
from quant_assets_tests.support import report_tables
from quant_assets_tests.support.calendars import LONDON_AND_TOKYO
from quant_assets_tests.support.report_scopes import DRIFT_SHARE
from quant_assets_tests.support.report_tables import DAY, FAMILIES, LAST, add_others, fill

SECTIONS = (
    *("Alerts", "Submission", "Performance", "Attribution", "Data health", "Drift"),
    *("Revised since", "Regime", "Anomalies", "Promotion", "Freshness"),
)
LIMIT = 500_000
_VOID = {"meta", "wbr"}
periods = pytest.mark.parametrize("period", PERIODS.values(), ids=list(PERIODS))


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    with fill(tmp_path_factory.mktemp("whole")) as whole:
        add_others(whole)
        yield whole


@pytest.fixture(scope="module")
def altered(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lake]:
    """All values after the day differ, and more events follow."""
    with fill(tmp_path_factory.mktemp("altered"), DAY) as other:
        add_others(other, DAY)
        yield other


def report(lake: Lake, period: Period = DAILY, **others: object) -> Report:
    scope = ReportScope(lake, period, DAY, FAMILIES, DRIFT_SHARE, LONDON_AND_TOKYO, **others)  # type: ignore[arg-type]
    return compose_report(scope)


class Balanced(HTMLParser):
    """A parser that asserts that every open tag is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parsed(page: bytes) -> Balanced:
    parser = Balanced()
    parser.feed(page.decode())
    parser.close()
    assert parser.open == []
    return parser


@periods
def test_a_page_knows_nothing_of_later_days(lake: Lake, altered: Lake, period: Period) -> None:
    page = render_report(report(lake, period))
    assert page == render_report(report(altered, period))
    later = (
        ReportScope(lake, period, LAST, FAMILIES, DRIFT_SHARE, LONDON_AND_TOKYO),
        ReportScope(altered, period, LAST, FAMILIES, DRIFT_SHARE, LONDON_AND_TOKYO),
    )
    assert render_report(compose_report(later[0])) != render_report(compose_report(later[1]))


def test_a_page_says_which_rows_it_has(lake: Lake) -> None:
    text = parsed(render_report(report(lake))).text
    assert f"rows of trading days up to {DAY}, also those stored later" in text


@periods
def test_a_page_answers_all_questions_in_order(lake: Lake, period: Period) -> None:
    contents = report(lake, period)
    assert tuple(section.title for section in contents.sections) == SECTIONS
    assert contents.unknown == []
    html = parsed(render_report(contents))
    anchors = [attributes.get("id") for tag, attributes in html.tags if tag == "section"]
    links = [attributes["href"] for tag, attributes in html.tags if tag == "a"]
    assert links == [f"#{anchor}" for anchor in anchors]
    assert sum(tag == "svg" for tag, _ in html.tags) >= 4


@periods
def test_a_page_is_small_and_loads_nothing(lake: Lake, period: Period) -> None:
    page = render_report(report(lake, period))
    assert len(page) < LIMIT
    html = parsed(page)
    assert not {tag for tag, _ in html.tags} & {"script", "link", "img", "iframe", "object"}
    assert not re.search(rb"https?:|@import|url\(", page)
    assert b"prefers-color-scheme: dark" in page
    viewport = [a for tag, a in html.tags if tag == "meta" and a.get("name") == "viewport"]
    assert viewport[0]["content"] == "width=device-width, initial-scale=1"


def test_text_from_the_lake_is_text(lake: Lake, tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\"'&"
    with fill(tmp_path) as other:
        parts = {
            report_tables.ANOMALIES: report_tables.anomaly(DAY, 3.0, "critical", evil),
            report_tables.DECISIONS: report_tables.decision(DAY, evil, evil),
        }
        for table, rows in parts.items():
            report_tables.write(other, table, rows)
        page = render_report(report(other))
        summary = report(other).markdown()
    html = parsed(page)
    assert "script" not in {tag for tag, _ in html.tags}
    assert html.text.count(evil) >= 3
    assert "<script" not in summary


def test_a_lake_without_anything_says_what_to_run(tmp_path: Path) -> None:
    with Lake(tmp_path) as empty:
        contents = compose_report(
            ReportScope(empty, DAILY, DAY, FAMILIES, DRIFT_SHARE, LONDON_AND_TOKYO)
        )
    unknown = [title.lower() for title in SECTIONS if title != "Freshness"]
    assert contents.unknown == unknown
    for section in contents.sections[1:8]:
        assert "run" in section.summary
    parsed(render_report(contents))


def test_the_headline_counts_what_is_listed(lake: Lake) -> None:
    contents = report(lake)
    html = parsed(render_report(contents))
    listed = [a for tag, a in html.tags if tag == "li"]
    assert len(listed) == len(contents.action_items) > 1
    assert f"{len(contents.action_items)} things need attention" in html.text
    states = [item.state for item in contents.action_items]
    assert states == sorted(states, key=["critical", "warning"].index)


def test_the_file_is_named_by_its_period(lake: Lake, tmp_path: Path) -> None:
    names = {"daily": "2023-11-15", "weekly": "2023-W46", "monthly": "2023-11"}
    for period in PERIODS.values():
        contents, file = store_report(
            ReportScope(lake, period, DAY, FAMILIES, DRIFT_SHARE, LONDON_AND_TOKYO), tmp_path
        )
        assert file == tmp_path / period.name / f"{names[period.name]}.html"
        assert file.read_bytes() == render_report(contents)
        assert [other.name for other in file.parent.iterdir()] == [file.name]
