"""The page: code of others in the worker's browser. It leaves the site, copies it, opens tabs, reaches for the machine.

The attacks run as code of the site, through the stand-in, in a page without a policy of its own.
"""

from __future__ import annotations

import json
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psutil
import pytest
from whole_system import System, link

from shared.testing import eventually_sync
from standin.client import Phone
from standin.process import StandInProcess

SEND = {"phoneNumber": "201234567890", "message": "to nobody"}
COPY = "1@copy,a,b,c,d"
TO_A_COPY = f"""location.href = URL.createObjectURL(
    new Blob([`<div data-ref="{COPY}"><canvas></canvas></div>`], {{ type: 'text/html' }}))"""
REACH = """const tried = async (what) => { try { await what(); return 'reached' } catch { return 'refused' } };
const fetched = (at) => tried(() => fetch(`http://${at}/`, { mode: 'no-cors' }));
const spoken = (at) => tried(() => new Promise((done, fail) => {
    const socket = new WebSocket(`ws://${at}/`); socket.onopen = done; socket.onerror = fail }));
const called = (at) => tried(() => new Promise(async (done, fail) => {
    const call = new RTCPeerConnection({ iceServers: [{ urls: `stun:${at}` },
        { urls: `turn:${at}?transport=tcp`, username: 'a', credential: 'b' }] });
    call.createDataChannel('x'); call.onicecandidate = (event) => event.candidate ? done() : fail();
    await call.setLocalDescription(await call.createOffer()); setTimeout(fail, 1500) }));
"""


@pytest.fixture(scope="module")
def standin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandInProcess]:
    """Every page that it serves obeys the attacker."""
    with StandInProcess(tmp_path_factory.mktemp("standin")) as running:
        running.phone.set_faults(hostile=True)
        yield running


def asked(phone: Phone, expression: str, before: str = "") -> Any:
    """What the page's code finds out; it comes back in what the page reports of itself."""
    mark = secrets.token_hex(4)
    report = f"{{ type: 'state', socket: 'CONNECTED', stream: 'MAIN', url: '{mark}' + JSON.stringify(found) }}"
    phone.run(f"{before}; (async () => ({expression}))().then((found) => require('StandInTransport').send({report}))")

    def answer() -> str | None:
        return next((page.url for page in phone.pages() if (page.url or "").startswith(mark)), None)

    return json.loads(str(eventually_sync(answer, timeout=40, message="the page does not answer")).removeprefix(mark))


def reasons(system: System) -> list[str]:
    """Newest first."""
    return [f"{each['state']}: {each['reason']}" for each in system.get()["history"]]


@contextmanager
def away(system: System, phone: Phone, script: str) -> Iterator[None]:
    """While the page's own socket is refused, so that the reload does not bring the session back at once."""
    phone.set_faults(accept_sockets=False)
    try:
        phone.run(script)
        system.until("reconnecting")
        yield
    finally:
        phone.set_faults(accept_sockets=True)


def test_a_page_taken_elsewhere_is_said_to_be_elsewhere_and_comes_back_without_a_qr(
    system: System, phone: Phone
) -> None:
    before = len(reasons(system))
    with away(system, phone, "location.href = 'about:blank'"):
        assert reasons(system)[0] == "reconnecting: page_elsewhere"
        answer = system.post("send-test-message", **SEND)
        assert (answer.status_code, answer.json()["code"]) == (409, "page_elsewhere")
        assert "refused" not in answer.text
    system.until("connected")
    lived = reasons(system)
    assert not [each for each in lived[: len(lived) - before] if each.startswith(("pairing", "restoring"))]
    assert phone.device().max_simultaneous == 1
    assert phone.messages() == []


def test_a_navigation_off_the_site_is_refused_and_the_session_stays_connected(system: System, phone: Phone) -> None:
    with listening() as (port, heard):
        before = reasons(system)
        phone.run(f"location.href = 'http://127.0.0.1:{port}/copy'")
        eventually_sync(lambda: "navigation" in refused(system), timeout=20, message="nothing was refused")
        assert asked(phone, "1 + 1") == 2
        assert reasons(system) == before
        assert heard == []


def test_a_copy_of_the_site_is_never_read_and_its_qr_never_shown(system: System, phone: Phone) -> None:
    with away(system, phone, TO_A_COPY):
        assert reasons(system)[0] == "reconnecting: page_elsewhere"
        assert COPY not in json.dumps(system.get())
    system.until("connected")


def test_a_second_tab_is_no_second_login(system: System, phone: Phone) -> None:
    tabs = "for (const how of ['', 'noopener', 'popup']) window.open(location.href, '_blank', how)"
    phone.run(tabs)
    assert asked(phone, "1 + 1") == 2
    assert system.state() == "connected"
    assert len(phone.pages()) == 1
    assert phone.device().max_simultaneous == 1


def test_the_page_reaches_no_port_of_the_machine(system: System, phone: Phone) -> None:
    with listening() as (port, heard):
        ports = [port, *ports_of(system)]
        assert system.port in ports
        hosts = [f"127.0.0.1:{each}" for each in ports] + [f"localhost:{port}", f"2130706433:{port}", f"[::1]:{port}"]
        each = f"await Promise.all({json.dumps(hosts)}.map(async (at) => [at, await fetched(at), await spoken(at)]))"
        found = asked(phone, each, REACH)
        assert {(fetched, spoken) for _, fetched, spoken in found} == {("refused", "refused")}
        assert asked(phone, f"await called('127.0.0.1:{port}')", REACH) == "refused"
        assert heard == []
    assert asked(phone, "await fetched(location.host)", REACH) == "reached"


def test_a_dead_qr_goes_at_once(system: System, phone: Phone) -> None:
    phone.unlink()
    system.until("logged_out")
    system.post("initialize")
    system.until("pairing")
    eventually_sync(lambda: system.get()["status"]["qrCode"], timeout=40, message="no QR was shown")
    with away(system, phone, TO_A_COPY):
        status = system.get()["status"]
        assert (status["qrCode"], status["reason"]) == (None, "page_elsewhere")
    link(system, phone)


@contextmanager
def listening() -> Iterator[tuple[int, list[str]]]:
    """A port of the machine, TCP and UDP, and who spoke to it."""
    heard: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.bind(tcp.getsockname())
        udp.settimeout(0.2)
        tcp.settimeout(0.2)
        over = threading.Event()

        def hear() -> None:
            while not over.is_set():
                with suppress(TimeoutError):
                    tcp.accept()[0].close()
                    heard.append("tcp")
                with suppress(TimeoutError):
                    udp.recv(100)
                    heard.append("udp")

        hearing = threading.Thread(target=hear)
        hearing.start()
        try:
            yield tcp.getsockname()[1], heard
        finally:
            over.set()
            hearing.join()


def ports_of(system: System) -> list[int]:
    """Every port on which a process of the system listens: gateway, NATS, object store, ops."""
    found = set()
    for process in system.processes():
        with suppress(psutil.Error):
            found |= {at.laddr.port for at in process.net_connections("tcp") if at.status == psutil.CONN_LISTEN}
    return sorted(found)


def refused(system: System) -> list[str]:
    return [str(line["what"]) for line in system.log_of("browser-worker") if line.get("event") == "browser_refused"]
