"""The configuration of nats-server with one user a service, as text. Holds public keys only."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

from . import permissions
from .permissions import Permissions

ANSWER_WITHIN = "15m"
"""How long after a request its answer may come: a backup of a large profile takes minutes."""


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
    return "\n".join([*lines, authorization(public_keys), ""])


def authorization(public_keys: Mapping[str, str]) -> str:
    """The block `authorization { … }` alone."""
    users = [_user(key, permissions.of(service)) for service, key in public_keys.items()]
    return "authorization {\n  users = [\n" + "\n".join(users) + "\n  ]\n}"


def _user(key: str, allowed: Permissions) -> str:
    answers = f', allow_responses: {{ max: 1, expires: "{ANSWER_WITHIN}" }}' if allowed.answers else ""
    return (
        f"    {{ nkey: {_text(key)}, permissions: {{\n"
        f"        publish: {{ allow: {_list(allowed.publish)} }},\n"
        f"        subscribe: {{ allow: {_list(allowed.subscribe)} }}{answers}\n"
        f"    }} }}"
    )


def _list(subjects: Iterable[str]) -> str:
    return "[" + ", ".join(_text(subject) for subject in subjects) + "]"


def _text(value: str) -> str:
    return json.dumps(value)
