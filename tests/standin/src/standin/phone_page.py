"""`/phone`: the virtual phone in a browser's window, so that a person can scan, unlink, read and write.

The module knows the phone's page and what the page may ask for. It knows no faults, which belong to the control API.

The trap: other users of the machine reach the phone too, and so does every site that a browser on the machine has open.
The phone therefore acts for its own page alone, under a loopback name, and for who shows the stand-in's key. The key
comes to the page in the fragment of its address, which no browser sends and no server logs.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from standin.doors import LOOPBACK, is_own_page, shows_key
from standin.pairing import NotDisplayedError
from standin.world import UnknownDeviceError, World

FILES = Path(__file__).parent / "phone"
PATH = "/phone"
SHOWN_MESSAGES = 20
SHORT_REF = 8
LANGUAGES = {"en": ("ltr", "English"), "ar": ("rtl", "العربية")}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
        "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

T = TypeVar("T")


class Scan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    page: str


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str


class Unlink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    device: int


class Written(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sender: str = msgspec.field(name="from")
    text: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[0-9]{5,20}", self.sender):
            raise ValueError("a phone number is digits only")
        if not 0 < len(self.text.strip()) <= 4000:
            raise ValueError("a message has 1 to 4000 characters")


def phone_app(world: World, key: str) -> web.Application:
    """The application below `/phone`."""
    app = web.Application(middlewares=[_guarded(key), _explained])
    app.on_response_prepare.append(_strict)
    page = _PhonePage(world)
    app.add_routes(
        [
            web.get("", page.index),
            web.get("/state", page.state),
            web.post("/scan", page.scan),
            web.post("/code", page.code),
            web.post("/unlink", page.unlink),
            web.post("/write", page.write),
            web.static("/files", FILES),
        ]
    )
    return app


def _guarded(key: str) -> Middleware:
    """Only the phone's own page may act, and only with the key may anybody look. A name that is not loopback's is
    another site's, bound to this address."""

    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not LOOPBACK.fullmatch(request.host):
            return _refusal(403, "the virtual phone answers at 127.0.0.1 and localhost only")
        if request.method != "GET" and not (is_own_page(request) and request.content_type == "application/json"):
            return _refusal(403, "only the phone's own page may ask for this")
        if not _is_bare_page(request) and not shows_key(request, key):
            return _refusal(401, "the phone's key is required")
        return await handler(request)

    return middleware


def _is_bare_page(request: web.Request) -> bool:
    """The page's own text, style and scripts, which tell nothing of the phone."""
    return request.method == "GET" and (request.path == PATH or request.path.startswith(f"{PATH}/files/"))


@web.middleware
async def _explained(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except NotDisplayedError as error:
        return _refusal(409, str(error))
    except UnknownDeviceError as error:
        return _refusal(404, str(error))
    except (ValueError, msgspec.DecodeError) as error:
        return _refusal(400, str(error))


async def _strict(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


def _refusal(status: int, reason: str) -> web.Response:
    return web.json_response({"error": reason}, status=status)


class _PhonePage:
    def __init__(self, world: World) -> None:
        self._world = world
        self._html = (FILES / "index.html").read_text()

    async def index(self, request: web.Request) -> web.Response:
        language = _language(request)
        other = "en" if language == "ar" else "ar"
        values = {"lang": language, "dir": LANGUAGES[language][0], "other": other, "other_name": LANGUAGES[other][1]}
        html = re.sub(r"\{\{(\w+)\}\}", lambda found: values[found[1]], self._html)
        return web.Response(
            text=html, content_type="text/html", headers={"Content-Language": language, "Vary": "Accept-Language"}
        )

    async def state(self, request: web.Request) -> web.Response:
        """All that the page shows; of a QR code only its beginning, which links nothing."""
        return web.json_response(
            {
                "number": self._world.number,
                "waiting": [_waiting(page) for page in self._world.pages() if page["ref"]],
                "devices": [_device(device) for device in self._world.devices() if device["state"] == "linked"],
                "messages": self._messages(),
            }
        )

    async def scan(self, request: web.Request) -> web.Response:
        device = self._world.scan(page_id=(await _read(request, Scan)).page)
        return web.json_response({"device": device.id})

    async def code(self, request: web.Request) -> web.Response:
        device = self._world.enter_code((await _read(request, Code)).code)
        return web.json_response({"device": device.id})

    async def unlink(self, request: web.Request) -> web.Response:
        return web.json_response({"unlinked": self._world.unlink((await _read(request, Unlink)).device)})

    async def write(self, request: web.Request) -> web.Response:
        """Someone writes to the session. 409 when no device is linked, for then nobody would ever get it."""
        message = await _read(request, Written)
        ids = self._world.incoming(sender=message.sender, text=message.text, count=1)
        return web.json_response({"ids": ids}) if ids else _refusal(409, "no device is linked")

    def _messages(self) -> list[dict[str, Any]]:
        """Both ways, newest first."""
        sent = [_sent(message) for message in self._world.messages(last=SHOWN_MESSAGES)]
        written = [_written(message) for message in self._world.queue(last=SHOWN_MESSAGES)]
        oldest_first = sorted(sent + written, key=lambda message: str(message["at"]))
        return oldest_first[-SHOWN_MESSAGES:][::-1]


def _waiting(page: dict[str, Any]) -> dict[str, Any]:
    return {"key": page["id"], "id": page["id"], "ref": page["ref"][:SHORT_REF], "since": page["since"]}


def _device(device: dict[str, Any]) -> dict[str, Any]:
    shown = {name: device[name] for name in ("id", "linked_at", "logins")}
    return {"key": str(device["id"]), **shown, "connected": device["simultaneous"] > 0}


def _sent(message: dict[str, Any]) -> dict[str, Any]:
    shown = {name: message[name] for name in ("to", "text", "at")}
    return {"key": f"{message['device']}:{message['id']}", **shown}


def _written(message: dict[str, Any]) -> dict[str, Any]:
    shown = {name: message[name] for name in ("from", "text", "at")}
    return {"key": f"{message['device']}:{message['id']}", **shown, "delivered": message["delivered_at"] is not None}


def _language(request: web.Request) -> str:
    """The one asked for, else the browser's first."""
    asked = request.query.get("lang", "")
    first = request.headers.get("Accept-Language", "")[:2].lower()
    return next((language for language in (asked, first) if language in LANGUAGES), "en")


async def _read(request: web.Request, shape: type[T]) -> T:
    return msgspec.json.decode(await request.read(), type=shape)
