"""The command line `otaniemi`: one file per group of commands, errors translated here."""

from __future__ import annotations

import signal
import sys
from types import FrameType

import typer
from typer.exceptions import TyperException

from otaniemi.platform.cli import (
    auctions,
    audit,
    bench,
    contracts,
    home,
    limits,
    market,
    packages,
    prosumer,
    series,
    serve,
    simulate,
)
from otaniemi.platform.cli.output import INTERRUPTED, USAGE_ERROR, fail, message_of, usage_errors

app = typer.Typer(
    name="otaniemi",
    help="A peer-to-peer energy market for a neighbourhood: simulate a trading day, bid, audit.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for group in (simulate, audit, home, market, serve, prosumer, limits, packages, contracts, auctions, series):
    group.register(app)
app.add_typer(bench.app, name="bench")


@app.callback()
def options(debug: bool = typer.Option(False, "--debug", help="Show the traceback of an error.")) -> None:
    """Options before the command."""
    if debug:
        sys.tracebacklimit = 1000


def main() -> None:
    """Run a command; an expected error becomes one line on stderr and exit code 2."""
    debug = "--debug" in sys.argv[1:]
    signal.signal(signal.SIGTERM, _terminate)
    try:
        code = app(standalone_mode=False) or 0
    except TyperException as error:
        # Without a message, the help of a group has been shown.
        if message := error.format_message():
            fail(f"{message.rstrip('.')}; see --help")
        raise SystemExit(USAGE_ERROR) from None
    except usage_errors() as error:
        if debug:
            raise
        fail(message_of(error))
        raise SystemExit(USAGE_ERROR) from None
    except KeyboardInterrupt:
        code = INTERRUPTED
    if code == INTERRUPTED:
        fail("interrupted; nothing was kept")
    raise SystemExit(code)


def _terminate(_number: int, _frame: FrameType | None) -> None:
    """Leave as on Ctrl-C, so that a node that was started stops and nothing half-written stays."""
    raise KeyboardInterrupt
