"""The arguments and the environment of the local object store: SeaweedFS, all its servers in one process.

Of itself SeaweedFS opens about a dozen ports to everybody and reports statistics to its makers. Here every port is
chosen, and each one speaks TLS with whoever shows the certificate of this system, and with nobody else; S3 asks for a
signature on top.

The traps: a part whose certificate is not named falls back to no TLS at all. One part dials the administration port
plus 10000, whatever the arguments say. The sockets of gRPC lie in /tmp, whatever TMPDIR says; they speak TLS too.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from persistent_session.stack.ports import DERIVED

_GRPC_SERVERS = ("master", "volume", "filer", "s3", "admin")
_GRPC_CLIENTS = ("client", "worker")
_HTTP_SERVERS = ("master", "volume", "filer", "admin")
"""All but S3, which takes arguments."""
_SOCKETS = Path("/tmp")  # noqa: S108


def arguments(folder: Path, ports: Mapping[str, int], tls: Path) -> tuple[str, ...]:
    """The arguments of `weed mini`. `ports`: numbers by name in the table of services. `tls`: certificate and key."""
    flags = {
        "dir": folder,
        "ip": "127.0.0.1",
        "ip.bind": "127.0.0.1",
        "s3.port": ports["s3"],
        "s3.port.grpc": ports["s3-grpc"],
        "s3.port.iceberg": 0,
        "s3.port.lance": 0,
        "s3.cert.file": tls,
        "s3.key.file": tls,
        "s3.cacert.file": tls,
        "s3.tlsVerifyClientCert": "true",
        "s3.iam": "false",
        "master.port": ports["s3-master"],
        "master.port.grpc": ports["s3-master-grpc"],
        "volume.port": ports["s3-volume"],
        "volume.port.grpc": ports["s3-volume-grpc"],
        "filer.port": ports["s3-filer"],
        "filer.port.grpc": ports["s3-filer-grpc"],
        # These two sockets speak no TLS, so they lie in the working directory, which only its owner can enter. A short
        # relative path also fits where a data folder's own path is too long for a socket.
        "filer.localSocket": "filer.sock",
        "s3.localSocket": "s3.sock",
        "admin.port": ports["s3-admin"],
        "admin.port.grpc": ports["s3-admin"] + DERIVED,
        "admin.ui": "false",
        "webdav": "false",
        "master.telemetry": "false",
    }
    return tuple(f"-{name}={value}" for name, value in flags.items())


def environment(tls: Path) -> dict[str, str]:
    """What `security.toml` would say, as variables, which win over any such file on the machine."""
    found = {"grpc.ca": tls, "https.client.enabled": "true"}
    for part in (*_GRPC_SERVERS, *_GRPC_CLIENTS):
        found |= {f"grpc.{part}.cert": tls, f"grpc.{part}.key": tls}
    for part in (*_HTTP_SERVERS, "client"):
        found |= {f"https.{part}.cert": tls, f"https.{part}.key": tls, f"https.{part}.ca": tls}
    return {f"WEED_{name.upper().replace('.', '_')}": str(value) for name, value in found.items()}


def sockets(ports: Mapping[str, int]) -> list[Path]:
    """The sockets that a store on these ports, or one of an earlier version, leaves behind when it is killed."""
    grpc = {part: ports.get(f"s3-{part}-grpc", 0) for part in ("master", "volume", "filer")}
    grpc |= {"s3": ports.get("s3-grpc", 0), "admin": ports.get("s3-admin", 0) + DERIVED}
    http = {"filer": ports.get("s3-filer", 0), "s3": ports.get("s3", 0)}
    names = [f"{part}-grpc-{port}" for part, port in grpc.items()] + [f"{part}-{port}" for part, port in http.items()]
    return [_SOCKETS / f"seaweedfs-{name}.sock" for name in names]
