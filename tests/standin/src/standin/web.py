"""The page's own server: the HTML with its strict policy, the scripts, the QR matrix, the websocket.

Under the nonce policy only script tags with the nonce run, so no script is written inline.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from pathlib import Path

import msgspec
import segno
from aiohttp import WSMsgType, web
from aiohttp.typedefs import Handler, Middleware

from standin.doors import SITE, has_own_origin, is_page
from standin.page_socket import PageSocket
from standin.pairing import NotDisplayedError
from standin.phone_page import PATH as PHONE
from standin.phone_page import phone_app
from standin.world import World

PAGE = Path(__file__).parent / "page"
SOCKET = "/ws/chat"
SCRIPTS = (
    "runtime.js",
    "storage.js",
    "modules/base.js",
    "modules/ids.js",
    "modules/state.js",
    "modules/pairing.js",
    "modules/contacts.js",
    "modules/messages.js",
    "modules/actions.js",
    "modules/quiet.js",
    "identity.js",
    "transport.js",
    "history.js",
    "invariants.js",
    "mailbox.js",
    "session.js",
    "ui.js",
    "main.js",
)
FILLER = (
    '__d("WAWebFiller{0}",[],function(g,r,d,n,l,m,e){{function f{0}(a){{return a==null?null:String(a).length+{0}}}'
    "e.filler{0}=f{0};e.FILLER_KIND_{0}={{name:'filler{0}',weight:{0}}}}},98);"
)


def page_app(world: World, key: str) -> web.Application:
    """The application behind `web_url` and the TLS port. A site answers everybody, but another site's page changes
    nothing here."""
    app = web.Application(middlewares=[_faulty(world), _own_pages_alone])
    app.on_response_prepare.append(_fresh)
    server = _PageServer(world)
    app.add_routes(
        [
            web.get("/", server.index),
            web.get(SOCKET, server.socket),
            web.get("/fillers.js", server.fillers),
            web.post("/qr", server.qr),
            web.post("/virtual-phone/scan", server.scan),
            web.get("/favicon.ico", server.no_icon),
            web.static("/page", PAGE),
        ]
    )
    app.add_subapp(PHONE, phone_app(world, key))
    return app


def _faulty(world: World) -> Middleware:
    @web.middleware
    async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
        if _is_site(request.path) and world.faults.http == "error":
            raise web.HTTPServiceUnavailable(text="the stand-in was told to fail")
        if _is_site(request.path) and world.faults.http == "hang":
            await asyncio.Event().wait()
        return await handler(request)

    return middleware


@web.middleware
async def _own_pages_alone(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse another site's page that would change something: a POST, or a websocket, which is a visit of the site."""
    foreign = is_page(request) and not has_own_origin(request)
    if request.path == SOCKET and foreign:
        raise web.HTTPForbidden(text="only the site's own pages may visit it")
    if request.method not in ("GET", "HEAD") and _is_site(request.path):
        if not SITE.fullmatch(request.host):
            raise web.HTTPForbidden(text="the site has no such name")
        if foreign:
            raise web.HTTPForbidden(text="only the site's own pages may ask for this")
    return await handler(request)


def _is_site(path: str) -> bool:
    """HTTP faults apply to the site's pages. The websocket has its own faults, and the phone is not the site."""
    return path not in (SOCKET, PHONE) and not path.startswith(f"{PHONE}/")


async def _fresh(request: web.Request, response: web.StreamResponse) -> None:
    """A restarted stand-in keeps its origin, and a browser must not run the scripts of an earlier version."""
    response.headers.setdefault("Cache-Control", "no-cache")


class _PageServer:
    def __init__(self, world: World) -> None:
        self._world = world
        self._html = (PAGE / "index.html").read_text()

    async def index(self, request: web.Request) -> web.Response:
        nonce = secrets.token_urlsafe(12)
        settings = self._world.settings
        config = {
            "version": settings.version,
            "modules": msgspec.to_builtins(self._world.faults.modules),
            "fillers": settings.fillers,
        }
        sources = [f"/page/{name}" for name in SCRIPTS]
        if settings.fillers:
            sources.insert(1, f"/fillers.js?count={settings.fillers}")
        scripts = "\n".join(f'<script nonce="{nonce}" src="{source}"></script>' for source in sources)
        html = self._html.replace("{{nonce}}", nonce).replace("{{scripts}}", scripts)
        html = html.replace("{{config}}", json.dumps(config).replace("<", "\\u003c"))
        headers = _policy(nonce)
        if self._world.faults.hostile:
            del headers["Content-Security-Policy"]
        return web.Response(text=html, content_type="text/html", headers=headers)

    async def fillers(self, request: web.Request) -> web.Response:
        count = min(int(request.query["count"]), 100_000)
        text = "\n".join(FILLER.format(number) for number in range(count))
        return web.Response(text=text, content_type="text/javascript", headers={"Cache-Control": "max-age=86400"})

    async def qr(self, request: web.Request) -> web.Response:
        """The matrix of a QR code as rows of 0 and 1. The text comes in the body, which no log shows."""
        code = segno.make((await request.text())[:2000], error="l", micro=False)
        rows = ["".join(str(module) for module in row) for row in code.matrix]
        return web.json_response(rows)

    async def scan(self, request: web.Request) -> web.Response:
        """The button on the page: the virtual phone scans this very page."""
        if request.headers.get("X-Standin-Page") is None:
            raise web.HTTPForbidden(text="only the page's own button may ask for this")
        try:
            device = self._world.scan(page_id=request.headers["X-Standin-Page"])
        except NotDisplayedError as error:
            raise web.HTTPConflict(text=str(error)) from None
        return web.json_response({"device": device.id})

    async def no_icon(self, request: web.Request) -> web.Response:
        return web.Response(status=204)

    async def socket(self, request: web.Request) -> web.StreamResponse:
        if not self._world.faults.accept_sockets:
            raise web.HTTPServiceUnavailable(text="sockets are refused")
        socket = web.WebSocketResponse(autoping=False, max_msg_size=1 << 20, timeout=2)
        await socket.prepare(request)
        page = PageSocket(socket, request)
        self._world.arrive(page)
        try:
            await self._listen(socket, page)
        finally:
            self._world.depart(page)
            await page.finish()
        return socket

    async def _listen(self, socket: web.WebSocketResponse, page: PageSocket) -> None:
        async for message in socket:
            if message.type == WSMsgType.PONG:
                page.answered()
            elif message.type == WSMsgType.PING:
                await socket.pong(message.data)
            elif message.type == WSMsgType.TEXT:
                # A login waits for the probe of an earlier page; this page sends nothing before it has the answer.
                await self._world.hear(page, json.loads(message.data))


def _policy(nonce: str) -> dict[str, str]:
    return {
        "Content-Security-Policy": (
            "default-src 'self'; "
            f"script-src 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}'; "
            "img-src 'self' data: blob:; connect-src 'self'; object-src 'none'; base-uri 'none'; "
            "frame-ancestors 'none'"
        ),
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }
