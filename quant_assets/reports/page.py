"""The page of a period: its sections in the order in which a person asks, and as one HTML file.

The file holds all that it shows: no script, no font and no picture is loaded. It has no row of a
trading day after its own, and no alert opened later; a row of its day that was stored later counts.
Text from the lake is escaped.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from markupsafe import Markup, escape

from quant_assets.lake.store.artifacts import write_atomically
from quant_assets.market.calendar import newest_trading_day
from quant_assets.reports import (
    data_sections,
    forecast_sections,
    market_sections,
    operations_sections,
)
from quant_assets.reports.blocks import ActionItem, Section, State, format_count, worst_state
from quant_assets.reports.scope import ReportScope

_SECTIONS = (
    operations_sections.alerts_section,
    forecast_sections.submission_section,
    forecast_sections.performance_section,
    forecast_sections.attribution_section,
    data_sections.data_health_section,
    data_sections.drift_section,
    market_sections.regime_section,
    market_sections.anomalies_section,
    operations_sections.promotion_section,
    operations_sections.freshness_section,
)
_TEMPLATE = "page.html.j2"


@dataclass(frozen=True)
class Report:
    """A page before it is one.

    Attributes:
        scope: what it is about.
        sections: in order.
    """

    scope: ReportScope
    sections: tuple[Section, ...]

    @property
    def title(self) -> str:
        """Like "Daily report, 2023-12-29"."""
        period = self.scope.period
        return f"{period.name.capitalize()} report, {period.label(self.scope.day)}"

    @property
    def needs(self) -> list[ActionItem]:
        """What needs somebody, the most urgent first; once what a check and its table both say."""
        said = {one.watched: one.state for one in self.sections if one.needs and one.watched}
        found = [
            need
            for section in self.sections
            for need in section.needs
            if worst_state([need.state, said.get(need.told, "ok")]) != said.get(need.told)
        ]
        found += _unwatched(self.sections)
        return sorted(found, key=lambda need: need.state != "critical")

    @property
    def state(self) -> State:
        """That of the most urgent need."""
        return worst_state([need.state for need in self.needs])

    @property
    def unknown(self) -> list[str]:
        """Titles of what could not be said."""
        return [section.title.lower() for section in self.sections if not section.known]

    @property
    def headline(self) -> str:
        """The page in a line."""
        if not self.needs:
            return "All well"
        return f"{format_count(len(self.needs), 'thing needs', 'things need')} you"

    def markdown(self) -> str:
        """The headline, what needs somebody, and each section's summary."""
        needs = [f"- **{need.state}**: {_plain(need.text)}" for need in self.needs]
        summaries = [f"| {one.title} | {_plain(one.summary)} |" for one in self.sections]
        return "\n".join([f"**{self.headline}**", "", *needs, "", "| | |", "|---|---|", *summaries])


def compose_report(scope: ReportScope) -> Report:
    """All sections, from one snapshot of the lake."""
    with scope.lake.at_once():
        return Report(scope, tuple(_dated(make(scope), scope.day) for make in _SECTIONS))


def render_report(report: Report) -> bytes:
    """The page as HTML; the same bytes for the same contents."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("quant_assets", "reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["breakable"] = breakable
    return environment.get_template(_TEMPLATE).render(report=report).encode()


def store_report(scope: ReportScope, folder: Path) -> tuple[Report, Path]:
    """Write the page into the reports folder, whole or not at all; the report and its file."""
    report, file = compose_report(scope), folder / scope.period.file(scope.day)
    write_atomically(file, render_report(report))
    return report, file


def breakable(text: str) -> Markup:
    """The text, escaped: long names may be broken on a narrow screen, days may not."""
    names = re.sub(r"([_/.])(?=[^\W\d])", r"\1<wbr>", str(escape(text)))
    return Markup(re.sub(r"\d{4}-\d\d-\d\d", r"<span>\g<0></span>", names))  # noqa: S704 - escaped


def _dated(section: Section, day: date) -> Section:
    """The section; one that is older than the page's day says so, and so does each of its needs."""
    since = section.as_of
    if since is None or since >= newest_trading_day(day):
        return section
    needs = tuple(replace(one, text=f"{one.text} (as of {since})") for one in section.needs)
    summary = f"{section.summary} Not watched since {since}."
    return replace(section, summary=summary, needs=needs, late=True)


def _unwatched(sections: Sequence[Section]) -> list[ActionItem]:
    """One for all that was not watched since the same day: that mostly has one cause."""
    late: dict[str, list[str]] = {}
    for one in sections:
        if one.late:
            since = f"not watched since {one.as_of}" if one.as_of else "never watched"
            late.setdefault(since, []).append(one.title)
    return [
        ActionItem("warning", f"{', '.join(of).capitalize()} {since}: run watch_daily")
        for since, of in sorted(late.items())
    ]


def _plain(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
