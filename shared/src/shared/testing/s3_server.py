"""A real S3 server (SeaweedFS) for tests, without telemetry, on free ports, with its data in one folder.

It stands for a store of the user's own, which has no certificate of ours: every port but S3 is open. The local mode's
store is closed (`persistent_session.stack.seaweed`).
"""

from __future__ import annotations

import os
import secrets
import urllib.error
import urllib.request
from pathlib import Path

from .eventually import eventually_sync
from .ports import free_ports
from .process import Process, program

START_SECONDS = 60.0


class S3Server:
    """`endpoint` and `bucket` exist after `start`; port, keys and data survive `restart`."""

    bucket = "wa-test"
    region = "us-east-1"

    def __init__(self) -> None:
        self.access_key = f"test{secrets.token_hex(6)}"
        self.secret_key = secrets.token_hex(20)
        self._folder = Path()
        self._ports: dict[str, int] = {}
        self._process: Process | None = None

    def start(self, folder: Path) -> S3Server:
        self._folder = folder
        (folder / "data").mkdir(parents=True, exist_ok=True)
        self._ports = dict(zip(PORT_FLAGS, free_ports(len(PORT_FLAGS)), strict=True))
        self._launch()
        return self

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._ports['s3.port']}"

    @property
    def process(self) -> Process:
        if self._process is None:
            raise RuntimeError("not started")
        return self._process

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
            self._remove_sockets()

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._remove_sockets()

    def _remove_sockets(self) -> None:
        """SeaweedFS leaves those of gRPC in /tmp."""
        for name, port in self._ports.items():
            part = name.removesuffix(".port.grpc")
            Path(f"/tmp/seaweedfs-{part}-grpc-{port}.sock").unlink(missing_ok=True)  # noqa: S108

    def restart(self) -> None:
        self.stop()
        self._launch()

    def _launch(self) -> None:
        command = [
            program("weed"), "-logtostderr=true", "mini", f"-dir={self._folder / 'data'}", "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1", "-filer.localSocket=filer.sock", "-s3.localSocket=s3.sock",
            "-admin.ui=false", "-webdav=false", "-master.telemetry=false",
            *(f"-{name}={port}" for name, port in self._ports.items()),
        ]  # fmt: skip
        env = {
            **{name: os.environ[name] for name in ("PATH", "HOME", "TMPDIR") if name in os.environ},
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
            "S3_BUCKET": self.bucket,
            "GOGC": "50",
        }
        self._process = Process(command, log_file=self._folder / "weed.log", env=env, folder=self._folder)
        eventually_sync(self._ready, timeout=START_SECONDS, interval=0.1, message="weed mini ready")

    def _ready(self) -> bool:
        if not self.process.alive:
            raise RuntimeError(f"weed mini ended:\n{self.process.log_tail()}")
        # The bucket is made after S3 answers; the filer shows it without a signature.
        folder = f"http://127.0.0.1:{self._ports['filer.port']}/buckets/{self.bucket}/"
        return _status(self.endpoint) in (200, 403) and _status(folder) == 200


PORT_FLAGS = (
    "metricsPort",
    "s3.port", "s3.port.grpc", "s3.port.https", "s3.port.iceberg", "s3.port.lance", "filer.port", "filer.port.grpc",
    "master.port", "master.port.grpc", "volume.port", "volume.port.grpc", "admin.port", "admin.port.grpc",
    "webdav.port",
)  # fmt: skip


def _status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
