"""The permissions of the users of NATS, as rules that no later change may break."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from persistent_session.services.bus_users import (
    BACKUP,
    BUS_USERS,
    GATEWAY,
    HEALTH,
    MONITOR,
    SETUP,
    WORKER,
    publish_subjects,
    subscribe_subjects,
)
from persistent_session.stack import nats
from shared.bus.credentials import new_seed, public_key
from shared.contracts import subjects
from shared.contracts.backups import CLAIM_EPOCH, FETCH_CHUNK, LIST_BACKUPS, READ_CHUNK, STORE_SNAPSHOT, TOMBSTONE
from shared.contracts.commands import CHECK, RESTORE_NOW, SEND_TEST
from shared.contracts.health import JUDGE
from shared.contracts.subjects import matches


def may_publish(service: str, subject: str) -> bool:
    return any(matches(pattern, subject) for pattern in publish_subjects(service))


def may_subscribe(service: str, subject: str) -> bool:
    return any(matches(pattern, subject) for pattern in subscribe_subjects(service))


@pytest.mark.parametrize(
    ("bucket", "writer"),
    [
        (subjects.SESSIONS_BUCKET, GATEWAY),
        (subjects.STATUS_BUCKET, WORKER),
        (subjects.LEASES_BUCKET, WORKER),
        (subjects.LOGINS_BUCKET, GATEWAY),
    ],
)
def test_each_bucket_has_exactly_one_writer(bucket: str, writer: str) -> None:
    assert [service for service in BUS_USERS if may_publish(service, f"$KV.{bucket}.shop")] == [writer]


def test_nobody_but_the_gateway_reads_the_logins() -> None:
    for asked in ("STREAM.MSG.GET.KV_wa-logins", "CONSUMER.CREATE.KV_wa-logins"):
        assert [user for user in BUS_USERS if may_publish(user, f"$JS.API.{asked}")] == [GATEWAY]


@pytest.mark.parametrize(
    ("command", "servers", "callers"),
    [
        (SEND_TEST, {WORKER}, {GATEWAY}),
        (CHECK, {WORKER}, {GATEWAY}),
        (RESTORE_NOW, {WORKER}, {GATEWAY}),
        (READ_CHUNK, {WORKER}, {BACKUP}),
        (STORE_SNAPSHOT, {BACKUP}, {WORKER}),
        (CLAIM_EPOCH, {BACKUP}, {WORKER}),
        (TOMBSTONE, {BACKUP}, {WORKER}),
        (FETCH_CHUNK, {BACKUP}, {WORKER}),
        (LIST_BACKUPS, {BACKUP}, {WORKER, GATEWAY}),
        (JUDGE, {HEALTH}, {GATEWAY}),
    ],
)
def test_each_command_has_its_servers_and_its_callers(
    command: subjects.Command, servers: set[str], callers: set[str]
) -> None:
    subject = subjects.command(command, "shop")
    assert {service for service in BUS_USERS if may_subscribe(service, subject)} == servers
    assert {service for service in BUS_USERS if may_publish(service, subject)} == callers


@pytest.mark.parametrize("service", BUS_USERS)
def test_nobody_reads_the_answers_to_another(service: str) -> None:
    others = [other for other in BUS_USERS if other != service]
    assert may_subscribe(service, f"_INBOX.{service}.abc.1")
    assert not any(may_subscribe(other, f"_INBOX.{service}.abc.1") for other in others)
    assert not any(may_publish(other, f"_INBOX.{service}.abc.1") for other in others)


@pytest.mark.parametrize("verb", ["DELETE", "PURGE", "CREATE", "UPDATE", "MSG.DELETE", "RESTORE"])
def test_no_service_can_change_or_empty_a_stream(verb: str) -> None:
    for service in (GATEWAY, WORKER, BACKUP, HEALTH):
        for stream in ("KV_wa-sessions", "KV_wa-status", "KV_wa-leases", "WA_EVENTS"):
            assert not may_publish(service, f"$JS.API.STREAM.{verb}.{stream}")
    assert not may_publish(SETUP, "$JS.API.STREAM.DELETE.KV_wa-sessions")


def test_only_the_gateway_and_health_read_telemetry() -> None:
    assert {
        service for service in BUS_USERS if may_subscribe(service, subjects.telemetry(BACKUP, "heartbeat", "b1"))
    } == {
        GATEWAY,
        HEALTH,
    }


def test_the_server_has_no_port_but_that_of_its_clients_and_the_monitor_alone_is_of_the_system_account() -> None:
    keys = {user: public_key(new_seed()) for user in BUS_USERS}
    text = nats.config(store=Path("/data"), ports={"nats": 1}, public_keys=keys)
    assert not {"http", "https", "http_port", "https_port", "websocket", "mqtt", "cluster", "leafnodes", "gateway"} & {
        line.split(":")[0].split("{")[0].strip() for line in text.splitlines()
    }
    ours, system = text.split("accounts {")
    assert [user for user in BUS_USERS if keys[user] in system] == [MONITOR]
    assert keys[MONITOR] not in ours


def test_the_configuration_names_every_user_by_public_key_and_holds_no_seed() -> None:
    seeds = {service: new_seed() for service in BUS_USERS}
    keys = {service: public_key(seed) for service, seed in seeds.items()}
    ports = {"nats": 1}
    text = nats.config(store=Path('/data/with "quotes"'), ports=ports, public_keys=keys)
    assert all(key in text for key in keys.values())
    assert not any(seed in text for seed in seeds.values())
    assert json.dumps('/data/with "quotes"') in text


def test_a_wrong_seed_is_refused_without_repeating_it() -> None:
    with pytest.raises(ValueError, match="not an nkey seed") as caught:
        public_key("SUAWRONG")
    assert "SUAWRONG" not in str(caught.value)
    assert caught.value.__cause__ is None
