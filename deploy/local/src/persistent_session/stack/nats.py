"""The configuration of the local nats-server: loopback only, a store in the data folder, one user with an nkey each.

Trap: the monitoring port answers anybody who reaches it, so it listens on loopback and is never forwarded.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from shared.bus.permissions import nats_users


def config(*, store: Path, ports: Mapping[str, int], public_keys: Mapping[str, str]) -> str:
    """Text for `nats-server -c`. `public_keys`: public nkey by user, for the services of shared.bus.permissions."""
    return f"""\
listen: "127.0.0.1:{ports["nats"]}"
http: "127.0.0.1:{ports["nats-monitor"]}"
server_name: "persistent-session"
jetstream {{ store_dir: {json.dumps(str(store))}, max_file_store: 1GB, max_memory_store: 64MB }}
max_payload: 1MB
write_deadline: "10s"
{nats_users(public_keys)}
"""
