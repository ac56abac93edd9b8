"""The gateway's REST API. Raises CliError with one line for a person; no text repeats the key.

The trap: after a timeout of a send nobody knows whether the message went out, so nothing here sends a request twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any
from urllib.parse import quote

import httpx

from persistent_session.client import answers
from persistent_session.errors import CliError, ExitCode
from shared.clock import Clock

PATH = "/api/whatsapp/persistent-session"
LOGINS = f"{PATH}/logins"
SECONDS = 8.0
"""The gateway answers every request within 5 s."""
START = "start the system with `make up`, or name another with --url"


def _header(key: str) -> dict[str, str]:
    return {"X-API-Key": key} if key else {}


class Gateway:
    """Blocking, for commands. A context manager."""

    def __init__(self, url: str, key: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self.url = url.rstrip("/")
        try:
            self._http = httpx.Client(
                base_url=self.url, headers=_header(key), timeout=SECONDS, trust_env=False, transport=transport
            )
        except (httpx.InvalidURL, UnicodeEncodeError):
            raise CliError(
                f"{url} is no address, or the API key holds characters that no key has", code=ExitCode.USAGE
            ) from None

    def __enter__(self) -> Gateway:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._http.close()

    def status(self) -> dict[str, Any]:
        return self._ask("GET", None)

    def action(self, action: str, **fields: str) -> dict[str, Any]:
        return self._ask("POST", {"action": action, **{name: value for name, value in fields.items() if value}})

    def logins(self) -> list[dict[str, Any]]:
        """The logins of the page, the newest first."""
        return list(self._ask("GET", None, path=LOGINS)["logins"])

    def end_logins(self, login_id: str = "") -> dict[str, Any]:
        """End the login `login_id`, or all of them."""
        return self._ask("DELETE", None, path=f"{LOGINS}/{quote(login_id, safe='')}" if login_id else LOGINS)

    def _ask(self, method: str, body: Mapping[str, str] | None, *, path: str = PATH) -> dict[str, Any]:
        try:
            response = self._http.request(method, path, json=body)
        except httpx.TimeoutException:
            raise CliError(f"the gateway at {self.url} does not answer in time", hint="look at its log") from None
        except (httpx.HTTPError, httpx.InvalidURL):
            raise CliError(f"nothing answers at {self.url}", hint=START, code=ExitCode.NOT_RUNNING) from None
        return _checked(response)


def _checked(response: httpx.Response) -> dict[str, Any]:
    answer = _json(response)
    if response.is_success and answer.get("success") is True:
        return answer
    hint = str(answer.get("hint") or "")
    denied = (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN)
    if response.status_code in denied or answer.get("code") == "too_many_wrong_keys":
        raise CliError("the API key is wrong or absent", hint="set API_KEY or API_KEY_FILE", code=ExitCode.DENIED)
    if not answer.get("error"):
        raise CliError(f"an answer that is not the gateway's (HTTP {response.status_code})", hint="check the address")
    raise CliError(str(answer["error"]), hint=hint)


def _json(response: httpx.Response) -> dict[str, Any]:
    with suppress(ValueError):
        found = answers.printable(response.json())
        if isinstance(found, dict):
            return found
    return {}


class AsyncGateway:
    """For the supervisor: asks once for a running session, then reads its state. It reports no failure, because the
    supervisor reports a gateway that is gone."""

    def __init__(self, url: str, key: str, *, transport: httpx.AsyncBaseTransport | None = None) -> None:
        self._http = httpx.AsyncClient(
            base_url=url, headers=_header(key), timeout=SECONDS, trust_env=False, transport=transport
        )
        self._new_report = answers.NewReport()

    async def __aenter__(self) -> AsyncGateway:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.aclose()

    async def initialize(self, clock: Clock, *, seconds: float = 20.0) -> bool:
        """Ask for a running session, within `seconds`. True once the gateway has taken the request. A 503 means that no
        worker is there yet, so the request is made again."""
        until = clock.monotonic() + seconds
        while clock.monotonic() < until:
            with suppress(httpx.HTTPError):
                if (await self._http.post(PATH, json={"action": "initialize"})).is_success:
                    return True
            await clock.sleep(0.5)
        return False

    async def one_line(self) -> str:
        """The session's state for a person; "" when it cannot be read now, or when it comes from an earlier run."""
        try:
            response = await self._http.get(PATH)
        except httpx.HTTPError:
            return ""
        answer = _json(response)
        fresh = self._new_report.seen_in(answer) or not answers.is_connected(answer)
        return answers.one_line(answer) if response.is_success and fresh else ""
