"""Unknown is not absent: a store that cannot be asked never costs a session, and never brings a QR."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from whole_system import System, link

from backup.domain import layout
from shared.testing import FaultProxy, S3Server, eventually_sync
from standin.client import Phone
from standin.process import StandInProcess

pytestmark = [pytest.mark.system, pytest.mark.browser, pytest.mark.timeout(300)]


@pytest.fixture
def store(tmp_path: Path) -> Iterator[S3Server]:
    server = S3Server().start(tmp_path / "s3")
    yield server
    server.kill()


@pytest.fixture
def proxy(store: S3Server) -> Iterator[FaultProxy]:
    with FaultProxy(store.endpoint) as made:
        yield made


@pytest.fixture
def system(tmp_path: Path, standin: StandInProcess, store: S3Server, proxy: FaultProxy) -> Iterator[System]:
    made = System(
        tmp_path,
        standin.web_url,
        S3_ENDPOINT=proxy.url,
        S3_BUCKET=store.bucket,
        S3_ACCESS_KEY_ID=store.access_key,
        S3_SECRET_ACCESS_KEY=store.secret_key,
    )
    yield made
    made.end()


def linked_and_backed_up(system: System, phone: Phone) -> None:
    system.up()
    link(system, phone)
    eventually_sync(lambda: system.post("backups").json().get("backups"), timeout=30)


def stored(store: S3Server) -> set[tuple[str, str]]:
    """Name and hash of every object of the sessions, as the store itself says."""
    client = boto3.client(
        "s3",
        endpoint_url=store.endpoint,
        region_name=store.region,
        aws_access_key_id=store.access_key,
        aws_secret_access_key=store.secret_key,
    )
    found = client.list_objects_v2(Bucket=store.bucket, Prefix=layout.ROOT).get("Contents", [])
    client.close()
    return {(each["Key"], each["ETag"]) for each in found}


@pytest.mark.parametrize("fault", ["403", "hang", "refuse"])
def test_a_store_in_trouble_at_the_start_does_not_keep_a_local_session_from_connecting(
    system: System, phone: Phone, proxy: FaultProxy, fault: str
) -> None:
    linked_and_backed_up(system, phone)
    system.kill_everything()
    proxy.mode = fault

    system.up()

    system.until("connected", timeout=30)
    assert "pairing" not in [change["state"] for change in system.get()["history"]]


@pytest.mark.parametrize("fault", ["403", "hang", "refuse"])
def test_with_no_local_copy_and_no_answer_from_the_store_the_session_waits_and_is_restored_when_it_is_back(
    system: System, phone: Phone, proxy: FaultProxy, store: S3Server, fault: str
) -> None:
    linked_and_backed_up(system, phone)
    system.kill_everything()
    shutil.rmtree(system.sessions)
    shutil.rmtree(system.saves)
    before = stored(store)
    proxy.mode = fault

    system.up()
    eventually_sync(lambda: system.get()["status"].get("reason") == "store_unreachable", timeout=60)
    answer = system.get()
    assert answer["status"]["qrCode"] is None
    assert "backup" in answer["status"]["detail"]
    assert before <= stored(store)

    proxy.mode = "pass"
    system.until("connected", timeout=60)
    assert "pairing" not in [change["state"] for change in system.get()["history"]]
    assert [device.max_simultaneous for device in phone.devices()] == [1]
