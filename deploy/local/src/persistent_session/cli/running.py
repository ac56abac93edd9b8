"""`up` and `demo`: the commands that start the system and stay until it stops."""

from __future__ import annotations

import os
from pathlib import Path

import typer

from persistent_session.settings import read_settings

demo_app = typer.Typer(
    help="Start the system with a local stand-in of WhatsApp Web. The commands below use its virtual phone.",
    invoke_without_command=True,
    rich_markup_mode=None,
)


def add_to(app: typer.Typer) -> None:
    app.command("up")(up)
    app.add_typer(demo_app, name="demo")


def up() -> None:
    """Start the system with the real WhatsApp Web. Ctrl-C stops everything."""
    raise SystemExit(_run(demo=False))


@demo_app.callback()
def demo(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        raise SystemExit(_run(demo=True))


def _run(*, demo: bool) -> int:
    # Imported here because the bus and its libraries would double the start time of every other command.
    from persistent_session.stack import run_as
    from persistent_session.stack.console_output import ConsoleOutput
    from persistent_session.stack.run import run_stack

    settings, output = read_settings(os.environ, demo=demo, here=Path.cwd()), ConsoleOutput()
    decision = run_as.decide(settings, os.environ)
    if decision.reason:
        output.note(decision.reason)
    if decision.user:
        run_as.change_over(decision.user)
    return run_stack(settings, os.environ, output)
