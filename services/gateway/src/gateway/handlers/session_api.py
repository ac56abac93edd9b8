"""GET and POST /api/whatsapp/persistent-session, wire-compatible with the old clients, and the QR as an image."""

from __future__ import annotations

import threading

from flask import Blueprint, Response, request

from gateway.domain import inputs
from gateway.domain.refusals import Busy, WorkerGone
from shared.contracts.errors import NotFound, NotRunning, ServiceError, Unavailable
from shared.contracts.metrics import GATEWAY_ACTIONS
from shared.contracts.sessions import State
from shared.runtime import get_logger

from . import replies
from .actions import perform
from .door import Deadline, Door, StatusBytes
from .guard import limit

PATH = "/api/whatsapp/persistent-session"


def blueprint(door: Door, rendered: StatusBytes) -> Blueprint:
    routes = Blueprint("session_api", __name__)
    commands = threading.BoundedSemaphore(door.limits.commands)
    counted = door.metrics.counter(GATEWAY_ACTIONS)

    @routes.get(PATH)
    def status() -> Response:
        return replies.json_bytes(rendered.get(known_session(door, request.args.get("session", ""))))

    @routes.post(PATH)
    def action() -> Response:
        deadline = Deadline(door.clock)
        asked = _read(door)
        if not commands.acquire(blocking=False):
            raise Busy("too many commands are under way", retry_after=2)
        code = "internal"
        try:
            done = perform(door, asked, inputs.command_id(request.headers.get("Idempotency-Key", "")), deadline)
            code = "ok"
            return replies.json(done.body, done.http_status)
        except NotRunning as error:
            error = _worker_gone(error)
            code = error.code
            raise error from None
        except ServiceError as error:
            code = error.code
            raise
        finally:
            commands.release()
            counted.labels(asked.action, code).inc()
            get_logger().info("action", action=asked.action, session=asked.session or door.client_id, result=code)

    @routes.get(f"{PATH}/qr.png")
    def qr_png() -> Response:
        return _image(door.qr_images.png(_qr(door)), "image/png")

    @routes.get(f"{PATH}/qr.svg")
    def qr_svg() -> Response:
        return _image(door.qr_images.svg(_qr(door)), "image/svg+xml")

    return routes


def known_session(door: Door, text: str) -> str:
    """The session meant by `?session=`; the default one always exists. Raises Invalid, NotFound."""
    session = inputs.session(text) or door.client_id
    if session != door.client_id and door.view.loaded and not door.view.facts(session).known:
        raise NotFound("no such session", hint="initialize makes it")
    return session


def _read(door: Door) -> inputs.Request:
    """The request in the body, its rate limit taken."""
    limit(door, lambda limits: limits.actions, "all")
    asked = inputs.request(request.get_data())
    if asked.action == "send-test-message":
        limit(door, lambda limits: limits.test_messages, "all")
    if not door.view.bus_connected:
        raise Unavailable(
            "NATS cannot be reached, nothing can be asked of the worker", hint="the state shown may be old"
        )
    return asked


def _worker_gone(error: NotRunning) -> NotRunning:
    """The bus's "nobody serves this" in the words of the old endpoint."""
    if isinstance(error, WorkerGone) or error.code != NotRunning.code:
        return error
    return WorkerGone("the worker that owns the session does not answer", hint=error.hint)


def _qr(door: Door) -> str:
    """The text to encode. Raises NotFound when there is nothing to scan."""
    facts = door.view.facts(known_session(door, request.args.get("session", "")))
    pairing = facts.status.pairing if facts.status and facts.owner and facts.state is State.PAIRING else None
    if pairing is None or pairing.qr is None:
        raise NotFound("there is no QR code now", code="no_qr", hint=f"state: {facts.state}")
    return pairing.qr


def _image(data: bytes, kind: str) -> Response:
    return Response(data, mimetype=kind, headers={"Cache-Control": "no-store"})
