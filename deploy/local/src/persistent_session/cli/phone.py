"""`demo link`, `demo unlink`, `demo phone`: the demo's virtual phone."""

from __future__ import annotations

import os
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from persistent_session.client.phone import VirtualPhone, opened_phone
from persistent_session.client.target import running
from persistent_session.data_folder import DataFolder
from persistent_session.errors import CliError, ExitCode
from persistent_session.services.secrets import STANDIN_KEY
from persistent_session.stack.running_stack import StandIn
from shared.clock import SystemClock, sleep_blocking

_QR_SECONDS = 30.0


def add_to(app: typer.Typer) -> None:
    app.command("link")(link)
    app.command("unlink")(unlink)
    app.command("phone")(phone)


def link(
    code: str = typer.Option("", "--code", help="Enter this pairing code instead of scanning the QR code."),
) -> None:
    """Let the virtual phone scan the QR code that is shown now."""
    virtual_phone = _phone()
    device = virtual_phone.enter_code(code) if code else _scan(virtual_phone)
    Console().print(f"the virtual phone linked device {device}")


def unlink() -> None:
    """Log out every linked device, as the phone's owner can."""
    unlinked = _phone().unlink()
    Console().print(f"unlinked: {', '.join(map(str, unlinked)) or 'no device was linked'}")


def phone() -> None:
    """Show the virtual phone's devices and messages."""
    standin, key = _standin()
    virtual_phone = VirtualPhone(standin.control_url, key)
    table = Table("device", "state", "linked at", "logins", "at once, most")
    for device in virtual_phone.devices():
        shown = (device["id"], device["state"], device["linked_at"], device["logins"], device["max_simultaneous"])
        table.add_row(*map(str, shown))
    console = Console()
    console.print(table)
    console.print(f"messages that arrived: {len(virtual_phone.messages())}")
    if standin.phone_url:
        console.print(f"its page: {opened_phone(standin.phone_url, key)}", soft_wrap=True)


def _phone() -> VirtualPhone:
    standin, key = _standin()
    return VirtualPhone(standin.control_url, key)


def _standin() -> tuple[StandIn, str]:
    """The stand-in of the demo that runs here, and its key."""
    stack = running(os.environ, Path.cwd(), demo=True)
    if stack is None or stack.standin is None:
        raise CliError("no demo runs here", hint="start it with `make demo`", code=ExitCode.NOT_RUNNING)
    path = DataFolder(Path(stack.data_dir)).key(STANDIN_KEY.name)
    try:
        return stack.standin, path.read_text().strip()
    except OSError:
        raise CliError(
            f"no key of the virtual phone: {path} cannot be read",
            hint="ask as the user who started the demo",
            code=ExitCode.DENIED,
        ) from None


def _scan(virtual_phone: VirtualPhone) -> int:
    """Scan, and wait for a QR code that is not on the screen yet. Raises CliError when no code appears."""
    clock = SystemClock()
    until = clock.monotonic() + _QR_SECONDS
    while True:
        try:
            return virtual_phone.scan()
        except CliError as error:
            if error.code is ExitCode.NOT_RUNNING or clock.monotonic() > until:
                raise
        sleep_blocking(0.25)
