"""`up` and `demo`: the commands that are the system."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from persistent_session.settings import read_settings

demo_app = typer.Typer(
    help="The system against a local stand-in of WhatsApp Web, with a virtual phone. Without a command: start it.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


def add_to(app: typer.Typer) -> None:
    app.command("up")(up)
    app.add_typer(demo_app, name="demo")


def up() -> None:
    """Start the whole system against the real WhatsApp Web, and stay until Ctrl-C."""
    raise SystemExit(_run(demo=False))


@demo_app.callback()
def demo(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        raise SystemExit(_run(demo=True))


def _run(*, demo: bool) -> int:
    # Imported here: the bus and its libraries would double the time that every other command takes to start.
    from persistent_session.stack.run import run_stack
    from persistent_session.stack.telling import Telling

    settings = read_settings(os.environ, demo=demo, here=Path.cwd())
    return run_stack(settings, os.environ, Telling())
