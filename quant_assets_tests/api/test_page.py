"""The page at the root, in a real browser."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from quant_assets.access.keys import make_key
from quant_assets.lake.store.lake import Lake
from quant_assets_tests.support.api_server import ApiServer, serve
from quant_assets_tests.support.browser import Browser, open_browser
from quant_assets_tests.support.installation import Installation, copy_loaded
from quant_assets_tests.support.server_process import wait_for
from quant_assets_tests.support.stored_events import write_alert

LOADED = "document.body && document.body.dataset.loaded"
LIVE = "document.getElementById('live').classList.contains('on')"
MARKUP = "<img src=x onerror=alert(1)> & <script>alert(2)</script>"


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Installation, ApiServer]]:
    installation = copy_loaded(tmp_path_factory.mktemp("page"))
    with serve(installation.settings) as server:
        yield installation, server


@pytest.fixture(scope="module")
def browser(served: tuple[Installation, ApiServer]) -> Iterator[Browser]:
    """It ends before the server, which would wait for its stream."""
    with open_browser() as opened:
        yield opened


@pytest.mark.parametrize(("width", "height"), [(390, 844), (1280, 900)])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_shows_the_newest_forecast_at_a_glance(
    served: tuple[Installation, ApiServer], browser: Browser, width: int, height: int, scheme: str
) -> None:
    _, server = served
    forecast = server.client.forecast()
    browser.show(server.url, width, height, scheme)
    assert browser.wait_for(LOADED) == forecast.day.isoformat()
    browser.wait_for(LIVE)
    best = max(forecast.forecasts, key=lambda row: row.value)
    rows = browser.value("document.querySelectorAll('#rows tr').length")
    assert rows == len(forecast.forecasts)
    assert browser.value("document.querySelector('#rows td').textContent") == best.target
    assert browser.value("document.querySelector('#extremes text[text-anchor=end]').textContent")
    assert browser.value("document.querySelectorAll('#scores circle').length") >= 2
    # Nothing is wider than the window.
    assert browser.value("document.documentElement.scrollWidth") == width
    dark = browser.value("getComputedStyle(document.body).backgroundColor")
    assert dark == ("rgb(14, 19, 25)" if scheme == "dark" else "rgb(246, 247, 249)")
    assert browser.complaints == []


def test_the_table_is_searched(served: tuple[Installation, ApiServer], browser: Browser) -> None:
    _, server = served
    browser.show(server.url, 1280, 900)
    browser.wait_for(LOADED)
    name = browser.value("document.querySelector('#rows td').textContent")
    browser.value(
        f"(s => {{ s.value = '{name.upper()}'; s.dispatchEvent(new Event('input')); }})"
        "(document.getElementById('search'))"
    )
    shown = browser.value(
        "[...document.querySelectorAll('#rows tr td:first-child')].map(x => x.textContent)"
    )
    assert name in shown
    assert all(name in each for each in shown)


def test_an_alert_appears_by_itself_and_stays_text(
    served: tuple[Installation, ApiServer], browser: Browser
) -> None:
    installation, server = served
    browser.show(server.url, 1280, 900)
    browser.wait_for(f"{LOADED} && {LIVE}")
    assert browser.value("document.getElementById('alerts').textContent") == "None."
    with Lake(installation.settings.lake_dir) as lake:
        write_alert(lake, "a", level="critical", subject=MARKUP)
    browser.wait_for("document.getElementById('events').textContent.includes('Alert opened')")
    browser.wait_for("document.getElementById('alerts').textContent.includes('onerror')")
    assert browser.value("document.querySelectorAll('#alerts img, #alerts script').length") == 0
    assert browser.value("document.getElementById('tiles').textContent.includes('worst: critical')")
    assert browser.complaints == []


def test_it_loads_nothing_from_elsewhere(served: tuple[Installation, ApiServer]) -> None:
    _, server = served
    answer = server.http.get("/")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http://" not in answer.text.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in answer.text
    assert " style=" not in answer.text


def test_it_asks_for_a_key_where_one_is_needed(
    served: tuple[Installation, ApiServer], browser: Browser, tmp_path: Path
) -> None:
    """The last test of the module: from now on the server asks for keys."""
    installation, server = served
    settings = installation.settings
    with Lake(settings.lake_dir) as lake:
        _, token = make_key(lake, settings.lake_dir, "ann", "read", datetime.now(UTC))

    def has_noticed() -> bool:
        return server.http.get("/forecasts/latest").status_code == 401

    wait_for(lambda: has_noticed() or None)
    browser.show(server.url, 390, 844)
    browser.wait_for("document.getElementById('key-form').hidden === false")
    assert browser.value("document.getElementById('rows').children.length") == 0
    browser.value(
        f"document.getElementById('key').value = '{token}';"
        "document.querySelector('#key-form button').click()"
    )
    browser.wait_for("document.getElementById('rows').children.length")
    browser.wait_for(LIVE)
    browser.wait_for("document.getElementById('problem').hidden")
    assert token not in browser.value("document.documentElement.outerHTML")
