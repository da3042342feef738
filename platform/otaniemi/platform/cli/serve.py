"""`otaniemi serve`: a community behind the API."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from otaniemi.platform.cli.output import console, progress

DEMO_SPEED = 60.0


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(serve)


def serve(
    demo: Annotated[bool, typer.Option("--demo", help="Let synthetic homes live there, at 60x.")] = False,
    homes: Annotated[int, typer.Option(min=2, max=1000, help="Homes of the demo.")] = 12,
    days: Annotated[int, typer.Option(min=1, max=366, help="Trading days, then the market rests.")] = 7,
    seed: Annotated[int, typer.Option(min=0, help="Seed of keys and synthetic homes.")] = 7,
    speed: Annotated[
        float | None, typer.Option(min=0.1, help="Market seconds per second (1; demo 60).")
    ] = None,
    chain: Annotated[
        str, typer.Option(help="embedded, anvil, or the URL of a development node.")
    ] = "embedded",
    retailer: Annotated[
        Path | None, typer.Option(help="Wallet file whose key may publish packages as the retailer.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65_535, help="Port to listen on.")] = 8000,
) -> None:
    """Run a community's services and its API on a development chain, until interrupted.

    Example: `otaniemi serve --demo`, then `otaniemi wallet new me.json` and `otaniemi register --owner me.json`
    """
    from otaniemi.platform.keys import wallet_address
    from otaniemi.platform.serving import ServerSettings
    from otaniemi.platform.serving import serve as run

    def ready(url: str) -> None:
        bars.stop()
        console.print(f"API        {url}/v1\ndocs       {url}/v1/docs")
        console.print(
            f"bid        otaniemi wallet new me.json && otaniemi register --owner me.json --url {url}"
        )
        console.print("stop       Ctrl-C; nothing is kept")

    pace = speed if speed is not None else DEMO_SPEED if demo else 1.0
    address = None if retailer is None else wallet_address(retailer)
    with progress() as bars:
        run(
            ServerSettings(demo, homes if demo else 0, days, seed, pace, chain, host, port, address),
            bars,
            ready,
        )
