"""The configuration of the local nats-server: loopback only, a store in the data folder, one user with an nkey each.

The trap: a monitoring port would answer everybody who reaches it, any web page included. There is none: the user of the
system account asks the server itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from persistent_session.services.bus_users import BUS_USERS, publish_subjects, subscribe_subjects

REPLY_EXPIRES = "15m"
"""How long after a request a user may still reply: a backup of a large profile takes minutes."""


def config(*, store: Path, ports: Mapping[str, int], public_keys: Mapping[str, str], key_variable: str = "") -> str:
    """The text for `nats-server -c`. `public_keys`: the public nkey of each user of `BUS_USERS`. `key_variable`: the
    environment variable with the key that the store is encrypted with; "" for a store that anybody can read."""
    encryption = f', key: ${key_variable}, cipher: "aes"' if key_variable else ""
    return f"""\
listen: "127.0.0.1:{ports["nats"]}"
server_name: "persistent-session"
jetstream {{ store_dir: {_quoted(str(store))}, max_file_store: 1GB, max_memory_store: 64MB{encryption} }}
max_payload: 1MB
write_deadline: "10s"
{_authorization(public_keys)}
"""


def _authorization(public_keys: Mapping[str, str]) -> str:
    ours, system = (_users(public_keys, system=system) for system in (False, True))
    return f"authorization {{\n{ours}\n}}\naccounts {{ SYS: {{\n{system}\n}} }}\nsystem_account: SYS"


def _users(public_keys: Mapping[str, str], *, system: bool) -> str:
    users = [_user(name, public_keys[name]) for name, allowed in BUS_USERS.items() if allowed.system is system]
    return "\n".join(["  users = [", *users, "  ]"])


def _user(name: str, public_key: str) -> str:
    replies = f', allow_responses: {{ max: 1, expires: "{REPLY_EXPIRES}" }}' if BUS_USERS[name].replies else ""
    return (
        f"    {{ nkey: {_quoted(public_key)}, permissions: {{\n"
        f"        publish: {{ allow: {_list(publish_subjects(name))} }},\n"
        f"        subscribe: {{ allow: {_list(subscribe_subjects(name))} }}{replies}\n"
        f"    }} }}"
    )


def _list(subjects: Iterable[str]) -> str:
    return "[" + ", ".join(map(_quoted, subjects)) + "]"


def value(text: str) -> str:
    """`text` as an environment variable that the configuration refers to: NATS reads it in its own language, where a
    bare key that begins like a number stops the start."""
    return _quoted(text)


def _quoted(text: str) -> str:
    return json.dumps(text)
