"""Answering a gateway day by day: the session's forecast, and what is answered when it fails.

An answer is always one row of finite numbers that differ, in the order of the submission.
"""

import logging
import time
from collections.abc import Callable, Sequence
from functools import reduce
from itertools import groupby
from typing import Any

import numpy as np

from quant_assets.core.errors import SubmissionError
from quant_assets.core.typing import FloatArray
from quant_assets.kaggle.frames import build_answer, name_targets, read_prices
from quant_assets.kaggle.problems import DAY_COLUMN, shorten
from quant_assets.kaggle.protocol import Served, ServedMarket, Session
from quant_assets.market.description.reading import competition_description
from quant_assets.models.registry import FALL_BACK
from quant_assets.revisions.given_prices import join_days
from quant_assets.sources.competition.folder import TARGETS
from quant_assets.sources.deliveries import PriceTable

log = logging.getLogger("quant_assets.kaggle")


class Predictor:
    """Answers batch after batch, whatever comes.

    The session is opened with the first batch. If it fails, a new one is opened with the next
    batch, and gets all days that came before once more.

    Attributes:
        answered: number of batches that were answered.
        failures: how many of them without a forecast of the market's releases or families.

    Args:
        open_market: opens the market; it is called until it succeeds.
    """

    def __init__(self, open_market: Callable[[], ServedMarket]) -> None:
        self._open_market = open_market
        self._market: ServedMarket | None = None
        self._session: Session | None = None
        self._given: dict[int, PriceTable] = {}
        self.answered = self.failures = 0

    def answer(self, test: Any, labels: Sequence[Any]) -> Any:
        """Return the forecast of a batch's last day, as a frame of the kind that came.

        The session's forecast comes first, then the newest stored forecast of the fall-back family,
        then numbers that ascend. The log says why an earlier one was not taken.

        Args:
            test: the batch of prices.
            labels: the batches of labels that became known; only their columns are read, since
                labels follow from the prices.
        """
        names = name_targets(labels) or self._default_names()
        self.answered += 1
        ways = (("day", self._forecast), (f"stored {FALL_BACK}", self._repeat_prior))
        for name, forecast in ways:
            try:
                return build_answer(names, _require_forecast(forecast(test, names)), test)
            except Exception as error:  # an answer must come; the log says why
                log.warning("no forecast of the %s: %s", name, _describe(error), exc_info=error)
                self.failures += name == "day"
        log.warning("the answer is numbers that ascend, since there is no forecast at all")
        return build_answer(names, np.linspace(0.0, 1.0, len(names)), test)

    def _forecast(self, test: Any, names: Sequence[str]) -> FloatArray:
        """Return the session's (m,) forecasts of a batch; NaN for a target without one."""
        began = time.monotonic()
        market = self._open()
        table, others = market.read_table(read_prices(test))
        served = self._serve(market, table)
        values = dict(zip(map(market.column_of, served.targets), served.values[-1], strict=True))
        row = np.array([values.get(name, np.nan) for name in names])
        notes = [*served.notes, *([f"left out: {shorten(others)}"] if others else [])]
        if missing := int(np.isnan(row).sum()):
            notes.append(f"{missing} of {len(row)} targets get the median of the others")
        log.info(
            "%s %d: forecast by %s in %.2f s%s",
            DAY_COLUMN,
            table.date_ids[-1],
            f"release {served.release}" if served.release else "the ensemble",
            time.monotonic() - began,
            "".join(f"; {note}" for note in notes),
        )
        return row

    def _repeat_prior(self, test: Any, names: Sequence[str]) -> FloatArray:
        """Return the newest stored (m,) forecasts of the fall-back family that a day may use."""
        market = self._open()
        values = market.prior_before(int(read_prices(test).date_ids[-1]))
        if values is None:
            raise SubmissionError("the fall-back family has no forecast of an earlier day")
        by_name = dict(zip(market.columns, values, strict=True))
        return np.array([by_name.get(name, np.nan) for name in names])

    def _serve(self, market: ServedMarket, table: PriceTable) -> Served:
        """Give the session a batch; a new session gets the days before it as well."""
        first = int(table.date_ids[0])
        self._given = {key: given for key, given in self._given.items() if key < first}
        tables = [table]
        if self._session is None:
            tables = [*self._given.values(), table]
            self._session = market.open_session()
        self._given[first] = table
        try:
            for joined in _join_tables(tables):
                served = self._session.forecast(joined)
            if served.days[-1] != table.days[-1]:
                raise SubmissionError(
                    "the session forecast another day",
                    expected=table.days[-1],
                    found=served.days[-1],
                )
        except BaseException:
            self._session = None
            raise
        return served

    def _open(self) -> ServedMarket:
        if self._market is None:
            self._market = self._open_market()
        return self._market

    def _default_names(self) -> tuple[str, ...]:
        """Return the columns of the market's submission; of the competition's if it is not open."""
        try:
            return self._open().columns
        except Exception as error:  # noqa: BLE001 - an answer must come; the log says why
            log.warning("the market cannot be opened: %s", _describe(error))
            return competition_description().submission.columns(TARGETS)


def _require_forecast(row: FloatArray) -> FloatArray:
    """Return the (m,) forecasts with the median where a target has none.

    Raises:
        SubmissionError: a forecast is infinite, or all are equal or missing.
    """
    if np.isinf(row).any():
        raise SubmissionError("a forecast is infinite", found=f"{int(np.isinf(row).sum())} are")
    known = row[~np.isnan(row)]
    filled = np.where(np.isnan(row), np.median(known) if len(known) else 0.0, row)
    if len(row) > 1 and filled.min() == filled.max():
        raise SubmissionError(
            "the forecasts do not differ",
            expected=f"{len(row)} targets in some order",
            found=f"{len(known)} forecasts, and all are equal",
        )
    return filled


def _join_tables(tables: Sequence[PriceTable]) -> list[PriceTable]:
    """Join the tables of consecutive batches that have the same series."""
    groups = groupby(tables, key=lambda table: table.columns)
    return [reduce(join_days, group) for _, group in groups]


def _describe(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".replace("\n  ", "; ")
