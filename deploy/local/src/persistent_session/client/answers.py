"""What the gateway's answers mean to a person at a terminal. Pure; takes JSON as it came."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from shared.contracts.foreign_text import escaped

Json = Mapping[str, Any]


def printable(value: Any) -> Any:
    """Any JSON value with nothing in its texts that steers a terminal."""
    if isinstance(value, str):
        return escaped(value)
    if isinstance(value, dict):
        return {escaped(name): printable(each) for name, each in value.items()}
    return [printable(each) for each in value] if isinstance(value, list) else value


def part(answer: Json, name: str) -> Json:
    """A nested object; empty when it is absent or null."""
    found = answer.get(name)
    return found if isinstance(found, Mapping) else {}


def is_connected(answer: Json) -> bool:
    return part(answer, "status").get("isConnected") is True


class NewReport:
    """Whether the session's worker has reported since the first answer seen here. For some seconds after a worker was
    killed, the gateway still passes on the last status. An answer is compared with the earlier answer and never with
    this machine's clock, because the clocks of two machines may differ."""

    def __init__(self) -> None:
        self._first: tuple[object, object, object] | None = None

    def seen_in(self, answer: Json) -> bool:
        worker = part(part(answer, "systemInfo"), "worker")
        now = (part(answer, "status").get("updatedAt"), worker.get("name"), worker.get("uptime"))
        if self._first is None:
            self._first = now
        updated_at, name, uptime = self._first
        return now[0] != updated_at or (now[1] == name and _later(now[2], uptime))


def _later(now: object, before: object) -> bool:
    return isinstance(now, int | float) and isinstance(before, int | float) and now > before


def state(answer: Json) -> str:
    return str(part(answer, "status").get("state") or "unknown")


def overall(answer: Json) -> str:
    """healthy, warning, critical, or "" while there is no verdict."""
    return str(answer.get("healthOverall") or part(answer, "health").get("overall") or "")


def one_line(answer: Json) -> str:
    """The state in one line, which changes only when something that matters changes."""
    status = part(answer, "status")
    words = [f"session {state(answer)}"]
    if status.get("qrCode") and state(answer) == "pairing":
        words.append("waiting for a phone (persistent-session qr)")
    elif status.get("detail"):
        words.append(str(status["detail"]))
    if not status.get("workerAlive", True):
        words.append("no worker answers")
    if overall(answer):
        words.append(f"health {overall(answer)}")
    return " · ".join(words)


def why_not_connected(answer: Json) -> str:
    """The reason that a wait without success gives."""
    status = part(answer, "status")
    why = str(status.get("detail") or status.get("reason") or "")
    if not status.get("workerAlive", True):
        why = "no browser worker answers"
    elif is_connected(answer):
        why = "but its worker gave no sign of life while this command waited"
    elif state(answer) == "pairing":
        why = "no phone is linked: scan the code of `persistent-session qr`"
    return f"the session is {state(answer)}" + (f": {why}" if why else "")
