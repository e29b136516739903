"""Which days a set of parameters is fitted on and which it is judged on. Row numbers only.

Expanding window, as in ``training.walk_forward``: a fit as of row r is handed
``Observations.rows(0, r + 1)``, whose ``labels()`` hold what is released by r. A label of lag k
therefore trains up to row r - k - 1, and its last price is known on r, before the first price of
any label judged. Folds are purged by that alone; to leave out further days would purge twice.
"""

from dataclasses import dataclass

from quant_assets.core.errors import NotEnoughHistoryError
from quant_assets.market.targets import MAX_LAG

_DELAY = MAX_LAG + 1
"""Days from a forecast to the release of its last label."""


@dataclass(frozen=True)
class Fold:
    """A fit as of row ``fit``, judged on the forecasts of the rows from ``fit`` to ``stop - 1``."""

    fit: int
    stop: int

    @property
    def known_on(self) -> int:
        """Row on which the last label judged is released."""
        return self.stop - 1 + _DELAY


@dataclass(frozen=True)
class Folds:
    """How a history is divided.

    Attributes:
        first_fit_after: days before the day of the first fit.
        validation_days: days each fit is judged on.
        step_days: days from fit to fit; if fewer than validation_days, folds overlap.
    """

    first_fit_after: int = 504
    validation_days: int = 90
    step_days: int = 30

    def of(self, rows: int) -> tuple[Fold, ...]:
        """The folds whose labels are all released within so many days, oldest first.

        Later days add folds and move none.

        Raises:
            NotEnoughHistoryError: there is none.
        """
        needed = self.first_fit_after + self.validation_days + _DELAY
        if rows < needed:
            raise NotEnoughHistoryError(
                "too few days to tune on",
                expected=f"at least {needed}",
                found=rows,
                hint="tune as of a later day, validate on fewer days, or load more history",
            )
        fits = range(self.first_fit_after, rows - self.validation_days - _DELAY + 1, self.step_days)
        return tuple(Fold(fit, fit + self.validation_days) for fit in fits)
