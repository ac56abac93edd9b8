"""What each user of NATS may publish and subscribe.

A gateway that was broken into cannot pretend that a session is connected, a worker cannot change the desired state, and
nobody reads the replies to another user. The trap: NATS cannot limit a watch to one key, so each bucket is one trust
zone with one writer.
"""

from __future__ import annotations

from collections.abc import Mapping

from persistent_session.services.description import Permissions
from shared.bus.buckets import stream_of
from shared.bus.options import inbox_prefix
from shared.bus.streams import BUCKETS
from shared.contracts import subjects
from shared.contracts.backups import LIST_BACKUPS, READ_CHUNK
from shared.contracts.health import JUDGE

GATEWAY = "gateway"
WORKER = "browser-worker"
BACKUP = "backup"
HEALTH = "health"
SETUP = "setup"
"""Makes the buckets and the stream once NATS has started, and does nothing else."""
MONITOR = "monitor"
"""Asks NATS how it is. The health service holds its key, because NATS has no monitoring port."""


BUS_USERS: Mapping[str, Permissions] = {
    GATEWAY: Permissions(
        reads=(subjects.SESSIONS_BUCKET, subjects.STATUS_BUCKET, subjects.LOGINS_BUCKET, subjects.EVENTS_STREAM),
        writes=(subjects.SESSIONS_BUCKET, subjects.LOGINS_BUCKET),
        publish=(
            subjects.commands_of(subjects.SESSION_AREA),
            subjects.commands_of(subjects.MESSAGE_AREA),
            subjects.command(LIST_BACKUPS, "*"),
            subjects.command(JUDGE, "*"),
        ),
        subscribe=(subjects.TELEMETRY,),
    ),
    WORKER: Permissions(
        reads=(subjects.SESSIONS_BUCKET, subjects.STATUS_BUCKET, subjects.LEASES_BUCKET),
        writes=(subjects.STATUS_BUCKET, subjects.LEASES_BUCKET),
        publish=(
            subjects.commands_of(subjects.BACKUP_AREA),
            subjects.telemetry_of(WORKER),
            subjects.events_of(subjects.SESSION_AREA),
        ),
        subscribe=(
            subjects.commands_of(subjects.SESSION_AREA),
            subjects.commands_of(subjects.MESSAGE_AREA),
            subjects.commands_of(subjects.SNAPSHOT_AREA),
        ),
        replies=True,
    ),
    BACKUP: Permissions(
        publish=(
            subjects.command(READ_CHUNK, "*"),
            subjects.events_of(subjects.BACKUP_AREA),
            subjects.telemetry_of(BACKUP),
        ),
        subscribe=(subjects.commands_of(subjects.BACKUP_AREA),),
        replies=True,
    ),
    HEALTH: Permissions(
        reads=(subjects.SESSIONS_BUCKET, subjects.STATUS_BUCKET, subjects.EVENTS_STREAM),
        publish=(subjects.telemetry_of(HEALTH),),
        subscribe=(subjects.TELEMETRY, subjects.commands_of(subjects.HEALTH_AREA)),
        replies=True,
    ),
    SETUP: Permissions(creates=(*BUCKETS, subjects.EVENTS_STREAM)),
    MONITOR: Permissions(publish=("$SYS.REQ.SERVER.PING.VARZ",), system=True),
}
"""Permissions by user: one user for each service, the set-up user and the monitor."""


def publish_subjects(user: str) -> tuple[str, ...]:
    """Every subject that the user may publish to, those of JetStream's API included."""
    allowed = BUS_USERS[user]
    return (
        *(subject for name in allowed.reads for subject in _reading(_stream(name))),
        *(f"$KV.{bucket}.>" for bucket in allowed.writes),
        *(
            f"$JS.API.STREAM.{verb}.{_stream(name)}"
            for verb in ("INFO", "CREATE", "UPDATE")
            for name in allowed.creates
        ),
        *allowed.publish,
    )


def subscribe_subjects(user: str) -> tuple[str, ...]:
    """Every subject that the user may subscribe to: its own inbox, which receives its replies, and what is allowed."""
    return (f"{inbox_prefix(user)}.>", *BUS_USERS[user].subscribe)


def _stream(name: str) -> str:
    return stream_of(name) if name in BUCKETS else name


def _reading(stream: str) -> tuple[str, ...]:
    """To get a message of a stream and to follow the stream."""
    return (
        f"$JS.API.STREAM.INFO.{stream}",
        f"$JS.API.STREAM.MSG.GET.{stream}",
        f"$JS.API.CONSUMER.CREATE.{stream}",
        f"$JS.API.CONSUMER.DELETE.{stream}.*",
        f"$JS.FC.{stream}.>",
    )
