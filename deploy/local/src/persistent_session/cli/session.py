"""Commands about the session; each is one request to the gateway, or repeats one."""

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
from persistent_session.errors import CliError, ExitCode
from shared.clock import SystemClock, sleep_blocking

_INTERVAL_SECONDS = 0.5


def add_to(app: typer.Typer) -> None:
    commands: dict[str, Callable[..., None]] = {
        "status": status, "wait": wait, "qr": qr, "link-code": link_code, "initialize": initialize,
        "health-check": health_check, "send-test": send_test, "backups": backups, "backup": backup,
        "restore": restore, "clear": clear, "logins": logins, "logout": logout,
    }  # fmt: skip
    for name, command in commands.items():
        app.command(name)(command)


def status(
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show each change until Ctrl-C.")] = False,
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
            live.update(_status_or_error(gateway), refresh=True)
            sleep_blocking(1.0)


def _status_or_error(gateway: Gateway) -> RenderableType:
    """A gateway that restarts does not end the watch; a wrong key does."""
    try:
        return views.status_view(gateway.status())
    except CliError as error:
        if error.code is ExitCode.DENIED:
            raise
        return Text(error.message, style="red")


def wait(
    connected: Annotated[
        bool, typer.Option("--connected/--ready", help="Wait for the connected session, or only for the gateway.")
    ] = True,
    timeout: Annotated[float, typer.Option("--timeout", min=0, help="Seconds; 0 asks the gateway once.")] = 60.0,
    url: options.Url = "",
    demo: options.Demo = False,
) -> None:
    """Wait until the session is connected. Only a report that a worker makes while the command waits counts; workers
    report every few seconds. When the time is over: exit code 1, or 3 if no system answers, and the reason."""
    new_report = answers.NewReport()
    why = CliError("no system answers", code=ExitCode.NOT_RUNNING)
    for _ in _attempts(timeout):
        try:
            with options.gateway(url, demo) as gateway:
                answer = gateway.status()
        except CliError as error:
            if error.code is ExitCode.DENIED:
                raise
            why = error
            continue
        fresh = new_report.seen_in(answer) or timeout == 0
        if (answers.is_connected(answer) and fresh) or not connected:
            print("connected" if connected else "ready")
            return
        why = CliError(answers.why_not_connected(answer))
    raise CliError(
        f"not {'connected' if connected else 'ready'} after {timeout:g} s: {why.message}", hint=why.hint, code=why.code
    )


def _attempts(seconds: float) -> Iterator[None]:
    """One attempt now, then one every half second until the time is over."""
    clock = SystemClock()
    until = clock.monotonic() + seconds
    yield
    while (left := until - clock.monotonic()) > 0:
        sleep_blocking(min(_INTERVAL_SECONDS, left))
        yield


def qr(
    once: Annotated[bool, typer.Option("--once", help="Draw the code once, then exit.")] = False,
    url: options.Url = "",
    demo: options.Demo = False,
) -> None:
    """Draw the QR code until a phone is linked. Each new code replaces the code before it."""
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
        raise CliError("the session is already linked and connected")
    if not text:
        raise CliError(answers.why_not_connected(answer), hint="`persistent-session initialize` asks for a code")
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
    """Start the session. The answer says whether a phone must be linked."""
    _act(url, demo, "initialize")


def health_check(url: options.Url = "", demo: options.Demo = False) -> None:
    """Check the session now, and start a save and a backup."""
    with options.gateway(url, demo) as gateway:
        answer = gateway.action("health-check")
    Console().print(views.status_view(answer))
    if answers.overall(answer) == "critical":
        raise SystemExit(int(ExitCode.FAILED))


def send_test(
    number: Annotated[str, typer.Argument(metavar="NUMBER", help="The recipient's number with country code.")],
    text: Annotated[str, typer.Argument(metavar="TEXT")],
    url: options.Url = "",
    demo: options.Demo = False,
) -> None:
    """Send a test message. The command waits until WhatsApp acknowledges the message."""
    with options.gateway(url, demo) as gateway:
        answer = gateway.action("send-test-message", phoneNumber=number, message=text)
    Console(highlight=False).print(f"{answer.get('message')} (ack {answer.get('ack')})")


def backups(as_json: options.AsJson = False, url: options.Url = "", demo: options.Demo = False) -> None:
    """List the off-site backups, newest first."""
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
    _act(url, demo, "backup")


def restore(
    backup_id: Annotated[
        str, typer.Argument(metavar="[ID]", help="As `backups` shows it; by default the newest good backup.")
    ] = "",
    yes: options.Yes = False,
    url: options.Url = "",
    demo: options.Demo = False,
) -> None:
    """Replace the profile by a backup. The present profile is kept aside until the session is connected."""
    with options.gateway(url, demo) as gateway:
        which = f"the backup {backup_id}" if backup_id else "the newest good backup"
        _confirm(f"Close the browser and restore {which}?", yes)
        answer = gateway.action("restore", backupId=backup_id)
    Console(highlight=False).print(str(answer.get("message")))


def clear(yes: options.Yes = False, url: options.Url = "", demo: options.Demo = False) -> None:
    """Unlink the device and delete the session. The profile and local saves go at once, the off-site backups after a
    grace period."""
    with options.gateway(url, demo) as gateway:
        _confirm("Unlink the device and delete the session with its saves and backups?", yes)
        answer = gateway.action("clear")
    Console(highlight=False).print(str(answer.get("message")))


def logins(as_json: options.AsJson = False, url: options.Url = "", demo: options.Demo = False) -> None:
    """List who is logged in to the page."""
    with options.gateway(url, demo) as gateway:
        found = gateway.logins()
    if as_json:
        print(json.dumps(found, ensure_ascii=False, indent=2))
        return
    Console().print(views.logins_view(found))


def logout(
    login_id: Annotated[
        str, typer.Argument(metavar="[ID]", help="As `logins` shows it; its beginning is enough.")
    ] = "",
    everywhere: Annotated[bool, typer.Option("--all", help="End every login of the page.")] = False,
    url: options.Url = "",
    demo: options.Demo = False,
) -> None:
    """End one login of the page, or all of them. It counts at once."""
    if bool(login_id) == everywhere:
        raise CliError(
            "name one login, or use --all", hint="`persistent-session logins` lists them", code=ExitCode.USAGE
        )
    with options.gateway(url, demo) as gateway:
        answer = gateway.end_logins("" if everywhere else _whole_id(gateway, login_id))
    Console(highlight=False).print(str(answer.get("message")))


def _whole_id(gateway: Gateway, beginning: str) -> str:
    """The one login whose id begins so."""
    found = [str(login["id"]) for login in gateway.logins() if str(login["id"]).startswith(beginning)]
    if len(found) == 1:
        return found[0]
    what = "several logins begin" if found else "no login begins"
    raise CliError(f"{what} with that id", hint="`persistent-session logins` lists them")


def _act(url: str, demo: bool, action: str) -> None:
    with options.gateway(url, demo) as gateway:
        answer = gateway.action(action)
    Console(highlight=False).print(str(answer.get("message")))


def _confirm(question: str, yes: bool) -> None:
    """Raises CliError unless the answer is yes; without a terminal there is no answer."""
    if yes:
        return
    try:
        agreed = typer.confirm(question)
    except typer.Abort:
        agreed = False
    if not agreed:
        raise CliError("nothing was done", hint="answer y, or add --yes")
