"""Compose the page of a period from its sections, and render it as one HTML file.

Sections are in the order in which a reader asks. The file loads nothing: no script, font or
picture. It has no row of a trading day after its own, and no alert opened later; a row of its day
that was stored later counts. Text from the lake is escaped.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from markupsafe import Markup, escape

from quant_assets.core.files import write_atomically
from quant_assets.reports import (
    data_sections,
    forecast_sections,
    market_sections,
    operations_sections,
    revision_sections,
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
    revision_sections.revisions_section,
    market_sections.regime_section,
    market_sections.anomalies_section,
    operations_sections.promotion_section,
    operations_sections.freshness_section,
)
_TEMPLATE = "page.html.j2"


@dataclass(frozen=True)
class Report:
    """The contents of a page, before rendering.

    Attributes:
        scope: day and period of the page.
        sections: in their order on the page.
    """

    scope: ReportScope
    sections: tuple[Section, ...]

    @property
    def title(self) -> str:
        """The title, like "Daily report, 2023-12-29"."""
        period = self.scope.period
        return f"{period.name.capitalize()} report, {period.label(self.scope.day)}"

    @property
    def action_items(self) -> list[ActionItem]:
        """The action items of all sections, the most urgent first.

        An alert about a failed check is left out if the section about the checked table has an
        action item that is at least as urgent.
        """
        reported = {
            section.checked_table: section.state
            for section in self.sections
            if section.action_items and section.checked_table
        }
        items = [
            item
            for section in self.sections
            for item in section.action_items
            if not _is_reported(item, reported)
        ]
        items += _list_late_sections(self.sections)
        return sorted(items, key=lambda item: item.state != "critical")

    @property
    def state(self) -> State:
        """The state of the most urgent action item."""
        return worst_state([item.state for item in self.action_items])

    @property
    def unknown(self) -> list[str]:
        """Titles of the sections without an answer."""
        return [section.title.lower() for section in self.sections if not section.known]

    @property
    def headline(self) -> str:
        """The page in a line."""
        if not self.action_items:
            return "All well"
        return f"{format_count(len(self.action_items), 'thing needs', 'things need')} attention"

    def markdown(self) -> str:
        """Return the headline, the action items, and a table of the sections' summaries."""
        items = [f"- **{item.state}**: {_escape(item.text)}" for item in self.action_items]
        summaries = [
            f"| {section.title} | {_escape(section.summary)} |" for section in self.sections
        ]
        return "\n".join([f"**{self.headline}**", "", *items, "", "| | |", "|---|---|", *summaries])


def compose_report(scope: ReportScope) -> Report:
    """Compose all sections from one snapshot of the lake."""
    with scope.lake.at_once():
        return Report(scope, tuple(_mark_late(compose(scope), scope) for compose in _SECTIONS))


def render_report(report: Report) -> bytes:
    """Render the page as HTML; the same contents give the same bytes."""
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
    """Compose a report and write its page, whole or not at all.

    Args:
        scope: day and period of the report.
        folder: the reports folder.

    Returns:
        The report, and the file of its page.
    """
    report, file = compose_report(scope), folder / scope.period.file(scope.day)
    write_atomically(file, render_report(report))
    return report, file


def breakable(text: str) -> Markup:
    """Escape a text for HTML, and allow line breaks within long names but not within days."""
    names = re.sub(r"([_/.])(?=[^\W\d])", r"\1<wbr>", str(escape(text)))
    return Markup(re.sub(r"\d{4}-\d\d-\d\d", r"<span>\g<0></span>", names))  # noqa: S704 - escaped


def _is_reported(item: ActionItem, reported: Mapping[str, State]) -> bool:
    """Whether the section about the item's failed table reports a concern as urgent as the item.

    Args:
        item: an action item.
        reported: state of the section about each checked table.
    """
    state = reported.get(item.failed_table)
    return state is not None and worst_state([item.state, state]) == state


def _mark_late(section: Section, scope: ReportScope) -> Section:
    """Return the section; if its rows are older than the page, its texts say of which day.

    Args:
        section: as composed.
        scope: of the page.
    """
    since = section.as_of
    if since is None or since >= scope.calendar.newest_trading_day(scope.day):
        return section
    items = tuple(
        replace(item, text=f"{item.text} (as of {since})") for item in section.action_items
    )
    summary = f"{section.summary} Not watched since {since}."
    return replace(section, summary=summary, action_items=items, late=True)


def _list_late_sections(sections: Sequence[Section]) -> list[ActionItem]:
    """Make one action item for all sections that are late since the same day.

    They mostly have one cause.
    """
    late: dict[str, list[str]] = {}
    for section in sections:
        if section.late:
            since = f"not watched since {section.as_of}" if section.as_of else "never watched"
            late.setdefault(since, []).append(section.title)
    return [
        ActionItem("warning", f"{', '.join(titles).capitalize()} {since}: run watch_daily")
        for since, titles in sorted(late.items())
    ]


def _escape(text: str) -> str:
    """Escape what Markdown tables and HTML would interpret."""
    return text.replace("|", "\\|").replace("\n", " ").replace("<", "&lt;")
