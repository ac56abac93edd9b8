"""The bucket: whoever holds its keys can delete, which is noticed at once, and can neither fence, clear nor mislead."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from typing import Any

import boto3
import httpx
import psutil
import pytest
from whole_system import System, command_line, link

from backup.domain import layout
from backup.domain.layout import ObjectKind
from shared.testing import S3Server, eventually_sync
from standin.client import Phone
from standin.process import StandInProcess

SESSION = "whatsapp-automation-pro-v2"
INTERVAL = 2.0
"""Seconds between two backups in this file."""
WITHIN = 30.0
"""For a loaded machine; the product's own bound is the interval."""
HEAD, TOMBSTONE = layout.head(SESSION), layout.tombstone(SESSION)


class Bucket:
    """What an attacker does who holds the bucket's keys."""

    def __init__(self, server: S3Server) -> None:
        self._bucket = server.bucket
        self._s3 = boto3.client(
            "s3",
            endpoint_url=server.endpoint,
            region_name=server.region,
            aws_access_key_id=server.access_key,
            aws_secret_access_key=server.secret_key,
        )

    def keys(self, *kinds: ObjectKind) -> list[str]:
        found = self._s3.list_objects_v2(Bucket=self._bucket, Prefix=layout.session_prefix(SESSION))
        names = [str(each["Key"]) for each in found.get("Contents", [])]
        return [name for name in names if not kinds or ((key := layout.parse_key(name)) and key.kind in kinds)]

    def read(self, key: str) -> bytes:
        return bytes(self._s3.get_object(Bucket=self._bucket, Key=key)["Body"].read())

    def put(self, key: str, data: bytes) -> None:
        self._s3.put_object(Bucket=self._bucket, Key=key, Body=data)

    def delete(self, *keys: str) -> None:
        for key in keys:
            self._s3.delete_object(Bucket=self._bucket, Key=key)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    made = S3Server().start(tmp_path_factory.mktemp("s3"))
    yield made
    made.kill()


@pytest.fixture(scope="module")
def bucket(server: S3Server) -> Bucket:
    return Bucket(server)


@pytest.fixture(scope="module")
def system(
    tmp_path_factory: pytest.TempPathFactory, standin: StandInProcess, phone: Phone, server: S3Server
) -> Iterator[System]:
    """Linked, connected and backed up, with a bucket whose keys the test holds."""
    made = System(
        tmp_path_factory.mktemp("system"),
        standin.web_url,
        S3_ENDPOINT=server.endpoint,
        S3_BUCKET=server.bucket,
        S3_ACCESS_KEY_ID=server.access_key,
        S3_SECRET_ACCESS_KEY=server.secret_key,
        BACKUP_INTERVAL_MS=str(int(INTERVAL * 1000)),
    )
    try:
        made.up()
        link(made, phone)
        eventually_sync(lambda: backups(made)["count"], timeout=WITHIN, message="no backup was made")
        yield made
    finally:
        made.end()


def status(system: System) -> dict[str, Any]:
    """{} while a loaded machine does not answer."""
    try:
        return system.get()
    except httpx.TransportError:
        return {}


def backups(system: System) -> dict[str, Any]:
    return dict((status(system).get("sessionInfo") or {}).get("backups") or {"count": 0})


def listed(system: System) -> dict[str, Any]:
    """The list of backups that a person is shown."""

    def answer() -> dict[str, Any] | None:
        try:
            body = dict(system.post("backups").json())
        except httpx.TransportError:
            return None
        return body if body.get("backups") else None

    return dict(eventually_sync(answer, timeout=WITHIN, message="the backups were not listed"))


def issue_of(system: System, code: str, *, contains: str = "") -> dict[str, Any]:
    """The open issue of this check, with its evidence."""

    def open_issue() -> dict[str, Any] | None:
        health = status(system).get("health") or {}
        evidence = next((check["value"] for check in health.get("checks", []) if check["code"] == code), "")
        found = next((each for each in health.get("issueDetails", []) if each["code"] == code), None)
        return {**found, "evidence": evidence} if found and contains in evidence else None

    return dict(eventually_sync(open_issue, timeout=WITHIN, message=f"no issue {code} with {contains!r}"))


def is_backed_up_again(system: System) -> None:
    """Two more attempts, the second of which began after the attack, and neither refused."""
    attempts: set[str] = set()

    def two_more() -> bool:
        found = backups(system)
        assert found.get("lastError", "") == ""
        attempts.add(found.get("lastAttemptAt") or "")
        return len(attempts - {""}) > 2

    eventually_sync(two_more, timeout=2 * WITHIN, message="no backup was made after the attack")


def forged(epoch: int, **fields: object) -> bytes:
    """A record with a checksum of the attacker's own making, as the first version of the format had it."""
    record = {"format": 1, "epoch": epoch, **fields, "checksum": ""}
    bare = json.dumps(record, separators=(",", ":")).encode()
    return json.dumps(record | {"checksum": hashlib.sha256(bare).hexdigest()}, separators=(",", ":")).encode()


NOW = "2026-11-30T12:00:00Z"


@pytest.mark.parametrize(
    "head",
    [forged(900_000_000, owner="x", nonce="x", updated_at=NOW), b"", b"<html>Not found</html>", b'{"format":1,"ep'],
    ids=["high epoch", "empty", "a page", "cut"],
)
def test_a_forged_head_fences_nobody_and_is_named(system: System, bucket: Bucket, head: bytes) -> None:
    bucket.put(HEAD, head)
    is_backed_up_again(system)
    assert issue_of(system, "WA-RECORDS", contains="head unverified")["textAr"]
    assert epoch_of(bucket.read(HEAD)) < 100


def test_planted_names_raise_no_epoch_and_stop_no_backup(system: System, bucket: Bucket) -> None:
    generation = str(layout.parse_key(bucket.keys(ObjectKind.MANIFEST)[0]).generation)  # type: ignore[union-attr]
    for name in ("9999999999-99999999-99991231T235959000Z", "0000000001-99999999-20260101T000000000Z"):
        bucket.put(layout.manifest(SESSION, generation, name), b"not a manifest")
    bucket.put(layout.data_key(SESSION, "99991231T235959Z-00000000"), b"{}")
    is_backed_up_again(system)
    assert listed(system)["backups"][-1]["state"] in ("stored", "scrubbed")
    assert epoch_of(bucket.read(HEAD)) < 100


def test_a_forged_tombstone_clears_nothing_and_asks_a_person(system: System, bucket: Bucket) -> None:
    before = bucket.keys(ObjectKind.MANIFEST, ObjectKind.PACK)
    for planted in (forged(900_000_000, tombstoned_at=NOW), bucket.read(HEAD)):
        bucket.put(TOMBSTONE, planted)
        answer = listed(system)
        assert answer["clearUnknown"]
        assert {each["state"] for each in answer["backups"]} <= {"stored", "scrubbed", "bad"}
        is_backed_up_again(system)
    assert set(before) <= set(bucket.keys())
    assert issue_of(system, "WA-RECORDS", contains="tombstone swapped")["level"] == "critical"
    bucket.delete(TOMBSTONE)


def test_an_old_head_that_is_put_back_fences_nobody(system: System, bucket: Bucket) -> None:
    """A new owner claims a newer epoch; then the head from before is put back."""
    old = bucket.read(HEAD)
    worker = next(each for each in system.processes() if command_line(each)[-1:] == ["browser_worker"])
    worker.kill()
    psutil.wait_procs([worker], timeout=10)
    eventually_sync(lambda: epoch_of(bucket.read(HEAD)) > epoch_of(old), timeout=60, message="nobody has taken over")
    system.until("connected", timeout=60)
    bucket.put(HEAD, old)
    eventually_sync(lambda: epoch_of(bucket.read(HEAD)) > epoch_of(old), timeout=WITHIN, message="it was not rebuilt")
    is_backed_up_again(system)
    assert "rolled_back" in {
        line["fault"] for line in system.log_of("backup") if line.get("event") == "control_record_rejected"
    }
    assert epoch_of(bucket.read(HEAD)) < 100


def epoch_of(head: bytes) -> int:
    return int(json.loads(head)["epoch"])


def test_deleting_everything_is_noticed_and_made_good(system: System, bucket: Bucket) -> None:
    manifests = bucket.keys(ObjectKind.MANIFEST)
    bucket.delete(*bucket.keys())
    lost = issue_of(system, "WA-LOSS")
    assert lost["level"] == "critical"
    assert "lost" in lost["evidence"]
    assert "close-store" in {each["id"] for each in system.get()["health"]["recommendationDetails"]}
    eventually_sync(lambda: 0 < backups(system)["count"] <= len(bucket.keys(ObjectKind.MANIFEST)), timeout=WITHIN)
    assert not set(manifests) & set(bucket.keys())
    assert system.get()["hasBackup"]


@pytest.mark.slow
def test_with_no_local_copy_a_forged_tombstone_asks_a_person_and_shows_no_qr(
    system: System, bucket: Bucket, phone: Phone
) -> None:
    eventually_sync(lambda: backups(system)["count"], timeout=WITHIN)
    system.kill_everything()
    shutil.rmtree(system.sessions)
    shutil.rmtree(system.saves)
    bucket.put(TOMBSTONE, forged(900_000_000, tombstoned_at=NOW))
    system.up()
    system.until("needs_attention", timeout=60)
    status = system.get()["status"]
    assert (status["reason"], status["qrCode"]) == ("tombstone_unverified", None)
    assert "decide-clear" in {each["id"] for each in system.get()["health"]["recommendationDetails"]}
    assert system.post("restore").status_code == 503
    good = [each for each in listed(system)["backups"] if each["state"] == "scrubbed"]
    assert system.post("restore", backupId=good[0]["id"]).status_code == 202
    system.until("connected", timeout=60)
    assert "pairing" not in [change["state"] for change in system.get()["history"]]
    assert len(phone.devices()) == 1
