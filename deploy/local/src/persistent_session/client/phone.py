"""The virtual phone of the demo, through the stand-in's control API."""

from __future__ import annotations

from typing import Any

import httpx

from persistent_session.client.answers import printable
from persistent_session.errors import CliError, ExitCode

SECONDS = 10.0


def opened_phone(url: str, key: str) -> str:
    """The address of the phone's page that opens it in a browser; no browser sends what stands after the #."""
    return f"{url}#key={key}"


class VirtualPhone:
    def __init__(self, control_url: str, key: str, *, transport: httpx.BaseTransport | None = None) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self._http = httpx.Client(
            base_url=control_url, headers=headers, timeout=SECONDS, trust_env=False, transport=transport
        )

    def scan(self) -> int:
        """Scan the QR code shown now; the number of the linked device. Raises CliError when no code is shown."""
        return int(self._ask("POST", "/phone/scan", {})["device"])

    def enter_code(self, code: str) -> int:
        return int(self._ask("POST", "/phone/enter-code", {"code": code})["device"])

    def unlink(self) -> list[int]:
        return [int(device) for device in self._ask("POST", "/phone/unlink", {})["unlinked"]]

    def devices(self) -> list[dict[str, Any]]:
        return list(self._ask("GET", "/devices", None))

    def messages(self) -> list[dict[str, Any]]:
        return list(self._ask("GET", "/messages", None))

    def _ask(self, method: str, path: str, body: dict[str, str] | None) -> Any:
        try:
            response = self._http.request(method, path, json=body)
        except httpx.HTTPError:
            raise CliError(
                "the stand-in does not answer", hint="is the demo running?", code=ExitCode.NOT_RUNNING
            ) from None
        found = printable(response.json())
        if response.is_success:
            return found
        raise CliError(str(found.get("error", "the stand-in refused")) if isinstance(found, dict) else "refused")
