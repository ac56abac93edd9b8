"""What a terminal shows."""

from __future__ import annotations

import io
from typing import Any

import segno
from rich.console import Console

from persistent_session.cli import views
from persistent_session.client.answers import printable

ANSWER: dict[str, Any] = {
    "status": {
        "state": "connected", "isConnected": True, "since": "2026-01-02T03:04:05.678Z", "detail": "Connected.",
        "clientInfo": {"pushname": "Shop"}, "lastSessionSave": None, "reconnectAttempts": 2,
    },
    "sessionInfo": {"size": 12.5, "lastModified": "2026-01-02T03:04:05Z", "backupSize": 3.25, "backups": {"count": 7}},
    "health": {"overall": "warning", "issues": ["[bold]odd[/bold] text"], "recommendations": ["do this"]},
    "healthOverall": "warning",
    "systemInfo": {"sessionPath": "/p", "backupPath": "/b"},
    "hasBackup": True,
}  # fmt: skip


def _drawn(view: Any, *, width: int = 100) -> str:
    out = io.StringIO()
    Console(file=out, width=width, color_system=None).print(view)
    return out.getvalue()


def test_the_status_says_what_the_gateway_said() -> None:
    text = _drawn(views.status_view(ANSWER))
    for part in (
        "connected",
        "2026-01-02 03:04:05",
        "12.5 MB",
        "3.25 MB, 7 off-site",
        "warning",
        "do this",
        "/p",
        "never",
    ):
        assert part in text


def test_text_from_elsewhere_is_shown_as_it_is_and_not_as_markup() -> None:
    assert "[bold]odd[/bold] text" in _drawn(views.status_view(ANSWER))


def test_no_text_from_outside_steers_the_terminal_or_turns_the_line() -> None:
    evil = "\x1b]0;owned\x07\x9b2J\u202e" + "متجر منى " * 100 + "\u0301" * 500
    status = ANSWER["status"] | {"detail": evil, "clientInfo": {"pushname": evil}}
    answer = printable(ANSWER | {"status": status, "health": {"overall": "warning", "issues": [evil]}})
    drawn = _drawn(views.status_view(answer))
    assert not {"\x1b", "\x07", "\x9b", "\u202e"} & set(drawn)
    assert "\u0301" * 5 not in drawn
    account = next(line for line in drawn.splitlines() if line.startswith("account"))
    assert (account.count("\u2068"), account.count("\u2069")) == (1, 1), "one direction of its own"
    assert "…" in account


def test_logins_are_listed_with_the_beginning_of_their_id() -> None:
    listed = _drawn(
        views.logins_view(
            [{"id": "0123456789abcdef" * 2, "client": "", "address": "::1", "createdAt": "2026-01-02T03:04:05.000Z"}]
        )
    )
    for part in ("0123456789ab", "unknown", "::1", "2026-01-02 03:04:05", "never"):
        assert part in listed
    assert "0123456789abc" not in listed


def test_an_empty_answer_is_shown_too() -> None:
    assert "unknown" in _drawn(views.status_view({}))


def test_a_drawn_qr_code_has_exactly_the_modules_of_the_code() -> None:
    text = "2@" + "x" * 200
    wanted = [[bool(cell) for cell in row] for row in segno.make(text, error="l", micro=False).matrix_iter(border=2)]
    rows: list[list[bool]] = []
    for line in views.qr_view(text).plain.split("\n"):
        rows.append([character in "▀█" for character in line])
        rows.append([character in "▄█" for character in line])
    assert rows[: len(wanted)] == wanted
    assert not any(any(row) for row in rows[len(wanted) :])


def test_backups_are_listed_with_the_reason_why_they_are_kept() -> None:
    backup = {
        "id": "e1-s2",
        "takenAt": "2026-01-02T03:04:05Z",
        "size": 4.5,
        "state": "drilled",
        "keptBecause": ["daily"],
    }
    text = _drawn(views.backups_view([backup]))
    assert all(part in text for part in ("e1-s2", "4.5", "drilled", "daily"))
