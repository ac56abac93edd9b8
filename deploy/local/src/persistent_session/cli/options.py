"""Options that several commands take, and the gateway that they name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from persistent_session.client.gateway import Gateway
from persistent_session.client.target import find_target

Url = Annotated[
    str,
    typer.Option("--url", envvar="GATEWAY_URL", help="The gateway's address; by default the system that runs here."),
]
Demo = Annotated[bool, typer.Option("--demo", help="Use the demo, where both a demo and a real system run here.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the gateway's answer as JSON.")]


def gateway(url: str, demo: bool) -> Gateway:
    """Raises CliError when no system or no key is found."""
    target = find_target(os.environ, Path.cwd(), url=url, demo=demo)
    return Gateway(target.url, target.key)
