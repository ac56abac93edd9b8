"""Which system a command means, and the key to it: what was said, else what runs here.

Trap: `./data` may hold a real system and `./data/demo` a demo; a command that could mean either means the real one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from persistent_session import settings
from persistent_session.faults import Exit, Fault
from persistent_session.stack import holding

NOT_HERE = "start it with `make up` or `make demo`, or name one with --url and API_KEY"


@dataclass(frozen=True, kw_only=True)
class Target:
    url: str
    key: str = field(repr=False)


def find_target(environ: Mapping[str, str], here: Path, *, url: str = "", demo: bool = False) -> Target:
    """The gateway to talk to. Raises Fault when none runs or no key is known."""
    given = url or environ.get("GATEWAY_URL", "")
    stack = None if given else running(environ, here, demo=demo)
    if not given and stack is None:
        raise Fault("no system runs here", hint=NOT_HERE, code=Exit.NOT_RUNNING)
    return Target(url=given or (stack.gateway_url if stack else ""), key=_key(environ, here, stack, demo=demo))


def running(environ: Mapping[str, str], here: Path, *, demo: bool = False) -> holding.RunningStack | None:
    """The system that runs on the data folder of this place; the demo when only that one runs."""
    found = (holding.read_stack(folder) for folder in _folders(environ, here, demo=demo))
    return next((stack for stack in found if stack), None)


def _folders(environ: Mapping[str, str], here: Path, *, demo: bool) -> list[Path]:
    if environ.get("DATA_DIR") or demo:
        return [settings.data_dir(environ, demo=demo, here=here)]
    return [settings.data_dir(environ, demo=which, here=here) for which in (False, True)]


def _key(environ: Mapping[str, str], here: Path, stack: holding.RunningStack | None, *, demo: bool) -> str:
    if environ.get("API_KEY"):
        return environ["API_KEY"]
    if environ.get("API_KEY_FILE"):
        return _read(here / Path(environ["API_KEY_FILE"]).expanduser())
    if stack and stack.own_api_key:
        raise Fault("this system was started with an API key of your own", hint="set API_KEY", code=Exit.DENIED)
    return _read(key_path(environ, here, demo=demo, stack=stack))


def key_path(
    environ: Mapping[str, str], here: Path, *, demo: bool = False, stack: holding.RunningStack | None = None
) -> Path:
    """Where the key that was made lies."""
    folder = Path(stack.data_dir) if stack else settings.data_dir(environ, demo=demo, here=here)
    return folder / "keys" / settings.API_KEY_FILE


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise Fault(
            f"no API key: {path} cannot be read", hint="set API_KEY or API_KEY_FILE", code=Exit.DENIED
        ) from None
