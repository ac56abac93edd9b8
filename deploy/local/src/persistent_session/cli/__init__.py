"""The command `persistent-session`. Each failure is one line and a hint; `errors.ExitCode` lists the exit codes."""

from __future__ import annotations

import sys

import typer
from rich.console import Console
from rich.text import Text

from persistent_session.cli import machine, phone, running, session
from persistent_session.errors import CliError, ExitCode

app = typer.Typer(
    name="persistent-session",
    help="Keep a WhatsApp Web session alive for good: start the system on this machine, and use it.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done · 1 failed (refused, not connected, missing) · 2 wrong command or setting · "
    "3 no system answers · 4 API key wrong or absent · 5 port or data folder taken · 130 interrupted.",
)
running.add_to(app)
phone.add_to(running.demo_app)
session.add_to(app)
machine.add_to(app)


def main() -> None:
    """Run a command and end the process with its exit code."""
    try:
        app()
    except CliError as error:
        show(error)
        raise SystemExit(int(error.code)) from None
    except KeyboardInterrupt:
        raise SystemExit(int(ExitCode.INTERRUPTED)) from None
    except BrokenPipeError:
        sys.stderr.close()
        raise SystemExit(int(ExitCode.FAILED)) from None


def show(error: CliError) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    console.print(Text.assemble(("✗ ", "red"), error.message))
    if error.hint:
        console.print(Text.assemble(("  → ", "dim"), error.hint))
