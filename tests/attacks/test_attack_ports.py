"""Every socket that a process of the running system listens on, found by looking, against everybody who may reach it.

Attackers: a program without a key, with a wrong key, with the key of another port, another user of the machine, a page
of a foreign origin in a browser on the machine, and the same page after DNS rebinding. What may answer them is in one
table with its reasons. No new port is safe from this walk: it is not listed here, it is found.
"""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import re
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import httpx
import psutil
import pytest
from playwright.async_api import BrowserContext, Page, async_playwright
from pydantic import SecretStr
from sockets import Listener, is_open_to_others, listeners
from whole_system import OLD_API, System, command_line

from gateway.bootstrap import Gateway
from gateway.settings import GatewaySettings
from persistent_session.data_folder import DataFolder
from persistent_session.services.table import S3_SERVICE, TABLE
from persistent_session.stack import ports, running_stack
from persistent_session.stack.running_stack import RunningStack
from shared.browsers import browser_of
from shared.bus import Bus, BusOptions
from shared.bus.credentials import new_seed
from shared.clock import SystemClock
from shared.contracts.errors import Unavailable
from standin.control import control_app
from standin.process import StandInProcess
from standin.web import page_app
from standin.world import World

OPS = ("backup-http", "health-http", "worker-http", "gateway-http")
MAY_ANSWER: tuple[tuple[tuple[str, ...], str, str], ...] = (
    (OPS, r"/health/live", "platforms ask without a header whether a process lives; nothing else is told"),
    (("gateway",), r"/health/(live|ready)", "platforms ask the public port without a header; no name is told"),
    (
        ("gateway",),
        r"/|/persistent-session|/persistent-session/log(in|out)|/static/.*",
        "the page, which asks for a key",
    ),
    (
        ("standin-web",),
        r"/|/page/.*|/favicon\.ico|/qr",
        "a site answers everybody; /qr draws the text that it is given",
    ),
    (("standin-web",), r"/phone|/phone/files/.*", "the phone's bare page, which is locked without the key"),
)
"""Port, path, reason: what answers without a key, whoever asks. The answer is the same for everybody."""
MAY_CONNECT = re.compile(r"/tmp/seaweedfs-(master|volume|filer|s3|admin)-grpc-\d+\.sock")
"""SeaweedFS puts them there, whatever it is told. They ask for this system's certificate (test_attack_store.py)."""
EGRESS = "egress proxy"
"""The one port that the table of services does not name, because each browser has its own, made with it: the way out of
the browser. It speaks SOCKS, which no page can, and closes unanswered what belongs to another user."""
FOREIGN = "evil.example"
WELL_KNOWN = (
    "/", "/metrics", "/health", "/healthz", "/health/live", "/health/ready", "/status", "/version", "/varz", "/jsz",
    "/connz", "/subsz", "/json/version", "/json/list", "/debug/pprof/", "/debug/vars", "/admin", "/buckets/",
    "/dir/status", "/cluster/status", "/phone", "/phone/state", "/.env",
)  # fmt: skip
"""What the programs of this system, and of others like it, are known to answer."""
STRANGER = httpx.Client(timeout=5.0, trust_env=False)


@dataclass(frozen=True)
class Door:
    """A TCP socket of the system, by its name in the table of services."""

    name: str
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def may_answer(self, path: str) -> bool:
        return any(self.name in names and re.fullmatch(pattern, path) for names, pattern, _ in MAY_ANSWER)


@pytest.fixture(scope="module")
def processes(system: System, standin: StandInProcess) -> list[psutil.Process]:
    """The supervisor and all below it, what has left its tree, and the stand-in."""
    everything = (*_tree(_stack(system).pid), *system.processes(), *_tree(standin.ready.pid))
    return list({process.pid: process for process in everything}.values())


@pytest.fixture(scope="module")
def found(processes: list[psutil.Process]) -> list[Listener]:
    return listeners(processes)


def _stack(system: System) -> RunningStack:
    found = running_stack.read(DataFolder(system.data))
    assert found
    return found


def _tree(pid: int) -> list[psutil.Process]:
    root = psutil.Process(pid)
    return [root, *root.children(recursive=True)]


@pytest.fixture(scope="module")
def doors(found: list[Listener], system: System, standin: StandInProcess) -> list[Door]:
    worker = _stack(system).processes["browser-worker"]
    named = {port: name for name, port in ports.read(system.data / "run" / "ports.json").items()}
    named |= {system.port: "gateway", _port(standin.web_url): "standin-web"}
    named |= {_port(standin.ready.control_url): "standin-control"}
    named |= {each.port: EGRESS for each in found if each.port not in named and each.pid == worker and each.port}
    named |= {port + ports.DERIVED: f"{name}-grpc" for port, name in list(named.items()) if name == "s3-admin"}
    numbers = {each.port for each in found if each.kind == "tcp"}
    assert list(named.values()).count(EGRESS) == 1, "one browser has one way out"
    assert numbers <= named.keys(), f"ports without a name: {[each for each in found if each.port not in named]}"
    return [Door(named[number], number) for number in sorted(numbers)]


@pytest.fixture(scope="module")
def http(doors: list[Door]) -> list[Door]:
    """The doors that speak HTTP without TLS."""
    return [door for door in doors if _speaks_http(door)]


def _speaks_http(door: Door) -> bool:
    try:
        return "HTTPS server" not in STRANGER.get(door.address).text  # as servers of TLS say it
    except httpx.TransportError:
        return False


def _port(url: str) -> int:
    return int(url.rsplit(":", 1)[1])


@pytest.fixture(scope="module")
def routes() -> set[tuple[str, str]]:
    """(method, path) of each server of ours, by its own table of routes."""
    gateway = Gateway(GatewaySettings(api_key=SecretStr(secrets.token_hex(32))))
    found = {(method, rule.rule) for rule in gateway.app.url_map.iter_rules() for method in rule.methods or ()}
    world = World.__new__(World)  # none of the routes is called
    for app in (control_app(world, ""), page_app(world, "")):
        found |= {(route.method, route.resource.canonical) for route in app.router.routes() if route.resource}
    return {(method, path.replace("<path:filename>", "page.css")) for method, path in found}


@pytest.fixture(scope="module")
def acts(routes: set[tuple[str, str]]) -> list[str]:
    """What a POST may change something at."""
    return sorted({path for method, path in routes if method == "POST"})


@pytest.fixture(scope="module")
def paths(routes: set[tuple[str, str]]) -> list[str]:
    """Each address of each server of ours, and what is well known."""
    return sorted({*WELL_KNOWN, *(path for _, path in routes)})


def test_nothing_listens_that_has_no_name_or_not_on_loopback(doors: list[Door], found: list[Listener]) -> None:
    names = {door.name for door in doors}
    assert {"gateway", "nats", "standin-web", "standin-control", *OPS} <= names
    assert {each.address for each in found if each.kind == "tcp"} == {"127.0.0.1"}
    assert [each for each in found if each.kind == "udp"] == []


def test_the_browser_listens_nowhere(found: list[Listener], processes: list[psutil.Process]) -> None:
    """No remote debugging: who reaches that port reads the page and owns the session."""
    said = {each.pid: command_line(each) for each in processes}
    family = {pid for pid, words in said.items() if any(word.startswith("--user-data-dir=") for word in words)}
    assert len(family) > 1
    assert [each for each in found if each.pid in family] == []
    assert not any(word.startswith("--remote-debugging-port") for pid in family for word in said[pid])


def test_no_other_user_may_connect_to_a_unix_socket(found: list[Listener]) -> None:
    sockets = [each.address for each in found if each.kind == "unix"]
    assert [path for path in sockets if is_open_to_others(path) and not MAY_CONNECT.fullmatch(path)] == []


# Programs


def _answers(door: Door, method: str, path: str, headers: Mapping[str, str]) -> tuple[str, str, str, int] | None:
    """Who answered what with which status; None for a refusal. A CORS header is an answer to a page, whatever its
    value."""
    body = {"json": {}} if method == "POST" else {}
    with STRANGER.stream(method, f"{door.address}{path}", headers=dict(headers), **body) as answer:
        shared = [name for name in answer.headers if name.startswith("access-control-")]
        refused = answer.status_code >= 400 and not shared
        return None if refused else (door.name, method, path, answer.status_code)


def _walk(doors: list[Door], paths: list[str], headers: Mapping[str, str]) -> list[tuple[str, str, str, int]]:
    asked = [(door, method, path) for door in doors for path in paths for method in ("GET", "POST")]
    asked += [(door, "OPTIONS", "/") for door in doors]
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(lambda each: _answers(*each, headers), asked)
        return [answer for answer in answers if answer]


def _unexpected(doors: list[Door], answers: list[tuple[str, str, str, int]]) -> list[tuple[str, str, str, int]]:
    by_name = {door.name: door for door in doors}
    return [answer for answer in answers if not by_name[answer[0]].may_answer(answer[2])]


@pytest.mark.parametrize("name", ["127.0.0.1", FOREIGN], ids=["own name", "foreign name"])
def test_without_a_key_nothing_answers_but_what_may(http: list[Door], paths: list[str], name: str) -> None:
    headers = {"Origin": f"http://{FOREIGN}"} if name == FOREIGN else {}
    for door in http:
        given = {**headers, "Host": f"{name}:{door.port}"}
        answers = _walk([door], paths, given)
        assert _unexpected([door], answers) == []
    live = [door for door in http if door.name in OPS]
    assert all(_answers(door, "GET", "/health/live", {"Host": name}) for door in live)


def test_a_wrong_key_and_the_key_of_another_port_open_nothing(
    http: list[Door], system: System, standin: StandInProcess
) -> None:
    keys = {path.name: path.read_text().strip() for path in (system.data / "keys").iterdir()}
    fits = {port.name: {key.name for key in port.keys} for service in TABLE for port in service.ports}
    keys["standin-key"] = standin.key
    del keys["s3-tls"]  # no text for a header
    few = ["/", OLD_API, "/metrics", "/health/ready", "/devices", "/phone/state"]
    for door in http:
        wrong = {name: key for name, key in keys.items() if name not in fits[door.name]} | {"none": "x" * 43}
        for key in wrong.values():
            headers = {"Authorization": f"Bearer {key}", "X-API-Key": key}
            answers = [answer for path in few if (answer := _answers(door, "GET", path, headers))]
            assert _unexpected([door], answers) == []


def test_the_right_key_opens_what_it_is_for_and_not_under_a_foreign_name(
    http: list[Door], system: System, standin: StandInProcess
) -> None:
    token = (system.data / "keys" / "metrics-token").read_text().strip()
    opened = {**dict.fromkeys(OPS, (token, "/metrics")), "standin-control": (standin.key, "/devices")}
    opened |= {"gateway": (system.key, OLD_API), "standin-web": (standin.key, "/phone/state")}
    assert {door.name for door in http} == opened.keys(), "the keys of a new door are tried here too"
    for door in http:
        key, path = opened[door.name]
        headers = {"Authorization": f"Bearer {key}"}
        assert _answers(door, "GET", path, headers)
        strange = _answers(door, "GET", path, {**headers, "Host": f"{FOREIGN}:{door.port}"})
        # The gateway is public, so its owner gives it any name; a stranger's page has no key, and a login's cookie
        # belongs to the name under which it was given.
        assert door.name == "gateway" or strange is None


@pytest.mark.parametrize("seed", ["", new_seed()], ids=["no key", "wrong key"])
async def test_the_bus_lets_nobody_in_without_a_users_key(doors: list[Door], seed: str) -> None:
    (bus,) = (door for door in doors if door.name == "nats")
    options = BusOptions(url=f"nats://127.0.0.1:{bus.port}", nkey_seed=seed)
    with pytest.raises(Unavailable) as refused:
        await Bus.connect(options, clock=SystemClock(), wait_seconds=None)
    assert refused.value.code == "credentials_refused"


def test_what_speaks_no_plain_http_ends_the_talk_with_a_stranger(doors: list[Door], http: list[Door]) -> None:
    """What the store tells to whom is tried in test_attack_store.py."""
    others = [door for door in doors if door not in http and door.name != "nats"]
    assert {door.name for door in others} == {port.name for port in S3_SERVICE.ports} | {"s3-admin-grpc", EGRESS}
    with httpx.Client(verify=False, timeout=5.0, trust_env=False) as stranger:
        for door in others:
            with pytest.raises(httpx.TransportError):
                stranger.get(f"https://127.0.0.1:{door.port}/")


# Another user

AS_ANOTHER_USER = """
import json, os, socket, sys, urllib.error, urllib.request
given = json.load(sys.stdin)
assert os.getuid() == given["uid"], os.getuid()
done = []
for url in given["urls"]:
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(url, timeout=5) as answer:
            done.append(f"{url} {answer.status}")
    except urllib.error.HTTPError as error:
        pass
for port in given["ways_out"]:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as client:
        try:
            client.sendall(bytes([5, 1, 0]))
            if client.recv(2):
                done.append(f"SOCKS on {port}")
        except OSError:
            pass
for path in given["sockets"]:
    with socket.socket(socket.AF_UNIX) as client:
        try:
            client.connect(path.replace("@", "\\0", 1) if path.startswith("@") else path)
            done.append(path)
        except OSError:
            pass
for path in given["files"]:
    try:
        open(path, "rb").read(1)
        done.append(path)
    except OSError:
        pass
json.dump(done, sys.stdout)
"""


def _interpreter_of_others() -> str:
    """A Python that another user may run: the environment's own may lie in a folder of its owner's."""
    for python in (os.path.realpath(sys.executable), "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            subprocess.run([python, "-I", "-S", "-c", ""], user="nobody", check=True, timeout=20, cwd="/")
        except (OSError, subprocess.SubprocessError):
            continue
        return python
    pytest.skip("no Python here may be run by another user")


def test_another_user_of_the_machine_gets_no_more_than_a_stranger(
    doors: list[Door],
    http: list[Door],
    found: list[Listener],
    paths: list[str],
    system: System,
    processes: list[psutil.Process],
) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may start a program as another user")
    nobody = pwd.getpwnam("nobody")
    files = [system.data / "keys", system.data / "run", system.data / "logs", system.sessions, system.saves]
    given = {
        "uid": nobody.pw_uid,
        "urls": [f"{door.address}{path}" for door in http for path in paths if not door.may_answer(path)],
        "ways_out": [door.port for door in doors if door.name == EGRESS],
        "sockets": [each.address for each in found if each.kind == "unix" and not MAY_CONNECT.fullmatch(each.address)],
        "files": [
            *(str(file) for folder in files for file in folder.rglob("*") if file.is_file()),
            *(f"/proc/{process.pid}/environ" for process in processes),
        ],
    }
    assert len(given["urls"]) > 200
    assert len(given["ways_out"]) == 1
    assert len(given["files"]) > 20
    ran = subprocess.run(
        [_interpreter_of_others(), "-I", "-S", "-c", AS_ANOTHER_USER], input=json.dumps(given), user=nobody.pw_uid,
        group=nobody.pw_gid, extra_groups=[], cwd="/", env={}, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    assert json.loads(ran.stdout) == []


# Pages

READ_ALL = """(urls) => Promise.all(urls.map((url) => fetch(url, {signal: AbortSignal.timeout(8000)}).then(
    (answer) => ({url, status: answer.status}), () => null))).then((all) => all.filter(Boolean))"""
POST_BLINDLY = """(urls) => Promise.all(urls.flatMap((url) => ['text/plain', 'application/x-www-form-urlencoded'].map(
    (type) => fetch(url, {method: 'POST', mode: 'no-cors', body: '{}', headers: {'Content-Type': type},
        signal: AbortSignal.timeout(8000)}).catch(() => null))))"""
SUBMIT_FORMS = """(urls) => Promise.all(urls.map((url, number) => new Promise((done) => {
    const frame = Object.assign(document.createElement('iframe'), {name: `f${number}`});
    document.body.append(frame);
    frame.onload = done;  // the frame's own first page has been loaded already
    const form = Object.assign(document.createElement('form'),
        {method: 'post', action: url, target: frame.name, enctype: 'text/plain'});
    form.append(Object.assign(document.createElement('input'), {name: '{"a', value: '": null}'}));
    document.body.append(form);
    form.submit();
    setTimeout(done, 4000);
})))"""
POST_JSON = """(urls) => Promise.all(urls.map((url) => fetch(url, {method: 'POST', body: '{}',
    headers: {'Content-Type': 'application/json'}, signal: AbortSignal.timeout(8000)}).then(
    (answer) => ({url, status: answer.status}), () => null))).then((all) => all.filter(Boolean))"""
VISIT = """(url) => new Promise((done) => { const socket = new WebSocket(url);
    socket.onopen = () => done('open'); socket.onerror = () => done('refused');
    setTimeout(() => done('silent'), 5000); })"""

REACH = "(url) => fetch(url, {mode: 'no-cors'}).then((answer) => answer.type, () => 'nothing')"
AS_AN_OLDER_BROWSER = (
    f"--host-resolver-rules=MAP {FOREIGN} 127.0.0.1",
    "--disable-features=LocalNetworkAccessChecks,PrivateNetworkAccessSendPreflights,BlockInsecurePrivateNetworkRequests",
)
"""New Chromiums keep pages of the Internet off the local network; the walls must hold where the browser does not."""


@pytest.fixture
async def foreign(doors: list[Door]) -> AsyncIterator[BrowserContext]:
    """A browser that believes that a stranger's name leads to this machine, as it does after DNS rebinding. The
    stranger's own page is at /attack."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=browser_of(os.environ),
            args=[*AS_AN_OLDER_BROWSER, *(["--no-sandbox"] if os.geteuid() == 0 else [])],
        )
        context = await browser.new_context()
        await context.route(
            f"http://{FOREIGN}*/attack", lambda route: route.fulfill(body="<body></body>", content_type="text/html")
        )
        yield context
        await browser.close()


async def _page_of(context: BrowserContext, origin: str) -> Page:
    page = await context.new_page()
    await page.goto(f"{origin}/attack")
    return page


def _world(system: System, standin: StandInProcess) -> dict[str, Any]:
    """All that a page could have changed."""
    phone = standin.phone
    status = system.get()["status"]
    return {
        "devices": [(device.id, device.state) for device in phone.devices()],
        "messages": phone.messages(),
        "incoming": phone.incoming_messages(),
        "faults": phone.set_faults(),
        "settings": phone.set_settings(),
        "pages": [page.id for page in phone.pages()],
        "session": (status["state"], status["worker"]),
    }


async def test_a_page_of_a_foreign_origin_reads_nothing_and_changes_nothing(
    foreign: BrowserContext,
    doors: list[Door],
    paths: list[str],
    acts: list[str],
    system: System,
    standin: StandInProcess,
) -> None:
    async def attack(door: Door) -> None:
        page = await _page_of(foreign, f"http://{FOREIGN}")
        assert await page.evaluate(READ_ALL, [f"{door.address}{path}" for path in paths]) == []
        await page.evaluate(POST_BLINDLY, [f"{door.address}{path}" for path in acts])
        await page.evaluate(SUBMIT_FORMS, [f"{door.address}{path}" for path in acts])
        await page.close()

    page = await _page_of(foreign, f"http://{FOREIGN}")
    assert await page.evaluate(REACH, standin.web_url) == "opaque", "the attacker's page reaches this machine"
    before = _world(system, standin)
    await asyncio.gather(*map(attack, doors))  # most doors keep a page waiting
    assert await page.evaluate(VISIT, f"{standin.web_url.replace('http', 'ws')}/ws/chat") == "refused"
    await asyncio.sleep(0.5)
    assert _world(system, standin) == before


async def test_a_page_whose_name_was_bound_to_this_machine_reads_no_more_than_a_stranger_and_changes_nothing(
    foreign: BrowserContext, http: list[Door], paths: list[str], system: System, standin: StandInProcess
) -> None:
    before = _world(system, standin)
    for door in http:
        origin = f"http://{FOREIGN}:{door.port}"
        page = await _page_of(foreign, origin)
        assert await page.evaluate(REACH, f"{origin}/health/live") == "basic", "the attacker's page reaches the port"
        urls = [f"{origin}{path}" for path in paths]
        for script in (READ_ALL, POST_JSON):
            read = [each for each in await page.evaluate(script, urls) if each["status"] < 400]
            assert [each for each in read if not door.may_answer(each["url"].removeprefix(origin))] == []
        await page.close()
    await asyncio.sleep(0.5)
    assert _world(system, standin) == before
