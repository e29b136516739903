"""Sections about what was handed in, how good it turned out, and what it rests on."""

import numpy as np
import pandas as pd

from quant_assets.lake.schemas.monitoring_tables import ROLLING
from quant_assets.lake.schemas.scoring_tables import ATTRIBUTION
from quant_assets.lake.schemas.tables import N_TARGETS, SUBMISSIONS, forecasts_table
from quant_assets.market.calendar import trading_days
from quant_assets.monitoring.skill.daily_records import choose_judged_family
from quant_assets.monitoring.skill.rolling_rows import TOLD
from quant_assets.reports.blocks import (
    NOTHING,
    ActionItem,
    Cell,
    Chart,
    Grid,
    Section,
    format_count,
    format_day,
    format_number,
    format_percent,
    frame_records,
    newest_day_in,
    text_row,
    to_date,
    unknown_section,
    unwatched_section,
    worst_state,
)
from quant_assets.reports.charts import draw_bars, draw_lines
from quant_assets.reports.scope import ReportScope
from quant_assets.scoring.recent_scores import WINDOWS, read_recent_ic, score_over

_INPUTS = 4
_MOMENT = "%Y-%m-%d %H:%M"
_WHOLE = "coalesce(part, '') = ''"
_DROP = "since it began to drop"
_CONCERNS = ("warning", "critical")
# Any bad day may be the first of a drop: worth a row once it hardly is chance.
_TOLD = f'("window" > 0 OR level IN {_CONCERNS})'


def submission_section(scope: ReportScope) -> Section:
    """Whether every day that should have one has a submission, and which families made it."""
    title = "Submission"
    stored = scope.rows(SUBMISSIONS, select="trading_day")
    if stored.empty:
        return unknown_section(
            title, "No submission is stored yet: run load_history or refresh_daily."
        )
    there = stored["trading_day"].to_numpy("datetime64[D]")
    expected = trading_days(scope.first, scope.day)
    expected = expected[expected >= there.min()]
    missing = expected[~np.isin(expected, there)]
    needs = [
        ActionItem("critical", f"no submission for {day}: run refresh_daily") for day in missing
    ]
    if np.datetime64(scope.day) in there:
        needs += _too_late(scope)
    members = _members(scope)
    silent = [cells[0].text for cells in members.rows if cells[-1].state == "warning"]
    if silent and np.datetime64(scope.day) in there:
        needs.append(ActionItem("warning", f"submitted without {', '.join(silent)}"))
    handed_in = len(expected) - len(missing)
    if len(expected) == 1 and handed_in:
        summary = f"Stored with {N_TARGETS} targets{_delivered(scope)}."
    else:
        summary = f"{handed_in} of {format_count(len(expected), 'trading day')} have a submission."
    return Section(title, summary, (members,), tuple(needs))


def performance_section(scope: ReportScope) -> Section:
    """The metric over the last days whose labels were released, against what was expected."""
    title = "Performance"
    ic = read_recent_ic(scope.lake, scope.families, scope.day)
    if ic.empty:
        return unknown_section(
            title, "No day's labels are released and judged yet: run refresh_daily."
        )
    released = to_date(ic.index[-1])
    rolling = scope.newest(ROLLING, f"AND {_WHOLE} AND {_TOLD}")
    grid, needs = _against_expectation(rolling) if len(rolling) else (_scores(ic), [])
    chart = draw_lines(
        {str(name): ic[name].cumsum() for name in ic.columns},
        f"Cumulated daily IC of the last {len(ic)} days judged",
        floor=0.0,
    )
    head = ic.columns[0]
    lately = ic[head].iloc[-WINDOWS[0] :]
    summary = (
        f"{head}: mean daily IC {format_number(lately.mean(), 3)} over {len(lately)} days judged, "
        f"score {format_number(score_over(ic[head], WINDOWS[1]))} over {WINDOWS[1]}. "
        f"Labels released by {released}."
    )
    blocks: tuple[Grid | Chart, ...] = (grid, chart, *_of_period(scope, ic))
    watched, as_of, late = ROLLING.name, newest_day_in(rolling), rolling.empty
    return Section(title, summary, blocks, tuple(needs), watched=watched, as_of=as_of, late=late)


def attribution_section(scope: ReportScope) -> Section:
    """What the newest day's forecasts rest on."""
    title = "Attribution"
    rows = scope.newest(ATTRIBUTION, "ORDER BY family, share DESC, inputs")
    if rows.empty:
        return unwatched_section(title, "No forecast was attributed yet")
    day = to_date(rows["trading_day"].iloc[0])
    of = {str(name): part for name, part in rows.groupby("family")}
    ensemble = of.pop("ensemble", None)
    blocks: list[Grid | Chart] = []
    if ensemble is not None:
        shares = ensemble.set_index("inputs")["share"]
        blocks.append(
            draw_bars(
                {str(k): float(v) for k, v in shares.items()}, f"Share in the ensemble of {day}"
            )
        )
    blocks.append(
        Grid(
            ("family", "rests most on"),
            tuple(text_row(name, _mostly(part)) for name, part in of.items()),
            labels=2,
        )
    )
    return Section(title, f"Of the forecasts of {day}.", tuple(blocks), as_of=day)


def _delivered(scope: ReportScope) -> str:
    delivery = scope.delivery
    if delivery is None:
        return ""
    at = f"{delivery.at:%H:%M} UTC"
    if delivery.at >= scope.end:
        at = f"{delivery.at:{_MOMENT}} UTC, after the day's end"
    took = "" if delivery.seconds is None else f", {delivery.seconds:.0f} s after its run began"
    return f", at {at}{took}"


def _too_late(scope: ReportScope) -> list[ActionItem]:
    """That the day ended without a submission, though there is one now.

    Only of a run for the day alone: one for many loads a history, which is never in time.
    """
    delivery = scope.delivery
    if delivery is None or delivery.seconds is None or delivery.at < scope.end:
        return []
    stored = f"stored {delivery.at:{_MOMENT}} UTC"
    return [ActionItem("warning", f"no submission for {scope.day} by its end: {stored}")]


def _members(scope: ReportScope) -> Grid:
    """Which families have a forecast of the day, and how old their fits are."""
    cells = []
    for name in scope.families:
        found = scope.rows(
            forecasts_table(name),
            "AND trading_day = ?",
            [scope.day],
            select="count(value) AS targets, max(fit_as_of) AS fit",
        )
        if found.empty or not found["targets"].iloc[0]:
            cells.append(text_row(name, NOTHING, Cell("no forecast", "warning")))
            continue
        fit = found["fit"].iloc[0]
        age = len(trading_days(to_date(fit), scope.day)) - 1 if pd.notna(fit) else np.nan
        cells.append(text_row(name, format_day(fit), format_number(age, 0)))
    return Grid(("family", "fit as of", "trading days old"), tuple(cells))


def _scores(ic: pd.DataFrame) -> Grid:
    cells = [
        text_row(str(name), *(format_number(score_over(ic[name], window)) for window in WINDOWS))
        for name in ic.columns
    ]
    caption = "Score: mean over deviation of the daily IC of the last days judged"
    return Grid(("family", *(f"{w} days" for w in WINDOWS)), tuple(cells), caption=caption)


def _against_expectation(rows: pd.DataFrame) -> tuple[Grid, list[ActionItem]]:
    """Scores beside what was to be expected; who is told of, over windows that are told."""
    ordered = rows.sort_values(["family", "window"])
    ordered["over"] = [f"{n} days" if n else _DROP for n in ordered["window"]]
    cells = [
        text_row(
            str(one.family),
            one.over,
            Cell(format_number(one.score), one.level if one.level in _CONCERNS else None),
            format_number(one.expected),
            format_number(one.limit),
        )
        for one in frame_records(ordered)
    ]
    family = choose_judged_family(set(ordered["family"]))
    told = (ordered["family"] == family) & ordered["window"].isin(TOLD)
    low = ordered[told & ordered["level"].isin(_CONCERNS)]
    needs = [_too_low(family, low)] if len(low) else []
    caption = "Score: mean over deviation of the daily IC; below its limit it is no longer chance;"
    caption += " –: too few days to say"
    return Grid(("family", "over", "score", "expected", "limit"), tuple(cells), 2, caption), needs


def _too_low(family: str, rows: pd.DataFrame) -> ActionItem:
    """That a family's scores are below their limits, in one line."""
    found = (
        f"{one.over} {format_number(one.score)} ({format_number(one.limit)})"
        for one in frame_records(rows)
    )
    text = f"Score of {family} is below its limit: {', '.join(found)}"
    return ActionItem(worst_state(rows["level"].tolist()), text)


def _of_period(scope: ReportScope, ic: pd.DataFrame) -> list[Grid]:
    if scope.first == scope.day:
        return []
    within = ic[ic.index >= pd.Timestamp(scope.first)]
    cells = [
        text_row(str(name), str(int(within[name].count())), format_number(within[name].mean(), 3))
        for name in within.columns
    ]
    caption = f"Days judged in this {scope.period.word}"
    return [Grid(("family", "days", "mean IC"), tuple(cells), caption=caption)]


def _mostly(part: pd.DataFrame) -> str:
    """The inputs with the largest shares, of either sign."""
    order = part["share"].abs().nlargest(_INPUTS).index
    largest = frame_records(part.loc[order])
    return ", ".join(f"{one.inputs} {format_percent(one.share)}" for one in largest)
