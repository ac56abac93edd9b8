"""`demo link`, `demo unlink`, `demo phone`: the virtual phone in your hand."""

from __future__ import annotations

import os
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from persistent_session.client.phone import VirtualPhone
from persistent_session.client.target import running
from persistent_session.faults import Exit, Fault
from persistent_session.stack.holding import StandIn
from shared.clock import SystemClock, sleep_blocking

_QR_SECONDS = 30.0


def add_to(app: typer.Typer) -> None:
    app.command("link")(link)
    app.command("unlink")(unlink)
    app.command("phone")(phone)


def link(
    code: str = typer.Option("", "--code", help="Type this pairing code instead of scanning the QR code."),
) -> None:
    """Press scan on the virtual phone: it links to the QR code shown now."""
    held = _phone()
    device = held.enter_code(code) if code else _scan(held)
    Console().print(f"the virtual phone linked device {device}")


def unlink() -> None:
    """Log every linked device out, as the phone's owner can."""
    gone = _phone().unlink()
    Console().print(f"unlinked: {', '.join(map(str, gone)) or 'no device was linked'}")


def phone() -> None:
    """What the virtual phone knows: linked devices, and messages that arrived."""
    standin = _standin()
    held = VirtualPhone(standin.control_url)
    table = Table("device", "state", "linked at", "logins", "at once, most")
    for device in held.devices():
        shown = (device["id"], device["state"], device["linked_at"], device["logins"], device["max_simultaneous"])
        table.add_row(*map(str, shown))
    console = Console()
    console.print(table)
    console.print(f"messages that arrived: {len(held.messages())}")
    if standin.phone_url:
        console.print(f"its page: {standin.phone_url}", soft_wrap=True)


def _phone() -> VirtualPhone:
    return VirtualPhone(_standin().control_url)


def _standin() -> StandIn:
    stack = running(os.environ, Path.cwd(), demo=True)
    if stack is None or stack.standin is None:
        raise Fault("no demo runs here", hint="start it with `make demo`", code=Exit.NOT_RUNNING)
    return stack.standin


def _scan(held: VirtualPhone) -> int:
    """A QR code may still be on its way to the screen; Fault when none shows up."""
    clock = SystemClock()
    until = clock.monotonic() + _QR_SECONDS
    while True:
        try:
            return held.scan()
        except Fault as fault:
            if fault.code is Exit.NOT_RUNNING or clock.monotonic() > until:
                raise
        sleep_blocking(0.25)
