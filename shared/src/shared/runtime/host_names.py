"""Which names in a request's `Host` may be ours.

The trap is DNS rebinding: a page of `evil.example` lets that name point to an address of this machine, and its browser
then takes our port for the page's own. The browser still sends the page's name. So a name counts as ours only where
nobody on the Internet can own it: an address, a name of one label (a container's), or one below a reserved domain.
"""

from __future__ import annotations

import ipaddress
import re

RESERVED = ("localhost", "internal", "local", "localdomain")
"""Never delegated on the Internet; `internal` is the private net of Railway, `cluster.local` that of Kubernetes."""
_NAME = re.compile(r"[a-z0-9]([a-z0-9_-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9_-]*[a-z0-9])?)*")
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[^:\[\]]+)(:[0-9]{1,5})?", re.IGNORECASE)


def is_foreign(host: str) -> bool:
    """Whether `host`, the text of a Host header, may be the name of a stranger's site. No name is foreign too."""
    found = _HOST.fullmatch(host)
    if found is None:
        return True
    name = found[1].strip("[]").lower()
    return not (_is_address(name) or _is_private(name))


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_private(name: str) -> bool:
    labels = name.split(".")
    return bool(_NAME.fullmatch(name)) and (len(labels) == 1 or labels[-1] in RESERVED)
