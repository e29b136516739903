"""Print what a command led to: the scoreboard, a study, and what to try next.

The scoreboard as a page is in ``scoreboard_page``; how a table looks is in ``console``.
"""

import sys
from datetime import date
from pathlib import Path

import typer

from quant_assets.commands.console import format_table
from quant_assets.core.settings import Settings
from quant_assets.lake.store.lake import Lake


def show_study(settings: Settings, name: str, day: date) -> None:
    """Print the best parameters of a study beside the defaults, and the scores of both.

    Args:
        settings: where the lake is.
        name: the family.
        day: as-of day of the study.
    """
    from quant_assets.tuning.study_rows import read_study_result

    with Lake(settings.lake_dir, read_only=True) as lake:
        study = read_study_result(lake, name, day)
    typer.echo(f"\n{format_table(study.parameters, as_given=True)}\n")
    typer.echo(f"objective {study.value:.4f}, with the defaults {study.default_value:.4f}")
    typer.echo(f"{study.trials} trials, scored on the days from {study.first} to {study.last}")
    typer.echo(f"fits as of {day} or later use it; `walk-forward` makes them again")


def show_scoreboard(settings: Settings) -> None:
    """Print the scoreboard."""
    from quant_assets.lake.schemas.scoring_tables import SCOREBOARD

    with Lake(settings.lake_dir, read_only=True) as lake:
        if not lake.has(SCOREBOARD):
            typer.echo("no scoreboard yet: run `quant-assets load`")
            return
        board = lake.query(
            "SELECT family, score, low, high, mean_ic, std_ic, score_250, days,"
            f" first_day::VARCHAR AS first_day, last_day::VARCHAR AS last_day"
            f" FROM {SCOREBOARD.quoted} ORDER BY score DESC"
        )
    typer.echo("\nscore = mean / std of the daily rank correlation, with its 95 % interval\n")
    typer.echo(format_table(board))


def show_result(settings: Settings) -> None:
    """Print the scoreboard, where the submission lies, and what to try next."""
    show_scoreboard(settings)
    program = _name_program()
    suggestions = {
        "ui": "the graph, its runs and checks, in the browser",
        "tables": "what the lake holds",
        "describe features.targets": "what one table holds",
        'sql "FROM monitoring.scoreboard"': "the answer to a question",
        "shell": "a prompt for SQL on the lake",
    }
    typer.echo(
        f"\nsubmission: {settings.exports_dir}/submission.parquet and submission.csv\n\nnext:"
    )
    for arguments, result in suggestions.items():
        typer.echo(f"  {program} {arguments:<34} {result}")


def _name_program() -> str:
    """Return what a person types for this program: its path from here, or its name."""
    program = Path(sys.argv[0]).absolute()
    below = program.is_relative_to(Path.cwd()) and program.exists()
    return str(program.relative_to(Path.cwd())) if below else program.name
