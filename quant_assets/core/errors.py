"""The exception tree: every error that a user can meet. Nothing else belongs here.

A message says what is wrong, where, what was expected, what was found and what to do about it,
in that order, so that a log line is enough to act on.
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class QuantAssetsError(Exception):
    """Base of all errors raised on purpose.

    Args:
        problem: one sentence, what is wrong.
        where: file, table, row or column.
        expected: what would have been right.
        found: what was received.
        hint: what the user can do.
    """

    def __init__(
        self,
        problem: str,
        *,
        where: str | None = None,
        expected: Any = None,
        found: Any = None,
        hint: str | None = None,
    ) -> None:
        self.problem = problem
        self.where = where
        self.expected = expected
        self.found = found
        self.hint = hint
        parts = [
            problem,
            f"where: {where}" if where is not None else "",
            f"expected: {expected}" if expected is not None else "",
            f"found: {found}" if found is not None else "",
            f"hint: {hint}" if hint is not None else "",
        ]
        super().__init__("\n  ".join(part for part in parts if part))


class SettingsError(QuantAssetsError):
    """A setting is missing, has the wrong type or contradicts another."""


class CalendarError(QuantAssetsError):
    """A date is not a trading day, or lies outside the calendar."""


class MarketError(QuantAssetsError):
    """The description of a market cannot be used; the message names file, line and key."""


class SourceError(QuantAssetsError):
    """A source cannot be read as a whole; nothing of it is stored."""


class LakeError(QuantAssetsError):
    """The lake cannot be opened, read or written. What was stored before is unchanged."""


class QualityError(QuantAssetsError):
    """Data could not be validated, so it is unknown whether it is good or bad."""


class NotEnoughHistoryError(QuantAssetsError):
    """Fewer days are known than the computation needs."""


class FitError(QuantAssetsError):
    """A fit failed although there was enough history."""


class ArtifactError(QuantAssetsError):
    """A stored fit is missing or is not the one that was recorded."""


class TrackingError(QuantAssetsError):
    """MLflow's store cannot be read or written. Fits and forecasts do not depend on it."""


class AlertError(QuantAssetsError):
    """Alerts cannot be read or written now. None is lost: the next tick reads them again."""


class PromotionError(QuantAssetsError):
    """A release cannot be promoted, pinned or rolled back as asked. Nothing changes."""


class ReviewError(QuantAssetsError):
    """A price cannot be accepted or rejected as asked. Nothing changes."""


class SubmissionError(QuantAssetsError):
    """A submission file cannot be read or judged."""


class BackupError(QuantAssetsError):
    """A backup cannot be made, listed or restored. Earlier backups and the data stay."""


class AccessError(QuantAssetsError):
    """A caller may not do what is asked, or a key cannot be made or revoked."""


class UnauthenticatedError(AccessError):
    """A request has no key, or one that is not valid."""


class ForbiddenError(AccessError):
    """A caller's role does not allow what is asked."""


class TooManyRequestsError(AccessError):
    """A key has spent its requests of the last minute, or too many requests wait.

    Attributes:
        retry_after: whole seconds after which a request is answered again.
    """

    retry_after: int = 60


class RequestError(QuantAssetsError):
    """A request to the prediction API cannot be answered as asked. Nothing changes."""


class ApiError(QuantAssetsError):
    """The prediction API refused a request of the client, or failed to answer it.

    Attributes:
        status: status of the answer.
        document: the problem document, as it came.
    """

    def __init__(self, status: int, document: dict[str, Any]) -> None:
        super().__init__(
            str(document.get("title", "the prediction API answered with an error")),
            where=document.get("where"),
            expected=document.get("expected"),
            found=document.get("found"),
            hint=document.get("hint"),
        )
        self.status = status
        self.document = document


class UnknownNameError(QuantAssetsError):
    """A name is not in the registry that was asked."""


def unknown_name(kind: str, name: str, known: list[str]) -> UnknownNameError:
    """Build the error for a misspelt name, with the nearest known ones as a hint."""
    near = get_close_matches(name, known, n=3)
    return UnknownNameError(
        f"unknown {kind}",
        expected=f"one of {', '.join(known)}",
        found=repr(name),
        hint=f"did you mean {' or '.join(near)}?" if near else None,
    )


def suggest_names(name: str, known: Iterable[str], otherwise: str | None = None) -> str | None:
    """Return a hint with the known names nearest to a misspelt one; ``otherwise`` if none is near.

    >>> suggest_names("XLOM", ["XLON", "XTKS"])
    'did you mean XLON?'
    """
    near = get_close_matches(name, list(known), n=3)
    return f"did you mean {' or '.join(near)}?" if near else otherwise


class RehearsalError(QuantAssetsError):
    """A rehearsal cannot continue: the platform does not start, or one of its commands failed."""
