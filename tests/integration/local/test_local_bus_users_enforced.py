"""A real nats-server with the configuration of the local mode: each user can do its work and nothing of the others'."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

import pytest

from persistent_session.services.bus_users import BACKUP, BUS_USERS, GATEWAY, HEALTH, MONITOR, SETUP, WORKER
from persistent_session.stack import nats
from shared.bus import Bus, BusOptions, Call, Lease, create_streams
from shared.bus.connection import Connection
from shared.bus.credentials import identity, new_seed, public_key
from shared.bus.transport import Incoming
from shared.clock import SystemClock
from shared.contracts import subjects
from shared.contracts.backups import LIST_BACKUPS, READ_CHUNK, STORE_SNAPSHOT, Backups, ListBackups, ReadChunk
from shared.contracts.commands import CHECK, SEND_TEST, Accepted, BackUpNow, SendResult, SendTest
from shared.contracts.errors import Refused, Unavailable
from shared.contracts.events import BackupFailed, SessionCleared
from shared.contracts.health import JUDGE, HealthReport, Judge
from shared.contracts.sessions import LeaseRecord, SessionRecord, SessionStatus
from shared.contracts.telemetry import BackupHeartbeat, WorkerHeartbeat
from shared.testing import eventually, eventually_sync, free_port
from shared.testing.process import Process, program

CLOCK = SystemClock()
As = Callable[[str], Awaitable[Bus]]


@pytest.fixture(scope="module")
def seeds() -> dict[str, str]:
    return {service: new_seed() for service in BUS_USERS}


def public_keys(seeds: dict[str, str]) -> dict[str, str]:
    return {service: public_key(seed) for service, seed in seeds.items() if service not in (SETUP, MONITOR)}


@pytest.fixture(scope="module")
def nats_url(seeds: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a nats-server that runs with the configuration of the local mode and no other argument."""
    folder = tmp_path_factory.mktemp("nats")
    port = free_port()
    config = nats.config(
        store=folder / "store",
        ports={"nats": port},
        public_keys={service: public_key(seed) for service, seed in seeds.items()},
    )
    (folder / "nats.conf").write_text(config)
    server = Process([program("nats-server"), "-c", str(folder / "nats.conf")], log_file=folder / "nats.log")
    try:
        eventually_sync(lambda: _listens(port), timeout=20)
        yield f"nats://127.0.0.1:{port}"
    finally:
        server.stop()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
async def connect_as(nats_url: str, seeds: dict[str, str]) -> AsyncIterator[As]:
    """Connects as a user of NATS, once the streams exist."""
    made: list[Bus] = []

    async def connect(service: str) -> Bus:
        own = identity(service, seeds[service], public_keys(seeds))
        options = BusOptions(url=nats_url, nkey_seed=seeds[service], name=service, identity=own)
        made.append(await Bus.connect(options, clock=CLOCK, wait_seconds=10.0))
        return made[-1]

    await create_streams(await connect(SETUP))
    yield connect
    for bus in made:
        await bus.drain()


def record(session: str) -> SessionRecord:
    return SessionRecord(session=session, desired="running", requested_at=CLOCK.now())


def status(session: str) -> SessionStatus:
    return SessionStatus(
        session=session,
        state="connected",
        reason="test",
        since=CLOCK.now(),
        updated_at=CLOCK.now(),
        epoch=1,
        worker="w",
    )


async def test_the_gateway_wants_a_session_and_sees_its_status(connect_as: As) -> None:
    gateway, worker = await connect_as(GATEWAY), await connect_as(WORKER)
    await gateway.bucket(subjects.SESSIONS_BUCKET, SessionRecord).create("g1", record("g1"))
    assert (await gateway.bucket(subjects.SESSIONS_BUCKET, SessionRecord).keys()).count("g1") == 1
    seen: list[str] = []
    await gateway.bucket(subjects.STATUS_BUCKET, SessionStatus).watch(lambda key, _value: seen.append(key))
    await worker.bucket(subjects.STATUS_BUCKET, SessionStatus).put("g1", status("g1"))
    await eventually(lambda: "g1" in seen)


async def test_the_worker_sees_what_is_wanted_holds_a_lease_and_serves_commands(connect_as: As) -> None:
    gateway, worker = await connect_as(GATEWAY), await connect_as(WORKER)
    wanted: list[str] = []
    await worker.bucket(subjects.SESSIONS_BUCKET, SessionRecord).watch(lambda key, _value: wanted.append(key))
    await gateway.bucket(subjects.SESSIONS_BUCKET, SessionRecord).put("w1", record("w1"))
    await eventually(lambda: "w1" in wanted)
    lease = Lease(worker.bucket(subjects.LEASES_BUCKET, LeaseRecord), "w1", owner="w", clock=CLOCK)
    assert await lease.acquire() == 1
    await lease.release()

    async def send(message: SendTest, call: Call) -> SendResult:
        return SendResult(outcome="sent", command_id=call.command_id)

    await worker.serve(subjects.command(SEND_TEST, "w1"), SendTest, send)
    answer = await gateway.request(
        subjects.command(SEND_TEST, "w1"),
        SendTest(phone_number="201234567890", text="hello"),
        SendResult,
        timeout=5,
        owner_key=worker.command_key,
    )
    assert answer.outcome == "sent"


async def test_backup_is_asked_by_the_worker_and_reads_its_chunks(connect_as: As) -> None:
    worker, backup = await connect_as(WORKER), await connect_as(BACKUP)

    async def chunk(_: ReadChunk, __: Call) -> bytes:
        return b"chunk"

    async def backups(_: ListBackups, call: Call) -> Backups:
        read = subjects.command(READ_CHUNK, call.session)
        assert await backup.request_bytes(read, ReadChunk(snapshot="1", sha256="x"), timeout=5) == b"chunk"
        return Backups(stored_bytes=5)

    await worker.serve(subjects.command(READ_CHUNK, "b1"), ReadChunk, chunk)
    await backup.serve(subjects.command(LIST_BACKUPS, "*"), ListBackups, backups, queue=subjects.BACKUP_QUEUE)
    answer = await worker.request(subjects.command(LIST_BACKUPS, "b1"), ListBackups(), Backups, timeout=5)
    assert answer.stored_bytes == 5


async def test_health_reads_everything_it_judges_and_reports(connect_as: As) -> None:
    gateway, worker = await connect_as(GATEWAY), await connect_as(WORKER)
    backup, health = await connect_as(BACKUP), await connect_as(HEALTH)
    seen: list[str] = []
    await health.bucket(subjects.STATUS_BUCKET, SessionStatus).watch(lambda key, _value: seen.append(f"status {key}"))
    await health.watch_events(lambda _data, subject: seen.append(subject), since_seconds=60)
    await health.subscribe(subjects.WORKER_HEARTBEATS, WorkerHeartbeat, lambda _message, subject: seen.append(subject))
    await health.subscribe(subjects.BACKUP_HEARTBEATS, BackupHeartbeat, lambda _message, subject: seen.append(subject))
    await worker.bucket(subjects.STATUS_BUCKET, SessionStatus).put("h1", status("h1"))
    await worker.publish(
        subjects.telemetry("browser-worker", "heartbeat", "w1"), WorkerHeartbeat(worker="w1", at=CLOCK.now())
    )
    await backup.publish(
        subjects.telemetry("backup", "heartbeat", "b1"), BackupHeartbeat(instance="b1", at=CLOCK.now(), store_ok=True)
    )
    await worker.publish_event(
        subjects.event("session", "cleared", "h1"),
        SessionCleared(session="h1", at=CLOCK.now(), epoch=1, unlinked=True),
    )
    await backup.publish_event(
        subjects.event("backup", "failed", "h1"), BackupFailed(session="h1", at=CLOCK.now(), epoch=1, code="x")
    )
    expected = {
        "status h1", "wa.tel.browser-worker.heartbeat.w1", "wa.tel.backup.heartbeat.b1",
        "wa.evt.session.cleared.h1", "wa.evt.backup.failed.h1",
    }  # fmt: skip
    await eventually(lambda: expected <= set(seen))

    async def judge(_: Judge, call: Call) -> HealthReport:
        return HealthReport(session=call.session, at=CLOCK.now(), overall="healthy")

    await health.serve(subjects.command(JUDGE, "*"), Judge, judge)
    report = await gateway.request(subjects.command(JUDGE, "h1"), Judge(), HealthReport, timeout=5)
    assert report.overall == "healthy"


async def test_the_gateway_sees_events_and_reports_of_health(connect_as: As) -> None:
    gateway, health, worker = await connect_as(GATEWAY), await connect_as(HEALTH), await connect_as(WORKER)
    seen: list[str] = []
    await gateway.subscribe(subjects.HEALTH_REPORTS, HealthReport, lambda _message, subject: seen.append(subject))
    await gateway.watch_events(lambda _data, subject: seen.append(subject), since_seconds=60)
    await health.publish(
        subjects.telemetry("health", "report", "h1"), HealthReport(session="s", at=CLOCK.now(), overall="healthy")
    )
    await worker.publish_event(
        subjects.event("session", "cleared", "g2"),
        SessionCleared(session="g2", at=CLOCK.now(), epoch=1, unlinked=True),
    )
    await eventually(lambda: {"wa.tel.health.report.h1", "wa.evt.session.cleared.g2"} <= set(seen))


@pytest.mark.parametrize(
    ("service", "bucket"),
    [
        (GATEWAY, subjects.STATUS_BUCKET), (GATEWAY, subjects.LEASES_BUCKET), (WORKER, subjects.SESSIONS_BUCKET),
        (BACKUP, subjects.STATUS_BUCKET), (HEALTH, subjects.STATUS_BUCKET), (HEALTH, subjects.SESSIONS_BUCKET),
        (SETUP, subjects.SESSIONS_BUCKET),
    ],
)  # fmt: skip
async def test_a_service_cannot_write_a_bucket_of_another(connect_as: As, service: str, bucket: str) -> None:
    bus = await connect_as(service)
    with pytest.raises(Refused) as caught:
        await bus.bucket(bucket, SessionStatus).put("x", status("x"))
    assert caught.value.code == "not_permitted"
    assert bus.counts["permission"] == 1


@pytest.mark.parametrize(
    ("service", "subject"),
    [
        (GATEWAY, subjects.command(SEND_TEST, "x")),
        (WORKER, subjects.command(LIST_BACKUPS, "*")),
        (BACKUP, subjects.command(READ_CHUNK, "x")),
        (HEALTH, subjects.command(CHECK, "*")),
        (BACKUP, "_INBOX.gateway.>"),
        (WORKER, "wa.tel.>"),
    ],
)
async def test_a_service_cannot_listen_where_another_serves(connect_as: As, service: str, subject: str) -> None:
    bus = await connect_as(service)

    async def handle(_: BackUpNow, __: Call) -> Accepted:
        return Accepted()

    with pytest.raises(Refused):
        await bus.serve(subject, BackUpNow, handle)


@pytest.mark.parametrize(
    ("service", "subject"),
    [
        (GATEWAY, subjects.command(STORE_SNAPSHOT, "x")),
        (GATEWAY, subjects.command(READ_CHUNK, "x")),
        (HEALTH, subjects.command(SEND_TEST, "x")),
        (BACKUP, subjects.command(SEND_TEST, "x")),
        (WORKER, subjects.command(JUDGE, "x")),
    ],
)
async def test_a_service_cannot_command_another_beyond_its_part(connect_as: As, service: str, subject: str) -> None:
    bus = await connect_as(service)
    with pytest.raises(Refused):
        await bus.request(subject, BackUpNow(), Accepted, timeout=5, owner_key=bus.command_key)


async def test_the_monitor_asks_how_the_server_is_and_nothing_else(nats_url: str, seeds: dict[str, str]) -> None:
    monitor = Connection(BusOptions(url=nats_url, nkey_seed=seeds[MONITOR], name=MONITOR))
    await monitor.open(10.0)
    try:
        answer = await monitor.request("$SYS.REQ.SERVER.PING.VARZ", b"", timeout=5.0)
        assert b'"jetstream"' in answer.data
        for subject in ("$SYS.REQ.SERVER.PING.CONNZ", "$SYS.REQ.SERVER.PING.JSZ", "$SYS.REQ.ACCOUNT.G.CONNZ", "wa.x"):
            with pytest.raises(Refused):
                await monitor.request(subject, b"", timeout=5.0)
        for subject in ("$SYS.>", "wa.>", ">", "_INBOX.>"):
            with pytest.raises(Refused):
                await monitor.subscribe(subject, "", _ignore)
    finally:
        await monitor.close()


async def _ignore(_: Incoming) -> None:
    pass


@pytest.mark.parametrize("user", [user for user in BUS_USERS if user != MONITOR])
@pytest.mark.parametrize("subject", ["$SYS.REQ.SERVER.PING.VARZ", "$SYS.REQ.SERVER.PING", "$SYS.REQ.SERVER.X.RELOAD"])
async def test_nobody_else_asks_the_server(connect_as: As, user: str, subject: str) -> None:
    with pytest.raises(Refused):
        await (await connect_as(user)).request(subject, ListBackups(), Backups, timeout=5)


async def test_no_service_can_make_or_delete_a_stream(connect_as: As) -> None:
    for service in (GATEWAY, WORKER, BACKUP, HEALTH):
        with pytest.raises(Refused):
            await create_streams(await connect_as(service))


async def test_wrong_credentials_end_the_start_after_a_few_tries(nats_url: str) -> None:
    started = CLOCK.monotonic()
    with pytest.raises(Unavailable) as caught:
        await Bus.connect(BusOptions(url=nats_url, nkey_seed=new_seed()), clock=CLOCK, wait_seconds=None)
    assert caught.value.code == "credentials_refused"
    assert CLOCK.monotonic() - started < 5.0


async def test_no_credentials_and_a_broken_seed_end_the_start_too(nats_url: str) -> None:
    for seed in ("", "SUAWRONG"):
        with pytest.raises(Unavailable) as caught:
            await Bus.connect(BusOptions(url=nats_url, nkey_seed=seed), clock=CLOCK, wait_seconds=None)
        assert caught.value.code == "credentials_refused"
