"""What NATS keeps on disk: encrypted, also what an earlier version wrote, and out of reach without its key."""

from __future__ import annotations

import string
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from persistent_session.services.bus_users import BUS_USERS, GATEWAY, MONITOR, SETUP, WORKER
from persistent_session.stack import nats
from shared.bus import Bus, BusOptions, create_streams
from shared.bus.credentials import identity, new_seed, public_key
from shared.clock import SystemClock
from shared.contracts import subjects
from shared.contracts.errors import Unavailable
from shared.contracts.sessions import Pairing, SessionStatus
from shared.testing import free_port
from shared.testing.process import Process, program

CLOCK = SystemClock()
SPENT = "2@spent-QR-text,public-key,identity,secret"
NEWER = "connected-now"


class Ground:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seeds = {user: new_seed() for user in BUS_USERS}

    @asynccontextmanager
    async def running(self, key: str) -> AsyncIterator[tuple[Bus, Bus]]:
        """The bus as the worker and the gateway have it, streams made; the server ends as a power cut ends it."""
        port = free_port()
        config = nats.config(
            store=self.folder / "store",
            ports={"nats": port},
            public_keys={user: public_key(seed) for user, seed in self.seeds.items()},
            key_variable="NATS_STORE_KEY" if key else "",
        )
        file = self.folder / "nats.conf"
        file.write_text(config)
        command = [program("nats-server"), "-c", str(file)]
        server = Process(command, log_file=self.folder / "nats.log", env={"NATS_STORE_KEY": nats.value(key)})
        try:
            async with self._user(SETUP, port) as setup:
                await create_streams(setup)
            async with self._user(WORKER, port) as worker, self._user(GATEWAY, port) as gateway:
                yield worker, gateway
        finally:
            server.kill()

    @asynccontextmanager
    async def _user(self, name: str, port: int) -> AsyncIterator[Bus]:
        public_keys = {user: public_key(seed) for user, seed in self.seeds.items() if user not in (SETUP, MONITOR)}
        own = None if name == SETUP else identity(name, self.seeds[name], public_keys)
        options = BusOptions(url=f"nats://127.0.0.1:{port}", nkey_seed=self.seeds[name], name=name, identity=own)
        bus = await Bus.connect(options, clock=CLOCK, wait_seconds=30.0)
        try:
            yield bus
        finally:
            await bus.drain()

    def files_with(self, text: str) -> list[Path]:
        files = [path for path in (self.folder / "store").rglob("*") if path.is_file()]
        assert files
        return [path for path in files if text.encode() in path.read_bytes()]


def status(qr: str | None, *, detail: str = "") -> SessionStatus:
    now = CLOCK.now()
    return SessionStatus(
        session="a", state="pairing", reason="scan_the_qr", since=now, updated_at=now, epoch=1, worker="w",
        detail=detail, pairing=Pairing(qr=qr),
    )  # fmt: skip


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return Ground(tmp_path)


async def link(bus: Bus) -> None:
    bucket = bus.bucket(subjects.STATUS_BUCKET, SessionStatus)
    await bucket.put("a", status(SPENT))
    await bucket.put("a", status(None, detail=NEWER))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(key=st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=43))
@example(key="-gVr")
@example(key="1_000")
@example(key="true")
def test_any_key_is_read_as_a_text(tmp_path: Path, key: str) -> None:
    public_keys = {user: public_key(new_seed()) for user in BUS_USERS}
    file = tmp_path / "nats.conf"
    file.write_text(
        nats.config(store=tmp_path, ports={"nats": -1}, public_keys=public_keys, key_variable="NATS_STORE_KEY")
    )
    command = [program("nats-server"), "-t", "-c", str(file)]
    subprocess.run(command, env={"NATS_STORE_KEY": nats.value(key)}, check=True, capture_output=True)


async def test_without_the_key_a_spent_qr_text_stays_on_the_disk(ground: Ground) -> None:
    """The counterpart: NATS keeps what a bucket has overwritten until it compacts the file."""
    async with ground.running("") as (worker, _):
        await link(worker)
    assert ground.files_with(SPENT)


async def test_a_spent_qr_text_of_this_or_an_earlier_version_can_be_read_in_no_file(ground: Ground) -> None:
    async with ground.running("") as (worker, _):
        await link(worker)
    async with ground.running("a-key" * 9) as (worker, gateway):
        found = await gateway.bucket(subjects.STATUS_BUCKET, SessionStatus).get("a")
        assert found is not None
        assert found.value.detail == NEWER
        assert ground.files_with(SPENT) == []
        await link(worker)
        assert ground.files_with(SPENT) == []
    assert ground.files_with(SPENT) == ground.files_with(NEWER) == []


async def test_another_key_opens_nothing_and_deletes_nothing(ground: Ground) -> None:
    async with ground.running("a-key" * 9) as (worker, _):
        await link(worker)
    with pytest.raises(Unavailable, match="store"):
        async with ground.running("another" * 9):
            pytest.fail("the store was opened, or made anew, with another key")
    async with ground.running("a-key" * 9) as (_, gateway):
        assert await gateway.bucket(subjects.STATUS_BUCKET, SessionStatus).get("a") is not None
