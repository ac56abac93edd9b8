"""What each service may publish and subscribe, as data. A compromised gateway cannot pretend that a session is
connected, a worker cannot want a session, nobody reads another's replies.

The trap: a watch cannot be limited to a key, so each bucket is one trust zone with one writer.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
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
ANSWER_WITHIN = "15m"
"""How long after a request its answer may come: a backup of a large profile takes minutes."""


@dataclass(frozen=True)
class Permissions:
    """Subjects allowed; all others are denied. `answers`: may also publish to the reply subjects of its requests."""

    publish: tuple[str, ...]
    subscribe: tuple[str, ...]
    answers: bool = False


def of(service: str) -> Permissions:
    """Raises KeyError for a name that is not in SERVICES."""
    return {GATEWAY: _gateway, WORKER: _worker, BACKUP: _backup, HEALTH: _health, SETUP: _setup}[service]()


def nats_users(public_keys: Mapping[str, str]) -> str:
    """The block `authorization { … }` of nats-server's configuration. `public_keys`: service (one of SERVICES) → public
    nkey."""
    users = [_user(key, of(service)) for service, key in public_keys.items()]
    return "authorization {\n  users = [\n" + "\n".join(users) + "\n  ]\n}"


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
        publish=(subjects.command(subjects.READ_CHUNK, "*"), "wa.evt.backup.>", "wa.tel.backup.>"),
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


def _user(key: str, allowed: Permissions) -> str:
    answers = f', allow_responses: {{ max: 1, expires: "{ANSWER_WITHIN}" }}' if allowed.answers else ""
    return (
        f"    {{ nkey: {_text(key)}, permissions: {{\n"
        f"        publish: {{ allow: {_list(allowed.publish)} }},\n"
        f"        subscribe: {{ allow: {_list(allowed.subscribe)} }}{answers}\n"
        f"    }} }}"
    )


def _list(subjects: Iterable[str]) -> str:
    return "[" + ", ".join(_text(subject) for subject in subjects) + "]"


def _text(value: str) -> str:
    return json.dumps(value)
