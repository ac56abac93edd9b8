"""The system that a command means, and the key to it: what the user names, else what runs here.

`./data` may hold a real system and `./data/demo` a demo; a command that could mean either means the real system.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from persistent_session.data_folder import DataFolder
from persistent_session.errors import CliError, ExitCode
from persistent_session.services.secrets import API_KEY
from persistent_session.settings import find_data_folder
from persistent_session.stack import running_stack
from persistent_session.stack.running_stack import RunningStack

NOT_HERE = "start it with `make up` or `make demo`, or name a system with --url and API_KEY"


@dataclass(frozen=True, kw_only=True)
class Target:
    url: str
    key: str = field(repr=False)


def find_target(environ: Mapping[str, str], here: Path, *, url: str = "", demo: bool = False) -> Target:
    """The gateway that a command talks to. Raises CliError when no system runs or no key is known."""
    given = url or environ.get("GATEWAY_URL", "")
    stack = None if given else running(environ, here, demo=demo)
    if not given and stack is None:
        raise CliError("no system runs here", hint=NOT_HERE, code=ExitCode.NOT_RUNNING)
    return Target(url=given or (stack.gateway_url if stack else ""), key=_key(environ, here, stack, demo=demo))


def running(environ: Mapping[str, str], here: Path, *, demo: bool = False) -> RunningStack | None:
    """The system that runs on the data folder of `here`; the demo when only the demo runs."""
    found = (running_stack.read(folder) for folder in _folders(environ, here, demo=demo))
    return next((stack for stack in found if stack), None)


def _folders(environ: Mapping[str, str], here: Path, *, demo: bool) -> list[DataFolder]:
    if environ.get("DATA_DIR") or demo:
        return [find_data_folder(environ, demo=demo, here=here)]
    return [find_data_folder(environ, demo=which, here=here) for which in (False, True)]


def _key(environ: Mapping[str, str], here: Path, stack: RunningStack | None, *, demo: bool) -> str:
    if environ.get("API_KEY"):
        return environ["API_KEY"]
    if environ.get("API_KEY_FILE"):
        return _read(here / Path(environ["API_KEY_FILE"]).expanduser())
    if stack and stack.own_api_key:
        raise CliError("this system was started with an API key of your own", hint="set API_KEY", code=ExitCode.DENIED)
    return _read(key_path(environ, here, demo=demo, stack=stack))


def key_path(environ: Mapping[str, str], here: Path, *, demo: bool = False, stack: RunningStack | None = None) -> Path:
    """The file of the generated key."""
    data = DataFolder(Path(stack.data_dir)) if stack else find_data_folder(environ, demo=demo, here=here)
    return data.key(API_KEY.name)


def _read(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, UnicodeDecodeError):
        raise CliError(
            f"no API key: {path} cannot be read", hint="set API_KEY or API_KEY_FILE", code=ExitCode.DENIED
        ) from None
