"""How the commands speak with a gateway, and which one they mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from persistent_session.client import answers
from persistent_session.client.gateway import AsyncGateway, Gateway
from persistent_session.client.phone import VirtualPhone
from persistent_session.client.target import find_target
from persistent_session.data_folder import DataFolder
from persistent_session.errors import CliError, ExitCode
from persistent_session.stack import running_stack
from persistent_session.stack.lock_file import locked
from persistent_session.stack.running_stack import RunningStack

KEY = "ps_key"
GOOD: dict[str, Any] = {"success": True, "status": {"isConnected": True, "state": "connected", "workerAlive": True}}


def _gateway(answer: Callable[[httpx.Request], httpx.Response]) -> Gateway:
    return Gateway("http://gateway", KEY, transport=httpx.MockTransport(answer))


def _always(status: int, body: object) -> Gateway:
    return _gateway(lambda request: httpx.Response(status, json=body))


def test_an_action_goes_with_the_key_and_only_the_fields_that_were_given() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json=GOOD)

    _gateway(answer).action("restore", backupId="")
    assert json.loads(seen[0].content) == {"action": "restore"}
    assert seen[0].headers["X-API-Key"] == KEY


def test_a_request_is_never_sent_twice() -> None:
    seen: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        raise httpx.ReadTimeout("slow")

    with pytest.raises(CliError, match="in time"):
        _gateway(answer).action("send-test-message", phoneNumber="201234567890", message="hi")
    assert len(seen) == 1


@pytest.mark.parametrize(
    ("status", "body", "code", "said"),
    [
        (401, {"success": False, "error": "x"}, ExitCode.DENIED, "key"),
        (403, "not even JSON", ExitCode.DENIED, "key"),
        (409, {"success": False, "error": "not connected", "hint": "link a phone"}, ExitCode.FAILED, "not connected"),
        (200, {"success": False, "error": "strange"}, ExitCode.FAILED, "strange"),
        (200, ["some", "other", "server"], ExitCode.FAILED, "not the gateway's"),
        (502, {}, ExitCode.FAILED, "502"),
    ],
)
def test_each_refusal_is_one_line_and_an_exit_code(status: int, body: object, code: ExitCode, said: str) -> None:
    with pytest.raises(CliError, match=said) as told:
        _always(status, body).status()
    assert told.value.code is code
    assert KEY not in told.value.message + told.value.hint


def test_a_gateway_that_is_not_there_is_told_apart_from_one_that_refuses() -> None:
    def refuse(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    with pytest.raises(CliError, match="nothing answers") as told:
        _gateway(refuse).status()
    assert told.value.code is ExitCode.NOT_RUNNING


@pytest.mark.parametrize(("url", "key"), [("http://[", KEY), ("http://x", "ключ")])
def test_an_address_or_a_key_that_cannot_be_one_is_told(url: str, key: str) -> None:
    with pytest.raises(CliError) as told:
        Gateway(url, key).status()
    assert key not in told.value.message


def test_what_is_said_on_the_command_line_wins(tmp_path: Path) -> None:
    target = find_target({"API_KEY": "mine"}, tmp_path, url="http://there")
    assert (target.url, target.key) == ("http://there", "mine")


def test_without_anything_said_the_system_that_runs_here_is_meant(tmp_path: Path) -> None:
    with _running(tmp_path / "data", "http://here"):
        target = find_target({}, tmp_path)
    assert (target.url, target.key) == ("http://here", "kept")


def test_where_only_a_demo_runs_it_is_meant(tmp_path: Path) -> None:
    with _running(tmp_path / "data" / "demo", "http://demo"):
        assert find_target({}, tmp_path).url == "http://demo"


def test_where_both_run_the_real_one_is_meant_unless_the_demo_is_named(tmp_path: Path) -> None:
    with _running(tmp_path / "data", "http://real"), _running(tmp_path / "data" / "demo", "http://demo"):
        assert find_target({}, tmp_path).url == "http://real"
        assert find_target({}, tmp_path, demo=True).url == "http://demo"


def test_where_nothing_runs_that_is_the_answer(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="no system runs here") as told:
        find_target({"API_KEY": "k"}, tmp_path)
    assert told.value.code is ExitCode.NOT_RUNNING


def test_a_key_of_the_users_own_is_asked_for_and_never_guessed(tmp_path: Path) -> None:
    with (
        _running(tmp_path / "data", "http://here", own_api_key=True),
        pytest.raises(CliError, match="your own") as told,
    ):
        find_target({}, tmp_path)
    assert told.value.code is ExitCode.DENIED


def test_a_key_is_never_part_of_what_is_printed(tmp_path: Path) -> None:
    assert "mine" not in repr(find_target({"API_KEY": "mine"}, tmp_path, url="http://there"))


class _Running:
    """A data folder that is locked, as by a supervisor."""

    def __init__(self, folder: Path, url: str, own_api_key: bool) -> None:
        self._data = DataFolder(folder)
        self._lock = locked(self._data)
        self._stack = RunningStack(
            pid=1, gateway_url=url, page_url=url, data_dir=str(folder), session_path="", backup_session_path="",
            client_id="c", own_api_key=own_api_key,
        )  # fmt: skip
        (folder / "keys").mkdir(parents=True)
        (folder / "keys" / "api-key").write_text("kept\n")

    def __enter__(self) -> None:
        self._lock.__enter__()
        running_stack.write(self._data, self._stack)

    def __exit__(self, *error: object) -> None:
        self._lock.__exit__(None, None, None)


def _running(folder: Path, url: str, *, own_api_key: bool = False) -> _Running:
    return _Running(folder, url, own_api_key)


@pytest.mark.parametrize("answer", [{}, {"status": None}, {"status": []}, {"status": {"isConnected": "true"}}])
def test_an_answer_that_does_not_say_connected_is_not_connected(answer: Mapping[str, Any]) -> None:
    assert not answers.is_connected(answer)


def _said(updated_at: str, worker: str = "first", uptime: float = 10.0, *, connected: bool = True) -> dict[str, Any]:
    status = {
        "state": "connected" if connected else "starting", "isConnected": connected, "workerAlive": True,
        "updatedAt": updated_at,
    }  # fmt: skip
    return {"success": True, "status": status, "systemInfo": {"worker": {"name": worker, "uptime": uptime}}}


@pytest.mark.parametrize(
    ("later", "lives"),
    [
        (_said("12:00"), False),
        (_said("12:01"), True),
        (_said("11:59"), True),
        (_said("12:00", uptime=12.0), True),
        (_said("12:00", uptime=1.0), False),
        (_said("12:00", worker="second", uptime=12.0), False),
        ({"status": {"updatedAt": "12:00"}, "systemInfo": {"worker": None}}, False),
    ],
)
def test_a_worker_lives_when_it_has_said_something_since_the_first_look(later: dict[str, Any], lives: bool) -> None:
    new_report = answers.NewReport()
    assert not new_report.seen_in(_said("12:00"))
    assert new_report.seen_in(later) is lives


async def test_the_supervisor_tells_connected_only_by_the_word_of_a_worker_of_this_run() -> None:
    said = [_said("12:00"), _said("12:00", uptime=10.0), _said("12:05", connected=False), _said("12:06")]
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=said.pop(0)))
    async with AsyncGateway("http://gateway", KEY, transport=transport) as gateway:
        told = [await gateway.one_line() for _ in range(4)]
    assert told == ["", "", "session starting", "session connected"]


def test_why_it_is_not_connected_names_what_a_person_can_do() -> None:
    pairing = {"status": {"state": "pairing", "workerAlive": True}}
    assert "persistent-session qr" in answers.why_not_connected(pairing)
    gone = {"status": {"state": "connected", "workerAlive": False}}
    assert "no browser worker answers" in answers.why_not_connected(gone)


def test_the_line_about_a_session_never_holds_the_qr_code_or_a_number() -> None:
    status = {"state": "pairing", "qrCode": "2@SECRET", "clientInfo": {"number": "201234567890"}}
    line = answers.one_line({"status": status, "healthOverall": "warning"})
    assert "SECRET" not in line
    assert "2012" not in line
    assert "health warning" in line


def test_the_virtual_phone_tells_in_the_stand_ins_words_why_it_cannot_scan() -> None:
    transport = httpx.MockTransport(lambda request: httpx.Response(409, json={"error": "no QR code is displayed"}))
    with pytest.raises(CliError, match="no QR code is displayed"):
        VirtualPhone("http://phone", "key", transport=transport).scan()
