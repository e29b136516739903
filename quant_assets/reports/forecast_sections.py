"""Sections about the submission, the performance of forecasts, and the inputs they rest on."""

import numpy as np
import pandas as pd

from quant_assets.lake.schemas.forecast_tables import SUBMISSIONS, forecasts_table
from quant_assets.lake.schemas.monitoring_tables import ROLLING
from quant_assets.lake.schemas.scoring_tables import ATTRIBUTION
from quant_assets.monitoring.skill.daily_records import choose_judged_family
from quant_assets.monitoring.skill.rolling_rows import ALERT_WINDOWS
from quant_assets.reports.blocks import (
    DASH,
    ActionItem,
    Cell,
    Chart,
    Grid,
    Section,
    find_newest_day,
    format_count,
    format_day,
    format_number,
    format_percent,
    frame_records,
    never_watched_section,
    text_row,
    to_date,
    unknown_section,
    worst_state,
)
from quant_assets.reports.charts import draw_bars, draw_lines
from quant_assets.reports.scope import ReportScope
from quant_assets.scoring.recent_scores import WINDOWS, read_recent_ic, score_over

_SHOWN_INPUTS = 4
_TIME_FORMAT = "%Y-%m-%d %H:%M"
_ALL_TARGETS = "coalesce(part, '') = ''"
_DROP = "since it began to drop"
_CONCERNS = ("warning", "critical")
# Any bad day may be the first of a drop, so a drop has a row only once it is hardly chance.
_SHOWN_WINDOWS = f'("window" > 0 OR level IN {_CONCERNS})'


def submission_section(scope: ReportScope) -> Section:
    """Say whether every trading day has a submission, and which families contribute to it."""
    title = "Submission"
    by_day = "GROUP BY trading_day ORDER BY trading_day"
    stored = scope.read_rows(SUBMISSIONS, by_day, select="trading_day, count(*) AS targets")
    if stored.empty:
        return unknown_section(
            title, "No submission is stored yet: run load_history or refresh_daily."
        )
    stored_days = stored["trading_day"].to_numpy("datetime64[D]")
    expected = scope.calendar.trading_days(scope.first_day, scope.day)
    expected = expected[expected >= stored_days.min()]
    missing = expected[~np.isin(expected, stored_days)]
    items = [
        ActionItem("critical", f"no submission for {day}: run refresh_daily") for day in missing
    ]
    if np.datetime64(scope.day) in stored_days:
        items += _late_submission_items(scope)
    members = _member_grid(scope)
    absent = [cells[0].text for cells in members.rows if cells[-1].state == "warning"]
    if absent and np.datetime64(scope.day) in stored_days:
        items.append(ActionItem("warning", f"submitted without {', '.join(absent)}"))
    submitted = len(expected) - len(missing)
    if len(expected) == 1 and submitted:
        targets = stored["targets"].iloc[-1]
        summary = f"Stored with {targets} targets{_describe_delivery(scope)}."
    else:
        summary = f"{submitted} of {format_count(len(expected), 'trading day')} have a submission."
    return Section(title, summary, (members,), tuple(items))


def performance_section(scope: ReportScope) -> Section:
    """Say how the score over the newest days with known labels compares with what is expected."""
    title = "Performance"
    ic = read_recent_ic(scope.lake, scope.families, scope.day)
    if ic.empty:
        return unknown_section(title, "No day has known labels yet: run refresh_daily.")
    known_on = to_date(ic.index[-1])
    rolling = scope.read_newest(ROLLING, f"AND {_ALL_TARGETS} AND {_SHOWN_WINDOWS}")
    grid, items = _compare_scores(rolling) if len(rolling) else (_score_grid(ic), [])
    chart = draw_lines(
        {str(name): ic[name].cumsum() for name in ic.columns},
        f"Cumulated daily IC of the last {len(ic)} judged days",
        floor=0.0,
    )
    name = ic.columns[0]
    newest = ic[name].iloc[-WINDOWS[0] :]
    summary = (
        f"{name}: mean daily IC {format_number(newest.mean(), 3)} over {len(newest)} judged days, "
        f"score {format_number(score_over(ic[name], WINDOWS[1]))} over {WINDOWS[1]}. "
        f"Labels known by {known_on}."
    )
    return Section(
        title,
        summary,
        (grid, chart, *_period_grids(scope, ic)),
        tuple(items),
        checked_table=ROLLING.name,
        as_of=find_newest_day(rolling),
        late=rolling.empty,
    )


def attribution_section(scope: ReportScope) -> Section:
    """Say on which inputs the newest day's forecasts rest."""
    title = "Attribution"
    rows = scope.read_newest(ATTRIBUTION, "ORDER BY family, share DESC, inputs")
    if rows.empty:
        return never_watched_section(title, "No forecast has been attributed yet")
    day = to_date(rows["trading_day"].iloc[0])
    by_family = {str(name): of_family for name, of_family in rows.groupby("family")}
    ensemble = by_family.pop("ensemble", None)
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
            ("family", "largest shares of inputs"),
            tuple(text_row(name, _largest_shares(rows)) for name, rows in by_family.items()),
            labels=2,
        )
    )
    return Section(
        title, f"Shares of the inputs in the forecasts of {day}.", tuple(blocks), as_of=day
    )


def _describe_delivery(scope: ReportScope) -> str:
    """Say when the submission was stored, and how long after its run began."""
    delivery = scope.delivery
    if delivery is None:
        return ""
    at = f"{delivery.at:%H:%M} UTC"
    if delivery.at >= scope.end:
        at = f"{delivery.at:{_TIME_FORMAT}} UTC, after the day's end"
    took = "" if delivery.seconds is None else f", {delivery.seconds:.0f} s after its run began"
    return f", at {at}{took}"


def _late_submission_items(scope: ReportScope) -> list[ActionItem]:
    """Make an action item if the submission was stored after the end of its day.

    Only a run for a single day counts: a run for many days loads a history, which is never in time.
    """
    delivery = scope.delivery
    if delivery is None or delivery.seconds is None or delivery.at < scope.end:
        return []
    stored = f"stored {delivery.at:{_TIME_FORMAT}} UTC"
    return [ActionItem("warning", f"no submission for {scope.day} by its end: {stored}")]


def _member_grid(scope: ReportScope) -> Grid:
    """Show which families have a forecast of the day, and how old their fits are."""
    cells = []
    for name in scope.families:
        counts = scope.read_rows(
            forecasts_table(name),
            "AND trading_day = ?",
            [scope.day],
            select="count(value) AS targets, max(fit_as_of) AS fit",
        )
        if counts.empty or not counts["targets"].iloc[0]:
            cells.append(text_row(name, DASH, Cell("no forecast", "warning")))
            continue
        fit = counts["fit"].iloc[0]
        age = np.nan
        if pd.notna(fit):
            age = len(scope.calendar.trading_days(to_date(fit), scope.day)) - 1
        cells.append(text_row(name, format_day(fit), format_number(age, 0)))
    return Grid(("family", "fit as of", "trading days old"), tuple(cells))


def _score_grid(ic: pd.DataFrame) -> Grid:
    """Show each family's scores over the newest days, without what is expected."""
    cells = [
        text_row(str(name), *(format_number(score_over(ic[name], window)) for window in WINDOWS))
        for name in ic.columns
    ]
    caption = "Score: mean over standard deviation of the daily IC of the last judged days"
    return Grid(("family", *(f"{w} days" for w in WINDOWS)), tuple(cells), caption=caption)


def _compare_scores(rows: pd.DataFrame) -> tuple[Grid, list[ActionItem]]:
    """Show scores beside expected scores and limits, and make an action item of low scores.

    Only the family and the windows that raise alerts make an action item.

    Args:
        rows: of ``monitoring.rolling``, of one day and all targets.
    """
    ordered = rows.sort_values(["family", "window"])
    ordered["over"] = [f"{n} days" if n else _DROP for n in ordered["window"]]
    cells = [
        text_row(
            str(row.family),
            row.over,
            Cell(format_number(row.score), row.level if row.level in _CONCERNS else None),
            format_number(row.expected),
            format_number(row.limit),
        )
        for row in frame_records(ordered)
    ]
    family = choose_judged_family(set(ordered["family"]))
    raises = (ordered["family"] == family) & ordered["window"].isin(ALERT_WINDOWS)
    low = ordered[raises & ordered["level"].isin(_CONCERNS)]
    items = [_low_score_item(family, low)] if len(low) else []
    caption = "Score: mean over standard deviation of the daily IC. A score below its limit is"
    caption += " hardly chance. –: too few days."
    return Grid(("family", "over", "score", "expected", "limit"), tuple(cells), 2, caption), items


def _low_score_item(family: str, rows: pd.DataFrame) -> ActionItem:
    """Make one action item of all scores of a family that are below their limits."""
    scores = (
        f"{row.over} {format_number(row.score)} ({format_number(row.limit)})"
        for row in frame_records(rows)
    )
    text = f"Score of {family} is below its limit: {', '.join(scores)}"
    return ActionItem(worst_state(rows["level"].tolist()), text)


def _period_grids(scope: ReportScope, ic: pd.DataFrame) -> list[Grid]:
    """Show the mean ICs of a longer period's own days; nothing for a single day."""
    if scope.first_day == scope.day:
        return []
    within = ic[ic.index >= pd.Timestamp(scope.first_day)]
    cells = [
        text_row(str(name), str(int(within[name].count())), format_number(within[name].mean(), 3))
        for name in within.columns
    ]
    caption = f"Judged days in this {scope.period.word}"
    return [Grid(("family", "days", "mean IC"), tuple(cells), caption=caption)]


def _largest_shares(rows: pd.DataFrame) -> str:
    """List the inputs with the largest shares, positive or negative."""
    order = rows["share"].abs().nlargest(_SHOWN_INPUTS).index
    largest = frame_records(rows.loc[order])
    return ", ".join(f"{row.inputs} {format_percent(row.share)}" for row in largest)
