"""The walk of a test message from the HTTP request to the page: few files, and none of them twice on the way down.

The test records every file of the product that works for one request, on the real bus and in a real browser. A change
that adds a file to the walk fails here, and `ARCHITECTURE.md` must name the files in their order.
"""

from __future__ import annotations

import asyncio
import re
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from browser_stage import BrowserStage, browser_stage, send_ready
from fake_worker import World
from gateway_stage import API, API_KEY, SESSION
from playwright.async_api import Page
from pydantic import SecretStr

from browser_worker.adapters.browser.chromium import ChromiumBrowser
from browser_worker.handlers import SessionCommands
from browser_worker.runner.session_runner import SessionRunner
from gateway.bootstrap import Gateway
from gateway.settings import GatewaySettings
from shared.bus import Bus
from shared.clock import SystemClock
from shared.contracts import subjects
from shared.contracts.sessions import SessionStatus
from shared.contracts.telemetry import WorkerHeartbeat
from shared.testing import NatsServer, eventually

pytestmark = pytest.mark.browser

ROOT = Path(__file__).resolve().parents[3]
MOST_FILES = 20
REQUEST_THREAD = "http-request"
TASKS_OF_THE_REQUEST = frozenset({"Bus.request", "RequestServer._serve"})
"""Names of the coroutines that work for the request; the other tasks of the two event loops work for nobody."""
ENDS_OF_CHAINS = ("BusThread.ask_owner", "Connection.request", "PageDriver.send")
"""Where a chain of calls ends: the request's thread, the gateway's event loop, the worker's event loop."""
SENDING = "ready_ms"
"""An option that only the page's script for sending is given."""


class Walk:
    """Records the product's files: `files` in the order in which the request first enters them, `chains` as the calls
    that lead to each of ENDS_OF_CHAINS."""

    def __init__(self) -> None:
        self.files: list[str] = []
        self.chains: dict[str, list[str]] = {}
        self._ended = False

    def profile(self, frame: FrameType, event: str, _argument: Any) -> None:
        """Fits sys.setprofile."""
        name = _product_file(frame)
        if event != "call" or self._ended or name is None or not _works_for_the_request():
            return
        if name not in self.files:
            self.files.append(name)
        if frame.f_code.co_qualname in ENDS_OF_CHAINS:
            self.chains[frame.f_code.co_qualname] = _chain(frame)

    def end(self) -> None:
        """The page has been reached."""
        self._ended = True


def _product_file(frame: FrameType) -> str | None:
    path = Path(frame.f_code.co_filename)
    if frame.f_code.co_name in ("<module>", "<lambda>") or not path.is_relative_to(ROOT):
        return None
    inside = path.relative_to(ROOT)
    ours = inside.parts[0] in ("services", "shared") and "testing" not in inside.parts
    return str(inside) if ours else None


def _works_for_the_request() -> bool:
    if threading.current_thread().name == REQUEST_THREAD:
        return True
    try:
        task = asyncio.current_task()
    except RuntimeError:
        return False
    return getattr(task.get_coro(), "__qualname__", "") in TASKS_OF_THE_REQUEST if task else False


def _chain(frame: FrameType | None) -> list[str]:
    """The files of the calls that lead to `frame`, outermost first; a file that calls itself counts once."""
    files: list[str] = []
    while frame is not None:
        name = _product_file(frame)
        if name is not None and (not files or files[-1] != name):
            files.append(name)
        frame = frame.f_back
    return files[::-1]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[BrowserStage]:
    with browser_stage(tmp_path) as made:
        yield made


@asynccontextmanager
async def connected_session(stage: BrowserStage, bus: Bus, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[None]:
    """A session that a worker in this process owns, in a real browser that is linked already."""
    async with stage.linked() as browser:
        await send_ready(browser)

        async def launched_already(*_: object) -> None: ...

        async def publish_status(status: SessionStatus) -> None:
            await bus.bucket(subjects.STATUS_BUCKET, SessionStatus).put(SESSION, status)

        monkeypatch.setattr(ChromiumBrowser, "launch", launched_already)
        parts = World().dependencies(session=SESSION, browser=browser, publish_status=publish_status)
        runner = SessionRunner(parts, epoch=1)
        commands = SessionCommands(bus, SESSION, runner.control, SystemClock())
        tasks = [asyncio.create_task(runner.run(1)), asyncio.create_task(_send_heartbeats(bus))]
        await commands.start()
        try:
            yield
        finally:
            await commands.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _send_heartbeats(bus: Bus) -> None:
    subject = subjects.telemetry("browser-worker", "heartbeat", "w")
    while True:
        now = SystemClock().now()
        await bus.publish(
            subject, WorkerHeartbeat(worker="w", at=now, sessions=(SESSION,), command_key=bus.command_key)
        )
        await asyncio.sleep(0.2)


async def walk_of_a_message(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> Walk:
    walk = Walk()
    body = {"action": "send-test-message", "phoneNumber": "201234567890", "message": "hello"}
    answers: list[Any] = []

    def post(profile: Any) -> None:
        sys.setprofile(profile)
        answers.append(gateway.app.test_client().post(API, json=body, headers={"X-API-Key": API_KEY}))

    await asyncio.to_thread(post, None)  # fills what is read once a process, such as the page's scripts

    evaluate = Page.evaluate

    async def reached(page: Page, script: str, argument: Any = None) -> Any:
        if isinstance(argument, dict) and SENDING in argument:
            walk.end()
        return await evaluate(page, script, argument)

    monkeypatch.setattr(Page, "evaluate", reached)
    loop_of_the_gateway = gateway.bus._loop
    assert loop_of_the_gateway is not None
    loop_of_the_gateway.call_soon_threadsafe(sys.setprofile, walk.profile)
    sys.setprofile(walk.profile)
    try:
        request = threading.Thread(target=post, args=(walk.profile,), name=REQUEST_THREAD)
        request.start()
        await eventually(lambda: not request.is_alive(), timeout=20)
    finally:
        sys.setprofile(None)
        loop_of_the_gateway.call_soon_threadsafe(sys.setprofile, None)
    assert [answer.status_code for answer in answers] == [200, 200]
    return walk


async def test_a_test_message_walks_through_few_files_and_the_architecture_names_them(
    stage: BrowserStage, nats: NatsServer, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = Gateway(GatewaySettings(nats_url=nats.url, api_key=SecretStr(API_KEY)))
    async with connected_session(stage, bus, monkeypatch):
        gateway.begin()
        try:
            await eventually(lambda: gateway.view.ready()[0] and gateway.view.session(SESSION).connected, timeout=20)
            walk = await walk_of_a_message(gateway, monkeypatch)
        finally:
            gateway.end()
    assert len(walk.files) <= MOST_FILES, "\n".join(walk.files)
    assert walk.files[-1].endswith("adapters/browser/page_driver.py")
    down = [name for end in ENDS_OF_CHAINS for name in walk.chains[end]]
    down = [name for name, before in zip(down, ["", *down], strict=False) if name != before]
    assert len(down) == len(set(down)), f"a file is entered twice on the way down: {down}"
    section = (ROOT / "ARCHITECTURE.md").read_text().partition("## The walk of a test message")[2].partition("\n## ")[0]
    assert re.findall(r"`((?:services|shared)/[^`]+\.py)`", section) == walk.files
