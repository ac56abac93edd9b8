"""QR codes as images, drawn once for each text. In every theme they are black on white with a quiet zone, because
phones need both."""

from __future__ import annotations

import base64
import io
from functools import lru_cache

import segno


class QrImages:
    """Implements ports.QrImages."""

    def png(self, text: str) -> bytes:
        return _png(text)

    def svg(self, text: str) -> bytes:
        return _svg(text)

    def data_url(self, text: str) -> str:
        return "data:image/png;base64," + base64.b64encode(_png(text)).decode()


@lru_cache(maxsize=16)
def _png(text: str) -> bytes:
    out = io.BytesIO()
    segno.make_qr(text, error="m").save(out, kind="png", scale=6, border=4, dark="black", light="white")
    return out.getvalue()


@lru_cache(maxsize=16)
def _svg(text: str) -> bytes:
    out = io.BytesIO()
    segno.make_qr(text, error="m").save(
        out, kind="svg", scale=6, border=4, dark="black", light="white", omitsize=True, svgclass=None, lineclass=None
    )
    return out.getvalue()
