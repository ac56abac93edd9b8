"""How a session looks at a terminal. Pure: from the gateway's answer to a text that Rich prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import segno
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from persistent_session.client.answers import is_connected, overall, part, state
from shared.contracts.foreign_text import isolated, name, shown

_ID_CHARACTERS = 12
"""Enough of an id to tell a hundred logins apart."""
_COLOURS = {"healthy": "green", "warning": "yellow", "critical": "red"}


def status_view(answer: Mapping[str, Any]) -> RenderableType:
    status, info = part(answer, "status"), part(answer, "sessionInfo")
    rows = Table.grid(padding=(0, 2))
    rows.add_column(style="dim")
    rows.add_column()
    rows.add_row("state", _state(answer))
    if status.get("detail"):
        rows.add_row("", Text(isolated(shown(str(status["detail"])))))
    rows.add_row("health", _health(answer))
    rows.add_row("account", _account(status))
    rows.add_row("session", Text(f"{info.get('size', 0)} MB, changed {_time(info.get('lastModified'))}"))
    rows.add_row("last save", Text(_time(status.get("lastSessionSave"))))
    rows.add_row("backup", _backup(answer, info))
    rows.add_row("reconnects", Text(str(status.get("reconnectAttempts", 0))))
    system = part(answer, "systemInfo")
    rows.add_row("folders", Text(f"{system.get('sessionPath', '-')}\n{system.get('backupPath', '-')}"))
    return Group(rows, *_advice(answer))


def _state(answer: Mapping[str, Any]) -> Text:
    colour = "green" if is_connected(answer) else "yellow"
    since = part(answer, "status").get("since")
    return Text.assemble((state(answer), f"bold {colour}"), (f"  since {_time(since)}" if since else "", "dim"))


def _health(answer: Mapping[str, Any]) -> Text:
    found = overall(answer)
    return Text(found or "not judged yet", style=_COLOURS.get(found, "dim"))


def _account(status: Mapping[str, Any]) -> Text:
    account = part(status, "clientInfo")
    return (
        Text(isolated(name(str(account.get("pushname") or "linked"))))
        if account
        else Text("no phone is linked", style="dim")
    )


def _backup(answer: Mapping[str, Any], info: Mapping[str, Any]) -> Text:
    if not answer.get("hasBackup"):
        return Text("none yet", style="yellow")
    backups = part(info, "backups")
    seen = backups.get("seenAt")
    old = f" (not known any more; seen last {_time(seen)})" if seen and not backups.get("known") else ""
    return Text(f"{info.get('backupSize', 0)} MB, {backups.get('count', 0)} off-site{old}")


def _advice(answer: Mapping[str, Any]) -> list[RenderableType]:
    health = part(answer, "health")
    issues = [Text(f"! {isolated(shown(str(text)))}", style="yellow") for text in health.get("issues") or ()]
    return [*issues, *(Text(f"→ {isolated(shown(str(text)))}") for text in health.get("recommendations") or ())]


def _time(text: object) -> str:
    """`2026-11-22T14:50:20.123Z` without its fractions; `never` for null."""
    return str(text).replace("T", " ").split(".")[0] if text else "never"


def backups_view(backups: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("backup", "taken at (UTC)", "MB", "state", "kept because")
    for backup in backups:
        table.add_row(
            str(backup.get("id")),
            _time(backup.get("takenAt")),
            str(backup.get("size")),
            str(backup.get("state")),
            ", ".join(map(str, backup.get("keptBecause") or ())),
        )
    return table


def logins_view(logins: Sequence[Mapping[str, Any]]) -> Table:
    table = Table("login", "browser", "address", "logged in (UTC)", "used (UTC)", "ends (UTC)")
    for login in logins:
        table.add_row(
            Text(str(login.get("id"))[:_ID_CHARACTERS]),
            Text(isolated(name(str(login.get("client") or "unknown")))),
            Text(name(str(login.get("address")))),
            *(_time(login.get(when)) for when in ("createdAt", "seenAt", "endsAt")),
        )
    return table


def qr_view(text: str) -> Text:
    """A QR code in half blocks, dark on light whatever the terminal's colours are."""
    rows = [list(row) for row in segno.make(text, error="l", micro=False).matrix_iter(border=2)]
    if len(rows) % 2:
        rows.append([0] * len(rows[0]))
    lines = [
        "".join(_block(top, below) for top, below in zip(*pair, strict=True))
        for pair in zip(rows[::2], rows[1::2], strict=True)
    ]
    return Text("\n".join(lines), style="black on white", no_wrap=True)


def _block(top: int, below: int) -> str:
    return {(0, 0): " ", (1, 0): "▀", (0, 1): "▄", (1, 1): "█"}[bool(top), bool(below)]
