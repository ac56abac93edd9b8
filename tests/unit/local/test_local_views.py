"""What a terminal shows."""

from __future__ import annotations

import io
from typing import Any

import segno
from rich.console import Console

from persistent_session.cli import views

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
