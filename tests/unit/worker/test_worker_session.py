"""The runner performs what the machine decides, on a world in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from fake_worker import FAST, NOW, World

from browser_worker.domain.events import Event
from browser_worker.domain.reading import PageState, SendOutcome
from browser_worker.ports import BrowserTooOld, PageElsewhere, Save
from browser_worker.runner.session_runner import SessionRunner
from shared.contracts.errors import Conflict, Fenced, NotConnected, NotFound, ServiceError, Unavailable
from shared.testing import eventually


@asynccontextmanager
async def running(world: World, *, epoch: int = 1, anchored: bool = True) -> AsyncIterator[SessionRunner]:
    runner = SessionRunner(world.dependencies(), epoch=epoch)
    if anchored:
        runner.epoch_anchored(epoch)
    task = asyncio.create_task(runner.run(1))
    try:
        yield runner
    finally:
        if not task.done():
            runner.post(Event.STOP)
        await task


async def until(world: World, state: str, reason: str = "") -> None:
    await eventually(
        lambda: world.statuses and world.status.state == state and (not reason or world.status.reason == reason),
        timeout=5,
        message=f"{state} {reason}; {world.states if world.statuses else ''}",
    )


def connected_profile(world: World) -> None:
    world.profile_store.exists = True
    world.durable_record.written = type(world.durable_record.written)(linked=True)
    world.browser.after_launch = lambda: world.browser.shows(PageState.CONNECTED)


async def test_a_new_session_shows_its_qr_then_seals_the_link_and_backs_it_up() -> None:
    world = World()
    world.browser.after_launch = lambda: world.browser.shows(PageState.QR)
    async with running(world):
        await until(world, "pairing")
        await eventually(lambda: world.status.pairing.qr == world.browser.qr)
        world.browser.shows(PageState.CONNECTED)
        await until(world, "connected")
        assert "reopen_page" in world.browser.calls
        assert world.profile_store.saved
        assert world.durable_record.written.linked
        assert world.status.pairing.qr is None
        await eventually(lambda: world.backups.stored == ["link"])


async def test_a_stop_takes_a_last_copy_of_a_connected_session() -> None:
    world = World()
    connected_profile(world)
    async with running(world) as runner:
        await until(world, "connected")
        runner.post(Event.STOP)
        await until(world, "stopped")
    assert world.profile_store.calls.count("snapshot_at_rest") == 1
    assert world.backups.stored[-1] == "stop"
    assert world.browser.calls[-1] == "close"


async def test_a_session_that_was_never_connected_is_not_backed_up_at_a_stop() -> None:
    world = World()
    world.browser.after_launch = lambda: world.browser.shows(PageState.QR)
    async with running(world):
        await until(world, "pairing")
    assert "snapshot_at_rest" not in world.profile_store.calls
    assert world.backups.stored == []


async def test_a_lost_login_is_restored_and_no_qr_is_published() -> None:
    world = World()
    world.profile_store.exists = True
    world.profile_store.saved = [Save("s1", Path("/nowhere"), NOW, 1, "1")]
    world.durable_record.written = type(world.durable_record.written)(linked=True)
    pages = iter([PageState.QR, PageState.CONNECTED])
    world.browser.after_launch = lambda: world.browser.shows(next(pages))
    async with running(world):
        await until(world, "connected")
    assert "restore s1" in world.profile_store.calls
    assert all(status.pairing.qr is None for status in world.statuses)


async def test_a_damaged_save_is_passed_over_for_an_older_one_then_for_the_store() -> None:
    world = World()
    world.profile_store.exists, world.profile_store.valid = True, False
    world.profile_store.saved = [Save(name, Path("/nowhere"), NOW, 1, "1") for name in ("new", "old")]
    world.profile_store.damaged = {"new", "old", "b2"}
    world.backups.has("b2", "b1")
    world.browser.after_launch = lambda: world.browser.shows(PageState.CONNECTED)
    async with running(world):
        await until(world, "connected")
    assert [call for call in world.profile_store.calls if call.startswith("restore")] == [
        "restore new", "restore old", "restore b2", "restore b1",
    ]  # fmt: skip


async def test_an_unreachable_store_is_waited_for_without_a_qr_and_used_when_it_is_back() -> None:
    world = World()
    world.backups.error = Unavailable("S3 answers 403")
    world.browser.after_launch = lambda: world.browser.shows(PageState.CONNECTED)
    async with running(world):
        await until(world, "restoring", "store_unreachable")
        assert "launch" not in world.browser.calls
        world.backups.has("b1")
        world.backups.error = None
        await until(world, "connected")
    assert "restore b1" in world.profile_store.calls


async def test_backups_from_before_a_clear_are_never_restored() -> None:
    world = World()
    world.durable_record.written = type(world.durable_record.written)(cleared_epoch=3, tombstone_owed=True)
    world.backups.has("old", epoch=3)
    world.browser.after_launch = lambda: world.browser.shows(PageState.QR)
    async with running(world, epoch=4):
        await until(world, "pairing")
    assert world.backups.tombstones == [3]
    assert not any(call.startswith("restore") for call in world.profile_store.calls)


async def test_a_crashed_browser_is_started_again_at_once() -> None:
    world = World()
    connected_profile(world)
    async with running(world):
        await until(world, "connected")
        world.browser.crash()
        await eventually(lambda: world.browser.calls.count("launch") == 2)
        await until(world, "connected")
    assert "browser_gone" in [change.reason for change in world.status.history]


async def test_a_browser_that_connects_each_time_is_never_answered_with_an_older_copy() -> None:
    world = World()
    connected_profile(world)
    world.profile_store.saved = [Save("s1", Path("/nowhere"), NOW, 1, "156.0.0.1")]
    async with running(world):
        for times in range(1, 4):
            await until(world, "connected")
            world.browser.crash()
            await eventually(lambda times=times: world.browser.calls.count("launch") == 1 + times)
        await until(world, "connected")
    assert not any(call.startswith("restore") for call in world.profile_store.calls)


async def test_a_profile_on_which_no_browser_stays_up_gives_way_to_an_older_copy() -> None:
    world = World()
    connected_profile(world)
    world.profile_store.saved = [Save("s1", Path("/nowhere"), NOW, 1, "156.0.0.1")]
    world.browser.gone_at_launch = 3
    async with running(world):
        await until(world, "connected")
    assert world.browser.calls.count("launch") == 4
    assert "restore s1" in world.profile_store.calls


async def test_when_every_attempt_fails_nothing_is_deleted_and_a_person_is_called() -> None:
    world = World()
    world.profile_store.exists = True
    world.browser.gone_at_launch = 100
    async with running(world):
        await until(world, "needs_attention", "cannot_reconnect")
    assert "wipe" not in world.profile_store.calls


async def test_a_login_revoked_by_the_phone_waits_for_a_person() -> None:
    world = World()
    connected_profile(world)
    async with running(world) as runner:
        await until(world, "connected")
        world.browser.shows(PageState.LOGGED_OUT)
        await until(world, "logged_out")
        assert not world.durable_record.written.linked
        world.browser.after_launch = lambda: world.browser.shows(PageState.QR)
        runner.reinitialize(2)
        await until(world, "pairing")
    assert not any(call.startswith("restore") for call in world.profile_store.calls)


async def test_clear_unlinks_wipes_and_tells_the_store() -> None:
    world = World()
    connected_profile(world)
    async with running(world, epoch=5) as runner:
        await until(world, "connected")
        runner.post(Event.CLEAR)
        await until(world, "stopped", "cleared")
    assert "unlink" in world.browser.calls
    assert "wipe" in world.profile_store.calls
    assert world.backups.tombstones == [5]
    assert world.durable_record.written.cleared_epoch == 5
    assert not world.durable_record.written.tombstone_owed


async def test_a_clear_while_the_store_is_down_still_owes_the_tombstone() -> None:
    world = World()
    connected_profile(world)
    async with running(world, epoch=5) as runner:
        await until(world, "connected")
        world.backups.error = Unavailable("down")
        runner.post(Event.CLEAR)
        await until(world, "stopped", "cleared")
    assert world.durable_record.written.tombstone_owed


async def test_a_conflict_is_taken_over_once_and_the_second_is_left_to_a_person() -> None:
    world = World()
    connected_profile(world)
    async with running(world):
        await until(world, "connected")
        world.browser.shows(PageState.CONFLICT)
        await until(world, "conflict")
        await eventually(lambda: world.browser.calls.count("take_over") == 1)
        world.browser.shows(PageState.CONNECTED)
        await until(world, "connected")
        world.browser.shows(PageState.CONFLICT)
        await until(world, "conflict")
        with pytest.raises(AssertionError):
            await eventually(lambda: world.browser.calls.count("take_over") == 2, timeout=0.3)


async def test_the_same_command_id_sends_once() -> None:
    world = World()
    connected_profile(world)
    async with running(world) as runner:
        await until(world, "connected")
        first = await runner.control.sender.send("c1", "201234567890", "hello", timeout=1)
        again = await runner.control.sender.send("c1", "201234567890", "hello", timeout=1)
    assert (first.outcome, first.repeated, again.outcome, again.repeated) == ("sent", False, "sent", True)
    assert len(world.browser.sent) == 1


async def test_the_same_command_id_with_another_message_sends_nothing_and_says_so() -> None:
    world = World()
    connected_profile(world)
    async with running(world) as runner:
        await until(world, "connected")
        await runner.control.sender.send("c1", "201234567890", "hello", timeout=1)
        for number, text in (("201234567890", "hello!"), ("201234567891", "hello")):
            with pytest.raises(Conflict) as refused:
                await runner.control.sender.send("c1", number, text, timeout=1)
            assert refused.value.code == "idempotency_key_reused"
    assert len(world.browser.sent) == 1


async def test_a_send_without_acknowledgement_is_unknown_and_not_repeated() -> None:
    world = World()
    connected_profile(world)
    world.browser.outcome = SendOutcome("unknown")
    async with running(world) as runner:
        await until(world, "connected")
        await runner.control.sender.send("c1", "201234567890", "hello", timeout=1)
        again = await runner.control.sender.send("c1", "201234567890", "hello", timeout=1)
    assert again.outcome == "unknown"
    assert len(world.browser.sent) == 1


async def test_nothing_is_sent_unless_connected() -> None:
    world = World()
    world.browser.after_launch = lambda: world.browser.shows(PageState.QR)
    async with running(world) as runner:
        await until(world, "pairing")
        with pytest.raises(NotConnected):
            await runner.control.sender.send("c1", "201234567890", "hello", timeout=1)


async def test_without_an_anchored_epoch_the_session_connects_and_saves_but_is_not_backed_up() -> None:
    world = World()
    connected_profile(world)
    async with running(world, anchored=False):
        await until(world, "connected")
        await eventually(lambda: world.profile_store.saved)
        assert world.backups.stored == []


async def test_losing_the_lease_kills_the_browser() -> None:
    world = World()
    connected_profile(world)
    async with running(world) as runner:
        await until(world, "connected")
        runner.post(Event.LEASE_LOST)
        await until(world, "stopped", "lease_lost")
    assert "kill" in world.browser.calls
    assert "snapshot_at_rest" not in world.profile_store.calls


async def test_a_browser_frozen_for_the_lease_is_not_woken_by_the_end_of_a_snapshot() -> None:
    world = World()
    connected_profile(world)
    async with running(world) as runner:
        await until(world, "connected")
        runner.freeze()
        with pytest.raises(Unavailable):
            await runner.control.back_up()
        assert world.browser.frozen
        runner.thaw()
        assert not world.browser.frozen


async def test_no_browser_is_started_while_the_lease_is_in_doubt_and_the_start_goes_on_when_it_is_sure() -> None:
    world = World()
    world.backups.error = Unavailable("S3 is down")
    world.browser.after_launch = lambda: world.browser.shows(PageState.QR)
    async with running(world) as runner:
        await until(world, "restoring", "store_unreachable")
        runner.freeze()
        world.backups.error = None
        with pytest.raises(AssertionError):
            await eventually(lambda: "launch" in world.browser.calls, timeout=0.4)
        runner.thaw()
        await until(world, "pairing")


async def test_a_lost_lease_kills_the_browser_before_anything_is_waited_for_and_says_nothing_more() -> None:
    world = World()
    connected_profile(world)
    async with running(world) as runner:
        await until(world, "connected")
        runner.lease_lost()
        said = len(world.statuses)
        assert world.browser.calls[-1] == "kill"
        await eventually(lambda: runner.state == "stopped")
    assert len(world.statuses) == said


async def test_a_disk_error_while_looking_for_the_profile_brings_no_qr_and_is_tried_again() -> None:
    world = World()
    connected_profile(world)
    inspect, errors = world.profile_store.inspect, [OSError(5, "I/O error"), OSError(28, "No space left")]

    async def failing() -> object:
        if errors:
            raise errors.pop()
        return await inspect()

    world.profile_store.inspect = failing  # type: ignore[assignment, method-assign]
    async with running(world):
        await until(world, "connected")
    assert "profile_unreadable" in [change.reason for change in world.status.history]
    assert "pairing" not in world.states


def first_restore_fails(world: World, error: Exception) -> None:
    restore, errors = world.profile_store.restore_backup, [error]

    async def failing(source: object, *, browser_version: str) -> object:
        if errors:
            raise errors.pop()
        return await restore(source, browser_version=browser_version)

    world.profile_store.restore_backup = failing  # type: ignore[assignment, method-assign]


async def test_an_unforeseen_error_of_the_store_is_unknown_and_not_absent() -> None:
    world = World()
    world.backups.has("b1")
    first_restore_fails(world, ServiceError("unexpected KeyError", code="internal"))
    world.browser.after_launch = lambda: world.browser.shows(PageState.CONNECTED)
    async with running(world):
        await until(world, "connected")
    assert "pairing" not in world.states


async def test_copies_that_are_only_too_new_for_this_browser_call_a_person_and_show_no_qr() -> None:
    world = World()
    world.backups.has("b1")

    async def too_old(source: object, *, browser_version: str) -> object:
        raise BrowserTooOld("made by a newer browser")

    world.profile_store.restore_backup = too_old  # type: ignore[assignment, method-assign]
    async with running(world):
        await until(world, "needs_attention", "browser_too_old")
    assert "launch" not in world.browser.calls


@pytest.mark.parametrize("saved", [False, True])
async def test_an_unverifiable_tombstone_asks_a_person_and_shows_no_qr_and_a_named_backup_is_the_answer(
    saved: bool,
) -> None:
    """A save of a worker that was away may be from before the clear, so it is no answer either."""
    world = World()
    world.durable_record.written = type(world.durable_record.written)(linked=True, epoch=1)
    world.profile_store.saved = [Save("s1", Path("/nowhere"), NOW, 1, "156.0.0.1")] if saved else []
    world.backups.has("b1", "b2", epoch=2)
    world.backups.tombstone_unverified = True
    world.browser.after_launch = lambda: world.browser.shows(PageState.CONNECTED)
    async with running(world, epoch=3) as runner:
        await until(world, "needs_attention", "tombstone_unverified")
        assert "launch" not in world.browser.calls
        with pytest.raises(Unavailable):
            await runner.control.restore("")
        await until(world, "needs_attention", "tombstone_unverified")
        await runner.control.restore("b2")
        await until(world, "connected")
    assert "pairing" not in world.states
    assert [call for call in world.profile_store.calls if call.startswith("restore")] == ["restore b2"]


async def test_an_unverifiable_tombstone_does_not_keep_a_profile_on_disk_from_its_work() -> None:
    world = World()
    connected_profile(world)
    world.backups.tombstone_unverified = True
    async with running(world):
        await until(world, "connected")
    assert world.backups.stored


async def test_a_refused_backup_that_a_person_requested_is_in_the_status() -> None:
    world = World()
    connected_profile(world)
    async with running(world) as runner:
        await until(world, "connected")
        await eventually(lambda: world.backups.stored)
        world.backups.error = Fenced("another owner holds this session")
        with pytest.raises(Fenced):
            await runner.control.back_up()
        assert world.status.backups.last_error == "fenced"
        assert world.status.backups.last_attempt_at
        world.backups.error = None
        await runner.control.back_up()
        assert world.status.backups.last_error == ""


async def test_a_store_that_does_not_answer_for_long_is_not_known_any_more() -> None:
    world = World()
    connected_profile(world)
    world.backups.has("b1")
    times = replace(FAST, back_up=0.1, back_up_retry=0.05, validate=0.05)
    runner = SessionRunner(world.dependencies(times=times), epoch=1)
    task = asyncio.create_task(runner.run(1))
    await until(world, "connected")
    await eventually(lambda: world.status.backups.known and world.status.backups.count == 1)
    seen_at = world.status.backups.seen_at
    assert seen_at is not None
    world.backups.error = Unavailable("down")
    await eventually(lambda: not world.status.backups.known)
    assert world.status.backups.count >= 1, "what was known last stays"
    world.backups.error = None
    world.backups.has()
    await eventually(lambda: world.status.backups.known and world.status.backups.count == 0)
    assert world.status.backups.seen_at
    assert world.status.backups.seen_at > seen_at
    runner.post(Event.STOP)
    await task


async def test_a_full_disk_during_a_restore_is_waited_out() -> None:
    world = World()
    world.backups.has("b1")
    first_restore_fails(world, OSError(28, "No space left"))
    world.browser.after_launch = lambda: world.browser.shows(PageState.CONNECTED)
    async with running(world):
        await until(world, "connected")
    assert "restore_failed" in [change.reason for change in world.status.history]


async def test_a_profile_that_another_worker_has_outlived_gives_way_to_the_newer_backup() -> None:
    world = World()
    connected_profile(world)
    world.durable_record.written = type(world.durable_record.written)(linked=True, epoch=3)
    world.backups.has("theirs", epoch=7)
    async with running(world, epoch=8):
        await until(world, "connected")
    assert "restore theirs" in world.profile_store.calls


async def test_a_login_that_several_good_copies_cannot_bring_back_is_believed_to_be_revoked() -> None:
    world = World()
    connected_profile(world)
    world.profile_store.saved = [Save(f"s{n}", Path("/nowhere"), NOW, 1, "1") for n in range(6)]
    world.browser.after_launch = lambda: world.browser.shows(PageState.QR)
    async with running(world):
        await until(world, "logged_out", "login_gone")
    assert len([call for call in world.profile_store.calls if call.startswith("restore")]) == 3
    assert world.durable_record.written.revoked


async def test_a_page_that_shows_a_qr_becomes_no_copy() -> None:
    world = World()
    connected_profile(world)
    async with running(world) as runner:
        await until(world, "connected")
        saves = len(world.profile_store.saved)
        world.browser.shows(PageState.QR)
        with pytest.raises(NotConnected):
            await runner.control.back_up()
        assert len(world.profile_store.saved) == saves


async def test_a_restore_of_an_unknown_backup_leaves_a_running_session_alone() -> None:
    world = World()
    connected_profile(world)
    async with running(world) as runner:
        await until(world, "connected")
        with pytest.raises(NotFound):
            await runner.control.restore("no-such-backup")
        world.backups.error = Unavailable("down")
        with pytest.raises(Unavailable):
            await runner.control.restore("")
        assert world.status.state == "connected"


async def test_a_seal_that_cannot_be_saved_is_not_repeated_in_a_storm() -> None:
    world = World()
    world.browser.after_launch = lambda: world.browser.shows(PageState.QR)

    async def full(**_: object) -> object:
        raise OSError(28, "No space left")

    world.profile_store.snapshot = full  # type: ignore[assignment, method-assign]
    async with running(world):
        await until(world, "pairing")
        world.browser.shows(PageState.CONNECTED)
        await until(world, "connected")
        assert world.browser.calls.count("reopen_page") == 1
        await eventually(lambda: world.status.saves.last_error)


async def test_clear_of_a_session_that_is_not_running_unlinks_the_phone_too() -> None:
    world = World()
    connected_profile(world)
    runner = SessionRunner(world.dependencies(), epoch=1)
    runner.epoch_anchored(1)
    await runner.clear(9)
    assert "unlink" in world.browser.calls
    assert world.durable_record.written.request == 9


async def test_a_clear_that_could_not_wipe_is_not_noted_as_done() -> None:
    world = World()
    connected_profile(world)

    async def failing() -> None:
        raise OSError(5, "I/O error")

    world.profile_store.wipe = failing  # type: ignore[method-assign]
    runner = SessionRunner(world.dependencies(), epoch=1)
    runner.epoch_anchored(1)
    await runner.clear(9)
    assert world.durable_record.written.request == 0
    assert world.durable_record.written.tombstone_owed


async def test_a_send_whose_turn_comes_too_late_is_not_sent() -> None:
    world = World()
    connected_profile(world)
    async with running(world) as runner:
        await until(world, "connected")
        async with runner.control.page_lock:
            late = await runner.control.sender.send("c1", "201234567890", "hello", timeout=0.3)
    assert late.outcome == "failed"
    assert world.browser.sent == []


def refuse_saves(world: World) -> None:
    async def add_save(snapshot: object) -> Save:
        raise OSError(28, "No space left on device")

    world.profile_store.add_save = add_save  # type: ignore[method-assign, assignment]


async def test_without_room_for_a_save_the_link_is_sealed_and_backed_up_all_the_same() -> None:
    world = World()
    refuse_saves(world)
    world.browser.after_launch = lambda: world.browser.shows(PageState.QR)
    async with running(world) as runner:
        await until(world, "pairing")
        world.browser.shows(PageState.CONNECTED)
        await until(world, "connected")
        await eventually(lambda: world.backups.stored == ["link"])
        await eventually(lambda: world.status.saves.last_error == "OSError")
        assert (await runner.control.back_up()).outcome == "stored"
    assert world.backups.stored == ["link", "request", "stop"]
    assert "reconnecting" not in world.states


@pytest.mark.parametrize("saved", [False, True])
async def test_a_profile_from_before_a_clear_on_another_worker_is_not_used(saved: bool) -> None:
    world = World()
    world.durable_record.written = type(world.durable_record.written)(linked=True, epoch=1)
    world.profile_store.exists = not saved
    world.profile_store.saved = [Save("s1", Path("/nowhere"), NOW, 1, "156.0.0.1")]
    world.backups.has("b1", epoch=2, state="cleared")
    world.browser.after_launch = lambda: world.browser.shows(PageState.QR)
    async with running(world, epoch=3):
        await until(world, "pairing")
    assert not any(call.startswith("restore") for call in world.profile_store.calls)
    assert ("set_aside" in world.profile_store.calls) is not saved


async def test_a_profile_from_after_a_clear_is_used_although_the_store_still_shows_the_cleared_backups() -> None:
    world = World()
    connected_profile(world)
    world.durable_record.written = type(world.durable_record.written)(linked=True, epoch=3, cleared_epoch=2)
    world.backups.has("b1", epoch=2, state="cleared")
    async with running(world, epoch=7):
        await until(world, "connected")
    assert "set_aside" not in world.profile_store.calls


async def test_a_clear_waits_for_a_page_that_is_on_its_way_so_that_the_phone_is_told() -> None:
    world = World()
    connected_profile(world)
    world.browser.after_launch = lambda: world.browser.shows(PageState.LOADING)
    async with running(world) as runner:
        await eventually(lambda: world.browser.alive)
        runner.post(Event.CLEAR)
        await until(world, "stopped", "cleared")
        world.browser.shows(PageState.CONNECTED)
        world.browser.after_launch = None
    assert "unlink" in world.browser.calls
    assert "wipe" in world.profile_store.calls


async def test_a_clear_does_not_wait_for_a_page_that_will_not_connect() -> None:
    world = World()
    connected_profile(world)
    world.browser.after_launch = lambda: world.browser.shows(PageState.BANNED)
    async with running(world) as runner:
        await until(world, "needs_attention")
        runner.post(Event.CLEAR)
        await eventually(lambda: "wipe" in world.profile_store.calls, timeout=0.5)
    assert "unlink" not in world.browser.calls


async def test_a_clear_undoes_a_link_that_is_just_being_made() -> None:
    world = World()
    world.browser.after_launch = lambda: world.browser.shows(PageState.QR)
    async with running(world) as runner:
        await until(world, "pairing")
        world.browser.shows(PageState.PAIRING)
        runner.post(Event.CLEAR)
        await until(world, "stopped", "cleared")
        world.browser.shows(PageState.CONNECTED)
    assert "unlink" in world.browser.calls


@pytest.mark.parametrize("left", ["an empty page", "no page"])
async def test_a_clear_amid_work_on_the_page_brings_it_back_to_tell_the_phone(left: str) -> None:
    world = World()
    world.browser.after_launch = lambda: world.browser.shows(PageState.QR)
    cut_off = asyncio.Event()

    async def reopen_page() -> None:
        world.browser.shows(PageState.UNKNOWN)
        world.browser.alive = left == "an empty page"
        cut_off.set()
        await asyncio.Event().wait()

    async def reload() -> None:
        world.browser.shows(PageState.CONNECTED)

    async with running(world) as runner:
        await until(world, "pairing")
        world.browser.reopen_page, world.browser.reload = reopen_page, reload  # type: ignore[method-assign]
        world.browser.after_launch = lambda: world.browser.shows(PageState.CONNECTED)
        world.profile_store.exists = True
        world.browser.shows(PageState.CONNECTED)
        await cut_off.wait()
        runner.post(Event.CLEAR)
        await eventually(lambda: "wipe" in world.profile_store.calls)
    assert "unlink" in world.browser.calls


async def test_a_worker_whose_lease_can_have_passed_on_says_nothing() -> None:
    world = World()
    connected_profile(world)
    owns = True
    runner = SessionRunner(world.dependencies(), epoch=1, owns=lambda: owns)
    runner.epoch_anchored(1)
    task = asyncio.create_task(runner.run(1))
    await until(world, "connected")
    owns, said = False, len(world.statuses)
    runner.post(Event.LEASE_LOST)
    await task
    assert len(world.statuses) == said


async def test_a_requested_restore_that_failed_once_keeps_the_sound_profile_when_the_store_goes_away() -> None:
    """The cause of a restore outlives its pauses: the reason shown to people has changed by then."""
    world = World()
    connected_profile(world)
    world.backups.has("b1")
    async with running(world) as runner:
        await until(world, "connected")
        restore = world.profile_store.restore_backup

        async def full(source: object, *, browser_version: str) -> object:
            world.backups.error = Unavailable("S3 is down")
            raise OSError(28, "No space left")

        world.profile_store.restore_backup = full  # type: ignore[assignment, method-assign]
        await runner.control.restore("b1")
        await eventually(lambda: "kept_profile" in [change.reason for change in world.status.history])
        world.profile_store.restore_backup = restore  # type: ignore[method-assign]
        await until(world, "connected")
    assert "restore_failed" in [change.reason for change in world.status.history]


async def test_a_lease_lost_in_doubt_ends_the_session_although_an_event_still_waits_for_the_lease() -> None:
    """The event that waits is not answered: its browser could already be another worker's."""
    world = World()
    connected_profile(world)
    runner = SessionRunner(world.dependencies(), epoch=1)
    task = asyncio.create_task(runner.run(1))
    await until(world, "connected")
    runner.freeze()
    runner.post(Event.BROWSER_GONE)
    await asyncio.sleep(0)
    runner.lease_lost()
    async with asyncio.timeout(2):
        assert await task is Event.LEASE_LOST
    assert world.browser.calls.count("launch") == 1
    assert "reconnecting" not in world.states


async def test_an_event_that_waited_for_the_lease_is_answered_when_the_lease_is_sure() -> None:
    world = World()
    connected_profile(world)
    async with running(world) as runner:
        await until(world, "connected")
        runner.freeze()
        runner.post(Event.OFFLINE)
        await asyncio.sleep(0.05)
        assert world.status.state == "connected"
        runner.thaw()
        await eventually(lambda: "reconnecting" in world.states)


async def test_launches_rungs_copies_pauses_and_freezes_are_counted() -> None:
    world = World()
    connected_profile(world)
    world.browser.gone_at_launch = 1
    async with running(world) as runner:
        await until(world, "connected")
        await eventually(lambda: world.backups.stored)
        runner.freeze()
        runner.thaw()
        world.backups.error = Unavailable("down")
        with pytest.raises(Unavailable):
            await runner.control.back_up()
    counted = world.metrics.counted
    assert counted.index("launched False") < counted.index("rung new_browser") < counted.index("launched True")
    assert counted.index("save made") < counted.index("backup made") < counted.index("backup failed")
    assert world.metrics.seconds_paused[0] == 0.001
    assert len(world.metrics.seconds_frozen) == 1


async def test_a_freeze_that_ends_with_the_lease_is_counted_too() -> None:
    world = World()
    connected_profile(world)
    async with running(world) as runner:
        await until(world, "connected")
        runner.freeze()
        runner.lease_lost()
        await eventually(lambda: runner.state == "stopped")
    assert len(world.metrics.seconds_frozen) == 1


@pytest.mark.parametrize("page", [PageState.ELSEWHERE, PageState.BLANK])
async def test_a_page_taken_elsewhere_is_loaded_again_at_once_and_a_send_says_so(page: PageState) -> None:
    world = World()
    connected_profile(world)
    async with running(world) as runner:
        await until(world, "connected")
        world.browser.shows(page)
        await until(world, "reconnecting", "page_elsewhere")
        with pytest.raises(NotConnected) as error:
            await runner.control.sender.send("c1", "201234567890", "hello", timeout=1)
        assert error.value.code == "page_elsewhere"
        await eventually(lambda: "reload" in world.browser.calls)
        world.browser.shows(PageState.CONNECTED)
        await until(world, "connected")
    assert world.browser.sent == []
    assert "pairing" not in world.states
    assert "restoring" not in world.states


async def test_a_send_that_finds_the_page_elsewhere_before_the_session_knows_says_so() -> None:
    world = World()
    connected_profile(world)

    async def elsewhere(_number: str) -> str:
        raise PageElsewhere

    async with running(world) as runner:
        await until(world, "connected")
        world.browser.new_message_id = elsewhere  # type: ignore[method-assign]
        with pytest.raises(NotConnected) as error:
            await runner.control.sender.send("c1", "201234567890", "hello", timeout=1)
        assert error.value.code == "page_elsewhere"
    assert world.outbox.find("c1") is None


@pytest.mark.parametrize(
    "page", sorted(set(PageState) - {PageState.QR, PageState.UNKNOWN, PageState.CONNECTED, PageState.SYNCING})
)
async def test_a_qr_goes_as_soon_as_the_page_shows_something_else(page: PageState) -> None:
    world = World()
    world.browser.after_launch = lambda: world.browser.shows(PageState.QR)
    async with running(world):
        await until(world, "pairing")
        await eventually(lambda: world.status.pairing.qr)
        world.browser.shows(page)
        await eventually(lambda: world.status.pairing.qr is None, timeout=5)
