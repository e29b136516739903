"""Answers to sent prices, from a history and models that are kept in memory between requests.

It belongs to one process and one thread; how a server reaches it is not decided here.
"""

import logging
from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np

from quant_assets.core.errors import LakeError, RequestError, unknown_name
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake
from quant_assets.market.description.market import MarketDescription
from quant_assets.models.registry import DAILY
from quant_assets.promotion.release_forecasts import forecast_day
from quant_assets.promotion.release_store import ReleaseFit
from quant_assets.serving.fits_in_force import ModelStore, ServingState
from quant_assets.serving.sent_prices import build_table, encode_answer, read_sent_prices
from quant_assets.serving.session import Session, StoredHistory, read_history

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class Prediction:
    """An answer.

    Attributes:
        body: the answer as JSON.
        release: the release that forecast the newest day; empty for the ensemble.
    """

    body: bytes
    release: str


@dataclass
class Predictor:
    """Answers requests one after the other.

    Attributes:
        lake: the lake, for reading.
        settings: families, paths and limits of cleaning.
        market: the description of the market.
    """

    lake: Lake
    settings: Settings
    market: MarketDescription
    _version: int | None = None
    _history: StoredHistory | None = None
    _kept: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._store = ModelStore(self.lake, self.settings)

    def prepare(self, version: int) -> tuple[str, ...]:
        """Read the history and load the models in force, if the lake has changed.

        Returns the names of the loaded releases and families.

        Args:
            version: the state of the lake; a history that was read at another one is read again.

        Raises:
            LakeError: nothing is stored.
            NotEnoughHistoryError: no stored day has features.
        """
        self._read(version)
        return self.names()

    def _read(self, version: int) -> StoredHistory:
        if self._history is not None and self._version == version:
            return self._history
        # What is stored between the version and this read is read too, and once more afterwards.
        history = read_history(self.lake, self.settings, self.market, store=self._store)
        self._history, self._version = history, version
        models = self._list_models()
        chosen = [fit for name in self._kept for fit in models.get(name, ())]
        needed = [*_list_in_force(history.state), *chosen]
        for fit in needed:
            self._warm_up(fit, history)
        self._store.keep({fit.sha256 for fit in needed})
        return history

    def _warm_up(self, fit: ReleaseFit, history: StoredHistory) -> None:
        """Load a model and let it forecast the newest day: a library's first forecast is slow."""
        observations, as_of = history.known.observations, np.datetime64(fit.fit_as_of)
        try:
            model = self._store.get(fit)
            forecast_day(model, fit.family, as_of, observations, history.last_day)
        except Exception as error:  # noqa: BLE001 - a request that needs the model gets the error
            _LOG.warning("%s as of %s cannot forecast: %s", fit.family, fit.fit_as_of, error)

    def predict(self, body: bytes, version: int, release: str | None = None) -> Prediction:
        """Forecast from the prices of a request.

        Args:
            body: the request, as ``SentPrices``.
            version: the state of the lake.
            release: the release that answers if the request names none; None for what would be
                submitted, which is also answered if this release cannot forecast.

        Raises:
            RequestError: the request cannot be answered as asked.
            UnknownNameError: no release has the name.
            LakeError: nothing is stored, or nothing can forecast a day.
        """
        sent = read_sent_prices(body)
        history = self._read(version)
        known = history.known
        table, notes = build_table(known, sent.days)
        try:
            served = self._begin_session(history).forecast(table, sent.release or release)
        except (LakeError, RequestError) as error:
            if sent.release or not release:
                raise
            notes.append(f"release {release} does not forecast: {error.problem}")
            served = self._begin_session(history).forecast(table)
        answer = encode_answer(served, known, sent.targets, notes)
        return Prediction(answer, served.release or "")

    def _begin_session(self, history: StoredHistory) -> Session:
        return Session(self.lake, self.settings, self.market, history, history.last_day)

    def load(self, name: str, version: int) -> tuple[str, ...]:
        """Load the models of a release or family, and keep them; return the loaded names.

        Raises:
            UnknownNameError: there is no such release or family.
            ArtifactError: an artifact is missing or altered.
        """
        self._read(version)
        for fit in self._find(name):
            self._store.get(fit)
        self._kept.add(name)
        return self.names()

    def unload(self, name: str, version: int) -> tuple[str, ...]:
        """Forget the models of a release or family; return the names that are still loaded.

        Models stay that another release or family needs which was loaded by name. What is in force
        is loaded again when a request needs it.

        Raises:
            UnknownNameError: there is no such release or family.
        """
        self._read(version)
        gone = {fit.sha256 for fit in self._find(name)}
        self._kept.discard(name)
        needed = {fit.sha256 for kept in self._kept for fit in self._find(kept)}
        self._store.keep(set(self._store.models) - (gone - needed))
        return self.names()

    def names(self) -> tuple[str, ...]:
        """Return the releases and families whose models are all in memory, sorted."""
        loaded = set(self._store.models)
        return tuple(
            sorted(
                name
                for name, fits in self._list_models().items()
                if fits and {fit.sha256 for fit in fits} <= loaded
            )
        )

    def _find(self, name: str) -> Collection[ReleaseFit]:
        models = self._list_models()
        if name not in models:
            raise unknown_name("release or family", name, list(models))
        return models[name]

    def _list_models(self) -> dict[str, tuple[ReleaseFit, ...]]:
        """Return the fits of each release and of each family."""
        if self._history is None:
            return {}
        state = self._history.state
        releases = {
            name: tuple(fit for fit in release.fits if fit.pinned)
            for name, release in state.course.releases.items()
        }
        return releases | {name: (each.fit,) for name, each in state.fits.items()}


def _list_in_force(state: ServingState) -> list[ReleaseFit]:
    """Return the fits that the next day's forecast needs."""
    promotion, releases = state.course.state, state.course.releases
    names = [name for name in promotion.forecasting if name in releases]
    # Without a champion, the newest release becomes it, or the families forecast.
    names = names or list(releases)[-1:]
    fits = [fit for name in names for fit in releases[name].fits if fit.pinned]
    families = [each.fit for name, each in state.fits.items() if not names or name in DAILY]
    return [*fits, *families]
