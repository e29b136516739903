"""What a page is made of: sections of lines, grids and charts, as records without markup.

What is said in them belongs in the modules of sections; how they look, in ``page.html.j2``.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any, Literal

import pandas as pd
from markupsafe import Markup

State = Literal["ok", "warning", "critical", "unknown"]
_URGENCY: tuple[State, ...] = ("critical", "warning", "ok", "unknown")
NOTHING = "–"


@dataclass(frozen=True)
class Cell:
    """One cell of a grid; ``state`` colours it where it is of concern."""

    text: str
    state: State | None = None


@dataclass(frozen=True)
class Grid:
    """A table. Cells of all but the first ``labels`` columns are numbers."""

    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    labels: int = 1
    caption: str = ""
    kind: Literal["grid"] = "grid"


@dataclass(frozen=True)
class Chart:
    """A drawing; ``legend`` names its lines, in the order of their colours."""

    svg: Markup
    caption: str
    legend: tuple[str, ...] = ()
    kind: Literal["chart"] = "chart"


@dataclass(frozen=True)
class ActionItem:
    """Something that a person has to look at.

    Attributes:
        state: how urgent it is.
        text: what it is.
        told: the table whose failed check it repeats, if it does.
    """

    state: State
    text: str
    told: str = ""


@dataclass(frozen=True)
class Section:
    """One question's answer.

    Attributes:
        title: the subject.
        summary: the answer in a line; where it is not known, what to run.
        blocks: what it rests on.
        needs: what in it needs somebody.
        known: whether there is an answer at all.
        watched: the table whose checks fail for what the needs say.
        as_of: the newest day that it knows, if it is of what is watched day by day.
        late: whether a trading day has come since, up to the page's; or nobody ever watched.
    """

    title: str
    summary: str
    blocks: tuple[Grid | Chart, ...] = ()
    needs: tuple[ActionItem, ...] = ()
    known: bool = True
    watched: str = ""
    as_of: date | None = None
    late: bool = False

    @property
    def state(self) -> State:
        """That of the most urgent need; of what nobody watched, a warning at least."""
        states: list[State] = [one.state for one in self.needs]
        if self.late:
            states.append("warning")
        return worst_state(states, "ok" if self.known else "unknown")

    @property
    def anchor(self) -> str:
        """Its id within the page."""
        return self.title.lower().replace(" ", "-")


def worst_state(states: list[State], otherwise: State = "ok") -> State:
    """The most urgent of some states."""
    return min(states, key=_URGENCY.index, default=otherwise)


def unknown_section(title: str, summary: str, as_of: date | None = None) -> Section:
    """A section about what is not there; ``as_of`` a day on which it was, if any."""
    return Section(title, summary, known=False, as_of=as_of)


def unwatched_section(title: str, summary: str) -> Section:
    """A section about what nobody ever watched."""
    return Section(title, f"{summary}: run watch_daily.", known=False, late=True)


def text_row(*values: "str | Cell") -> tuple[Cell, ...]:
    """Cells from texts."""
    return tuple(one if isinstance(one, Cell) else Cell(one) for one in values)


def frame_records(rows: pd.DataFrame) -> Iterator[Any]:
    """Rows of a frame, their columns as attributes."""
    yield from rows.itertuples(index=False)


def format_number(value: Any, digits: int = 2) -> str:
    """A number with so many decimals; a dash for none."""
    return NOTHING if pd.isna(value) else f"{value:.{digits}f}"


def format_percent(value: Any, digits: int = 0) -> str:
    """A share in per cent; a dash for none."""
    return NOTHING if pd.isna(value) else f"{100 * value:.{digits}f} %"


def format_day(value: Any) -> str:
    """A day as 2023-12-29; a dash for none."""
    return NOTHING if pd.isna(value) else f"{pd.Timestamp(value):%Y-%m-%d}"


def to_date(value: Any) -> date:
    """A day out of a frame."""
    return pd.Timestamp(value).date()


def newest_day_in(rows: pd.DataFrame) -> date | None:
    """The newest trading day of some rows; None if there are none."""
    return to_date(rows["trading_day"].max()) if len(rows) else None


def format_count(count: int, one: str, many: str = "") -> str:
    """Like "1 day" and "3 days"."""
    return f"{count} {one if count == 1 else many or one + 's'}"
