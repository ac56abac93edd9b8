"""The account: its phone, its linked devices, the connected pages, and the injected faults in force.

Pairing, logins and messages meet only here. The module knows no HTTP. Every answer to a page goes through the page's
queue, so that nothing here waits for a page except the probe at a login.
"""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from typing import Any

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from shared.clock import Clock
from standin.logins import Logins
from standin.mail import Mail
from standin.page_socket import PageSocket
from standin.pairing import Pairing
from standin.settings import InjectedFaults, PageSettings, updated
from standin.state_file import Device, StateFile

LINKED_DEVICES_SHOWN_AS = "Stand-in"


class UnknownDeviceError(Exception):
    """No such linked device."""


class World:
    """What the page's server and the control API act on."""

    def __init__(self, state: StateFile, clock: Clock, *, number: str, defaults: PageSettings) -> None:
        self._state = state
        self._clock = clock
        self.number = number
        self._defaults = defaults
        self.faults = updated(InjectedFaults(), state.chosen("faults"))
        self.settings = updated(defaults, state.chosen("settings"))
        self._pages: list[PageSocket] = []
        self._pairing = Pairing(clock, lambda: self.settings)
        self._logins = Logins(state)
        self._mail = Mail(state, clock, lambda: self.faults)

    # What pages do

    def arrive(self, page: PageSocket) -> None:
        """A page has connected."""
        page.since = self._at()
        self._pages.append(page)
        page.send("challenge", nonce=page.nonce, page=page.id)
        if self.faults.dialog:
            page.send("dialog", text=self.faults.dialog)

    def depart(self, page: PageSocket) -> None:
        self._pairing.forget(page)
        self._logins.leave(page)
        self._pages = [other for other in self._pages if other is not page]

    async def hear(self, page: PageSocket, message: dict[str, Any]) -> None:
        """One message of a page. Raises `KeyError` when it lacks a field."""
        match message["type"]:
            case "login":
                await self._login(page, str(message["token"]), str(message["signature"]))
            case "pair":
                self._pair(page, {name: str(message[name]) for name in ("static", "identity", "secret", "platform")})
            case "refresh_refs":
                self._pairing.show(page)
            case "request_code":
                page.send("code", request=message["request"], code=self._pairing.new_code(page))
            case "message" if page.state == "main":
                self._mail.receive(page, message)
            case "received" if page.state == "main":
                self._mail.confirm(page, [str(id_) for id_ in message["ids"]])
            case "logout" if page.device is not None:
                self.unlink(page.device, reason="logged out on the device")
            case "state":
                page.reported = {name: value for name, value in message.items() if name != "type"}
            case "ping":
                page.send("pong")

    def _pair(self, page: PageSocket, keys: dict[str, str]) -> None:
        page.keys = keys
        if not self._blocked(page):
            self._pairing.show(page)

    async def _login(self, page: PageSocket, token: str, signature: str) -> None:
        device = self._state.device_of(token)
        if device is None or not device.linked or not _signed(device, page.nonce, signature):
            page.state = "logged_out"
            page.send("failure", code=401)
            return
        if self._blocked(page):
            page.device = device.id
            return
        self._pairing.forget(page)
        await self._logins.enter(device.id, page)
        page.send("success", **self._introduction(device))
        self._mail.deliver(page, device.id, offline=True)

    def _blocked(self, page: PageSocket) -> bool:
        if self.faults.mode == "normal":
            return False
        self._pairing.forget(page)
        self._logins.leave(page)
        page.state = "blocked"
        page.send("failure", code=403, mode=self.faults.mode)
        return True

    def _introduction(self, device: Device) -> dict[str, Any]:
        return {
            "wid": f"{self.number}:{device.id}@c.us",
            "lid": f"{int(self.number) * 7 + 90_000_000_000_000}:{device.id}@lid",
            "pushname": LINKED_DEVICES_SHOWN_AS,
            "platform": "android",
            "synced_ms": self.settings.synced_ms,
            "history": self._history(),
        }

    def _history(self) -> dict[str, float]:
        return {"target_mb": self.settings.history.target_mb, "rate_per_s": self.settings.history.rate_per_s}

    # What the phone does

    def scan(self, text: str | None = None, page_id: str | None = None) -> Device:
        """The phone reads a displayed QR code. Raises `NotDisplayedError`."""
        return self._link(self._pairing.scan(text, page_id))

    def enter_code(self, code: str) -> Device:
        """The phone's owner types the code of a page. Raises `NotDisplayedError`."""
        return self._link(self._pairing.enter(code))

    def _link(self, page: PageSocket) -> Device:
        self._pairing.forget(page)
        page.state = "linking"
        device = self._state.link(
            token=secrets.token_urlsafe(32),
            identity_key=page.keys["identity"],
            platform=page.keys["platform"],
            at=self._at(),
        )
        introduction = self._introduction(device)
        page.send("linked", token=device.token, wid=introduction["wid"], lid=introduction["lid"])
        return device

    def unlink(self, device: int | None = None, *, reason: str = "unlinked on the phone") -> list[int]:
        """Unlink one device, or all. Raises `UnknownDeviceError` when that one is not linked."""
        wanted = [d.id for d in self._state.devices() if d.linked and device in (None, d.id)]
        if device is not None and not wanted:
            raise UnknownDeviceError(f"device {device} is not linked")
        for id_ in wanted:
            self._state.unlink(id_, at=self._at(), reason=reason)
            for page in self._logins.now(id_):
                self._logins.leave(page)
                page.state = "logged_out"
                page.send("stream_error", code="device_removed")
        return wanted

    def devices(self) -> list[dict[str, Any]]:
        """As `GET /devices` lists them."""
        return [
            {
                "id": device.id,
                "state": "linked" if device.linked else "unlinked",
                "linked_at": device.linked_at,
                "unlinked_at": device.unlinked_at,
                "unlink_reason": device.unlink_reason,
                "platform": device.platform,
                "logins": device.logins,
                "simultaneous": len(self._logins.now(device.id)),
                "max_simultaneous": device.max_simultaneous,
                "max_active": device.max_active,
                "foreign_logins": device.foreign_logins,
            }
            for device in self._state.devices()
        ]

    # What the world does

    def incoming(self, *, sender: str, text: str, count: int) -> list[str]:
        """Someone writes to the account. Each linked device gets a copy, now or at its next login."""
        wid = sender if "@" in sender else f"{sender}@c.us"
        ids: list[str] = []
        for device in (device for device in self._state.devices() if device.linked):
            bodies = [text if count == 1 else f"{text} {number + 1}" for number in range(count)]
            ids += [self._mail.arrive(device.id, sender=wid, text=body) for body in bodies]
            for page in self._logins.now(device.id):
                self._mail.deliver(page, device.id, offline=False)
        return ids

    def receipt(self, id_: str, kind: str) -> int:
        """The recipient has read a message. Returns the number of pages that get the receipt."""
        pages = [page for page in self._pages if page.state == "main"]
        for page in pages:
            page.send("receipt", ids=[id_], kind=kind)
        return len(pages)

    def messages(self, *, last: int | None = None) -> list[dict[str, Any]]:
        return self._state.messages(last)

    def queue(self, *, last: int | None = None) -> list[dict[str, Any]]:
        return self._state.incoming(last)

    def pages(self) -> list[dict[str, Any]]:
        return [
            {
                "id": page.id,
                "since": page.since,
                "state": page.state,
                "ref": page.ref,
                "device": page.device,
                "waits_for_code": page.code is not None and page.device is None,
                **{name: page.reported.get(name) for name in ("socket", "stream", "info", "url")},
            }
            for page in self._pages
            if page.open
        ]

    # Injected faults and settings

    def set_faults(self, changes: Mapping[str, Any]) -> InjectedFaults:
        """Raises `ValueError`. A change of `mode` takes effect at once on every page."""
        before, self.faults = self.faults, updated(self.faults, changes)
        self._state.choose("faults", _plain(self.faults))
        if self.faults.mode != before.mode:
            self._apply_mode()
        if self.faults.dialog != before.dialog:
            for page in self._pages:
                page.send("dialog", text=self.faults.dialog)
        return self.faults

    def set_settings(self, changes: Mapping[str, Any]) -> PageSettings:
        """Raises `ValueError`. The history's size and rate reach open pages at once, the rest with their next load."""
        self.settings = updated(self.settings, changes)
        self._state.choose("settings", _plain(self.settings))
        for page in self._pages:
            page.send("history", **self._history())
        return self.settings

    def drop_sockets(self) -> int:
        """Cut every connection without a closing frame."""
        pages = list(self._pages)
        for page in pages:
            page.abort()
        return len(pages)

    def foreign_login(self) -> int:
        """Another machine logs in with the identity of each connected device. Returns how many pages were evicted."""
        pages = [page for page in self._pages if page.state == "main" and page.device is not None]
        for page in pages:
            self._state.count_foreign_login(page.device or 0)
            self._logins.evict(page)
        return len(pages)

    def hang_pages(self, milliseconds: int) -> int:
        """Block the main thread of every page."""
        for page in self._pages:
            page.send("hang", ms=milliseconds)
        return len(self._pages)

    def run(self, script: str) -> int:
        """Every page runs the script, as code of the site; a page that is not hostile has a policy against that."""
        for page in self._pages:
            page.send("run", script=script)
        return len(self._pages)

    def reset(self) -> None:
        """Unlink all, forget messages, faults and settings."""
        self.unlink(reason="reset")
        self._state.clear()
        self.settings = self._defaults
        self.set_faults(_plain(InjectedFaults()))
        for page in list(self._pages):
            if page.device is None and page.state != "connecting":
                self._pairing.show(page)

    def _apply_mode(self) -> None:
        for page in list(self._pages):
            if page.state == "blocked":
                page.hang_up()
            else:
                self._blocked(page)

    def _at(self) -> str:
        return self._clock.now().isoformat(timespec="milliseconds")


def _plain(struct: InjectedFaults | PageSettings) -> dict[str, Any]:
    value: dict[str, Any] = msgspec.to_builtins(struct)
    return value


def _signed(device: Device, nonce: str, signature: str) -> bool:
    """Whether the device holds the key that it was linked with."""
    try:
        key = Ed25519PublicKey.from_public_bytes(base64.b64decode(device.identity_key))
        key.verify(base64.b64decode(signature), nonce.encode())
    except (InvalidSignature, ValueError):
        return False
    return True
