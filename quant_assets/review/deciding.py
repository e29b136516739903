"""Recording a person's decision about a flagged price: accept it, reject it, or undo a decision.

A decision is a row, and changes no price itself. The next run that revises the past applies it.
"""

from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

from quant_assets.core.errors import ReviewError, UnknownNameError, suggest_names
from quant_assets.core.locks import hold_lock
from quant_assets.core.settings import Settings
from quant_assets.lake.readers.series import read_series
from quant_assets.lake.schemas.price_tables import (
    RAW_PRICES,
    VALIDATED_PRICES,
    VALIDATED_QUARANTINE,
    VALIDATED_REVIEW,
)
from quant_assets.lake.store.changes import append
from quant_assets.lake.store.lake import Lake
from quant_assets.market.instruments import PRICE_FIELDS, InstrumentSeries
from quant_assets.quality.rejection import RejectionReason
from quant_assets.quality.review_decisions import (
    ReviewAction,
    ReviewDecision,
    keep_in_force,
    read_decisions,
)
from quant_assets.revisions.changes import forget_load

_PATIENCE = 10.0
_LIST = "`quant-assets review` lists the flagged prices"


@dataclass(frozen=True)
class ReviewRequest:
    """What a person asks for.

    Attributes:
        decision: accept, reject, or undo.
        trading_day: day of the price.
        instrument: its instrument.
        field: its field.
        reason: why.
        made_by: who asks.
    """

    decision: ReviewAction
    trading_day: date
    instrument: str
    field: str
    reason: str
    made_by: str


@dataclass(frozen=True)
class _StoredCell:
    """A stored price: the source's number, the flags, and why it was rejected; None if empty."""

    value: float | None
    flags: str
    rejection: str

    @property
    def is_flagged(self) -> bool:
        """Whether the price is a jump, or a person decided about it."""
        return "jump" in self.flags or "reviewed" in self.flags


def decide_review(
    lake: Lake, settings: Settings, request: ReviewRequest, first_day: date, now: datetime
) -> ReviewDecision:
    """Record a decision about a flagged price.

    Args:
        lake: holds prices and decisions.
        settings: name the data directory, in which the lock lies.
        request: what the person asks for.
        first_day: first day that the source has; earlier days cannot be cleaned again.
        now: the present moment, UTC.

    Returns:
        The decision, in force from now on.

    Raises:
        ReviewError: the request has no reason or no maker; the price is not flagged; there is a
            decision about it already, or none to undo; or another process is deciding. Nothing is
            stored then.
        UnknownNameError: there is no such instrument, or it has no such field.
        LakeError: no prices are stored.
    """
    _check_words(request)
    _check_series(lake, request)
    if request.trading_day < first_day:
        raise ReviewError(
            "the day lies before the first day of the source",
            expected=f"{first_day} or later",
            found=request.trading_day,
        )
    lock = settings.lake_dir / "review.lock"
    # No other process decides meanwhile, so that two decisions never meet.
    with hold_lock(lock, _PATIENCE, ReviewError, "another process is deciding about prices"):
        decisions = read_decisions(lake)
        cell, close = _read_cell(lake, request), _read_cell(lake, replace(request, field="close"))
        moment = now.replace(tzinfo=None)
        if decisions:
            # Decisions are ordered by their moments, even after a clock was set back.
            moment = max(moment, decisions[-1].decided_at + timedelta(microseconds=1))
        value = float("nan") if cell.value is None else cell.value
        decision = ReviewDecision(moment, value=value, **asdict(request))
        _check_decision(decision, cell, close, decisions)
        row = {name: [value] for name, value in asdict(decision).items()}
        lake.change(append(VALIDATED_REVIEW, row), *forget_load(lake))
    return decision


def _check_words(request: ReviewRequest) -> None:
    for name, text in (("reason", request.reason), ("made_by", request.made_by)):
        if not text.strip():
            expected = "--reason TEXT" if name == "reason" else "--by NAME"
            raise ReviewError(f"a decision needs a {name}", expected=expected, found=repr(text))


def _check_series(lake: Lake, request: ReviewRequest) -> None:
    series = read_series(lake)
    if request.instrument not in series.group_of:
        raise UnknownNameError(
            "unknown instrument",
            expected="an instrument whose prices are stored",
            found=repr(request.instrument),
            hint=suggest_names(request.instrument, series.group_of, _LIST),
        )
    if InstrumentSeries(request.instrument, request.field) not in series.series:
        fields = [s.field for s in series.series if s.instrument == request.instrument]
        raise UnknownNameError(
            "unknown field", expected=f"one of {', '.join(fields)}", found=repr(request.field)
        )


def _read_cell(lake: Lake, request: ReviewRequest) -> _StoredCell:
    """Read what is stored for a cell.

    Raises:
        ReviewError: the day is not stored.
    """
    series = read_series(lake)
    column = series.column_of(InstrumentSeries(request.instrument, request.field))
    rows: list[dict[str, Any]] = lake.arrow(
        f"SELECT r.value, v.flag, q.reason FROM {RAW_PRICES.quoted} r"
        f" JOIN {VALIDATED_PRICES.quoted} v USING (trading_day, instrument, field)"
        f" LEFT JOIN {VALIDATED_QUARANTINE.quoted} q"
        ' ON q.trading_day = r.trading_day AND q."column" = ?'
        " WHERE r.trading_day = ? AND instrument = ? AND field = ?",
        [column, request.trading_day, request.instrument, request.field],
        needs=VALIDATED_PRICES,
    ).to_pylist()
    if not rows:
        raise ReviewError(
            "no prices are stored for this day", found=request.trading_day, hint=_LIST
        )
    (row,) = rows
    return _StoredCell(row["value"], row["flag"] or "", row["reason"] or "")


def _check_decision(
    decision: ReviewDecision,
    cell: _StoredCell,
    close: _StoredCell,
    decisions: tuple[ReviewDecision, ...],
) -> None:
    """Raise if there is nothing to undo, a decision already, or nothing to decide about."""
    where = f"{decision.instrument} {decision.field} of {decision.trading_day}"
    in_force = keep_in_force(decisions).get((decision.cell, decision.value))
    if decision.decision == "undo":
        if in_force is None:
            found = _describe_earlier(decision, decisions)
            raise ReviewError("there is no decision to undo", where=where, found=found)
    elif in_force is not None:
        raise ReviewError(
            "there is a decision about this price already",
            where=where,
            found=f"{in_force.decision} by {in_force.made_by}, {in_force.decided_at:%Y-%m-%d %H:%M}"
            f" UTC: {in_force.reason}",
            hint="`quant-assets review undo` makes room for another decision",
        )
    elif not _can_decide(decision, cell, close):
        reason = f", rejected: {cell.rejection}" if cell.rejection else ""
        found = f"value {cell.value}, flags {cell.flags or 'none'}{reason}"
        raise ReviewError("no such flagged price", where=where, found=found, hint=_LIST)


def _can_decide(decision: ReviewDecision, cell: _StoredCell, close: _StoredCell) -> bool:
    """Whether a person may decide about a price.

    The price is flagged; or it was rejected for a reason that a person may overrule; or it is to be
    rejected, and the close of its day is flagged: a wrong close may stand in a wrong bar.
    """
    if cell.is_flagged:
        return True
    if decision.decision == "accept":
        return cell.rejection == RejectionReason.BAR_CONTRADICTS_ITSELF.text
    return close.is_flagged and decision.field in PRICE_FIELDS and cell.value is not None


def _describe_earlier(decision: ReviewDecision, decisions: tuple[ReviewDecision, ...]) -> str:
    """Describe the newest decision about a cell, whatever value was judged."""
    earlier = [each for each in decisions if each.cell == decision.cell]
    if not earlier:
        return "no decision"
    newest = earlier[-1]
    return f"{newest.decision} of {newest.value}; the value is {decision.value} now"
