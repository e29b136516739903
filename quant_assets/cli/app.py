"""The Typer program that every command registers with. Commands are in the modules beside it."""

import typer

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Settings are QUANT_* variables; `quant-assets doctor` lists them.",
)


@app.callback()
def about() -> None:
    """Forecast return spreads daily: every artifact is a Dagster asset in DuckDB.

    Begin with `demo`; look around with `ui`, `tables`, `describe` and `sql`.
    """
