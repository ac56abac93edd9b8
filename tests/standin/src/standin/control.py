"""The control API of the tests: what the phone does, messages to the account, injected faults. See README.md.

The API is for programs that hold the stand-in's key. No page has any business here, its own included.
"""

from __future__ import annotations

import json
from typing import Any, TypeVar

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from standin.doors import LOOPBACK, is_page, shows_key
from standin.pairing import NotDisplayedError
from standin.world import UnknownDeviceError, World

T = TypeVar("T")


class Scan(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str | None = None
    page: str | None = None


class EnterCode(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str


class Unlink(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    device: int | None = None


class Incoming(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str
    sender: str = msgspec.field(default="201234567890", name="from")
    count: int = 1


class Receipt(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: str
    kind: str = "read"


class Hang(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    ms: int


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    script: str


def control_app(world: World, key: str) -> web.Application:
    """The application behind `control_url`."""
    control = _Control(world)
    app = web.Application(middlewares=[_locked(key), _explained])
    app.add_routes(
        [
            web.get("/health", control.health),
            web.get("/devices", control.devices),
            web.get("/pages", control.pages),
            web.get("/messages", control.messages),
            web.get("/incoming", control.queue),
            web.get("/faults", control.faults),
            web.get("/settings", control.settings),
            web.post("/phone/scan", control.scan),
            web.post("/phone/enter-code", control.enter_code),
            web.post("/phone/unlink", control.unlink),
            web.post("/incoming", control.incoming),
            web.post("/receipts", control.receipt),
            web.post("/history", control.history),
            web.post("/faults", control.set_faults),
            web.post("/settings", control.set_settings),
            web.post("/socket/drop", control.drop),
            web.post("/conflict", control.conflict),
            web.post("/pages/hang", control.hang),
            web.post("/pages/run", control.run),
            web.post("/reset", control.reset),
        ]
    )
    return app


def _locked(key: str) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not LOOPBACK.fullmatch(request.host):
            return _refusal(403, "the control API answers at 127.0.0.1 and localhost only")
        if is_page(request):
            return _refusal(403, "the control API answers no page")
        if not shows_key(request, key):
            return _refusal(401, "the stand-in's key is required, as Authorization: Bearer")
        if request.method == "POST" and request.content_type != "application/json":
            return _refusal(415, "a POST is JSON")
        return await handler(request)

    return middleware


def _refusal(status: int, reason: str) -> web.Response:
    return web.json_response({"error": reason}, status=status)


@web.middleware
async def _explained(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Each refusal is JSON with one sentence."""
    try:
        return await handler(request)
    except NotDisplayedError as error:
        return _refusal(409, str(error))
    except UnknownDeviceError as error:
        return _refusal(404, str(error))
    except (ValueError, msgspec.DecodeError) as error:
        return _refusal(400, str(error))


class _Control:
    def __init__(self, world: World) -> None:
        self._world = world

    async def health(self, request: web.Request) -> web.Response:
        return web.json_response({"ok": True})

    async def devices(self, request: web.Request) -> web.Response:
        return web.json_response(self._world.devices())

    async def pages(self, request: web.Request) -> web.Response:
        return web.json_response(self._world.pages())

    async def messages(self, request: web.Request) -> web.Response:
        return web.json_response(self._world.messages())

    async def queue(self, request: web.Request) -> web.Response:
        return web.json_response(self._world.queue())

    async def faults(self, request: web.Request) -> web.Response:
        return _struct(self._world.faults)

    async def settings(self, request: web.Request) -> web.Response:
        return _struct(self._world.settings)

    async def scan(self, request: web.Request) -> web.Response:
        body = await _read(request, Scan)
        return web.json_response({"device": self._world.scan(body.text, body.page).id})

    async def enter_code(self, request: web.Request) -> web.Response:
        return web.json_response({"device": self._world.enter_code((await _read(request, EnterCode)).code).id})

    async def unlink(self, request: web.Request) -> web.Response:
        return web.json_response({"unlinked": self._world.unlink((await _read(request, Unlink)).device)})

    async def incoming(self, request: web.Request) -> web.Response:
        body = await _read(request, Incoming)
        ids = self._world.incoming(sender=body.sender, text=body.text, count=body.count)
        return web.json_response({"ids": ids})

    async def receipt(self, request: web.Request) -> web.Response:
        body = await _read(request, Receipt)
        return web.json_response({"told": self._world.receipt(body.id, body.kind)})

    async def history(self, request: web.Request) -> web.Response:
        return _struct(self._world.set_settings({"history": await _object(request)}).history)

    async def set_faults(self, request: web.Request) -> web.Response:
        return _struct(self._world.set_faults(await _object(request)))

    async def set_settings(self, request: web.Request) -> web.Response:
        return _struct(self._world.set_settings(await _object(request)))

    async def drop(self, request: web.Request) -> web.Response:
        return web.json_response({"dropped": self._world.drop_sockets()})

    async def conflict(self, request: web.Request) -> web.Response:
        return web.json_response({"conflicts": self._world.foreign_login()})

    async def hang(self, request: web.Request) -> web.Response:
        return web.json_response({"hung": self._world.hang_pages((await _read(request, Hang)).ms)})

    async def run(self, request: web.Request) -> web.Response:
        return web.json_response({"run": self._world.run((await _read(request, Run)).script)})

    async def reset(self, request: web.Request) -> web.Response:
        self._world.reset()
        return web.json_response({"ok": True})


def _struct(value: msgspec.Struct) -> web.Response:
    return web.json_response(body=msgspec.json.encode(value))


async def _read(request: web.Request, shape: type[T]) -> T:
    return msgspec.json.decode(await request.read() or b"{}", type=shape)


async def _object(request: web.Request) -> dict[str, Any]:
    value = json.loads(await request.read() or b"{}")
    if not isinstance(value, dict):
        raise ValueError("a JSON object is expected")
    return value
