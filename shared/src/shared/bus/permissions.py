"""What each service may publish and subscribe, as data. A compromised gateway cannot pretend that a session is
connected, a worker cannot want a session, nobody reads another's replies.

The trap: a watch cannot be limited to a key, so each bucket is one trust zone with one writer.
"""

from __future__ import annotations

from dataclasses import dataclass

from shared.contracts import subjects

from .buckets import stream_of
from .options import inbox_prefix
from .streams import BUCKETS

GATEWAY = "gateway"
WORKER = "browser-worker"
BACKUP = "backup"
HEALTH = "health"
SETUP = "setup"
SERVICES = (GATEWAY, WORKER, BACKUP, HEALTH, SETUP)


@dataclass(frozen=True)
class Permissions:
    """Subjects allowed; all others are denied. `answers`: may also publish to the reply subjects of its requests."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    answers: bool = False


def of(service: str) -> Permissions:
    """Raises KeyError for a name that is not in SERVICES."""
    return {GATEWAY: _gateway, WORKER: _worker, BACKUP: _backup, HEALTH: _health, SETUP: _setup}[service]()


def _gateway() -> Permissions:
    return Permissions(
        publish=(
            *_reads(stream_of(subjects.SESSIONS_BUCKET)),
            *_writes(subjects.SESSIONS_BUCKET),
            *_reads(stream_of(subjects.STATUS_BUCKET)),
            *_reads(subjects.EVENTS_STREAM),
            "wa.cmd.session.*.*",
            "wa.cmd.message.*.*",
            subjects.command(subjects.LIST, "*"),
            subjects.command(subjects.JUDGE, "*"),
        ),
        subscribe=(_inbox(GATEWAY), "wa.tel.>"),
    )


def _worker() -> Permissions:
    return Permissions(
        publish=(
            *_reads(stream_of(subjects.SESSIONS_BUCKET)),
            *_reads(stream_of(subjects.STATUS_BUCKET)),
            *_writes(subjects.STATUS_BUCKET),
            *_reads(stream_of(subjects.LEASES_BUCKET)),
            *_writes(subjects.LEASES_BUCKET),
            "wa.cmd.backup.*.*",
            "wa.tel.browser-worker.>",
            "wa.evt.session.>",
        ),
        subscribe=(_inbox(WORKER), "wa.cmd.session.>", "wa.cmd.message.>", "wa.cmd.snapshot.>"),
        answers=True,
    )


def _backup() -> Permissions:
    return Permissions(
        publish=(subjects.command(subjects.READ_PIECE, "*"), "wa.evt.backup.>", "wa.tel.backup.>"),
        subscribe=(_inbox(BACKUP), "wa.cmd.backup.>"),
        answers=True,
    )


def _health() -> Permissions:
    return Permissions(
        publish=(
            *_reads(stream_of(subjects.SESSIONS_BUCKET)),
            *_reads(stream_of(subjects.STATUS_BUCKET)),
            *_reads(subjects.EVENTS_STREAM),
            "wa.tel.health.>",
        ),
        subscribe=(_inbox(HEALTH), "wa.tel.>", "wa.cmd.health.>"),
        answers=True,
    )


def _setup() -> Permissions:
    streams = (*map(stream_of, BUCKETS), subjects.EVENTS_STREAM)
    return Permissions(
        publish=tuple(f"$JS.API.STREAM.{verb}.{name}" for verb in ("INFO", "CREATE", "UPDATE") for name in streams),
        subscribe=(_inbox(SETUP),),
    )


def _reads(stream: str) -> tuple[str, ...]:
    """To get a message and to follow the stream."""
    return (
        f"$JS.API.STREAM.INFO.{stream}",
        f"$JS.API.STREAM.MSG.GET.{stream}",
        f"$JS.API.CONSUMER.CREATE.{stream}",
        f"$JS.API.CONSUMER.DELETE.{stream}.*",
        f"$JS.FC.{stream}.>",
    )


def _writes(bucket: str) -> tuple[str, ...]:
    return (f"$KV.{bucket}.>",)


def _inbox(service: str) -> str:
    return f"{inbox_prefix(service)}.>"
