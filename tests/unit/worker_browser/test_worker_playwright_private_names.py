"""The private names of Playwright that the worker uses: they are there, in the version that the requirements pin."""

from __future__ import annotations

import inspect
import tomllib
from importlib.metadata import version
from pathlib import Path

import playwright._impl.out_of_process
from playwright._impl.connection import Connection
from playwright._impl.transport import PipeTransport

from browser_worker.adapters.browser import driver_process

WORKER = Path(__file__).parents[3] / "services/browser-worker"


def test_playwright_is_the_minor_version_whose_private_names_are_used() -> None:
    needs = tomllib.loads((WORKER / "pyproject.toml").read_text())["project"]["dependencies"]
    assert "playwright>=1.65,<1.66" in needs
    assert version("playwright").startswith("1.65.")


def test_playwright_still_makes_its_connection_as_it_is_made_here() -> None:
    """Fails when a new version of Playwright changes the parts that `driver_process` is made of."""
    own = inspect.getsource(playwright._impl.out_of_process)
    for step in (
        "Connection(loop, ",
        "connection.onmessage = lambda message: transport.send(message)",
        "transport.on_message = on_message",
        "connection.dispatch(message)",
        "connection._on_event_listener_error(error)",
        "await self._transport.connect()",
        "asyncio.ensure_future(self._transport.run())",
        "connection.close()",
        "connection.initialize_playwright()",
        "self._transport.request_stop()",
    ):
        assert step in own, step
    spawning = inspect.getsource(PipeTransport.connect)
    for name in ("self._stopped_future", "self._proc", "self._output", "get_driver_env()", '"run-driver"'):
        assert name in spawning, name
    assert list(inspect.signature(driver_process.compute_driver_executable).parameters) == []
    assert {"dispatch", "close", "initialize_playwright", "_on_event_listener_error"} <= set(dir(Connection))
