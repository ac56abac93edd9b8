"""`doctor` and `key`: commands about this machine, which need no running system."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.text import Text

from persistent_session.cli import options
from persistent_session.client.target import key_path, running
from persistent_session.errors import CliError, ExitCode
from persistent_session.settings import read_settings


def add_to(app: typer.Typer) -> None:
    app.command("doctor")(doctor)
    app.command("key")(key)


def doctor(demo: options.Demo = False) -> None:
    """Show what this machine lacks, and how to get it. Exit code 1 when something that is needed is missing."""
    # Imported here because psutil and the checks would slow down every other command.
    from persistent_session.doctor import Severity, examine, sign

    settings = read_settings(os.environ, demo=demo, here=Path.cwd())
    console = Console(highlight=False, soft_wrap=True)
    results = examine(settings, os.environ)
    for result in results:
        mark, colour = sign(result.severity)
        console.print(Text.assemble((f"{mark} ", colour), (f"{result.subject:<14}", "bold"), result.text))
        if result.fix:
            console.print(Text.assemble(("  → ", "dim"), result.fix))
    if any(result.severity is Severity.MISSING for result in results):
        raise SystemExit(int(ExitCode.FAILED))


def key(
    show: Annotated[bool, typer.Option("--show", help="Print the key itself.")] = False, demo: options.Demo = False
) -> None:
    """Show where the API key is kept."""
    stack = running(os.environ, Path.cwd(), demo=demo)
    path = key_path(os.environ, Path.cwd(), demo=demo, stack=stack)
    if not path.is_file():
        raise CliError(f"no key was made yet: {path} is absent", hint="`make up` makes a key")
    print(path.read_text().strip() if show else path)
