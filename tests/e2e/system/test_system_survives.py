"""The promise itself: a linked session outlives everything that can be killed or deleted, without another QR."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from whole_system import System, link

from shared.testing import eventually_sync
from standin.client import Phone

pytestmark = [pytest.mark.system, pytest.mark.browser, pytest.mark.timeout(300)]

NUMBER = "201234567890"


def send(system: System, text: str) -> None:
    answer = system.post("send-test-message", phoneNumber=NUMBER, message=text)
    assert answer.status_code == 200, answer.text
    assert answer.json()["success"] is True


def never_two(phone: Phone) -> None:
    assert [device.max_simultaneous for device in phone.devices() if device.state == "linked"] == [1]


def without_a_qr(system: System, *, timeout: float = 45.0) -> None:
    """Connected at the end, and no QR on the way."""

    def connected() -> bool:
        status = system.get()["status"]
        assert not status["qrCode"]
        return bool(status["isConnected"])

    eventually_sync(connected, timeout=timeout, message=f"not connected again: {system.get()['status']}")
    states = [change["state"] for change in system.get()["history"]]
    assert "pairing" not in states


def wait_for_a_backup(system: System) -> None:
    eventually_sync(lambda: off_site(system), timeout=30, message="no backup was made after the link")


def off_site(system: System) -> list[str]:
    """Ids of the backups in the store; the saves on this machine do not count."""
    return [backup["id"] for backup in system.post("backups").json().get("backups", [])]


def test_a_linked_session_survives_sigkill_of_every_process(system: System, phone: Phone) -> None:
    system.up()
    link(system, phone)
    before = [(device.id, device.state) for device in phone.devices()]
    send(system, "before the kill")
    assert [message.text for message in phone.messages()] == ["before the kill"]

    system.kill_everything()
    system.up()

    without_a_qr(system)
    send(system, "after the kill")
    assert [message.text for message in phone.messages()] == ["before the kill", "after the kill"]
    assert [(device.id, device.state) for device in phone.devices()] == before
    never_two(phone)


def test_a_kill_two_seconds_after_the_link_loses_nothing(system: System, phone: Phone) -> None:
    system.up()
    system.until("pairing")
    eventually_sync(lambda: system.get()["status"]["qrCode"], timeout=20)
    phone.scan()
    eventually_sync(lambda: phone.devices(), timeout=10)
    wait_two_seconds()

    system.kill_everything()
    system.up()

    without_a_qr(system)
    never_two(phone)


def wait_two_seconds() -> None:
    """The moment matters here, not a condition: localStorage is not on disk yet."""
    import time

    until = time.perf_counter() + 2.0
    eventually_sync(lambda: time.perf_counter() >= until, timeout=5)


def test_profile_and_saves_deleted_are_restored_from_the_store(system: System, phone: Phone) -> None:
    system.up()
    link(system, phone)
    wait_for_a_backup(system)
    system.kill_everything()
    shutil.rmtree(system.sessions)
    shutil.rmtree(system.saves)

    system.up()

    without_a_qr(system)
    send(system, "from the store")
    never_two(phone)


def test_with_the_bus_data_lost_too_initialize_restores_from_the_store(system: System, phone: Phone) -> None:
    system.up()
    link(system, phone)
    wait_for_a_backup(system)
    system.kill_everything()
    shutil.rmtree(system.sessions)
    shutil.rmtree(system.saves)
    shutil.rmtree(system.data / "nats")

    system.up()
    eventually_sync(lambda: system.post("initialize").status_code == 200, timeout=15)

    without_a_qr(system)
    never_two(phone)


def cut_current(profile: Path) -> None:
    for current in databases(profile, "CURRENT"):
        current.write_bytes(b"")


def cut_tables(profile: Path) -> None:
    tables = databases(profile, "*.ldb") or databases(profile, "*.log")
    assert tables
    for table in tables:
        os.truncate(table, table.stat().st_size // 2)


def remove_manifests(profile: Path) -> None:
    for manifest in databases(profile, "MANIFEST-*"):
        manifest.unlink()


def databases(profile: Path, pattern: str) -> list[Path]:
    return [*(profile / "Default" / "IndexedDB").glob(f"*.leveldb/{pattern}")]


@pytest.mark.parametrize("damage", [cut_current, remove_manifests])
def test_a_damaged_profile_is_restored_by_itself(system: System, phone: Phone, damage: object) -> None:
    system.up()
    link(system, phone)
    wait_for_a_backup(system)
    system.kill_everything()
    damage(system.profile)  # type: ignore[operator]

    system.up()

    without_a_qr(system)
    send(system, "after the damage")
    reasons = [change["reason"] for change in system.get()["history"]]
    assert "profile_damaged" in reasons
    never_two(phone)


def test_a_table_cut_in_half_is_found_and_restored_by_itself(system: System, phone: Phone) -> None:
    phone.set_history(target_mb=12, rate_per_s=300)
    system.up()
    link(system, phone)
    eventually_sync(lambda: databases(system.profile, "*.ldb"), timeout=60, message="no table was written")
    before = off_site(system)
    system.post("backup")
    eventually_sync(lambda: set(off_site(system)) - set(before), timeout=30)
    system.kill_everything()
    cut_tables(system.profile)

    system.up()

    without_a_qr(system)
    assert "profile_damaged" in [change["reason"] for change in system.get()["history"]]
    never_two(phone)


def test_a_stop_keeps_a_last_copy_and_releases_the_lease_at_once(system: System, phone: Phone) -> None:
    system.up()
    link(system, phone)
    saves_before = set(system.saves.rglob("manifest.json"))
    assert system.stop(timeout=20) == 0
    assert set(system.saves.rglob("manifest.json")) - saves_before
    assert not system.processes()
    shutil.rmtree(system.sessions)

    system.up()

    without_a_qr(system)
    never_two(phone)


def test_clear_unlinks_wipes_and_leaves_a_tombstone(system: System, phone: Phone) -> None:
    system.up()
    link(system, phone)
    wait_for_a_backup(system)

    assert system.post("clear").status_code == 200

    eventually_sync(lambda: [device.state for device in phone.devices()] == ["unlinked"], timeout=20)
    eventually_sync(lambda: not system.profile.exists(), timeout=20)
    assert not list(system.saves.rglob("manifest.json"))
    states = {backup["state"] for backup in system.post("backups").json()["backups"]}
    assert states == {"cleared"}
    assert system.post("initialize").status_code == 200
    system.until("pairing")


def test_the_same_command_id_twice_sends_once(system: System, phone: Phone) -> None:
    system.up()
    link(system, phone)
    first = system.post("send-test-message", key="order-4711", phoneNumber=NUMBER, message="once")
    second = system.post("send-test-message", key="order-4711", phoneNumber=NUMBER, message="once")
    assert first.json()["success"] is second.json()["success"] is True
    assert [(message.text, message.copies) for message in phone.messages()] == [("once", 1)]


def test_a_message_that_was_not_acknowledged_is_reported_as_unknown_and_not_sent_again(
    system: System, phone: Phone
) -> None:
    system.up()
    link(system, phone)
    phone.set_faults(ack="blackhole")
    first = system.post("send-test-message", key="order-4712", phoneNumber=NUMBER, message="in the dark")
    assert first.status_code == 504
    assert first.json()["success"] is False
    phone.set_faults(ack="normal")
    system.post("send-test-message", key="order-4712", phoneNumber=NUMBER, message="in the dark")
    texts = [message.text for message in phone.messages()]
    assert texts.count("in the dark") <= 1
