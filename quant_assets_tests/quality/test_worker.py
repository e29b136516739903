"""The worker process returns the result of this process, and its end raises an error."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

import pandas as pd
import psutil
import pytest

from quant_assets.core.errors import QualityError
from quant_assets.quality import expectations, worker
from quant_assets.quality.expectations import Expectation, Suite
from quant_assets.quality.suites import forecasts_suite
from quant_assets_tests.support import price_tables

CODE = """
import os
from quant_assets.quality import worker
worker.begin_worker()
print(worker._worker().process.pid, flush=True)
os.kill(os.getpid(), 9)
"""


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pretend that this process has not imported Great Expectations."""
    monkeypatch.delitem(sys.modules, "great_expectations", raising=False)


@pytest.mark.parametrize("keep", [1.0, 0.5])
def test_the_same_result_as_here(keep: float, request: pytest.FixtureRequest) -> None:
    tables = (
        (price_tables.RAW_PRICES_SUITE, price_tables.raw_prices()),
        (forecasts_suite(424), price_tables.forecasts()),
    )
    parts = [(suite, frame.head(int(keep * len(frame)))) for suite, frame in tables]
    expected = [expectations.validate_suite(*part) for part in parts]
    request.getfixturevalue("elsewhere")
    results = [worker.validate_in_worker(*part) for part in parts]
    for here, there in zip(expected, results, strict=True):
        assert (here.passed, here.rows, here.outcomes) == (there.passed, there.rows, there.outcomes)
        pd.testing.assert_frame_equal(here.failing, there.failing)


@pytest.mark.usefixtures("elsewhere")
def test_an_error_there_is_raised_here() -> None:
    broken = Suite("broken", "", ("x",), (Expectation("NoSuchExpectation", ("x",), "nothing"),))
    with pytest.raises(AttributeError, match="NoSuchExpectation"):
        worker.validate_in_worker(broken, pd.DataFrame({"x": [1]}))


@pytest.mark.usefixtures("elsewhere")
def test_a_killed_worker_is_an_error_and_the_next_one_works() -> None:
    worker.begin_worker()
    os.kill(worker._worker().process.pid, signal.SIGKILL)
    with pytest.raises(QualityError, match="exit status -9"):
        worker.validate_in_worker(forecasts_suite(424), price_tables.forecasts())
    assert worker.validate_in_worker(forecasts_suite(424), price_tables.forecasts()).passed


def test_no_other_process_where_everything_is_imported() -> None:
    expectations.prepare()
    others = psutil.Process().children()
    worker.begin_worker()
    assert worker.validate_in_worker(forecasts_suite(424), price_tables.forecasts()).passed
    assert psutil.Process().children() == others


def test_it_ends_with_a_killed_parent() -> None:
    done = subprocess.run([sys.executable, "-c", CODE], stdout=subprocess.PIPE, check=False)
    with suppress(psutil.NoSuchProcess):
        psutil.Process(int(done.stdout)).wait(timeout=60)
