"""Sent days are forecast by the releases that were in force, as they were submitted on the day."""

import msgspec
import numpy as np
import pytest

from quant_assets.core.errors import RequestError
from quant_assets.lake.readers.prices import read_raw
from quant_assets.lake.store.lake import Lake
from quant_assets.serving.predictor import Predictor
from quant_assets.serving.session import Session
from quant_assets.sources.registry import open_market
from quant_assets_tests.support.installation import Installation
from quant_assets_tests.support.releases import (
    DAYS,
    FIRST_RELEASE,
    LAST,
    SECOND,
    SHARED,
    copy_promoted,
    names,
    rows,
    scores,
)

pytestmark = pytest.mark.slow("two retrainings and a dozen refreshed days in real runs", seconds=60)


@pytest.fixture(scope="module")
def promoted(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    return copy_promoted(tmp_path_factory.mktemp("releases"))


def values_of(body: bytes) -> list[float]:
    (forecast,) = msgspec.json.decode(body)["forecasts"]
    return list(forecast["values"].values())


def test_each_day_is_forecast_as_it_was_submitted(promoted: Installation) -> None:
    champion, challenger = names(promoted)
    with Lake(promoted.settings.lake_dir, read_only=True) as lake:
        session = Session(lake, promoted.settings, open_market(promoted.settings))
        for row in range(FIRST_RELEASE - 1, LAST + 1):
            served = session.forecast(read_raw(lake, DAYS[row], DAYS[row]))
            expected = scores(promoted, "forecasts.published", DAYS[row])
            np.testing.assert_array_equal(served.values[0], expected)
            assert served.release == (champion if row > FIRST_RELEASE else None)
            shared = served.forecasts[0].share
            assert (served.forecasts[0].challenger == challenger) == (row >= SHARED)
            assert (shared > 0) == (row >= SHARED)


def test_a_release_that_is_named_forecasts_alone(promoted: Installation) -> None:
    day = DAYS[LAST]
    with Lake(promoted.settings.lake_dir, read_only=True) as lake:
        session = Session(lake, promoted.settings, open_market(promoted.settings))
        for name in names(promoted):
            served = session.forecast(read_raw(lake, day, day), name)
            expected = scores(promoted, "forecasts.releases", day, name)
            np.testing.assert_array_equal(served.values[0], expected)
            assert served.release == name


def test_a_caller_is_answered_by_a_release_or_by_what_would_be_submitted(
    promoted: Installation,
) -> None:
    """The release of a caller forecasts; where it cannot, the answer is the submission's."""
    champion, challenger = names(promoted)
    with Lake(promoted.settings.lake_dir, read_only=True) as lake:
        day = DAYS[LAST]
        table = read_raw(lake, day, day)
        prices = dict(zip(table.columns, table.values[0].tolist(), strict=True))
        body = msgspec.json.encode({"days": [{"day": day, "prices": prices}]})
        predictor = Predictor(lake, promoted.settings, open_market(promoted.settings))
        assert challenger in predictor.prepare(1)
        chosen = predictor.predict(body, 1, challenger)
        assert chosen.release == challenger
        expected = scores(promoted, "forecasts.releases", day, challenger)
        np.testing.assert_array_equal(values_of(chosen.body), expected)
        submitted = predictor.predict(body, 1)
        expected = scores(promoted, "forecasts.published", day)
        np.testing.assert_array_equal(values_of(submitted.body), expected)
        pinned = "SELECT artifact FROM promotion.releases WHERE release = ? AND pinned"
        for artifact in rows(promoted, pinned, [challenger])["artifact"]:
            (promoted.settings.artifacts_dir / artifact).write_bytes(b"altered")
        broken = Predictor(lake, promoted.settings, open_market(promoted.settings))
        answer = broken.predict(body, 1, challenger)
    assert answer.release == champion
    assert f"release {challenger} does not forecast" in answer.body.decode()


def test_a_release_forecasts_no_day_that_was_known_when_it_was_made(
    promoted: Installation,
) -> None:
    champion, challenger = names(promoted)
    with Lake(promoted.settings.lake_dir, read_only=True) as lake:
        session = Session(lake, promoted.settings, open_market(promoted.settings))
        for name, row in ((champion, FIRST_RELEASE), (challenger, SECOND), (challenger, 80)):
            with pytest.raises(RequestError, match="known already"):
                session.forecast(read_raw(lake, DAYS[row], DAYS[row]), name)
