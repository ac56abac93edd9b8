"""The configuration of nats-server with one user a service, as text. Holds public keys only."""

from __future__ import annotations

import json
from collections.abc import Mapping

from . import permissions


def server_config(
    public_keys: Mapping[str, str],
    *,
    store_dir: str | None = None,
    listen: str = "127.0.0.1:-1",
    monitor: str | None = "127.0.0.1:-1",
    ports_file_dir: str | None = None,
) -> str:
    """`public_keys`: service name (permissions.SERVICES) → public nkey. Port -1 = any free one, then written to a file
    in `ports_file_dir`. `store_dir` and the rest may be left to the command line."""
    lines = [f"listen: {_text(listen)}"]
    if monitor:
        lines.append(f"http: {_text(monitor)}")
    if ports_file_dir:
        lines.append(f"ports_file_dir: {_text(ports_file_dir)}")
    if store_dir:
        lines.append(f"jetstream {{ store_dir: {_text(store_dir)} }}")
    return "\n".join([*lines, permissions.nats_users(public_keys), ""])


def _text(value: str) -> str:
    return json.dumps(value)
