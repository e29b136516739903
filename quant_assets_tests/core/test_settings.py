"""Origins of settings, and errors that name a wrong setting."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date
from pathlib import Path
from threading import Barrier

import pytest

from quant_assets.core.errors import SettingsError
from quant_assets.core.settings import (
    SIMULATED,
    Market,
    Settings,
    hold_market,
    is_source_given,
    load_settings,
    market_in_settings,
    read_held_market,
    store_market,
)


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty data directory that the environment names."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"QUANT_{name.upper()}", raising=False)
    monkeypatch.setenv("QUANT_DATA_DIR", str(tmp_path))
    return tmp_path


def hold(data: Path, market: Market) -> None:
    (data / "market.json").write_text(market.model_dump_json())


def test_without_anything_the_market_is_simulated(data: Path) -> None:
    settings = load_settings()
    assert (settings.data_dir, settings.source) == (data, SIMULATED)
    assert settings.first_day == date(2018, 1, 2)


def test_the_environment_beats_the_default(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANT_SEED", "11")
    monkeypatch.setenv("QUANT_JUMP_Z", "8.5")
    assert (load_settings().seed, load_settings().jump_z) == (11, 8.5)


def test_the_market_that_is_held_is_remembered(data: Path) -> None:
    held = Market(source=str(data / "market"), first_day=date(2023, 7, 31))
    hold(data, held)
    assert market_in_settings(load_settings()) == held


def test_what_is_given_beats_what_is_held(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hold(data, Market(source=str(data / "market"), first_day=date(2023, 7, 31)))
    asked = load_settings(source=SIMULATED)
    assert (asked.source, asked.first_day) == (SIMULATED, date(2018, 1, 2))
    monkeypatch.setenv("QUANT_SOURCE", str(data / "other"))
    assert load_settings().source == str(data / "other")
    assert load_settings().first_day == date(2018, 1, 2)


def test_relative_folders_become_absolute(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data)
    settings = load_settings(source="market", data_dir="mine/../yours")
    assert settings.source == str(data / "market")
    assert settings.data_dir == data / "yours"


@pytest.mark.parametrize(
    ("slip", "meant"),
    [
        ("QUANT_RETRAIN_MINUTS", "QUANT_RETRAIN_MINUTES"),
        ("QUANT_FAMILY", "QUANT_FAMILIES"),
        ("QUANT_DATADIR", "QUANT_DATA_DIR"),
        ("QUANT_ALERT_CRITICAL", "QUANT_ALERTS_CRITICAL"),
    ],
)
def test_a_misspelt_variable_is_refused(
    data: Path, monkeypatch: pytest.MonkeyPatch, slip: str, meant: str
) -> None:
    monkeypatch.setenv(slip, "secret")
    with pytest.raises(SettingsError) as refused:
        load_settings()
    assert (refused.value.where, refused.value.expected) == (slip, meant)
    assert "secret" not in str(refused.value)


def test_variables_of_other_tools_are_let_be(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANT_TEST_MARKET", "market")
    monkeypatch.setenv("QUANT_HOME", "elsewhere")
    assert load_settings().data_dir == data


def test_two_data_directories_share_no_path(data: Path) -> None:
    places = [name for name, value in vars(Settings).items() if isinstance(value, property)]
    places.remove("description_file")  # beside the market's prices, which no data directory holds
    first, second = (Settings(data_dir=data / name) for name in ("one", "other"))
    for name in places:
        assert getattr(first, name).is_relative_to(data / "one"), name
        assert getattr(second, name).is_relative_to(data / "other"), name
    assert {"lake_dir", "dagster_home", "market_file"} < set(places)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("SEED", "abc", "valid integer"),
        ("SEED", "-1", "greater than or equal to 0"),
        ("FIRST_FIT_AFTER", "59", "greater than or equal to 60"),
        ("REFIT_EVERY", "0", "greater than or equal to 1"),
        ("FILL_LIMIT", "11", "less than or equal to 10"),
        ("JUMP_Z", "0", "greater than 0"),
        ("RETENTION_DAYS", "1.5", "valid integer"),
        ("RETENTION_DAYS", "36501", "less than or equal to 36500"),
        ("FIT_MAX_AGE_DAYS", "36501", "less than or equal to 36500"),
        ("DATA_DUE_HOURS", "inf", "less than or equal to 720"),
        ("DATA_DUE_HOURS", "nan", "less than or equal to 720"),
        ("RETRAIN_INTERVAL_HOURS", "1e12", "less than or equal to 8760"),
        ("DATA_DIR", "", "a folder"),
        ("DATA_DIR", "~nobody-of-that-name/data", "home directory"),
        ("DATA_DIR", "/tmp/a[b/c", "a folder without [ in its path, which is /tmp/a[b/c"),
        ("DATA_DIR", "/tmp/a]b", "a folder without ]"),
        ("DATA_DIR", "/tmp/a*b", "a folder without *"),
        ("DATA_DIR", "/tmp/*a[b?", "a folder without * ? ["),
        ("SOURCE", "~nobody-of-that-name/market", "home directory"),
        ("FIRST_DAY", "2018-13-01", "valid date"),
        ("SOURCE", "", "at least 1 character"),
        ("PROMOTION_SHARES", "0.3, 0.1, 1", "ascending order"),
        ("PROMOTION_SHARES", "0.1, 0.5", "the last one 1"),
        ("PROMOTION_SHARES", "0, 1", "above 0"),
        ("PROMOTION_SHARES", "a, 1", "separated by commas"),
        ("PROMOTION_MIN_DAYS", "39", "greater than or equal to 40"),
        ("PROMOTION_TOLERANCE", "1", "less than 1"),
        ("PROMOTION_PROBATION_DAYS", "9", "QUANT_PROMOTION_JUDGED_DAYS, 10"),
        ("PERFORMANCE_WARNING", "1", "less than 1"),
        ("PERFORMANCE_CRITICAL", "0.05", "more than QUANT_PERFORMANCE_WARNING, which is 0.05"),
    ],
)
def test_a_wrong_setting_is_named_with_what_was_expected(
    name: str, value: str, words: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"QUANT_{name}", value)
    with pytest.raises(SettingsError) as caught:
        load_settings()
    error = caught.value
    assert error.where == f"QUANT_{name}"
    assert words in str(error.expected)
    assert error.found == repr(value)


def test_a_working_directory_that_is_a_pattern_is_refused(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = data / "results [2024]"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.delenv("QUANT_DATA_DIR")
    with pytest.raises(SettingsError, match="QUANT_DATA_DIR") as refused:
        load_settings()
    assert str(folder) in str(refused.value.expected)


def test_levels_of_performance_out_of_order_are_refused(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The limits are checked even if only the lower limit is set."""
    monkeypatch.setenv("QUANT_PERFORMANCE_WARNING", "0.3")
    with pytest.raises(SettingsError, match=r"which is 0\.3") as caught:
        load_settings()
    assert caught.value.where == "QUANT_PERFORMANCE_CRITICAL"
    monkeypatch.setenv("QUANT_PERFORMANCE_CRITICAL", "0.4")
    assert load_settings().performance_critical == 0.4


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"source": 1}', '{"sauce": "simulated"}'])
def test_a_spoilt_market_file_is_named(data: Path, content: str) -> None:
    (data / "market.json").write_text(content)
    with pytest.raises(SettingsError, match=r"which market[\s\S]*market\.json"):
        load_settings()


def test_simulated_markets_of_other_seeds_are_other_markets() -> None:
    first, second = (Settings(seed=seed) for seed in (7, 8))
    assert not market_in_settings(first).same_as(market_in_settings(second))
    assert market_in_settings(first).same_as(market_in_settings(Settings(families="all")))
    folders = [Settings(source="somewhere", seed=seed) for seed in (7, 8)]
    assert market_in_settings(folders[0]).same_as(market_in_settings(folders[1]))
    later = Settings(source="somewhere", first_day=date(2019, 1, 2))
    assert not market_in_settings(folders[0]).same_as(market_in_settings(later))


def test_automation_switches_everything_on_at_first(tmp_path: Path) -> None:
    from quant_assets.definitions import build_definitions

    for on in (False, True):
        built = build_definitions(Settings(data_dir=tmp_path, automation=on))
        everything = [*(built.schedules or ()), *(built.sensors or ())]
        assert len(everything) > 8
        status = "RUNNING" if on else "STOPPED"
        assert {first.default_status.name for first in everything} == {status}  # type: ignore[union-attr]


def test_settings_of_operation_are_settings_and_shape_no_result() -> None:
    assert Settings.of_operation() < set(Settings.model_fields)
    shaping = set(Settings.model_fields) - Settings.of_operation()
    assert shaping == {
        *("source", "first_day", "seed", "first_fit_after", "refit_every", "fill_limit", "jump_z"),
        *("families", "tuned"),
    }


def test_of_two_markets_at_once_one_is_held(data: Path) -> None:
    markets = [Settings(data_dir=data, source=str(data / f"market-{i}")) for i in range(8)]
    together = Barrier(len(markets))

    def begin(settings: Settings) -> bool:
        together.wait()
        try:
            hold_market(settings)
        except SettingsError:
            return False
        return True

    with ThreadPoolExecutor(len(markets)) as threads:
        began = list(threads.map(begin, markets))
    (winner,) = [first for first, there in zip(markets, began, strict=True) if there]
    assert read_held_market(winner) == market_in_settings(winner)


def test_families_asked_for_last_are_remembered(data: Path) -> None:
    for families in ("fast", "all"):
        store_market(Settings(data_dir=data, families=families))
        assert load_settings().families == families
    hold_market(Settings(data_dir=data, families="fast"))
    assert load_settings().families == "all"
    with pytest.raises(SettingsError, match="holds another market"):
        store_market(Settings(data_dir=data, seed=8))
    assert load_settings().seed == 7


def test_a_source_is_given_by_the_environment_alone(
    data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hold(data, Market(source=str(data / "market")))
    assert not is_source_given()
    monkeypatch.setenv("QUANT_SOURCE", SIMULATED)
    assert is_source_given()
