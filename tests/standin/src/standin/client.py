"""The virtual phone and the world around it, as tests and the CLI use them: a typed client of the control API.

Blocking, over httpx. A refusal is a `RefusedError` with the stand-in's own sentence.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Literal, Self

import httpx
import msgspec


class RefusedError(Exception):
    """The stand-in answered with an error, for instance that no QR code is displayed (`status` 409)."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


class LinkedDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device as the phone lists it."""

    id: int
    state: Literal["linked", "unlinked"]
    linked_at: str
    unlinked_at: str | None
    unlink_reason: str | None
    platform: str
    logins: int
    """Successful logins, ever; a restart adds one."""
    simultaneous: int
    """Sockets logged in now."""
    max_simultaneous: int
    """Most sockets ever logged in at one time, a stopped browser's included; 1 proves that no session ran twice."""
    max_active: int
    """The same without the sockets of a stopped (SIGSTOP) browser, which could neither read nor write."""
    foreign_logins: int
    """Conflicts made by `conflict()`, which no other count contains."""


class PageState(msgspec.Struct, frozen=True, kw_only=True):
    """A connected page: its state as the server sees it, and what the page reports (`socket`, `stream`, `info`)."""

    id: str
    since: str
    state: str
    ref: str | None
    device: int | None
    waits_for_code: bool
    socket: str | None
    stream: str | None
    info: str | None
    url: str | None


class SentMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message that the server received from a device; `copies` counts how often this id arrived."""

    id: str
    to: str
    text: str
    at: str
    device: int
    copies: int


class IncomingMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message for a device; `delivered_at` is when the page confirmed that it is stored."""

    id: str
    device: int
    sender: str = msgspec.field(name="from")
    text: str
    at: str
    delivered_at: str | None


class Phone:
    """`Phone(control_url, key)`: the owner of the virtual phone, who holds the stand-in's key."""

    def __init__(self, control_url: str, key: str, *, timeout: float = 10.0) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(base_url=control_url, headers=headers, timeout=timeout, trust_env=False)

    def close(self) -> None:
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def devices(self) -> list[LinkedDevice]:
        return msgspec.convert(self._get("/devices"), list[LinkedDevice])

    def device(self) -> LinkedDevice:
        """The one linked device. Raises `LookupError` when there is none or more than one."""
        linked = [device for device in self.devices() if device.state == "linked"]
        if len(linked) != 1:
            raise LookupError(f"{len(linked)} devices are linked")
        return linked[0]

    def pages(self) -> list[PageState]:
        return msgspec.convert(self._get("/pages"), list[PageState])

    def messages(self) -> list[SentMessage]:
        return msgspec.convert(self._get("/messages"), list[SentMessage])

    def incoming_messages(self) -> list[IncomingMessage]:
        return msgspec.convert(self._get("/incoming"), list[IncomingMessage])

    def scan(self, *, text: str | None = None, page: str | None = None) -> int:
        """Scan the displayed QR code, or the one of this text; returns the new device's id.

        Raises `RefusedError` with status 409 when it is not displayed or has expired.
        """
        return int(self._post("/phone/scan", {"text": text, "page": page})["device"])

    def enter_code(self, code: str) -> int:
        """Type a pairing code; returns the new device's id. Raises `RefusedError` (409)."""
        return int(self._post("/phone/enter-code", {"code": code})["device"])

    def unlink(self, device: int | None = None) -> list[int]:
        """Unlink one device, or all; returns their ids."""
        return list(self._post("/phone/unlink", {"device": device})["unlinked"])

    def write(self, text: str, *, sender: str = "201234567890", count: int = 1) -> list[str]:
        """Someone writes to the account. Returns the message ids, one for each linked device and message."""
        return list(self._post("/incoming", {"from": sender, "text": text, "count": count})["ids"])

    def receipt(self, id_: str, kind: Literal["delivery", "read", "played"] = "read") -> None:
        self._post("/receipts", {"id": id_, "kind": kind})

    def set_faults(self, **changes: Any) -> dict[str, Any]:
        """As `POST /faults`; what is not named keeps its value. Returns all faults in force."""
        return self._post("/faults", changes)

    def set_settings(self, **changes: Any) -> dict[str, Any]:
        return self._post("/settings", changes)

    def set_history(self, *, target_mb: float | None = None, rate_per_s: float | None = None) -> dict[str, Any]:
        given = {"target_mb": target_mb, "rate_per_s": rate_per_s}
        return self._post("/history", {name: value for name, value in given.items() if value is not None})

    def drop_sockets(self) -> int:
        """Cut every connection as a broken network would; returns how many."""
        return int(self._post("/socket/drop", {})["dropped"])

    def conflict(self) -> int:
        """A foreign machine logs in with the same identity. Returns how many pages were evicted."""
        return int(self._post("/conflict", {})["conflicts"])

    def hang_pages(self, milliseconds: int) -> int:
        """Block the main thread of every page."""
        return int(self._post("/pages/hang", {"ms": milliseconds})["hung"])

    def run(self, script: str) -> int:
        """Every page runs the script; set the fault `hostile` before the page loads. Returns how many pages."""
        return int(self._post("/pages/run", {"script": script})["run"])

    def reset(self) -> None:
        self._post("/reset", {})

    def _get(self, path: str) -> Any:
        return _checked(self._http.get(path))

    def _post(self, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        value: dict[str, Any] = _checked(self._http.post(path, json=dict(body)))
        return value


def _checked(answer: httpx.Response) -> Any:
    if answer.is_success:
        return answer.json()
    try:
        reason = str(answer.json()["error"])
    except (ValueError, KeyError):
        reason = answer.text
    raise RefusedError(answer.status_code, reason)
