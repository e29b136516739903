"""Studies through the command line: a Dagster run, its rows, the fits that use it, and a kill."""

import json
import signal
from itertools import islice

import dagster as dg
import pandas as pd
import pytest

from quant_assets.commands.scoreboard_page import render_scoreboard
from quant_assets.lake.schemas.forecast_tables import study_table
from quant_assets.lake.store.lake import Lake
from quant_assets.market.calendar import trading_days
from quant_assets.models.registry import FAST, load_family
from quant_assets.orchestration.execution.runs import open_instance
from quant_assets_tests.support.installation import (
    PATIENCE,
    Command,
    CommandResult,
    Digests,
    Installation,
    digests,
)
from quant_assets_tests.support.small_market import (
    FIRST_DAY,
    FIRST_FIT_AFTER,
    LAST_DAY,
    REFIT_EVERY,
)

slow = pytest.mark.slow("real studies, and loads that notice them")

DAYS = trading_days(FIRST_DAY, LAST_DAY).astype(str).tolist()
FIT_DAYS = DAYS[FIRST_FIT_AFTER::REFIT_EVERY]
# Between the two fits of the walk-forward.
AS_OF = DAYS[FIRST_FIT_AFTER + REFIT_EVERY - 1]
SHORT = ("--as-of", AS_OF, "--validation-days", "10", "--step-days", "2")
BROAD, NARROW = 6, 4
TRIALS = ("--broad", str(BROAD), "--narrow", str(NARROW))
KEY = dg.AssetKey(["fits", "rank_prior_study"])


def rows(installation: Installation, sql: str) -> pd.DataFrame:
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        return lake.query(sql)


def trials_of(installation: Installation) -> pd.DataFrame:
    return rows(installation, "SELECT * EXCLUDE seconds FROM fits.rank_prior_study ORDER BY trial")


@pytest.fixture(scope="module")
def tuned(
    loaded: Installation, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Installation, CommandResult]:
    """An installation with a study between its two fits, and what the command said."""
    installation = loaded.copy(tmp_path_factory.mktemp("tuned"))
    installation.run("load").succeeded()
    assert "nothing has changed" in installation.run("load").succeeded().out
    return installation, installation.run("tune", "rank_prior", *SHORT, *TRIALS).succeeded()


@slow
def test_a_study_is_rows_of_its_table(tuned: tuple[Installation, CommandResult]) -> None:
    trials = trials_of(tuned[0])
    assert trials["stage"].tolist() == ["broad"] * BROAD + ["narrow"] * NARROW
    assert set(trials["trading_day"].astype(str)) == {AS_OF}
    assert set(trials["date_id"]) == {DAYS.index(AS_OF)}
    assert set(trials["folds"]) == {3}
    assert set(trials["first_judged"].astype(str)) == {DAYS[FIRST_FIT_AFTER]}
    # The labels of the last day judged are released on the day of the study at the latest.
    assert DAYS.index(str(trials["last_judged"][0].date())) + 5 <= DAYS.index(AS_OF)
    assert trials["best"].sum() == 1
    assert trials["value"][trials["best"]].item() == trials["value"].max()
    assert json.loads(trials["parameters"][0]) == dict(load_family("rank_prior").defaults)


@slow
def test_the_command_shows_every_trial_and_the_outcome(
    tuned: tuple[Installation, CommandResult],
) -> None:
    installation, said = tuned
    assert said.err.count("rank_prior: broad trial ") == BROAD
    assert said.err.count("rank_prior: narrow trial ") == NARROW
    trials = trials_of(installation)
    best = trials[trials["best"]].iloc[0]
    assert f"objective {best['value']:.4f}, with the defaults {trials['value'][0]:.4f}" in said.out
    parameters = json.loads(best["parameters"])
    for name in ("window", "prior_days", "shrinkage"):
        (line,) = (line for line in said.out.splitlines() if line.startswith(f"{name} "))
        shown, default = map(float, line.split()[1:])
        assert shown == pytest.approx(parameters[name], rel=1e-5)
        assert default == load_family("rank_prior").defaults[name]
    assert "10 trials" in said.out
    assert f"fits as of {AS_OF} or later" in said.out


@slow
def test_the_asset_pictures_it(tuned: tuple[Installation, CommandResult]) -> None:
    installation, _ = tuned
    with open_instance(installation.settings) as opened:
        event = opened.get_latest_materialization_event(KEY)
        assert opened.get_materialized_partitions(KEY) == {AS_OF}
    assert event
    assert event.asset_materialization
    metadata = event.asset_materialization.metadata
    trials = trials_of(installation)
    assert metadata["dagster/row_count"].value == len(trials)
    assert metadata["value"].value == trials["value"].max()
    assert metadata["default_value"].value == trials["value"][0]
    assert "prior_days" in str(metadata["best_parameters"].value)
    assert str(metadata["chosen_on"].value).startswith("3 fits, judged on the days from ")
    for picture in ("history", "importance"):
        text = str(metadata[picture].value)
        assert text.startswith("![plot](data:image/png;base64,")
        assert len(text) < 140_000


@slow
def test_the_score_page_says_on_which_days_parameters_were_chosen(
    tuned: tuple[Installation, CommandResult], loaded: Installation
) -> None:
    pages = []
    for installation in (tuned[0], loaded):
        with Lake(installation.settings.lake_dir, read_only=True) as lake:
            pages.append(render_scoreboard(lake))
    trials = trials_of(tuned[0])
    _, _, studies = pages[0].partition("## Studies of parameters")
    (line,) = (line for line in studies.splitlines() if line.startswith("| rank_prior | 20"))
    first, last = (str(trials[name][0].date()) for name in ("first_judged", "last_judged"))
    assert [cell.strip() for cell in line.split("|")][2:6] == [AS_OF, "10", first, last]
    assert "Studies" not in pages[1]


@slow
def test_only_fits_of_that_day_or_later_use_it(
    tuned: tuple[Installation, CommandResult], loaded: Installation, command: Command
) -> None:
    installation, _ = tuned
    before = digests(loaded.settings)
    assert digests(installation.settings) == before, "a study changes nothing but its table"
    said = command(installation, "walk-forward").succeeded().err
    after = digests(installation.settings)
    changed = {(name, day) for name, day in before if before[name, day] != after.get((name, day))}
    assert {day for _, day in changed if day != "all"} == set(DAYS[DAYS.index(FIT_DAYS[1]) :])
    assert {name for name, day in changed if name.startswith("fits.")} == {"fits.rank_prior"}
    assert "rank_prior: 1 of 2 fits are there already" in said
    fits = rows(
        installation, "SELECT trading_day, study, parameters FROM fits.rank_prior ORDER BY 1"
    )
    assert fits["study"].astype(str).tolist() == ["NaT", AS_OF]
    best = rows(installation, "SELECT parameters FROM fits.rank_prior_study WHERE best")
    assert fits["parameters"][1] == best["parameters"][0]
    again = command(installation, "walk-forward").succeeded().err
    assert again.count("2 of 2 fits are there already") == len(FAST)
    off = command(installation, "walk-forward", QUANT_TUNED="false").succeeded()
    assert "rank_prior: 1 of 2 fits are there already" in off.err
    assert digests(installation.settings) == before


def test_no_other_family_is_tuned(installation: Installation, command: Command) -> None:
    command(installation, "tune", "ridge", *SHORT, "--broad", "1", "--narrow", "0").succeeded()
    with Lake(installation.settings.lake_dir, read_only=True) as lake:
        assert lake.has(study_table("ridge"))
        assert not lake.has(study_table("rank_prior"))


@slow
def test_a_load_notices_a_study(
    tuned: tuple[Installation, CommandResult], command: Command
) -> None:
    installation, _ = tuned
    command(installation, "load").succeeded()
    fits = rows(installation, "SELECT study FROM fits.rank_prior ORDER BY trading_day")
    assert fits["study"].astype(str).tolist() == ["NaT", AS_OF]
    assert "nothing has changed" in command(installation, "load").succeeded().out


@slow
def test_parameters_by_hand_are_those_of_that_walk(
    installation: Installation, command: Command
) -> None:
    options = ("--set", "rank_prior.window=130", "--set", 'ridge.returns=["ret_1", "ret_5"]')
    command(installation, "walk-forward", *options).succeeded()
    fits = rows(installation, "SELECT parameters, by_hand FROM fits.rank_prior")
    assert fits["by_hand"].tolist() == ["window"] * 2
    assert [json.loads(parameters)["window"] for parameters in fits["parameters"]] == [130, 130]
    ridge = rows(installation, "SELECT parameters FROM fits.ridge")
    assert [json.loads(parameters)["returns"] for parameters in ridge["parameters"]] == [
        ["ret_1", "ret_5"]
    ] * 2
    assert rows(installation, "SELECT by_hand FROM fits.lightgbm")["by_hand"].isna().all()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("walk-forward", "--set", "rigde.clip=2"), ("'rigde'", "did you mean ridge")),
        (("walk-forward", "--set", "ridge.clipp=2"), ("'clipp'", "did you mean clip")),
        (("walk-forward", "--set", "ridge.clip=200"), ("ridge.clip", "1 to 10", "200")),
        (("walk-forward", "--set", "ridge.clip"), ("FAMILY.PARAMETER=VALUE", "ridge.clip")),
        (("tune", "rigde"), ("family to tune", "did you mean ridge")),
        (("tune", "ridge", "--as-of", "2010-01-04"), ("2010-01-04", "2023-07-31 to 2023-12-29")),
        (("tune", "ridge"), ("fits__ridge_study", "too few days to tune on")),
    ],
    ids=lambda value: " ".join(value[:3]) if value[0] in ("tune", "walk-forward") else "",
)
def test_what_cannot_be_done_is_refused(
    arguments: tuple[str, ...],
    words: tuple[str, ...],
    installation: Installation,
    loaded_digests: Digests,
    command: Command,
) -> None:
    command(installation, *arguments).refused_with(*words)
    assert digests(installation.settings) == loaded_digests


@pytest.fixture
def killed(
    loaded: Installation, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Installation, int]:
    """An installation whose study was killed in the middle, and the trials it had reported."""
    installation = loaded.copy(tmp_path_factory.mktemp("killed"))
    with installation.start("tune", "rank_prior", *SHORT, *TRIALS) as process:
        assert process.stderr
        reported = (line for line in process.stderr if "rank_prior: broad trial " in line)
        assert len(list(islice(reported, 3))) == 3
        process.send_signal(signal.SIGKILL)
        _, rest = process.communicate(timeout=PATIENCE)
    assert process.returncode == -signal.SIGKILL
    return installation, 3 + rest.count(" trial ")


@slow
def test_a_killed_study_goes_on(
    killed: tuple[Installation, int], tuned: tuple[Installation, CommandResult]
) -> None:
    installation, reported = killed
    assert not rows(
        installation, "SELECT 1 FROM duckdb_tables() WHERE table_name LIKE '%_study'"
    ).size
    said = installation.run("tune", "rank_prior", *SHORT, *TRIALS).succeeded()
    # At most one more was stored than reported.
    assert BROAD + NARROW - reported - said.err.count(" trial ") in (0, 1)
    assert "broad trial 1 of" not in said.err
    pd.testing.assert_frame_equal(trials_of(installation), trials_of(tuned[0]))
    with open_instance(installation.settings) as opened:
        states = [run.status.name for run in opened.get_runs(limit=2)]
    assert states == ["SUCCESS", "FAILURE"]
