"""The status in the old clients' shape, as a value and as bytes."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from gateway.domain.observed import ObservedSession
from gateway.domain.system_info import SystemInfo
from gateway.ports import QrImages
from gateway.usecases.read_status import ReadStatus
from shared.clock import Clock

from . import serializer


class StatusRenderer:
    """Encodes the answer to GET once for each change and second, however many clients ask."""

    def __init__(
        self, read_status: ReadStatus, qr_images: QrImages, system: Callable[[], SystemInfo], clock: Clock
    ) -> None:
        self._read_status = read_status
        self._qr_images = qr_images
        self._system = system
        self._clock = clock
        self._encoded: dict[str, tuple[tuple[int, int], bytes]] = {}

    def render(self, observed: ObservedSession) -> serializer.Json:
        qr = observed.status.pairing.qr if observed.status else None
        image = self._qr_images.data_url(qr) if qr else None
        return serializer.status_answer(observed, self._system(), image)

    def encoded(self, session: str) -> bytes:
        """JSON. Raises Unavailable until the present state was read once."""
        stamp = (self._read_status.version(), int(self._clock.monotonic()))
        encoded = self._encoded.get(session)
        if encoded is not None and encoded[0] == stamp:
            return encoded[1]
        data = msgspec.json.encode(self.render(self._read_status(session)))
        self._encoded[session] = (stamp, data)
        return data
