"""What can be chosen while the stand-in runs: the pace of the page, the injected faults, the size of the history.

The module knows the values and their limits, and nothing of sockets. An update is partial: a field that is not named
keeps its value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

import msgspec

AckFault = Literal["normal", "nack", "blackhole", "lost", "late"]
Mode = Literal["normal", "ban", "tos_block", "smb_tos_block", "proxyblock", "deprecated", "unlaunched"]
HttpFault = Literal["normal", "error", "hang"]
Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=3_600_000)]


class ModuleFaults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Changes to the page's modules, effective from its next load."""

    drop: tuple[str, ...] = ()
    """Never registered."""
    rename: dict[str, str] = {}
    """`Old` → `New` renames a module, `Module.old` → `new` one of its exports."""
    hide: tuple[str, ...] = ()
    """Absent from the list of modules, still found by name."""
    late_ms: dict[str, Milliseconds] = {}
    """Registered so many milliseconds later."""


class InjectedFaults(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the server misbehaves on purpose."""

    ack: AckFault = "normal"
    """`blackhole`: the message never arrives; `lost`: it arrives and its ack does not."""
    ack_delay_ms: Milliseconds = 3000
    """Wait before a `late` ack."""
    mode: Mode = "normal"
    accept_sockets: bool = True
    http: HttpFault = "normal"
    modules: ModuleFaults = ModuleFaults()
    hostile: bool = False
    """From a page's next load: no policy, and it runs the scripts of `POST /pages/run`."""
    dialog: str | None = None
    """Text of a modal dialog that every page shows; None takes the dialog away."""


class History(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much each linked page keeps in IndexedDB, and how fast it writes."""

    target_mb: Annotated[float, msgspec.Meta(ge=0, le=4096)] = 0
    rate_per_s: Annotated[float, msgspec.Meta(ge=0, le=2000)] = 0
    """Records written each second, each in its own transaction, once the size is reached."""


class PageSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The pace and the shape of the page."""

    version: str = "2.3000.1045220589"
    """`Debug.VERSION`."""
    ref_seconds: Annotated[float, msgspec.Meta(gt=0)] = 20
    refs: Annotated[int, msgspec.Meta(ge=1)] = 6
    """QR codes shown before the page goes idle."""
    code_seconds: Annotated[float, msgspec.Meta(gt=0)] = 195
    synced_ms: Milliseconds = 700
    """From CONNECTED to `change:hasSynced`; whatsapp-web.js misses it when it comes before 300 ms."""
    fillers: Annotated[int, msgspec.Meta(ge=0, le=100_000)] = 0
    history: History = History()


Struct = TypeVar("Struct", bound=msgspec.Struct)


def updated(current: Struct, changes: Mapping[str, Any]) -> Struct:
    """`current` with the named fields replaced; nested objects are merged one level deep.

    Raises `ValueError` that names the field when a value is not allowed.
    """
    merged = msgspec.to_builtins(current)
    for name, value in changes.items():
        known = merged.get(name)
        merged[name] = {**known, **value} if isinstance(known, dict) and isinstance(value, dict) else value
    try:
        return msgspec.convert(merged, type(current))
    except msgspec.ValidationError as error:
        raise ValueError(str(error)) from None
