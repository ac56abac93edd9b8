"""Commands that ask or tell the gateway something about the session."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Annotated, Any

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from persistent_session.cli import options, views
from persistent_session.client import answers
from persistent_session.client.gateway import Gateway
from persistent_session.faults import Exit, Fault
from shared.clock import SystemClock, sleep_blocking

_LOOK_SECONDS = 0.5


def add_to(app: typer.Typer) -> None:
    commands: dict[str, Callable[..., None]] = {
        "status": status, "wait": wait, "qr": qr, "link-code": link_code, "initialize": initialize,
        "health-check": health_check, "send-test": send_test, "backups": backups, "backup": backup,
        "restore": restore, "clear": clear,
    }  # fmt: skip
    for name, command in commands.items():
        app.command(name)(command)


def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Stay, and show each change.")] = False,
    as_json: options.AsJson = False,
    url: options.Url = "",
    demo: options.Demo = False,
) -> None:
    """Show the session: state, health, sizes, last save, backups."""
    with options.gateway(url, demo) as gateway:
        if as_json:
            print(json.dumps(gateway.status(), ensure_ascii=False, indent=2))
        elif watch:
            _watch(gateway)
        else:
            Console().print(views.status_view(gateway.status()))


def _watch(gateway: Gateway) -> None:
    with Live(console=Console(), auto_refresh=False) as live:
        while True:
            live.update(_status_or_fault(gateway), refresh=True)
            sleep_blocking(1.0)


def _status_or_fault(gateway: Gateway) -> RenderableType:
    """A gateway that restarts ends no watch; a wrong key does."""
    try:
        return views.status_view(gateway.status())
    except Fault as fault:
        if fault.code is Exit.DENIED:
            raise
        return Text(fault.message, style="red")


def wait(
    connected: Annotated[
        bool, typer.Option("--connected/--ready", help="For the session to be connected, or only for the gateway.")
    ] = True,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, help="Seconds; 0 takes what the gateway says at once.")
    ] = 60.0,
    url: options.Url = "",
    demo: options.Demo = False,
) -> None:
    """Wait until the session is connected by the word of a worker that lives now (it speaks every few seconds): exit
    code 0, or 1 (3: nothing answers) with the reason when time is over."""
    sign = answers.SignOfLife()
    why = Fault("no system answers", code=Exit.NOT_RUNNING)
    for _ in _looks(timeout):
        try:
            with options.gateway(url, demo) as gateway:
                answer = gateway.status()
        except Fault as fault:
            if fault.code is Exit.DENIED:
                raise
            why = fault
            continue
        spoken = sign.seen_in(answer) or timeout == 0
        if (answers.is_connected(answer) and spoken) or not connected:
            print("connected" if connected else "ready")
            return
        why = Fault(answers.why_not_connected(answer))
    raise Fault(
        f"not {'connected' if connected else 'ready'} after {timeout:g} s: {why.message}", hint=why.hint, code=why.code
    )


def _looks(seconds: float) -> Iterator[None]:
    """One look now, then one each half second until the time is over."""
    clock = SystemClock()
    until = clock.monotonic() + seconds
    yield
    while (left := until - clock.monotonic()) > 0:
        sleep_blocking(min(_LOOK_SECONDS, left))
        yield


def qr(
    once: Annotated[bool, typer.Option("--once", help="Draw the code once and end.")] = False,
    url: options.Url = "",
    demo: options.Demo = False,
) -> None:
    """Draw the QR code in the terminal, the new one each time, until a phone is linked."""
    console = Console()
    with options.gateway(url, demo) as gateway:
        if once:
            console.print(_code(_needs_code(gateway.status())))
            return
        with Live(console=console, auto_refresh=False) as live:
            shown = ""
            while not answers.is_connected(answer := gateway.status()):
                text = str(answers.part(answer, "status").get("qrCode") or "")
                view = text or answers.one_line(answer)
                if view != shown:
                    live.update(_code(text) if text else Text(view), refresh=True)
                    shown = view
                sleep_blocking(1.0)
            live.update(Text("linked and connected", style="green"), refresh=True)


def _needs_code(answer: dict[str, Any]) -> str:
    text = answers.part(answer, "status").get("qrCode")
    if answers.is_connected(answer):
        raise Fault("the session is already linked and connected")
    if not text:
        raise Fault(answers.why_not_connected(answer), hint="`persistent-session initialize` asks for a code")
    return str(text)


def _code(text: str) -> Group:
    return Group(views.qr_view(text), Text("WhatsApp on the phone: Linked devices → Link a device"))


def link_code(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The phone's number with country code.")],
    url: options.Url = "",
    demo: options.Demo = False,
) -> None:
    """Ask for a pairing code instead of a QR code."""
    with options.gateway(url, demo) as gateway:
        answer = gateway.action("pair-phone", phoneNumber=number)
    console = Console(highlight=False)
    console.print(Text(str(answer.get("linkCode")), style="bold"))
    console.print(
        f"enter it on the phone within {answer.get('validSeconds')} s: Linked devices → Link with phone number"
    )


def initialize(url: options.Url = "", demo: options.Demo = False) -> None:
    """Start the session; the answer says whether a phone has to be linked."""
    _say(url, demo, "initialize")


def health_check(url: options.Url = "", demo: options.Demo = False) -> None:
    """Probe the session now, and start a save and a backup."""
    with options.gateway(url, demo) as gateway:
        answer = gateway.action("health-check")
    Console().print(views.status_view(answer))
    if answers.overall(answer) == "critical":
        raise SystemExit(int(Exit.FAILED))


def send_test(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="Who gets it, with country code.")],
    text: Annotated[str, typer.Argument(metavar="TEXT")],
    url: options.Url = "",
    demo: options.Demo = False,
) -> None:
    """Send a test message, and wait until WhatsApp acknowledged it."""
    with options.gateway(url, demo) as gateway:
        answer = gateway.action("send-test-message", phoneNumber=number, message=text)
    Console(highlight=False).print(f"{answer.get('message')} (ack {answer.get('ack')})")


def backups(as_json: options.AsJson = False, url: options.Url = "", demo: options.Demo = False) -> None:
    """List the backups off-site, newest first."""
    with options.gateway(url, demo) as gateway:
        answer = gateway.action("backups")
    found = answer.get("backups") or []
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return
    console = Console()
    console.print(views.backups_view(found))
    console.print(f"{len(found)} backups, {answer.get('storedSize', 0)} MB stored")


def backup(url: options.Url = "", demo: options.Demo = False) -> None:
    """Take a snapshot and back it up now."""
    _say(url, demo, "backup")


def restore(
    backup_id: Annotated[
        str, typer.Argument(metavar="[ID]", help="As in `backups`; by default the newest good one.")
    ] = "",
    yes: options.Yes = False,
    url: options.Url = "",
    demo: options.Demo = False,
) -> None:
    """Put a backup in place of the profile; the present profile is kept beside it until the session is connected."""
    with options.gateway(url, demo) as gateway:
        which = f"the backup {backup_id}" if backup_id else "the newest good backup"
        _confirm(f"Close the browser and restore {which}?", yes)
        answer = gateway.action("restore", backupId=backup_id)
    Console(highlight=False).print(str(answer.get("message")))


def clear(yes: options.Yes = False, url: options.Url = "", demo: options.Demo = False) -> None:
    """Unlink the device and delete the session: profile, local saves, and off-site backups after their grace time."""
    with options.gateway(url, demo) as gateway:
        _confirm("Unlink the device and delete the session with its saves and backups?", yes)
        answer = gateway.action("clear")
    Console(highlight=False).print(str(answer.get("message")))


def _say(url: str, demo: bool, action: str) -> None:
    with options.gateway(url, demo) as gateway:
        answer = gateway.action(action)
    Console(highlight=False).print(str(answer.get("message")))


def _confirm(question: str, yes: bool) -> None:
    """Raises Fault unless the answer is yes; a missing terminal is no answer."""
    if yes:
        return
    try:
        agreed = typer.confirm(question)
    except typer.Abort:
        agreed = False
    if not agreed:
        raise Fault("nothing was done", hint="answer y, or give --yes")
