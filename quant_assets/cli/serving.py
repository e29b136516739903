"""The command that runs the prediction API."""

from pathlib import Path
from typing import Annotated

import typer

from quant_assets.cli.app import app
from quant_assets.cli.viewing import Host, Port
from quant_assets.core.settings import load_settings


@app.command()
def serve(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Certificate with its chain, as PEM.")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Key of the certificate, as PEM.")
    ] = None,
    takeover: Annotated[
        bool,
        typer.Option("--takeover", help="Replace the server that is open; no request is lost."),
    ] = False,
) -> None:
    """Serve forecasts and scores: an API, events and a page."""
    from quant_assets.commands.serving import Address, serve_api

    serve_api(
        load_settings(),
        Address(host, port, tls_cert, tls_key),
        takeover=takeover,
        say=lambda line: typer.echo(line, err=True),
    )
