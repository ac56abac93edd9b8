"""One asyncio thread with the bus client. Request threads reach the bus only through it.

The thread tries to connect for ever, so that the gateway answers, and says what is missing, while NATS is away. The
trap: a bus client that is made before gunicorn forks, or that is called from another thread, fails every request.
Gunicorn must therefore call `start` in post_worker_init and `stop` in worker_exit.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from gateway.domain.request_errors import WorkerGone
from shared.bus import Bucket, Bus, BusOptions, UnverifiedValue
from shared.clock import Clock
from shared.contracts import subjects
from shared.contracts.errors import NotRunning, ServiceError, TimedOut, Unavailable
from shared.contracts.health import HealthReport
from shared.contracts.logins import LoginRecord
from shared.contracts.message import Message
from shared.contracts.sessions import SessionRecord, SessionStatus
from shared.contracts.subjects import Command
from shared.contracts.telemetry import WorkerHeartbeat
from shared.runtime import get_logger

from .live_logins import LiveLogins
from .live_view import LiveView

T = TypeVar("T")
R = TypeVar("R", bound=Message)

NOTICE_SECONDS = 0.5
"""How often the view looks for workers that went silent."""
RETRY_SECONDS = 2.0
HANDOVER_SECONDS = 0.1
"""What a reply may take from the loop to the waiting thread."""


class BusThread:
    """Implements ports.Messenger and ports.DesiredStates, and feeds the view and the logins. `on_open` gets the client
    once it is connected; `background` runs in the loop from start to stop."""

    def __init__(
        self,
        options: BusOptions,
        view: LiveView,
        logins: LiveLogins,
        clock: Clock,
        *,
        on_open: Callable[[Bus], None],
        background: Callable[[], Awaitable[None]],
    ) -> None:
        self._options = options
        self._view = view
        self._logins = logins
        self._clock = clock
        self._on_open = on_open
        self._background = background
        self._bus: Bus | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._run, name="bus", daemon=True)
        self._started = threading.Event()

    def start(self) -> None:
        self._thread.start()
        self._started.wait()

    def stop(self, timeout: float = 3.0) -> None:
        """Drain and end the thread. Never raises; safe when never started."""
        if self._loop is None or not self._thread.is_alive():
            return
        try:
            asyncio.run_coroutine_threadsafe(self._close(timeout / 2), self._loop).result(timeout)
        except Exception as error:
            get_logger().warning("bus_not_drained", error=type(error).__name__)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout)

    def request(self, subject: str, message: Message, reply: type[R], *, timeout: float) -> R:
        return self._request(subject, message, reply, timeout, None, "")

    def ask_owner(
        self, command: Command, session: str, message: Message, reply: type[R], *, timeout: float, command_id: str = ""
    ) -> R:
        owner = self._view.session(session).owner
        subject, key = subjects.command(command, session), owner.command_key if owner else ""
        try:
            return self._request(subject, message, reply, timeout, command_id or None, key)
        except NotRunning as error:
            if error.code != NotRunning.code:  # a refusal of the owner, with a code of its own
                raise
            raise WorkerGone("the worker that owns the session does not answer", hint=error.hint) from None

    def read(self, session: str, *, timeout: float) -> tuple[SessionRecord | None, int]:
        bucket = self._connected_bus().bucket(subjects.SESSIONS_BUCKET, SessionRecord)
        try:
            entry = self._call(bucket.get(session), timeout)
        except UnverifiedValue as error:  # this gateway is the writer: what it knows goes over what is there
            return self._view.session(session).record, error.revision
        return (entry.value, entry.revision) if entry else (None, 0)

    def write(self, record: SessionRecord, revision: int, *, timeout: float) -> None:
        bucket = self._connected_bus().bucket(subjects.SESSIONS_BUCKET, SessionRecord)
        if revision:
            self._call(bucket.update(record.session, record, revision), timeout)
        else:
            self._call(bucket.create(record.session, record), timeout)

    def read_login(self, login_id: str, *, timeout: float) -> LoginRecord | None:
        """Raises Unavailable, TimedOut."""
        bucket = self._connected_bus().bucket(subjects.LOGINS_BUCKET, LoginRecord)
        try:
            entry = self._call(bucket.get(login_id), timeout)
        except UnverifiedValue:  # whoever wrote it, nobody is let in by it
            return None
        return entry.value if entry else None

    def _request(
        self, subject: str, message: Message, reply: type[R], timeout: float, command_id: str | None, owner_key: str
    ) -> R:
        bus = self._connected_bus()
        answering = bus.request(subject, message, reply, timeout=timeout, command_id=command_id, owner_key=owner_key)
        return self._call(answering, timeout + HANDOVER_SECONDS)

    def _connected_bus(self) -> Bus:
        if self._bus is None or not self._bus.connected:
            raise Unavailable("NATS cannot be reached", hint="check that NATS runs and that NATS_URL points to it")
        return self._bus

    def _call(self, work: Coroutine[Any, Any, T], timeout: float) -> T:
        loop = self._loop
        if loop is None:
            work.close()
            raise Unavailable("the bus thread does not run")
        future = asyncio.run_coroutine_threadsafe(work, loop)
        try:
            return future.result(timeout)
        except concurrent.futures.CancelledError:
            raise Unavailable("the gateway is stopping") from None
        except TimeoutError:
            future.cancel()
            raise TimedOut("no answer in time", hint="whether it was carried out is unknown; see the status") from None

    # everything below runs in the loop's thread

    def _run(self) -> None:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        self._loop = loop
        self._spawn(loop, self._connect())
        self._spawn(loop, self._notice_silence())
        self._spawn(loop, self._run_background())
        loop.call_soon(self._started.set)
        try:
            loop.run_forever()
        finally:
            loop.close()

    def _spawn(self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, None]) -> None:
        task = loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_ended)

    def _task_ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            get_logger().error("bus_task_failed", error=type(task.exception()).__name__)

    async def _run_background(self) -> None:
        await self._background()

    async def _connect(self) -> None:
        """Try until the bus is open once. From then on the client itself reconnects and resumes its watches."""
        logged = ""
        while True:
            try:
                await self._open()
                return
            except ServiceError as error:
                self._view.bus_changed(connected=False, problem="NATS cannot be reached")
                if error.message != logged:
                    get_logger().error("bus_not_open", error=error.message, hint=error.hint)
                    logged = error.message
            except Exception as error:
                get_logger().error("bus_not_open", error=type(error).__name__)
            await self._clock.sleep(RETRY_SECONDS)

    async def _open(self) -> None:
        bus = await Bus.connect(self._options, clock=self._clock, wait_seconds=None)
        bus.on_lost(lambda: self._view.bus_changed(connected=False, problem="the connection to NATS is lost"))
        bus.on_back(lambda: self._view.bus_changed(connected=True))
        try:
            await self._watch(bus)
        except BaseException:
            await bus.drain(timeout=1.0)
            raise
        self._bus = bus
        self._spawn(asyncio.get_running_loop(), self._logins.keep(bus.bucket(subjects.LOGINS_BUCKET, LoginRecord)))
        self._on_open(bus)
        self._view.bus_changed(connected=bus.connected, problem="the connection to NATS is lost")

    async def _watch(self, bus: Bus) -> None:
        view = self._view
        statuses = bus.bucket(subjects.STATUS_BUCKET, SessionStatus)
        sessions = bus.bucket(subjects.SESSIONS_BUCKET, SessionRecord)
        await bus.subscribe(subjects.WORKER_HEARTBEATS, WorkerHeartbeat, lambda beat, _: view.heartbeat_received(beat))
        await bus.subscribe(subjects.HEALTH_REPORTS, HealthReport, lambda report, _: view.report_received(report))
        logins = bus.bucket(subjects.LOGINS_BUCKET, LoginRecord)
        await logins.watch(self._logins.login_changed, on_ready=self._logins.loaded)
        await statuses.watch(view.status_changed, on_ready=lambda: view.bucket_loaded("statuses"))
        await sessions.watch(
            view.record_changed,
            on_ready=lambda: view.bucket_loaded("sessions"),
            on_unverified=lambda session, revision: self._write_again(sessions, session, revision),
        )

    async def _write_again(self, bucket: Bucket[SessionRecord], session: str, revision: int) -> None:
        """The gateway alone writes desired states: over what it has not signed goes what it knows."""
        record = self._view.session(session).record
        if record is not None:
            get_logger().warning("record_written_again", session=session, request=record.request)
            await bucket.update(session, record, revision)

    async def _notice_silence(self) -> None:
        while True:
            self._view.notice_silence()
            await self._clock.sleep(NOTICE_SECONDS)

    async def _close(self, timeout: float) -> None:
        current = asyncio.current_task()
        others = [task for task in self._tasks if task is not current]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        if self._bus is not None:
            await self._bus.drain(timeout=timeout)
