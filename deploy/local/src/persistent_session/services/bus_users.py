"""What each user of NATS may publish and subscribe.

A gateway that was broken into cannot pretend that a session is connected, a worker cannot change the desired state, and
nobody reads the replies to another user. The trap: NATS cannot limit a watch to one key, so each bucket is one trust
zone with one writer. And what NATS itself sends, the deliveries of consumers and the answers of its API, is not checked
against these permissions: receivers check signatures (ADR 15).
"""

from __future__ import annotations

from collections.abc import Mapping

from persistent_session.services.description import Permissions
from shared.bus.buckets import stream_of
from shared.bus.streams import BUCKETS
from shared.contracts import registry, subjects
from shared.contracts.message import inbox_of

GATEWAY, WORKER, BACKUP, HEALTH = map(str, subjects.ServiceName)
SETUP = "setup"
"""Makes the buckets and the stream once NATS has started, and does nothing else."""
MONITOR = "monitor"
"""Asks NATS how it is. The health service holds its key, because NATS has no monitoring port."""


def _service(user: str) -> Permissions:
    """What the contracts say of the user: the same rows decide whose signature a receiver believes."""
    served = [each for each in registry.COMMANDS if each.server == user]
    asked = [each for each in registry.COMMANDS if user in each.askers]
    told = [each.subject for each in (*registry.EVENTS, *registry.TELEMETRY) if each.sender == user]
    heard = [each.subject for each in registry.TELEMETRY if user in each.readers]
    follows_events = any(user in each.readers for each in registry.EVENTS)
    return Permissions(
        reads=(
            *(each.bucket for each in registry.BUCKETS if user in each.readers),
            *((subjects.EVENTS_STREAM,) if follows_events else ()),
        ),
        writes=tuple(each.bucket for each in registry.BUCKETS if each.writer == user),
        publish=(*(subjects.command(each, "*") for each in asked), *map(_for_all, told)),
        subscribe=(*(subjects.command(each, "*") for each in served), *map(_for_all, heard)),
        replies=bool(served),
    )


def _for_all(subject: str) -> str:
    """`{session}` or `{instance}` at the end becomes every one of them."""
    return f"{subject.rpartition('.')[0]}.*"


BUS_USERS: Mapping[str, Permissions] = {
    **{user: _service(user) for user in (GATEWAY, WORKER, BACKUP, HEALTH)},
    SETUP: Permissions(creates=(*BUCKETS, subjects.EVENTS_STREAM)),
    MONITOR: Permissions(publish=("$SYS.REQ.SERVER.PING.VARZ",), system=True),
}
"""Permissions by user: one user for each service, the set-up user and the monitor."""


def publish_subjects(user: str) -> tuple[str, ...]:
    """Every subject that the user may publish to, those of JetStream's API included."""
    allowed = BUS_USERS[user]
    return (
        *(subject for name in allowed.reads for subject in _reading(_stream(name))),
        *(subjects.key_of_bucket(bucket, ">") for bucket in allowed.writes),
        *(
            f"$JS.API.STREAM.{verb}.{_stream(name)}"
            for verb in ("INFO", "CREATE", "UPDATE")
            for name in allowed.creates
        ),
        *allowed.publish,
    )


def subscribe_subjects(user: str) -> tuple[str, ...]:
    """Every subject that the user may subscribe to: its own inbox, which receives its replies, and what is allowed."""
    return (f"{inbox_of(user)}.>", *BUS_USERS[user].subscribe)


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
