"""The arguments of the local object store: SeaweedFS, all its servers in one process.

The trap: SeaweedFS opens about a dozen ports and reports statistics to its makers unless told not to. So every port is
chosen here, and telemetry is off. One part dials the administration port plus 10000, whatever the arguments say.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from persistent_session.stack.ports import DERIVED


def arguments(folder: Path, ports: Mapping[str, int]) -> tuple[str, ...]:
    """The arguments of `weed mini`. `ports`: numbers by name in the table of services."""
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
    return tuple(f"-{name}={value}" for name, value in flags.items())
