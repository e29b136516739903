"""The parts of a page: sections of summaries, grids and charts, as records without markup.

The modules of sections decide what the parts say; ``page.html.j2`` decides how they look.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import pandas as pd
from markupsafe import Markup

State = Literal["ok", "warning", "critical", "unknown"]
_URGENCY: tuple[State, ...] = ("critical", "warning", "ok", "unknown")
DASH = "–"
"""Shown where there is no value."""


@dataclass(frozen=True)
class Cell:
    """One cell of a grid.

    Attributes:
        text: what it shows.
        state: colours a cell that is a concern.
    """

    text: str
    state: State | None = None


@dataclass(frozen=True)
class Grid:
    """A table of a page.

    Attributes:
        head: titles of the columns.
        rows: cells of each row.
        labels: how many first columns are text; the others are numbers.
        caption: text above the table.
        kind: tells the template which block this is.
    """

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    labels: int = 1
    caption: str = ""
    kind: Literal["grid"] = "grid"


@dataclass(frozen=True)
class Chart:
    """A drawing of a page.

    Attributes:
        svg: the drawing.
        caption: text above it.
        legend: names of its lines, in the order of their colours.
        kind: tells the template which block this is.
    """

    svg: Markup
    caption: str
    legend: tuple[str, ...] = ()
    kind: Literal["chart"] = "chart"


@dataclass(frozen=True)
class ActionItem:
    """A concern that a person has to look at.

    Attributes:
        state: how urgent it is.
        text: what the concern is.
        failed_table: of an alert about a failed check, the checked table; empty otherwise.
    """

    state: State
    text: str
    failed_table: str = ""


@dataclass(frozen=True)
class Section:
    """One part of a page, which answers one question.

    Attributes:
        title: the subject.
        summary: the answer in a line; if there is none, what to run.
        blocks: tables and drawings that show the answer in detail.
        action_items: the concerns in this section.
        known: whether there is an answer.
        checked_table: the table whose checks fail for the reasons in the action items.
        as_of: newest day of the rows, for a section about a table that is written every day.
        late: whether the rows are older than the newest trading day of the page, or there never
            were any.
    """

    title: str
    summary: str
    blocks: tuple[Grid | Chart, ...] = ()
    action_items: tuple[ActionItem, ...] = ()
    known: bool = True
    checked_table: str = ""
    as_of: date | None = None
    late: bool = False

    @property
    def state(self) -> State:
        """The state of the most urgent action item; at least a warning if the section is late."""
        states: list[State] = [item.state for item in self.action_items]
        if self.late:
            states.append("warning")
        return worst_state(states, "ok" if self.known else "unknown")

    @property
    def anchor(self) -> str:
        """The section's id within the page."""
        return self.title.lower().replace(" ", "-")


def worst_state(states: list[State], otherwise: State = "ok") -> State:
    """Return the most urgent of some states, or ``otherwise`` if there are none."""
    return min(states, key=_URGENCY.index, default=otherwise)


def unknown_section(title: str, summary: str, as_of: date | None = None) -> Section:
    """Make a section without an answer.

    Args:
        title: the subject.
        summary: why there is no answer, and what to run.
        as_of: an older day that has rows, if any.
    """
    return Section(title, summary, known=False, as_of=as_of)


def never_watched_section(title: str, summary: str) -> Section:
    """Make a section about a monitoring table that has no rows yet."""
    return Section(title, f"{summary}: run watch_daily.", known=False, late=True)


def text_row(*values: "str | Cell") -> tuple[Cell, ...]:
    """Make a row of cells from texts and cells."""
    return tuple(value if isinstance(value, Cell) else Cell(value) for value in values)


def frame_records(rows: pd.DataFrame) -> Iterator[Any]:
    """Yield the rows of a frame as tuples whose attributes are the columns."""
    yield from rows.itertuples(index=False)


def format_number(value: Any, digits: int = 2) -> str:
    """Format a number with ``digits`` decimals; a missing one is a dash."""
    return DASH if pd.isna(value) else f"{value:.{digits}f}"


def format_percent(value: Any, digits: int = 0) -> str:
    """Format a share in per cent; a missing one is a dash."""
    return DASH if pd.isna(value) else f"{100 * value:.{digits}f} %"


def format_day(value: Any) -> str:
    """Format a day like 2023-12-29; a missing one is a dash."""
    return DASH if pd.isna(value) else f"{pd.Timestamp(value):%Y-%m-%d}"


def to_date(value: Any) -> date:
    """Convert a value of a frame's column of days to a date."""
    return pd.Timestamp(value).date()


def find_newest_day(rows: pd.DataFrame) -> date | None:
    """Find the newest trading day of some rows; None if there are no rows."""
    return to_date(rows["trading_day"].max()) if len(rows) else None


def format_count(count: int, singular: str, plural: str = "") -> str:
    """Format a count with its noun, like "1 day" and "3 days".

    Args:
        count: the number.
        singular: the noun of 1.
        plural: the noun of other numbers; else the singular with an s.
    """
    return f"{count} {singular if count == 1 else plural or singular + 's'}"
