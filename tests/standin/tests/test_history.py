"""The history grows as asked, and its invariants hold in whatever a killed browser leaves behind."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from standin.process import StandInProcess

pytestmark = pytest.mark.browser

RECORD_BYTES = 4096
DAMAGE = """() => new Promise((done, fail) => {
    const opening = indexedDB.open('model-storage');
    opening.onerror = fail;
    opening.onsuccess = () => {
        const rows = opening.result.transaction('history', 'readwrite').objectStore('history');
        CHANGE
        rows.transaction.oncomplete = done;
    };
})"""


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


async def test_the_history_grows_to_the_chosen_size_on_disk(
    linked: Any, standin: StandInProcess, eventually: Callable[..., Any]
) -> None:
    standin.phone.set_history(target_mb=8)
    wanted = 8 * 2**20 // RECORD_BYTES
    found = await eventually(lambda: _when(linked, lambda check: check["records"] == wanted), within=30)
    assert found["ok"] is True
    assert found["lastSeq"] == wanted
    assert _size(linked.profile / "Default" / "IndexedDB") > 8 * 2**20


async def test_the_history_is_written_on_at_the_chosen_rate(
    linked: Any, standin: StandInProcess, eventually: Callable[..., Any]
) -> None:
    standin.phone.set_history(target_mb=1, rate_per_s=200)
    first = await eventually(lambda: _when(linked, lambda check: check["lastSeq"] > 300), within=30)
    later = await eventually(lambda: _when(linked, lambda check: check["lastSeq"] > first["lastSeq"] + 200), within=30)
    assert later["ok"] is True
    assert later["records"] == 2**20 // RECORD_BYTES
    standin.phone.set_history(rate_per_s=0)


async def test_the_invariants_hold_after_a_sigkill_in_the_middle_of_writing(
    linked: Any, launch: Any, standin: StandInProcess, eventually: Callable[..., Any]
) -> None:
    await linked.close()
    standin.phone.set_history(target_mb=2, rate_per_s=500)
    writing = await launch(wajs=False)
    await writing.until(socket="CONNECTED")
    before = await eventually(lambda: _when(writing, lambda check: check["lastSeq"] > 700), within=30)
    writing.signal(signal.SIGKILL)
    standin.phone.set_history(rate_per_s=0)
    again = await launch(wajs=False)
    await again.until(socket="CONNECTED")
    found = await again.check()
    assert found["ok"] is True, found
    assert found["lastSeq"] >= before["lastSeq"]
    assert found["loginPresent"] is True


async def test_the_check_needs_no_websocket(linked: Any, launch: Any, standin: StandInProcess) -> None:
    standin.phone.set_history(target_mb=1)
    await linked.close()
    standin.phone.set_faults(accept_sockets=False)
    again = await launch(wajs=False)
    found = await again.check()
    assert (found["ok"], found["loginPresent"]) == (True, True)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("rows.delete(100);", "history: 101 follows 99"),
        (
            "rows.get(7).onsuccess = e => { e.target.result.body[5] ^= 1; rows.put(e.target.result); };",
            "record 7 is dam",
        ),
        ("rows.delete(256);", "255 records where meta says 1 to 256"),
    ],
)
async def test_damage_is_found(
    linked: Any, standin: StandInProcess, eventually: Callable[..., Any], change: str, problem: str
) -> None:
    standin.phone.set_history(target_mb=1)
    await eventually(lambda: _when(linked, lambda check: check["records"] == 256), within=30)
    await linked.page.evaluate(DAMAGE.replace("CHANGE", change))
    found = await linked.check()
    assert found["ok"] is False
    assert any(problem in text for text in found["problems"]), found


async def _when(driven: Any, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any] | None:
    check: dict[str, Any] = await driven.check()
    return check if wanted(check) else None
