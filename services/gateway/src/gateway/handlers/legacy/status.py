"""GET /api/whatsapp/persistent-session, the same as a stream of events, and the QR code as an image."""

from __future__ import annotations

from flask import Blueprint, Response, g, request

from gateway.handlers import inputs, replies
from gateway.handlers.event_stream import EventStream, StreamSlots, event_response
from gateway.handlers.guard import Guard
from gateway.ports import QrImages
from gateway.usecases import UseCases
from shared.contracts.metrics import GATEWAY_STREAMS
from shared.runtime import Metrics

from . import PATH
from .status_renderer import StatusRenderer

WITH_KEY = "key"
"""The holder of the streams that were opened with the API key and not with a login."""


def blueprint(
    use_cases: UseCases,
    guard: Guard,
    renderer: StatusRenderer,
    qr_images: QrImages,
    metrics: Metrics,
    *,
    max_streams: int,
) -> Blueprint:
    routes = Blueprint("legacy_status", __name__)
    slots = StreamSlots(max_streams)
    metrics.gauge(GATEWAY_STREAMS).set_function(lambda: slots.taken)

    def asked_session() -> str:
        return use_cases.read_status.existing(inputs.session(request.args.get("session", "")))

    @routes.get(PATH)
    def status() -> Response:
        return replies.json_bytes(renderer.encoded(asked_session()))

    @routes.get(f"{PATH}/events")
    def events() -> Response:
        session = asked_session()
        renderer.encoded(session)  # raises before the stream begins, while an error can still be answered
        last_id = request.headers.get("Last-Event-ID", "")
        login = g.login.id if g.login else WITH_KEY
        stream = EventStream(
            use_cases.follow_status, slots, login, lambda: renderer.encoded(session), last_id, guard.still_allowed()
        )
        return event_response(stream)

    @routes.get(f"{PATH}/qr.png")
    def qr_png() -> Response:
        return _image(qr_images.png(use_cases.read_status.qr(asked_session())), "image/png")

    @routes.get(f"{PATH}/qr.svg")
    def qr_svg() -> Response:
        return _image(qr_images.svg(use_cases.read_status.qr(asked_session())), "image/svg+xml")

    return routes


def _image(data: bytes, kind: str) -> Response:
    return Response(data, mimetype=kind, headers={"Cache-Control": "no-store"})
