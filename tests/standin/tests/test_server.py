"""The process: ready file, memory that survives a SIGKILL, a quick stop, refusals in words."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from standin.client import RefusedError
from standin.control import control_app
from standin.doors import NoKeyError, read_key
from standin.process import StandInProcess
from standin.settings import InjectedFaults, PageSettings, updated


def test_the_ready_file_says_where_everything_is(standin: StandInProcess, tmp_path: Path) -> None:
    ready = json.loads((tmp_path / "standin" / "ready.json").read_text())
    assert ready.keys() == {"pid", "web_url", "control_url", "tls_port"}
    for url in (ready["web_url"], ready["control_url"]):
        assert url.startswith("http://127.0.0.1:")
    with socket.create_connection(("127.0.0.1", ready["tls_port"])):
        pass


def test_a_sigterm_ends_it_at_once_even_with_a_request_that_hangs(
    standin: StandInProcess, stopwatch: Callable[[], float]
) -> None:
    standin.phone.set_faults(http="hang")
    host, port = standin.web_url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as waiting:
        waiting.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        began = stopwatch()
        standin.stop()
        assert stopwatch() - began < 3


def test_faults_and_settings_survive_a_sigkill(standin: StandInProcess) -> None:
    standin.phone.set_faults(ack="nack", modules={"drop": ["WAWebCmd"]})
    standin.phone.set_settings(refs=2)
    url = standin.web_url
    standin.kill()
    standin.start()
    assert standin.web_url == url
    faults = standin.phone.set_faults()
    assert (faults["ack"], faults["modules"]["drop"]) == ("nack", ["WAWebCmd"])
    assert standin.phone.set_settings()["refs"] == 2
    standin.phone.reset()
    assert standin.phone.set_faults()["ack"] == "normal"
    assert standin.phone.set_settings()["refs"] == 6


JSON = {"Content-Type": "application/json"}
ROUTES = sorted({(route.method, route.resource.canonical) for route in control_app(None, "").router.routes()})  # type: ignore[arg-type, union-attr]


def test_the_control_api_acts_for_a_program_with_the_key_and_for_no_page(standin: StandInProcess) -> None:
    key = {"Authorization": f"Bearer {standin.key}"}
    page = {"Origin": "http://evil.example", "Sec-Fetch-Site": "cross-site"}
    refused = [
        (401, {}), (401, {"Authorization": "Bearer wrong"}), (401, {"Authorization": f"Basic {standin.key}"}),
        (403, {**page, "Content-Type": "text/plain"}), (403, {**page, **key}),
        (403, {"Origin": standin.ready.control_url, "Sec-Fetch-Site": "same-origin", **key}),
        (403, {"Host": "evil.example", **key}),
    ]  # fmt: skip
    text = [(415, {**key, "Content-Type": "text/plain"}), (415, {**key, "Content-Type": ""})]
    with httpx.Client(base_url=standin.ready.control_url, trust_env=False) as client:
        for method, path in ROUTES:
            for status, headers in (*refused, *(text if method == "POST" else [])):
                answer = client.request(method, path, content=b"{}", headers=JSON | headers)
                assert (answer.status_code, path, headers) == (status, path, headers)
                assert not any(name.startswith("access-control") for name in answer.headers)
            assert client.request(method, path, content=b"[]", headers=JSON | key).status_code in (200, 400)


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Host": "evil.example", "Origin": "http://evil.example"}, 403),
        ({}, 409),
    ],
)
def test_another_sites_page_cannot_let_the_phone_scan(
    standin: StandInProcess, headers: dict[str, str], status: int
) -> None:
    given = {"X-Standin-Page": "any", **headers}
    answer = httpx.post(f"{standin.web_url}/virtual-phone/scan", headers=given, trust_env=False)
    assert answer.status_code == status


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "http://127.0.0.1:1"])
def test_another_sites_page_is_no_page_of_this_site(standin: StandInProcess, origin: str) -> None:
    upgrade = {
        "Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Origin": origin,
    }  # fmt: skip
    assert httpx.get(f"{standin.web_url}/ws/chat", headers=upgrade, trust_env=False).status_code == 403
    assert standin.phone.pages() == []


@pytest.mark.parametrize("environ", [{}, {"STANDIN_KEY": ""}, {"STANDIN_KEY_FILE": "/nowhere"}])
def test_without_a_key_nothing_is_started(tmp_path: Path, environ: dict[str, str]) -> None:
    with pytest.raises(NoKeyError, match="STANDIN_KEY_FILE"):
        read_key(environ)


@pytest.mark.parametrize(
    "faults", [{"ack": "sometimes"}, {"unknown": 1}, {"ack_delay_ms": -1}, {"modules": {"late_ms": {"X": "soon"}}}]
)
def test_what_is_not_a_fault_is_refused_and_changes_nothing(standin: StandInProcess, faults: dict[str, Any]) -> None:
    with pytest.raises(RefusedError) as refused:
        standin.phone.set_faults(**faults)
    assert refused.value.status == 400
    assert standin.phone.set_faults()["ack"] == "normal"


def test_a_device_that_is_not_linked_cannot_be_unlinked(standin: StandInProcess) -> None:
    with pytest.raises(RefusedError) as refused:
        standin.phone.unlink(7)
    assert refused.value.status == 404
    assert standin.phone.unlink() == []


def test_an_update_keeps_what_it_does_not_name() -> None:
    faults = updated(updated(InjectedFaults(), {"ack": "late"}), {"modules": {"drop": ["A"]}})
    faults = updated(faults, {"modules": {"hide": ["B"]}})
    assert (faults.ack, faults.modules.drop, faults.modules.hide) == ("late", ("A",), ("B",))
    settings = updated(updated(PageSettings(), {"history": {"target_mb": 5}}), {"history": {"rate_per_s": 2}})
    assert (settings.history.target_mb, settings.history.rate_per_s) == (5, 2)


@pytest.mark.browser
async def test_a_linked_page_is_connected_again_to_a_killed_and_restarted_stand_in(
    linked: Any, standin: StandInProcess, eventually: Callable[..., Any]
) -> None:
    await linked.send("before")
    standin.kill()
    await linked.until(socket="OPENING")
    standin.start()
    await linked.until(socket="CONNECTED", mode="MAIN")
    assert [message.text for message in standin.phone.messages()] == ["before"]
    device = standin.phone.device()
    assert (device.logins, device.max_simultaneous, device.simultaneous) == (2, 1, 1)
    pages = await eventually(lambda: [page for page in standin.phone.pages() if page.socket == "CONNECTED"])
    assert [(page.state, page.stream, page.device) for page in pages] == [("main", "MAIN", device.id)]


@pytest.mark.browser
async def test_a_reset_brings_every_page_back_to_the_qr_code(linked: Any, standin: StandInProcess) -> None:
    await linked.send("before")
    standin.phone.reset()
    await linked.page.wait_for_url("**/?post_logout=1*")
    await linked.until(socket="UNPAIRED", mode="QR")
    assert standin.phone.messages() == []
    assert [device.state for device in standin.phone.devices()] == ["unlinked"]
