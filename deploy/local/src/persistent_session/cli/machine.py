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
from persistent_session.faults import Exit, Fault
from persistent_session.settings import read_settings

_MARKS = {"good": ("✓", "green"), "note": ("·", "dim"), "warning": ("!", "yellow"), "missing": ("✗", "red")}


def add_to(app: typer.Typer) -> None:
    app.command("doctor")(doctor)
    app.command("key")(key)


def doctor(demo: options.Demo = False) -> None:
    """Say what is missing on this machine and how to get it; exit code 1 when something needed is missing."""
    from persistent_session.doctor import Level, examine

    settings = read_settings(os.environ, demo=demo, here=Path.cwd())
    console = Console(highlight=False, soft_wrap=True)
    findings = examine(settings, os.environ)
    for finding in findings:
        mark, colour = _MARKS[finding.level.value]
        console.print(Text.assemble((f"{mark} ", colour), (f"{finding.what:<14}", "bold"), finding.said))
        if finding.fix:
            console.print(Text.assemble(("  → ", "dim"), finding.fix))
    if any(finding.level is Level.MISSING for finding in findings):
        raise SystemExit(int(Exit.FAILED))


def key(
    show: Annotated[bool, typer.Option("--show", help="Print the key itself.")] = False, demo: options.Demo = False
) -> None:
    """Say where the API key lies."""
    stack = running(os.environ, Path.cwd(), demo=demo)
    path = key_path(os.environ, Path.cwd(), demo=demo, stack=stack)
    if not path.is_file():
        raise Fault(f"no key was made yet: {path} is absent", hint="`make up` makes one")
    print(path.read_text().strip() if show else path)
