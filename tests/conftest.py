"""Real servers for the tests. They are shared where nothing is killed; tests that kill one start their own."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import settings
from longest_first import LONGEST_FIRST
from whole_system import System

from shared.bus import Bus, create_streams
from shared.clock import SystemClock
from shared.testing import NatsServer, S3Server, bus_environment, options_for_tests

TESTS = Path(__file__).parent

# Every service that a test starts believes the test, which plays the other services.
os.environ.update(bus_environment())

# A busy machine is slow; how long an example takes is no fault of the product.
settings.register_profile("no deadline", deadline=None)
settings.load_profile("no deadline")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files that take long come first, so that none is left over when the other workers have nothing more to do."""
    ranks = {TESTS / name: rank for rank, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


@pytest.fixture(scope="module")
def nats(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One nats-server for the tests of a module; use session ids of your own. For killing, start another."""
    server = NatsServer()
    try:
        yield server.start(tmp_path_factory.mktemp("nats"))
    finally:
        server.stop()


@pytest.fixture
def nats_url(nats: NatsServer) -> str:
    return nats.url


@pytest.fixture
async def bus(nats_url: str, clock: SystemClock) -> AsyncIterator[Bus]:
    """Connected, with buckets and streams made."""
    connected = await Bus.connect(options_for_tests(nats_url), clock=clock)
    try:
        await create_streams(connected)
        yield connected
    finally:
        await connected.drain()


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """One S3 server for all tests; use prefixes or sessions of your own. For killing, start another."""
    server = S3Server()
    try:
        yield server.start(tmp_path_factory.mktemp("s3"))
    finally:
        server.stop()


@pytest.fixture
def clock() -> SystemClock:
    return SystemClock()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows what the system itself wrote: its folder is gone where the tests ran on another machine."""
    report = yield
    system = getattr(item, "funcargs", {}).get("system")
    if report.failed and isinstance(system, System):
        report.sections += system.last_log_lines()
    return report
