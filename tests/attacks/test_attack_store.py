"""The local object store: every door of it, found where it listens and never by a list, against who has no key.

Each attack has a counterpart that gets in with the key, so that none passes because it would never work.
"""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
import httpx
import psutil
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from playwright.sync_api import sync_playwright
from whole_system import System, command_line

from backup.domain import layout
from persistent_session.data_folder import DataFolder
from persistent_session.services.secrets import S3_ACCESS_KEY, S3_SECRET_KEY, S3_TLS
from persistent_session.services.table import S3_BUCKET, S3_SERVICE
from persistent_session.stack import running_stack, seaweed
from persistent_session.stack.certificate import new_certificate
from shared.browsers import find_browser
from shared.clock import SystemClock, sleep_blocking
from shared.testing import eventually_sync
from shared.testing.process import program

if TYPE_CHECKING:
    from mypy_boto3_s3.client import S3Client

FOREIGN = "http://foreign.example"
HEAD = layout.head("whatsapp-automation-pro-v2")
PATHS = (
    "/", f"/buckets/{S3_BUCKET}/?limit=9", f"/buckets/{S3_BUCKET}/{HEAD}", f"/{S3_BUCKET}?list-type=2",
    f"/{S3_BUCKET}/{HEAD}", "/dir/assign", "/dir/status", "/cluster/status", "/vol/status", "/status", "/healthz",
    "/ui/index.html", "/metrics", "/submit", "/?Action=ListUsers",
)  # fmt: skip
SHELL_SECONDS = 60.0
NOBODY = 65534


class Store:
    """The running store as an attacker on this machine finds it, and the keys that the attacker lacks."""

    def __init__(self, system: System, folder: Path) -> None:
        self.data = DataFolder(system.data)
        running = running_stack.read(self.data)
        assert running is not None
        self.process = psutil.Process(running.processes[S3_SERVICE.name])
        self.tls = self.data.key(S3_TLS.name)
        self.wrong_tls = folder / "wrong-tls"
        self.wrong_tls.write_text(new_certificate())

    def ports(self) -> list[int]:
        found = [
            connection.laddr.port
            for process in (self.process, *self.process.children(recursive=True))
            for connection in process.net_connections(kind="tcp")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert found, "the store listens nowhere: the attack would attack nothing"
        return sorted(set(found))

    def sockets(self) -> list[Path]:
        """Its unix sockets with a name, as paths that lead to them from anywhere."""
        here = Path(self.process.cwd())
        names = {str(connection.laddr) for connection in self.process.net_connections(kind="unix")}
        return sorted(here / name for name in names if name)

    def client(self, *, secret: str = "", tls: Path | None = None, scheme: str = "https") -> S3Client:
        file = str(tls or self.tls)
        return boto3.client(
            "s3",
            endpoint_url=f"{scheme}://127.0.0.1:{_port(self, 's3')}",
            region_name="us-east-1",
            aws_access_key_id=self.data.key(S3_ACCESS_KEY.name).read_text().strip(),
            aws_secret_access_key=secret or self.data.key(S3_SECRET_KEY.name).read_text().strip(),
            verify=file if scheme == "https" else None,
            config=Config(client_cert=file, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
        )

    def objects(self) -> dict[str, str]:
        """Every object with its content's hash, as the owner sees it."""
        listed = self.client().list_objects_v2(Bucket=S3_BUCKET).get("Contents", [])
        return {each["Key"]: each["ETag"] for each in listed}


def _port(store: Store, name: str) -> int:
    return int(json.loads(store.data.ports.read_text())[name])


@pytest.fixture(scope="module")
def store(system: System, tmp_path_factory: pytest.TempPathFactory) -> Store:
    eventually_sync(lambda: system.post("backups").json().get("backups"), timeout=60, message="no backup was made")
    return Store(system, tmp_path_factory.mktemp("attacker"))


@pytest.fixture(autouse=True)
def nothing_in_the_bucket_changes(store: Store) -> Iterator[None]:
    before = store.objects()
    assert HEAD in before
    yield
    after = store.objects()
    assert {key: after.get(key) for key in before} == before


def identity(file: Path | None) -> ssl.SSLContext:
    """An attacker checks no certificate, and shows the one of `file`, or none."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    if file:
        context.load_cert_chain(file)
    return context


def told(port: int, context: ssl.SSLContext | None) -> list[tuple[str, str, int, bool]]:
    """Method, path, status and whether a page of any origin may read the answer, where there was an answer at all."""
    scheme = "https" if context else "http"
    answers = []
    with httpx.Client(verify=context or True, timeout=3, trust_env=False, headers={"Origin": FOREIGN}) as http:
        for method, path in [("GET", path) for path in PATHS] + [
            ("OPTIONS", f"/{S3_BUCKET}/{HEAD}"), ("PUT", f"/{S3_BUCKET}/{HEAD}"),
            ("PUT", f"/buckets/{S3_BUCKET}/{HEAD}"), ("POST", f"/buckets/{S3_BUCKET}/{HEAD}"), ("POST", "/"),
            ("DELETE", f"/{S3_BUCKET}/{HEAD}"), ("DELETE", f"/buckets/{S3_BUCKET}/?recursive=true"),
            ("POST", f"/col/delete?collection={S3_BUCKET}"),
        ]:  # fmt: skip
            try:
                answer = http.request(method, f"{scheme}://127.0.0.1:{port}{path}")
            except httpx.TransportError:
                continue
            answers.append((method, path, answer.status_code, "Access-Control-Allow-Origin" in answer.headers))
    return answers


@pytest.mark.parametrize("key", ["plain", "none", "wrong"])
def test_no_port_tells_or_does_anything_for_whoever_has_no_key(store: Store, key: str) -> None:
    context = {"plain": None, "none": identity(None), "wrong": identity(store.wrong_tls)}[key]
    with ThreadPoolExecutor(4) as pool:
        answers = dict(zip(store.ports(), pool.map(lambda port: told(port, context), store.ports()), strict=True))
    # An HTTP port says "this is HTTPS" to whoever speaks no TLS: that is all that anybody learns.
    refused = {("plain"): {(400, False)}}.get(key, set())
    assert {
        port: {(status, readable) for *_, status, readable in found} - refused for port, found in answers.items()
    } == {port: set() for port in answers}


def test_with_the_key_the_same_requests_are_answered(store: Store) -> None:
    """Only the reading ones: the others would do it."""
    with httpx.Client(verify=identity(store.tls), trust_env=False) as http:
        for name in ("s3-master", "s3-volume", "s3-filer"):
            assert http.get(f"https://127.0.0.1:{_port(store, name)}/healthz").status_code == 200


def shell(port: int, tls: Path | None, seconds: float = SHELL_SECONDS) -> str:
    """What `weed shell` finds out through a port, whatever it is the port of."""
    address = f"127.0.0.1:{port}.{port}"
    environment = {"PATH": os.environ["PATH"], **(seaweed.environment(tls) if tls else {})}
    try:
        done = subprocess.run(
            [program("weed"), "shell", f"-master={address}"], env=environment, timeout=seconds,
            input=b"cluster.ps\nvolume.list\n", capture_output=True, check=False,
        )  # fmt: skip
        return (done.stdout + done.stderr).decode(errors="replace")
    except subprocess.TimeoutExpired as late:
        return ((late.stdout or b"") + (late.stderr or b"")).decode(errors="replace")


@pytest.fixture(scope="module")
def seconds_with_key(store: Store) -> float:
    """How long the shell takes on this machine now, for whoever has the key."""
    clock = SystemClock()
    began = clock.monotonic()
    assert "DataNode" in shell(_port(store, "s3-master-grpc"), store.tls)
    return clock.monotonic() - began


@pytest.mark.parametrize("key", ["none", "wrong"])
def test_the_shell_of_the_store_gets_in_at_no_port_without_the_key(
    store: Store, seconds_with_key: float, key: str
) -> None:
    """A shell that is refused tries again without end."""
    tls = {"none": None, "wrong": store.wrong_tls}[key]
    ports = store.ports()
    with ThreadPoolExecutor(len(ports)) as pool:
        said = pool.map(lambda port: shell(port, tls, 1.0 + 4 * seconds_with_key), ports)
    assert [text for text in said if "DataNode" in text] == []


class ForeignPage(BaseHTTPRequestHandler):
    """A page of another origin; `/open` may be read by every origin, as the counterpart."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        if self.path == "/open":
            self.send_header("Access-Control-Allow-Origin", "*")
        self.end_headers()
        self.wfile.write(b"<title>foreign</title>")

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture
def foreign_pages() -> Iterator[tuple[str, str]]:
    """Two addresses of different origins."""
    servers = [ThreadingHTTPServer(("127.0.0.1", 0), ForeignPage) for _ in range(2)]
    for server in servers:
        threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{servers[0].server_port}/", f"http://127.0.0.1:{servers[1].server_port}/open"
    finally:
        for server in servers:
            server.shutdown()
            server.server_close()


ATTACK_OF_A_PAGE = """async ([ports, bucket, head, open]) => {
    const read = [], write = {method: 'PUT', body: '{"epoch": 999999999}'}, erase = {method: 'DELETE'};
    const attempt = async (url, options) => {
        try { const answer = await fetch(url, options); await answer.text(); read.push(url); } catch (refused) {}
    };
    const late = AbortSignal.timeout(4000);
    await attempt(open, {signal: late});
    await Promise.all(ports.flatMap(port => ['http', 'https'].flatMap(scheme => {
        const at = `${scheme}://127.0.0.1:${port}`, object = `${at}/buckets/${bucket}/${head}`;
        return [
            attempt(`${at}/`, {signal: late}), attempt(`${at}/healthz`, {signal: late}),
            attempt(`${at}/buckets/${bucket}/`, {signal: late}), attempt(`${at}/dir/status`, {signal: late}),
            attempt(object, {...write, signal: late}), attempt(`${at}/${bucket}/${head}`, {...write, signal: late}),
            attempt(object, {method: 'POST', body: 'x', mode: 'no-cors', signal: late}).then(() => {}),
            attempt(`${at}/buckets/${bucket}/?recursive=true`, {...erase, signal: late}),
        ];
    })));
    return read;
}"""


def test_a_page_of_a_foreign_origin_reads_and_changes_nothing(
    store: Store, system: System, foreign_pages: tuple[str, str]
) -> None:
    page_url, open_url = foreign_pages
    before = system.post("backups").json()["backups"]
    sandbox = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_browser("headless-shell"), args=sandbox)
        page = browser.new_page()
        page.goto(page_url)
        read = page.evaluate(ATTACK_OF_A_PAGE, [store.ports(), S3_BUCKET, HEAD, open_url])
        browser.close()
    # A no-cors POST "succeeds" with an answer that nobody can read; the objects tell whether it did anything.
    assert [url for url in read if HEAD not in url] == [open_url]
    assert system.post("backups").json()["backups"] == before


def test_s3_refuses_a_wrong_signature_a_missing_one_and_one_that_has_expired(store: Store) -> None:
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        store.client(secret="x" * 40).list_objects_v2(Bucket=S3_BUCKET)
    url = store.client().generate_presigned_url("get_object", Params={"Bucket": S3_BUCKET, "Key": HEAD}, ExpiresIn=1)
    with httpx.Client(verify=identity(store.tls), trust_env=False) as http:
        assert http.get(url.split("?")[0]).status_code == 403
        sleep_blocking(2.5)
        assert http.get(url).status_code == 403
    lasting = store.client().generate_presigned_url("get_object", Params={"Bucket": S3_BUCKET, "Key": HEAD})
    with httpx.Client(verify=identity(store.tls), trust_env=False) as http:
        assert http.get(lasting).status_code == 200


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_keys_of_s3_alone_open_nothing(store: Store, scheme: str) -> None:
    with pytest.raises((BotoCoreError, HTTPClientError, ClientError)):
        store.client(tls=store.wrong_tls, scheme=scheme).list_objects_v2(Bucket=S3_BUCKET)


AS_ANOTHER_USER = """
import os, pathlib, socket, sys
os.setgroups([])
os.setgid(int(sys.argv[1]))
os.setuid(int(sys.argv[1]))
for path in map(pathlib.Path, sys.argv[2:]):
    try:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path)) if path.is_socket() else path.read_bytes()
        print(path)
    except OSError:
        pass
"""


def test_another_user_of_the_machine_enters_no_socket_and_reads_no_key(store: Store, system: System) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root may start a program as another user")
    own = system.folder / "readable"
    own.touch()
    sockets = store.sockets()
    assert len(sockets) >= 2
    tried = [own, *sockets, *store.data.keys.iterdir(), Path(f"/proc/{store.process.pid}/environ")]
    command = [sys.executable, "-I", "-S", "-c", AS_ANOTHER_USER, str(NOBODY), *map(str, tried)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [str(own)]


def test_the_store_knows_what_it_needs_and_no_command_line_shows_a_secret(store: Store, system: System) -> None:
    allowed = {"PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "GOGC", "DATA_DIR", "PERSISTENT_SESSION_STACK"}
    allowed |= {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", *seaweed.environment(store.tls)}
    assert set(store.process.environ()) <= allowed
    secrets = [path.read_text().strip() for path in store.data.keys.iterdir()]
    lines = [" ".join(command_line(process)) for process in system.processes()]
    assert [line for line in lines if any(secret in line for secret in secrets)] == []
