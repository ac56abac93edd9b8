"""How the local S3 server (SeaweedFS in one process) is started.

Trap: it opens about a dozen ports and reports statistics to its makers unless told not to; every port is chosen here,
and a part of it dials the admin port plus 10000 whatever the flags say.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from persistent_session.stack.ports import DERIVED

PORTS = ("s3", "s3-grpc", "s3-master", "s3-master-grpc", "s3-volume", "s3-volume-grpc", "s3-filer", "s3-filer-grpc",
         "s3-admin")  # fmt: skip
BUCKET = "persistent-session"
REGION = "us-east-1"


def endpoint(ports: Mapping[str, int]) -> str:
    return f"http://127.0.0.1:{ports['s3']}"


def command(program: str, folder: Path, ports: Mapping[str, int]) -> tuple[str, ...]:
    flags = {
        "dir": folder,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "s3.port": ports["s3"],
        "s3.port.grpc": ports["s3-grpc"],
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "master.port": ports["s3-master"],
        "master.port.grpc": ports["s3-master-grpc"],
        "volume.port": ports["s3-volume"],
        "volume.port.grpc": ports["s3-volume-grpc"],
        "filer.port": ports["s3-filer"],
        "filer.port.grpc": ports["s3-filer-grpc"],
        "admin.port": ports["s3-admin"],
        "admin.port.grpc": ports["s3-admin"] + DERIVED,
        "admin.ui": "false",
        "webdav": "false",
        "master.telemetry": "false",
    }
    # Without the first flag it logs to files of its own in /tmp.
    return (program, "-logtostderr=true", "mini", *(f"-{name}={value}" for name, value in flags.items()))


def environment(access_key: str, secret_key: str) -> dict[str, str]:
    """Memory limits hold the server at about 116 MB instead of growing with the machine."""
    return {
        "AWS_ACCESS_KEY_ID": access_key,
        "AWS_SECRET_ACCESS_KEY": secret_key,
        "S3_BUCKET": BUCKET,
        "GOMEMLIMIT": "192MiB",
        "GOGC": "50",
    }
